/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "monitor/record_code.h"

#include "monitor/record_hash.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    GAP = 4, /* equal bytes that are worth a new run */
    OUTCOME_MAX = ENGINE_PLAN_MAX * (EVENT_LEN + 16),
};

int record_code_init(struct record_code *c)
{
    *c = (struct record_code){.report = calloc(HOSTS_MAX, sizeof *c->report),
                              .outcome = BUF(OUTCOME_MAX)};
    return c->report ? 0 : -ENOMEM;
}

void record_code_free(struct record_code *c)
{
    free(c->report);
    c->report = NULL;
    buf_free(&c->outcome);
}

/* ---- numbers and bytes, both ways ---- */

static void code_u64(struct record_code *c, uint64_t *v)
{
    uint8_t bytes[10];
    size_t n = 0;

    if (c->out) {
        for (uint64_t rest = *v; n == 0 || rest; rest >>= 7)
            bytes[n++] = (uint8_t)((rest & 127) | (rest > 127 ? 128 : 0));
        buf_add(c->out, bytes, n);
        return;
    }
    *v = 0;
    for (unsigned shift = 0; !c->bad; shift += 7) {
        if (c->at == c->end || shift > 63) {
            c->bad = true;
            *v = 0;
            return;
        }
        *v |= (uint64_t)(*c->at & 127) << shift;
        if (!(*c->at++ & 128))
            return;
    }
}

static void code_i64(struct record_code *c, int64_t *v)
{
    uint64_t folded = (uint64_t)*v << 1 ^ (*v < 0 ? ~0ull : 0);

    code_u64(c, &folded);
    *v = (int64_t)(folded >> 1 ^ (folded & 1 ? ~0ull : 0));
}

/* As what differs from *last. */
static void code_moment(struct record_code *c, int64_t *v, int64_t *last)
{
    int64_t step = (int64_t)((uint64_t)*v - (uint64_t)*last);

    code_i64(c, &step);
    *v = *last = (int64_t)((uint64_t)*last + (uint64_t)step);
}

/* A whole number between least and most. */
static void code_int(struct record_code *c, int *v, int least, int most)
{
    int64_t wide = *v;

    code_i64(c, &wide);
    if (!c->out && (wide < least || wide > most)) {
        c->bad = true;
        wide = least;
    }
    *v = (int)wide;
}

static void code_bool(struct record_code *c, bool *v)
{
    int i = *v;

    code_int(c, &i, 0, 1);
    *v = i;
}

static void code_raw(struct record_code *c, void *data, size_t len)
{
    if (c->out) {
        buf_add(c->out, data, len);
        return;
    }
    if (c->bad || len > (size_t)(c->end - c->at)) {
        c->bad = true;
        memset(data, 0, len);
        return;
    }
    memcpy(data, c->at, len);
    c->at += len;
}

static uint64_t word_at(const uint8_t *p)
{
    uint64_t w;

    memcpy(&w, p, sizeof w);
    return w;
}

/* How many bytes from here on are those of base (NULL: zeroes). */
static size_t bytes_same(const uint8_t *p, const uint8_t *base, size_t n)
{
    size_t i = 0;

    while (i + 8 <= n && word_at(p + i) == (base ? word_at(base + i) : 0))
        i += 8;
    while (i < n && p[i] == (base ? base[i] : 0))
        i++;
    return i;
}

static size_t bytes_differ(const uint8_t *p, const uint8_t *base, size_t n)
{
    size_t same = 0;

    for (size_t i = 0; i < n; i++) {
        same = p[i] == (base ? base[i] : 0) ? same + 1 : 0;
        if (same == GAP)
            return i + 1 - GAP;
    }
    return n - same;
}

