/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "monitor/control.h"

#include "base/clock.h"
#include "base/log.h"
#include "loop/closer.h"
#include "loop/timer.h"
#include "monitor/chunk.h"
#include "monitor/receipts.h"
#include "monitor/remedy.h"
#include "monitor/ring.h"
#include "monitor/status.h"
#include "monitor/words.h"
#include "net/listen.h"
#include "proto/codec.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CONTROL_SWEEP_MS = 10000,
    FOLLOWER_QUEUE_MAX = 256 * 1024, /* a follower with more than that waiting is too slow */
    HISTORY_MAX = 640 * 1024,        /* bytes of past events in one answer; the older ones go */
    EXPLAIN_MAX = 256 * 1024,
    EVENT_FRAME = 160, /* what a line has besides its text, and more */
};

struct guest {
    struct control *control;
    struct guest *next;
    struct peer *peer;
    bool local, greeted, following, json;
    uint64_t follow_id; /* of the events command, in ctl's own numbers */
    struct ring_follower follower;
};

struct control {
    uv_loop_t *loop;
    struct control_with with;
    const struct control_ops *ops;
    void *owner;
    struct log_who log;
    struct log_limit complaints;
    uv_timer_t sweep;
    struct closer closer;
    struct listener *local, *remote;
    void (*done)(void *owner);
    struct guest *guests;
    unsigned n_guests;
    bool group; /* the socket is open to group `hamm` */
    uint64_t last_id;
    struct {
        uint64_t id; /* ours; 0: free */
        struct guest *guest;
        uint64_t ctl_id;
    } order[CONTROL_ORDERS_MAX];
};

/* --- saying something ----------------------------------------------------------------------- */

static void guest_send(struct guest *g, const struct msg *m)
{
    static const struct names none;
    char frame[MSG_FRAME_MAX];
    struct err e = {0};
    size_t len = 0;

    if (msg_encode(m, &none, frame, sizeof frame, &len, &e)) {
        log_error(&g->control->log, "answer to %s: %s", peer_name(g->peer), e.msg);
        peer_close(g->peer, "the answer could not be put into a message");
    } else if (peer_send(g->peer, frame, len) == -ENOBUFS) {
        peer_close(g->peer, "it does not read what it asked for");
    }
}

static void reply(struct guest *g, uint64_t id, int code, bool more, const char *text)
{
    struct msg m = {.kind = MSG_ANSWER, .answer = {.id = id, .code = code}};

    do {
        text += chunk_take(m.answer.text, text);
        m.answer.more = more || *text;
        guest_send(g, &m);
    } while (*text);
}

/* Texts that may be missing for lack of memory; frees it. */
static void reply_made(struct guest *g, uint64_t id, char *text)
{
    if (text)
        reply(g, id, 0, false, text);
    else
        reply(g, id, 1, false, "ERROR: the monitor is out of memory");
    free(text);
}

/* --- events --------------------------------------------------------------------------------- */

static void guest_on_event(struct ring_follower *f, const struct ring_event *ev)
{
    struct guest *g = (struct guest *)((char *)f - offsetof(struct guest, follower));
    auto_buf line = BUF(4 * EVENT_LEN);

    status_event(&line, g->control->with.engine, ev, g->json);
    if (peer_queued(g->peer) > FOLLOWER_QUEUE_MAX) {
        ring_unfollow(g->control->with.ring, f);
        peer_close(g->peer, "it follows the events too slowly");
    } else if (!line.full) {
        reply(g, g->follow_id, 0, true, line.at);
    }
}

/* The oldest of the last `last` events that fits with all younger ones. */
static uint64_t history_first(const struct ring *r, unsigned last, bool json)
{
    uint64_t first = ring_first(r, last), n = r->added + 1;
    size_t len = 0;

    for (; n > first; n--) {
        len += strlen(ring_get(r, n - 1)->text) * (json ? 2 : 1) + EVENT_FRAME;
        if (len > HISTORY_MAX)
            break;
    }
    return n;
}

static void reply_events(struct guest *g, const struct msg_command *m, const struct words *w)
{
    struct control *c = g->control;
    const struct ring_event *ev;
    auto_buf text = BUF(HISTORY_MAX);

    for (uint64_t n = history_first(c->with.ring, w->last, m->json);
         (ev = ring_get(c->with.ring, n)); n++)
        status_event(&text, c->with.engine, ev, m->json);
    reply(g, m->id, text.full, w->follow && !text.full,
          text.full ? "ERROR: the monitor is out of memory"
          : text.at ? text.at
                    : "");
    if (text.full || !w->follow || g->following)
        return;
    g->following = true;
    g->follow_id = m->id;
    g->json = m->json;
    g->follower.on_event = guest_on_event;
    ring_follow(c->with.ring, &g->follower);
}

