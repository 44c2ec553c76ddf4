/* SPDX-License-Identifier: GPL-2.0-or-later
 * The monitor's memory: struct engine_durable as one JSON record of the journal. Hosts and slots
 * stand in it by name, so that the configuration may change between two starts. */
#include "base/clock.h"
#include "base/room.h"
#include "loop/timer.h"
#include "monitor/cluster.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RETRY_MS = 200, HUNG_MS = 2000, ROOM_MS = 2000, VERSION = 1 };

static json_t *state_set(hostset set, const struct names *names)
{
    json_t *list = json_array();

    for (unsigned h = 0; h < names->hosts; h++)
        if (set >> h & 1)
            json_array_append_new(list, json_string(names->host[h]));
    return list;
}

static json_t *state_debt(const struct debt *d)
{
    return json_pack("{s:I, s:b, s:s}", "receipt", (json_int_t)d->number, "some", d->some, "since",
                     d->since);
}

char *state_encode(const struct engine_durable *d, const struct names *names)
{
    json_t *hosts = json_object(), *slots = json_object(), *all;
    char *text;

    for (unsigned h = 0; h < names->hosts; h++)
        json_object_set_new(
            hosts, names->host[h],
            json_pack("{s:s, s:I, s:b, s:b, s:i, s:I, s:I, s:o}", "state",
                      host_state_names[d->host[h].state], "since",
                      (json_int_t)d->host[h].since_wall_ms, "flapping", d->host[h].flapping,
                      "returning", d->host[h].returning, "flaps", (int)d->host[h].flaps,
                      "flap_start", (json_int_t)d->host[h].flap_start_wall_ms, "last_uptime",
                      (json_int_t)d->host[h].last_uptime_s, "owes", state_debt(&d->host[h].debt)));
    for (unsigned s = 0; s < names->slots; s++) {
        int holder = d->slot[s].holder, last = d->slot[s].last, target = d->slot[s].target;

        json_object_set_new(slots, names->slot[s],
                            json_pack("{s:s?, s:s?, s:s?, s:b, s:I, s:o, s:o, s:o}", "holder",
                                      holder < 0 ? NULL : names->host[holder], "last",
                                      last < 0 ? NULL : names->host[last], "target",
                                      target < 0 ? NULL : names->host[target], "pinned",
                                      d->slot[s].pinned, "electorate",
                                      (json_int_t)d->slot[s].electorate, "members",
                                      state_set(d->slot[s].members, names), "allowed",
                                      state_set(d->slot[s].allowed, names), "maybe",
                                      state_set(d->slot[s].maybe, names)));
    }
    all = json_pack("{s:i, s:s, s:I, s:s, s:s, s:s, s:b, s:I, s:s, s:o, s:o}", "version", VERSION,
                    "identity", d->identity, "epoch", (json_int_t)d->epoch, "mode",
                    mode_names[d->mode], "cause", d->cause, "deposed", d->deposed, "claiming",
                    d->claiming, "receipts", (json_int_t)d->receipts, "past", d->past, "hosts",
                    hosts, "slots", slots);
    text = all ? json_dumps(all, JSON_COMPACT) : NULL;
    json_decref(all);
    return text;
}

static int state_word(const char *word, const char *const *words, int n)
{
    for (int i = 0; word && i < n; i++)
        if (strcmp(word, words[i]) == 0)
            return i;
    return -1;
}

static int state_host(const json_t *name, const struct names *names)
{
    for (unsigned h = 0; json_is_string(name) && h < names->hosts; h++)
        if (strcmp(json_string_value(name), names->host[h]) == 0)
            return (int)h;
    return -1;
}

static hostset state_hosts(const json_t *list, const struct names *names)
{
    hostset set = 0;
    size_t i;
    json_t *name;

    json_array_foreach(list, i, name)
    {
        int h = state_host(name, names);

        if (h >= 0)
            set |= 1ull << h;
    }
    return set;
}

static void state_read_debt(struct debt *d, const json_t *o)
{
    const char *since = json_string_value(json_object_get(o, "since"));

    d->number = (uint64_t)json_integer_value(json_object_get(o, "receipt"));
    d->some = json_is_true(json_object_get(o, "some"));
    snprintf(d->since, sizeof d->since, "%s", since ? since : "");
}