/* Pairs of (as many bytes as in base, as many bytes that follow) until all is said. */
static void code_bytes(struct record_code *c, void *data, const void *base, size_t size)
{
    uint8_t *p = data;
    const uint8_t *b = base;
    size_t done = 0;

    if (!c->out && base)
        memcpy(data, base, size);
    else if (!c->out)
        memset(data, 0, size);
    while (done < size && !c->bad) {
        uint64_t same = 0, differ = 0;

        if (c->out) {
            same = bytes_same(p + done, b ? b + done : NULL, size - done);
            done += same;
            differ = bytes_differ(p + done, b ? b + done : NULL, size - done);
            done -= same;
        }
        code_u64(c, &same);
        code_u64(c, &differ);
        if (!c->out && (!(same + differ) || same > size - done || differ > size - done - same)) {
            c->bad = true;
            return;
        }
        code_raw(c, p + done + same, differ);
        done += same + differ;
    }
}

/* A text of the event; NULL stays NULL. */
static void code_text(struct record_code *c, const char **text, char store[RECORD_TEXT_MAX])
{
    uint64_t len = c->out && *text ? strnlen(*text, RECORD_TEXT_MAX - 1) + 1 : 0;

    code_u64(c, &len);
    if (len > RECORD_TEXT_MAX)
        c->bad = true;
    if (c->out && len)
        buf_add(c->out, *text, len - 1);
    if (c->out)
        return;
    *text = len && !c->bad ? store : NULL;
    if (!*text)
        return;
    code_raw(c, store, len - 1);
    store[len - 1] = 0;
}

/* ---- the event ---- */

static void code_message(struct record_code *c, struct record_input *in, void *message,
                         const void **at, size_t size)
{
    void *report = &in->report;

    if (message != report) {
        code_bytes(c, c->out ? (void *)*at : message, NULL, size);
    } else {
        struct msg_report *last = &c->report[in->ev.agent.host];

        code_bytes(c, c->out ? (void *)*at : message, last, size);
        memcpy(last, c->out ? *at : message, size);
    }
    *at = c->out ? *at : message;
}

#define CODE_MESSAGE(c, in, member)                                                                \
    do {                                                                                           \
        const void *at_ = (in)->ev.agent.member;                                                   \
        code_message(c, in, &(in)->member, &at_, sizeof(in)->member);                              \
        (in)->ev.agent.member = at_;                                                               \
    } while (0)

static void code_agent(struct record_code *c, struct record_input *in, int hosts)
{
    code_int(c, &in->ev.agent.host, 0, hosts - 1);
    if (c->bad)
        return;
    switch (in->ev.kind) {
    case EV_LINK:
        CODE_MESSAGE(c, in, hello);
        return;
    case EV_REPORT:
        CODE_MESSAGE(c, in, report);
        return;
    case EV_LEASE:
        CODE_MESSAGE(c, in, lease);
        return;
    case EV_REFUSED:
        CODE_MESSAGE(c, in, refusal);
        return;
    default:
        return;
    }
}

static void code_start(struct record_code *c, struct record_input *in)
{
    bool has = in->ev.start.durable;

    code_bool(c, &has);
    code_bytes(c, in->ev.start.identity, NULL, sizeof in->ev.start.identity);
    code_bool(c, &in->ev.start.take_over);
    if (!has || c->bad)
        return;
    code_bytes(c, c->out ? (void *)in->ev.start.durable : &in->durable, NULL, sizeof in->durable);
    in->ev.start.durable = c->out ? in->ev.start.durable : &in->durable;
}

#define CODE_ENUM(c, v, n)                                                                         \
    do {                                                                                           \
        int i_ = (int)(v);                                                                         \
        code_int(c, &i_, 0, (n)-1);                                                                \
        (v) = (typeof(v))i_;                                                                       \
    } while (0)

static void code_command(struct record_code *c, struct engine_command *m, const struct names *names,
                         int roles)
{
    code_u64(c, &m->id);
    CODE_ENUM(c, m->verb, VERB_SET_IP + 1);
    CODE_ENUM(c, m->mode, MODE_N);
    code_int(c, &m->host, -1, (int)names->hosts - 1);
    code_int(c, &m->role, -1, roles - 1);
    code_int(c, &m->slot, -1, (int)names->slots - 1);
    code_bool(c, &m->force);
    code_int(c, &m->lost, -1, (int)names->hosts - 1);
    code_u64(c, &m->accept_loss);
    if ((m->verb != VERB_MODE && m->host < 0) || (m->verb == VERB_MOVE_ROLE && m->role < 0) ||
        (m->verb == VERB_SET_IP && m->slot < 0))
        c->bad = true;
}