/* --- commands ------------------------------------------------------------------------------- */

/* A place for something that is answered later; 0: none is free, that was answered. */
static uint64_t take_later(struct guest *g, uint64_t ctl_id)
{
    struct control *c = g->control;
    unsigned i;

    for (i = 0; i < CONTROL_ORDERS_MAX && c->order[i].id; i++)
        ;
    if (i == CONTROL_ORDERS_MAX) {
        reply(g, ctl_id, 1, false,
              "ERROR: the monitor is busy with as many commands as it takes at a time; try again");
        return 0;
    }
    c->order[i].id = ++c->last_id;
    c->order[i].guest = g;
    c->order[i].ctl_id = ctl_id;
    return c->last_id;
}

static void refuse_later(struct guest *g, uint64_t id, struct err *why)
{
    err_wrap(why, "ERROR");
    control_answer(g->control, id, 1, false, why->msg);
}

static void take_order(struct guest *g, uint64_t ctl_id, const struct engine_command *order)
{
    struct control *c = g->control;
    struct engine_command mine = *order;
    struct err why = {0};

    mine.id = take_later(g, ctl_id);
    if (mine.id && c->ops->order(c->owner, &mine, &why))
        refuse_later(g, mine.id, &why);
}

static void take_what_if(struct guest *g, const struct msg_command *m, const struct words *w)
{
    struct control *c = g->control;
    struct err why = {0};
    uint64_t id = take_later(g, m->id);

    if (id && c->ops->what_if(c->owner, id, w->faults, m->json, &why))
        refuse_later(g, id, &why);
}

static void explain_host(const struct engine *e, const struct status_conf *s, int host, char *text)
{
    auto_buf more = BUF(8 * 1024);
    size_t n;

    engine_explain_host(e, host, text, EXPLAIN_MAX);
    remedy_tell(e, s, host, &more);
    n = strlen(text);
    if (more.len && n + more.len < EXPLAIN_MAX)
        memcpy(text + n, more.at, more.len + 1);
}

static void reply_explain(struct guest *g, uint64_t id, const struct words *w)
{
    const struct engine *e = g->control->with.engine;
    char *text = malloc(EXPLAIN_MAX);

    if (text && w->role >= 0)
        engine_explain_role(e, w->role, text, EXPLAIN_MAX);
    else if (text && w->host >= 0)
        explain_host(e, g->control->with.status, w->host, text);
    else if (text)
        engine_explain_cluster(e, text, EXPLAIN_MAX);
    if (text && *text)
        text[strlen(text) - 1] = 0; /* ctl ends the last line */
    reply_made(g, id, text);
}

static void take_command(struct guest *g, const struct msg_command *m)
{
    const struct control_with *with = &g->control->with;
    const struct engine *engine = with->engine;
    static const char *const modes[MODE_N] = {"ACTIVE", "MANUAL", "PASSIVE", "WAIT"};
    static struct faults faults; /* too big for the stack */
    struct words w;
    struct err e = {0};

    if (words_parse(&w, &faults, m, &engine->conf, with->status, &e)) {
        err_wrap(&e, "ERROR");
        reply(g, m->id, 2, false, e.msg);
        return;
    }
    switch (w.kind) {
    case WORDS_PING:
        reply(g, m->id, 0, false, "OK: Pinged successfully!");
        break;
    case WORDS_STATUS:
        reply_made(g, m->id, status_json(engine, with->status));
        break;
    case WORDS_SHOW:
        reply_made(g, m->id,
                   m->json ? status_json(engine, with->status) : status_show(engine, with->status));
        break;
    case WORDS_CHECKS:
        reply_made(g, m->id,
                   m->json ? status_checks_json(engine, w.host, w.check)
                           : status_checks(engine, w.host, w.check));
        break;
    case WORDS_MODE:
        reply(g, m->id, 0, false, modes[engine->reign == REIGN_YES ? engine->mode : MODE_PASSIVE]);
        break;
    case WORDS_EVENTS:
        reply_events(g, m, &w);
        break;
    case WORDS_EXPLAIN:
        reply_explain(g, m->id, &w);
        break;
    case WORDS_RECEIPTS:
        reply_made(g, m->id,
                   m->json ? receipts_json(with->receipts, with->status->cluster, w.last)
                           : receipts_text(with->receipts, w.last));
        break;
    case WORDS_WHAT_IF:
        take_what_if(g, m, &w);
        break;
    case WORDS_ORDER:
        take_order(g, m->id, &w.order);
        break;
    }
}