static void state_read_host(struct engine_durable *d, unsigned h, const json_t *o)
{
    int state =
        state_word(json_string_value(json_object_get(o, "state")), host_state_names, HOST_STATE_N);

    d->host[h].state = state < 0 ? UNKNOWN : (enum host_state)state;
    d->host[h].since_wall_ms = json_integer_value(json_object_get(o, "since"));
    d->host[h].returning = json_is_true(json_object_get(o, "returning"));
    d->host[h].flapping = json_is_true(json_object_get(o, "flapping"));
    d->host[h].flaps = (unsigned)json_integer_value(json_object_get(o, "flaps"));
    d->host[h].flap_start_wall_ms = json_integer_value(json_object_get(o, "flap_start"));
    d->host[h].last_uptime_s = json_integer_value(json_object_get(o, "last_uptime"));
    state_read_debt(&d->host[h].debt, json_object_get(o, "owes"));
}

int state_decode(struct engine_durable *d, const struct names *names, const char *text, size_t len,
                 struct err *e)
{
    json_error_t why;
    json_t *all = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
    const char *identity = json_string_value(json_object_get(all, "identity"));
    json_int_t epoch = json_integer_value(json_object_get(all, "epoch"));
    int mode = state_word(json_string_value(json_object_get(all, "mode")), mode_names, MODE_N);

    if (!all || !identity || strlen(identity) >= IDENTITY_LEN || epoch <= 0 || mode < 0) {
        json_decref(all);
        return err_set(e, -EINVAL, "the journal's last record is not this program's");
    }
    memset(d, 0, sizeof *d);
    snprintf(d->identity, sizeof d->identity, "%s", identity);
    d->epoch = (uint64_t)epoch;
    d->mode = (enum mode)mode;
    if (json_is_string(json_object_get(all, "cause")))
        snprintf(d->cause, sizeof d->cause, "%s", json_string_value(json_object_get(all, "cause")));
    if (json_is_string(json_object_get(all, "deposed")))
        snprintf(d->deposed, sizeof d->deposed, "%s",
                 json_string_value(json_object_get(all, "deposed")));
    d->claiming = json_is_true(json_object_get(all, "claiming"));
    d->receipts = (uint64_t)json_integer_value(json_object_get(all, "receipts"));
    if (json_is_string(json_object_get(all, "past")))
        snprintf(d->past, sizeof d->past, "%s", json_string_value(json_object_get(all, "past")));
    for (unsigned h = 0; h < names->hosts; h++)
        state_read_host(d, h, json_object_get(json_object_get(all, "hosts"), names->host[h]));
    for (unsigned s = 0; s < names->slots; s++) {
        const json_t *o = json_object_get(json_object_get(all, "slots"), names->slot[s]);

        d->slot[s].holder = o ? state_host(json_object_get(o, "holder"), names) : -1;
        d->slot[s].last = o ? state_host(json_object_get(o, "last"), names) : -1;
        d->slot[s].target = o ? state_host(json_object_get(o, "target"), names) : -1;
        d->slot[s].pinned = json_is_true(json_object_get(o, "pinned"));
        d->slot[s].electorate = (uint64_t)json_integer_value(json_object_get(o, "electorate"));
        d->slot[s].members = o ? state_hosts(json_object_get(o, "members"), names) : ~0ull;
        d->slot[s].maybe = o ? state_hosts(json_object_get(o, "maybe"), names) : ~0ull;
        d->slot[s].allowed = o ? state_hosts(json_object_get(o, "allowed"), names) : ~0ull;
    }
    json_decref(all);
    return 0;
}

static void state_on_last(void *owner, const struct journal_last *last)
{
    struct cluster *c = owner;
    struct err e = {0};

    if (last->note)
        log_warn(&c->log, "journal: %s", last->note);
    if (!last->data)
        return;
    if (state_decode(&c->durable, &c->engine_conf.names, last->data, last->len, &e) < 0)
        c->durable_bad = true;
    else
        c->durable_found = true;
}

static void state_append(struct cluster *c);

static void state_trouble(struct cluster *c)
{
    const char *worst = c->journal_trouble[0] ? c->journal_trouble : c->room_trouble;

    snprintf(c->status.trouble, sizeof c->status.trouble, "%s", worst);
}

static void state_on_retry(uv_timer_t *t)
{
    state_append(t->data);
}