static void code_event(struct record_code *c, const struct engine_conf *conf,
                       struct record_input *in)
{
    struct engine_event *ev = &in->ev;
    int hosts = (int)conf->names.hosts;

    CODE_ENUM(c, ev->kind, EV_KILLED + 1);
    code_moment(c, &ev->now_ms, &c->now);
    code_moment(c, &ev->wall_ms, &c->wall);
    if (c->bad)
        return;
    switch (ev->kind) {
    case EV_START:
        code_start(c, in);
        return;
    case EV_TIME:
        return;
    case EV_CHECK:
        code_int(c, &ev->check.host, 0, hosts - 1);
        CODE_ENUM(c, ev->check.check, CK_N);
        CODE_ENUM(c, ev->check.result, RESULT_UNKNOWN + 1);
        code_i64(c, &ev->check.lag_ms);
        code_text(c, &ev->check.message, in->text);
        return;
    case EV_LINK:
    case EV_UNLINK:
    case EV_REPORT:
    case EV_LEASE:
    case EV_REFUSED:
        code_agent(c, in, hosts);
        return;
    case EV_COMMAND:
        code_command(c, &ev->command, &conf->names, (int)conf->roles);
        return;
    case EV_NETWORK:
        code_bool(c, &ev->network.up);
        code_text(c, &ev->network.message, in->text);
        return;
    case EV_KILLED:
        code_int(c, &ev->killed.host, 0, hosts - 1);
        code_bool(c, &ev->killed.ok);
        code_text(c, &ev->killed.message, in->text);
        return;
    }
}

/* ---- the outcome ---- */

/* Readable are the kinds of actions, to whom, and what the events say; all the rest is one number.
 * The digest of what the engine knows would cost too much at each step. */
static void outcome_put(const struct record_code *c, const struct engine *e, const struct plan *p,
                        struct buf *out)
{
    struct record_code to = {.out = out};
    int64_t deadline = (int64_t)((uint64_t)engine_deadline(e) - (uint64_t)e->now);
    uint64_t n = p->n, hash, digest;
    bool due = c->steps % RECORD_DIGEST_EVERY == 0;

    code_u64(&to, &n);
    code_i64(&to, &deadline);
    for (unsigned i = 0; i < p->n; i++) {
        const struct action *a = &p->at[i];
        int kind = (int)a->kind, host = a->host, level = (int)a->level;
        uint64_t len = strlen(a->text);

        code_int(&to, &kind, 0, INT32_MAX);
        code_int(&to, &host, -1, HOSTS_MAX);
        if (a->kind != ACT_EVENT)
            continue;
        due = true;
        code_int(&to, &level, 0, INT32_MAX);
        code_u64(&to, &len);
        buf_add(out, a->text, len);
    }
    if (n) {
        hash = record_hash_plan(e, p);
        buf_add(out, &hash, sizeof hash);
    }
    code_bool(&to, &due);
    if (!due)
        return;
    digest = record_hash_engine(e);
    buf_add(out, &digest, sizeof digest);
}

void record_code_compare(struct record_code *c, const struct engine *e, const struct plan *p,
                         struct buf *out)
{
    outcome_put(c, e, p, out);
    c->steps++;
}

bool record_code_outcome(struct record_code *c, const uint8_t **bytes, size_t *len)
{
    uint64_t n = 0;

    code_u64(c, &n);
    if (c->bad || n > (size_t)(c->end - c->at)) {
        c->bad = true;
        return false;
    }
    *bytes = c->at;
    *len = n;
    c->at += n;
    return true;
}