static bool take_hello(struct guest *g, const struct msg_hello *h)
{
    const struct control_with *with = &g->control->with;
    struct msg m = {.kind = MSG_HELLO,
                    .hello = {.version = PROTOCOL_VERSION, .speaker = SPEAKER_MONITOR}};
    char why[WHY_LEN] = "";

    if (h->speaker != SPEAKER_CTL)
        snprintf(why, sizeof why, "ERROR: this is the monitor's port for hamm ctl");
    else if (h->version != PROTOCOL_VERSION)
        snprintf(why, sizeof why,
                 "ERROR: this monitor (hamm %s) speaks protocol %d, you speak %u: is hamm the "
                 "same version on both?",
                 HAMM_VERSION, PROTOCOL_VERSION, h->version);
    else if (*h->cluster && strcmp(h->cluster, with->status->cluster))
        snprintf(why, sizeof why, "ERROR: this is the monitor of cluster %s, not of %s",
                 with->status->cluster, h->cluster);
    if (*why) {
        reply(g, 0, 1, false, why);
        return false;
    }
    g->greeted = true;
    snprintf(m.hello.cluster, sizeof m.hello.cluster, "%s", with->status->cluster);
    snprintf(m.hello.name, sizeof m.hello.name, "%s", with->engine->conf.monitor);
    snprintf(m.hello.monitor, sizeof m.hello.monitor, "%s", with->engine->identity);
    m.hello.epoch = with->engine->epoch;
    m.hello.heard_ms = -1;
    guest_send(g, &m);
    return true;
}

/* Whoever doesn't talk like ctl is hung up on; the log hears of it once a minute. */
static void complain(struct control *c, struct peer *p, const char *what)
{
    unsigned held;

    if (log_allowed(&c->complaints, clock_boot_ms(), &held))
        log_warn(&c->log, "%s: %s (%u more like this)", peer_name(p), what, held);
    peer_close(p, what);
}

static void guest_on_frame(struct peer *p, void *owner, const void *data, size_t len)
{
    static const struct names none;
    struct guest *g = owner;
    struct err e = {0};
    struct msg m;

    if (msg_decode(&m, &none, data, len, &e)) {
        complain(g->control, p, e.msg);
    } else if (!g->greeted && m.kind == MSG_HELLO) {
        if (!take_hello(g, &m.hello))
            peer_close(p, "it is no ctl of this cluster");
    } else if (g->greeted && m.kind == MSG_COMMAND) {
        take_command(g, &m.command);
    } else {
        err_set(&e, -EPROTO, "unexpected message `%s`", msg_kind_names[m.kind]);
        complain(g->control, p, e.msg);
    }
}

/* --- coming and going ----------------------------------------------------------------------- */

static void guest_on_down(struct peer *p, void *owner, const char *why)
{
    struct guest *g = owner;
    struct control *c = g->control;

    (void)p;
    log_debug(&c->log, "%s", why);
    ring_unfollow(c->with.ring, &g->follower);
    for (unsigned i = 0; i < CONTROL_ORDERS_MAX; i++)
        if (c->order[i].id && c->order[i].guest == g)
            c->order[i].id = 0;
    for (struct guest **at = &c->guests; *at; at = &(*at)->next)
        if (*at == g) {
            *at = g->next;
            break;
        }
    free(g);
    c->n_guests--;
    closer_sub(&c->closer);
}

static const struct peer_ops guest_ops = {.on_frame = guest_on_frame, .on_down = guest_on_down};

/* Who got through the permissions of the socket is its owner, a member of the group or root; this
 * is the second lock, for a socket that has no group. */
static bool may_command(const struct control *c, const struct peer *p)
{
    struct ucred who;

    if (!peer_creds(p, &who))
        return true; /* TLS: it has proved the key */
    return !who.uid || who.uid == geteuid() || c->group;
}

static void control_on_peer(struct peer *p, void *owner)
{
    struct control *c = owner;
    struct guest *g;

    if (c->n_guests == CONTROL_PEERS_MAX || c->closer.closing)
        return;
    g = calloc(1, sizeof *g);
    if (!g)
        return;
    *g = (struct guest){.control = c, .next = c->guests, .peer = p};
    c->guests = g;
    c->n_guests++;
    closer_add(&c->closer);
    peer_bind(p, &guest_ops, g);
    if (may_command(c, p))
        return;
    reply(g, 0, 4, false, "ERROR: not authorised: be root or in group hamm");
    complain(c, p, "not authorised");
}

static void control_on_complaint(void *owner, const char *who, const char *sentence)
{
    struct control *c = owner;

    log_warn(&c->log, "%s: %s", who, sentence);
}

static const struct listen_ops listen_ops = {.on_peer = control_on_peer,
                                             .on_complaint = control_on_complaint};

static bool busy(const struct control *c, const struct guest *g)
{
    for (unsigned i = 0; i < CONTROL_ORDERS_MAX; i++)
        if (c->order[i].id && c->order[i].guest == g)
            return true;
    return g->following;
}