static void state_on_done(void *owner, uint64_t seq, int err)
{
    struct cluster *c = owner;
    unsigned held;

    if (err) {
        if (seq != c->seq)
            return; /* a newer one is on its way */
        snprintf(c->journal_trouble, sizeof c->journal_trouble,
                 "the journal in %.100s cannot be written (%s): nothing new is ordered or granted "
                 "until it can; make room there or mend the disk",
                 c->journal_dir, strerror(-err));
        if (log_allowed(&c->journal_limit, clock_boot_ms(), &held))
            log_error(&c->log, "%s", c->journal_trouble);
        state_trouble(c);
        if (!c->stopping)
            timer_in(&c->journal_retry, RETRY_MS, state_on_retry);
        return;
    }
    c->journal_limit = (struct log_limit){0};
    c->journal_trouble[0] = '\0';
    state_trouble(c);
    /* Every one counts: where the disk is slower than the engine, the newest is never done. */
    if (c->appended[seq % APPENDED_MAX].seq == seq)
        c->journalled = c->appended[seq % APPENDED_MAX].after;
    if (!c->stopping)
        cluster_release(c);
}

static void state_append(struct cluster *c)
{
    struct engine_durable d;
    char *text;

    engine_durable_of(&c->engine, &d);
    text = state_encode(&d, &c->engine_conf.names);
    CHECK(text);
    c->seq = journal_append(c->journal, text, strlen(text), c, state_on_done);
    c->appended[c->seq % APPENDED_MAX].seq = c->seq;
    c->appended[c->seq % APPENDED_MAX].after = c->seq_after;
    free(text);
}

/* The journal keeps some room for itself, so it may go on for a while on a disk that is full. */
static void state_on_room(uv_fs_t *req)
{
    struct cluster *c = req->data;
    const uv_statfs_t *fs = req->ptr;
    uint64_t left = req->result == 0 ? fs->f_bavail * fs->f_bsize : UINT64_MAX;
    bool was = c->room_full;

    uv_fs_req_cleanup(req);
    c->room_asked = false;
    c->room_full = room_is_full(left, was);
    c->room_trouble[0] = '\0';
    if (c->room_full)
        snprintf(c->room_trouble, sizeof c->room_trouble,
                 "%.100s is full (%" PRIu64 " bytes free): the journal in it goes on only with the "
                 "room it keeps for itself; free space there",
                 c->journal_dir, left);
    if (c->room_full != was)
        log_at(was ? LOG_NOTE : LOG_WARN, &c->log, "%s%s", was ? c->journal_dir : c->room_trouble,
               was ? " has room again" : "");
    state_trouble(c);
    closer_sub(&c->closer);
}

static void state_ask_room(struct cluster *c, int64_t now)
{
    if (c->room_asked || now < c->room_next_ms)
        return;
    c->room_next_ms = now + ROOM_MS;
    c->room.data = c;
    c->room_asked = uv_fs_statfs(c->loop, &c->room, c->journal_dir, state_on_room) == 0;
    if (c->room_asked)
        closer_add(&c->closer);
}

void state_tick(struct cluster *c)
{
    int64_t since, now = clock_boot_ms();

    if (c->stopping)
        return;
    state_ask_room(c, now);
    since = journal_waiting_since(c->journal);
    if (since == CLOCK_NEVER || now - since < HUNG_MS)
        return;
    snprintf(c->journal_trouble, sizeof c->journal_trouble,
             "the disk with the journal in %.100s has not answered for %" PRId64
             " s: nothing new is ordered or granted until it does",
             c->journal_dir, (now - since) / 1000);
    state_trouble(c);
}

void state_persist(struct cluster *c, uint64_t number)
{
    c->seq_after = number;
    state_append(c);
}

int state_open(struct cluster *c, const char *state_dir, struct err *e)
{
    char path[4096];

    snprintf(c->journal_dir, sizeof c->journal_dir, "%s",
             state_dir ? state_dir : c->conf->state_dir);
    snprintf(path, sizeof path, "%s/%s.%s.monitor.journal",
             state_dir ? state_dir : c->conf->state_dir, c->conf->cluster,
             c->conf->monitors[c->self].name);
    if (journal_open(c->loop, path, &journal_daemon, c, state_on_last, &c->journal, e) < 0)
        return err_wrap(e, "journal");
    if (c->durable_bad)
        return err_set(e, -EINVAL,
                       "journal %s holds something else than this monitor's state; move it away to "
                       "start as a new monitor",
                       path);
    log_info(&c->log, "journal %s by %s", path, journal_backend(c->journal));
    return 0;
}

static void state_on_closed(void *owner)
{
    closer_sub(&((struct cluster *)owner)->closer);
}

void state_close(struct cluster *c)
{
    if (!c->journal)
        return;
    closer_add(&c->closer);
    journal_close(c->journal, c, state_on_closed);
}