const char *record_action_name(enum action_kind kind)
{
    static const char *const names[] = {
        [ACT_PERSIST] = "journal",     [ACT_BEAT] = "beat",       [ACT_ORDER] = "order",
        [ACT_GRANT] = "grant",         [ACT_ANSWER] = "answer",   [ACT_EVENT] = "event",
        [ACT_KILL_HOST] = "kill_host", [ACT_RECEIPT] = "receipt",
    };

    return (unsigned)kind < ARRAY_LEN(names) && names[kind] ? names[kind] : "something else";
}

void record_code_words(const uint8_t *bytes, size_t len, const struct names *names, struct buf *to)
{
    struct record_code c = {.at = bytes, .end = bytes + len};
    uint64_t n = 0;
    int64_t deadline = 0;

    code_u64(&c, &n);
    code_i64(&c, &deadline);
    buf_addf(to, "    %" PRIu64 " action%s, and it wants to be woken in %" PRId64 " ms\n", n,
             n == 1 ? "" : "s", deadline);
    for (uint64_t i = 0; i < n && !c.bad; i++) {
        int kind = 0, host = 0, level = 0;
        uint64_t text = 0;

        code_int(&c, &kind, 0, INT32_MAX);
        code_int(&c, &host, -1, HOSTS_MAX);
        if (kind == ACT_EVENT && !c.bad) {
            code_int(&c, &level, 0, INT32_MAX);
            code_u64(&c, &text);
        }
        if (c.bad || text > (size_t)(c.end - c.at))
            return;
        buf_addf(to, "    %s%s%s%s%.*s\n", record_action_name((enum action_kind)kind),
                 host < 0 ? "" : " for ",
                 host < 0 || (unsigned)host >= names->hosts ? "" : names->host[host],
                 text ? ": " : "", (int)text, (const char *)c.at);
        c.at += text;
    }
}

/* ---- sections and steps ---- */

static void code_reset(struct record_code *c)
{
    c->now = c->wall = 0;
    c->steps = 0;
    c->bad = false;
    memset(c->report, 0, HOSTS_MAX * sizeof *c->report);
}

void record_code_begin(struct record_code *c, enum record_why why, int64_t wall_ms,
                       const struct engine *e)
{
    CHECK(c->out);
    code_reset(c);
    CODE_ENUM(c, why, RECORD_WHY_N);
    code_i64(c, &wall_ms);
    code_bytes(c, (void *)e, NULL, sizeof *e);
}

bool record_code_open(struct record_code *c, enum record_why *why, int64_t *wall_ms,
                      struct engine *e)
{
    CHECK(!c->out);
    code_reset(c);
    *why = RECORD_STARTED;
    *wall_ms = 0;
    CODE_ENUM(c, *why, RECORD_WHY_N);
    code_i64(c, wall_ms);
    code_bytes(c, e, NULL, sizeof *e);
    return !c->bad;
}

void record_code_step(struct record_code *c, const struct engine_event *ev, const struct engine *e,
                      const struct plan *p)
{
    struct record_input in;
    uint64_t len;

    in.ev = *ev;
    code_event(c, &e->conf, &in);
    c->outcome.len = 0;
    outcome_put(c, e, p, &c->outcome);
    len = c->outcome.len;
    code_u64(c, &len);
    buf_add(c->out, c->outcome.at, c->outcome.len);
    c->steps++;
}

/* Sums of such moments could overflow. */
static bool moment_wild(int64_t ms)
{
    return ms > RECORD_MS_MAX || ms < -RECORD_MS_MAX;
}

bool record_code_input(struct record_code *c, const struct engine *e, struct record_input *in)
{
    if (c->bad || c->at == c->end)
        return false;
    memset(&in->ev, 0, sizeof in->ev);
    code_event(c, &e->conf, in);
    if (moment_wild(in->ev.now_ms) || moment_wild(in->ev.wall_ms) ||
        (in->ev.kind == EV_CHECK && moment_wild(in->ev.check.lag_ms)))
        c->bad = true;
    return !c->bad;
}