static void control_on_sweep(uv_timer_t *t)
{
    struct control *c = t->data;
    int64_t now = clock_boot_ms();

    for (struct guest *g = c->guests; g; g = g->next)
        if (!busy(c, g) && now - peer_heard_ms(g->peer) > CONTROL_IDLE_MS)
            peer_close(g->peer, "it said nothing for a minute");
}

/* --- life ----------------------------------------------------------------------------------- */

/* The group first, then its permission: nobody else is let in on the way. */
static void open_to_group(struct control *c)
{
    const struct group *group = getgrnam("hamm");

    if (group && !chown(c->with.socket_path, (uid_t)-1, group->gr_gid) &&
        !chmod(c->with.socket_path, 0660))
        c->group = true;
}

static int open_local(struct control *c, struct err *e)
{
    static const struct listen_limits limits = {.peers_max = CONTROL_PEERS_MAX, .mode = 0600};
    struct sockaddr_un at;
    char folder[sizeof at.sun_path], *end;
    int rc = peer_unix_addr(&at, c->with.socket_path, e);

    if (rc)
        return rc;
    snprintf(folder, sizeof folder, "%s", c->with.socket_path);
    end = strrchr(folder, '/');
    if (end && end != folder) {
        *end = 0;
        if (mkdir(folder, 0755) && errno != EEXIST)
            return err_set(e, -errno, "control socket: folder %s: %s", folder, strerror(errno));
    }
    c->local = listen_start(c->loop, NULL, (struct sockaddr *)&at, &limits, &listen_ops, c, e);
    if (!c->local)
        return err_wrap(e, "control socket %s", c->with.socket_path);
    closer_add(&c->closer);
    open_to_group(c);
    return 0;
}

static int open_remote(struct control *c, struct err *e)
{
    static const struct listen_limits limits = {.peers_max = CONTROL_PEERS_MAX};

    c->remote = listen_start(c->loop, c->with.tls, c->with.at, &limits, &listen_ops, c, e);
    if (!c->remote)
        return err_wrap(e, "the monitor's port for hamm ctl");
    closer_add(&c->closer);
    return 0;
}

static void control_free(struct closer *closer)
{
    struct control *c = closer->owner;
    void (*done)(void *) = c->done;
    void *owner = c->owner;

    free(c);
    if (done)
        done(owner);
}

static void control_on_listen_end(void *owner)
{
    struct control *c = owner;

    closer_sub(&c->closer);
}

struct control *control_start(uv_loop_t *loop, const struct control_with *with,
                              const struct control_ops *ops, void *owner, struct err *e)
{
    struct control *c = calloc(1, sizeof *c);
    int rc = 0;

    if (!c) {
        err_set(e, -ENOMEM, "control: out of memory");
        return NULL;
    }
    *c = (struct control){.loop = loop,
                          .with = *with,
                          .ops = ops,
                          .owner = owner,
                          .log = {"control", with->status->cluster}};
    c->closer.owner = c;
    closer_add(&c->closer);
    CHECK(uv_timer_init(loop, &c->sweep) == 0);
    c->sweep.data = c;
    timer_every(&c->sweep, CONTROL_SWEEP_MS, control_on_sweep);
    if (with->socket_path)
        rc = open_local(c, e);
    if (!rc && with->at)
        rc = open_remote(c, e);
    if (!rc)
        return c;
    control_stop(c, NULL);
    return NULL;
}

void control_stop(struct control *c, void (*done)(void *owner))
{
    c->done = done;
    for (unsigned i = 0; i < CONTROL_ORDERS_MAX; i++)
        c->order[i].id = 0;
    for (struct guest *g = c->guests; g; g = g->next) {
        ring_unfollow(c->with.ring, &g->follower);
        peer_close(g->peer, "the monitor stops");
    }
    if (c->local)
        listen_stop(c->local, control_on_listen_end);
    if (c->remote)
        listen_stop(c->remote, control_on_listen_end);
    closer_end(&c->closer, control_free);
    closer_handle(&c->closer, (uv_handle_t *)&c->sweep);
}

void control_answer(struct control *c, uint64_t id, int code, bool more, const char *text)
{
    for (unsigned i = 0; i < CONTROL_ORDERS_MAX; i++) {
        struct guest *g = c->order[i].guest;
        if (!id || c->order[i].id != id)
            continue;
        if (!more)
            c->order[i].id = 0;
        reply(g, c->order[i].ctl_id, code, more, text);
        return;
    }
}

void control_use(struct control *c, struct net_tls *tls)
{
    c->with.tls = tls;
    if (c->remote)
        listen_use(c->remote, tls);
}
