/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/buf.h"
#include "monitor/ring.h"
#include "monitor/status_internal.h"
#include "proto/codec.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One document being built; lack of memory anywhere spoils it as a whole. */
struct build {
    const struct engine *e;
    const struct status_conf *s;
    bool failed;
};

static void put(struct build *b, json_t *to, const char *key, json_t *value)
{
    if (json_object_set_new(to, key, value))
        b->failed = true;
}

static void add(struct build *b, json_t *to, json_t *value)
{
    if (json_array_append_new(to, value))
        b->failed = true;
}

/* Texts of servers may be anything. */
static json_t *text(const char *from)
{
    char copy[GTID_LEN]; /* the longest there is */

    snprintf(copy, sizeof copy, "%s", from);
    msg_clean_text(copy);
    return json_string(copy);
}

static json_t *moment(int64_t wall_ms)
{
    char to[RFC3339_LEN];

    return wall_ms ? json_string(status_time(to, wall_ms)) : json_null();
}

static json_t *host_name(const struct build *b, int host)
{
    return host < 0 ? json_null() : json_string(b->e->conf.names.host[host]);
}

/* --- checks --------------------------------------------------------------------------------- */

static json_t *one_check(struct build *b, const struct check_state *c)
{
    static const char *const results[] = {
        [RESULT_OK] = "OK",
        [RESULT_ERROR] = "ERROR",
        [RESULT_UNKNOWN] = "UNKNOWN",
    };
    json_t *o = json_object();

    put(b, o, "ok", c->known ? json_boolean(c->good) : json_null());
    put(b, o, "since", moment(c->changed_wall_ms));
    put(b, o, "message", text(c->message));
    put(b, o, "result", json_string(results[c->last]));
    return o;
}

static json_t *checks(struct build *b, int host, int check)
{
    json_t *o = json_object();

    for (int i = 0; i < CK_N; i++)
        if (check < 0 || check == i)
            put(b, o, check_names[i], one_check(b, &b->e->host[host].check[i]));
    return o;
}

/* --- a host --------------------------------------------------------------------------------- */

/* A host's name, or the address of a server that is none of the cluster's. */
static json_t *source(const struct build *b, const struct msg_report *r)
{
    char at[ADDR_LEN + 16];

    if (r->source >= 0)
        return host_name(b, r->source);
    if (!*r->source_host)
        return json_null();
    snprintf(at, sizeof at, strchr(r->source_host, ':') ? "[%s]:%u" : "%s:%u", r->source_host,
             r->source_port);
    return text(at);
}

static json_t *lag(const struct host *h, const struct msg_report *r)
{
    int64_t ms = h->lag_ms;

    if (!r || !r->facts || !*r->source_host || r->receiver == RECEIVER_NO || ms < 0)
        return json_null();
    return ms % 1000 ? json_real((double)ms / 1000) : json_integer(ms / 1000);
}

static json_t *held_roles(struct build *b, int host)
{
    const struct engine *e = b->e;
    json_t *array = json_array();
    char ip[ADDR_LEN];

    for (unsigned s = 0; s < e->conf.names.slots; s++)
        for (unsigned i = 0; status_holder(e, (int)s) == host && i < b->s->slot[s].n; i++) {
            json_t *o = json_object();
            put(b, o, "role", json_string(e->conf.role[e->conf.slot_role[s]].name));
            put(b, o, "ip", json_string(status_ip(ip, b->s->slot[s].ip[i])));
            add(b, array, o);
        }
    return array;
}

static json_t *semi_sync(struct build *b, int i, const struct msg_report *r)
{
    const struct traits *t = &r->traits;
    char warning[WHY_LEN];
    json_t *o = json_object();

    engine_semi_sync(b->e, i, warning, sizeof warning);
    put(b, o, "source", json_boolean(t->bits & TRAIT_SEMI_SOURCE));
    put(b, o, "active", json_boolean(t->bits & TRAIT_SEMI_ACTIVE));
    put(b, o, "wait_point",
        !(t->bits & TRAIT_SEMI_SOURCE)
            ? json_null()
            : json_string(t->bits & TRAIT_SEMI_AFTER ? "AFTER_COMMIT" : "AFTER_SYNC"));
    put(b, o, "wait_no_replica",
        json_boolean(t->bits & TRAIT_SEMI_SOURCE && !(t->bits & TRAIT_SEMI_HASTY)));
    put(b, o, "clients", json_integer(t->semi_clients));
    put(b, o, "wait_for", json_integer(t->semi_wait_for));
    put(b, o, "timeout_ms", json_integer(t->semi_timeout_ms));
    put(b, o, "replica", json_boolean(t->bits & TRAIT_SEMI_REPLICA));
    put(b, o, "replica_active", json_boolean(t->bits & TRAIT_SEMI_RECEIVER));
    put(b, o, "warning", text(warning));
    return o;
}

static json_t *quarantine(struct build *b, enum tail aside, const char *what)
{
    json_t *o = json_object();

    put(b, o, "file", aside == TAIL_READY ? text(what) : json_null());
    put(b, o, "why", text(aside == TAIL_READY ? "" : what));
    return o;
}

/* What became of the binary log of a server that died as the writer. */
static json_t *tail(struct build *b, const struct msg_report *r)
{
    static const char *const states[TAIL_N] = {"none", "reading", "ready", "failed"};
    json_t *o = json_object();

    put(b, o, "state", json_string(states[r->tail]));
    put(b, o, "why", text(r->tail == TAIL_FAILED ? r->tail_why : ""));
    return o;
}

static json_t *one_host(struct build *b, int i)
{
    static const char *const mysqld[MYSQLD_N] = {"unknown", "up", "dead"};
    static const char *const gate[GATE_N] = {"nft", "lifetime"};
    static const char *const receiver[RECEIVER_N] = {"no", "connecting", "yes"};
    const struct host *h = &b->e->host[i];
    const struct msg_report *r = status_report(b->e, i);
    bool facts = r && r->facts;
    char barred[WHY_LEN];
    const char *aside_text;
    enum tail aside;
    json_t *o = json_object();
    char gtid[GTID_LEN];

    put(b, o, "name", host_name(b, i));
    put(b, o, "address", json_string(b->s->address[i]));
    put(b, o, "mode", json_string(b->e->conf.host[i].master ? "master" : "replica"));
    put(b, o, "state", json_string(host_state_names[h->state]));
    put(b, o, "since", moment(h->state_since_wall));
    put(b, o, "agent", json_string(h->linked ? "up" : "down"));
    put(b, o, "roles", held_roles(b, i));
    put(b, o, "read_only", facts ? json_boolean(r->read_only) : json_null());
    put(b, o, "source", facts ? source(b, r) : json_null());
    put(b, o, "receiver",
        facts && *r->source_host ? json_string(receiver[r->receiver]) : json_null());
    put(b, o, "applier", facts && *r->source_host ? json_boolean(r->applier) : json_null());
    put(b, o, "lag_s", lag(h, r));
    engine_tell_gtid(b->e, i, gtid);
    put(b, o, "gtid", *gtid ? text(gtid) : json_null());
    put(b, o, "checks", checks(b, i, -1));
    put(b, o, "gate", r ? json_string(gate[r->gate]) : json_null());
    put(b, o, "mysqld", r ? json_string(mysqld[r->mysqld]) : json_null());
    put(b, o, "mysqld_why", text(r && r->mysqld == MYSQLD_DEAD ? r->mysqld_why : ""));
    if (r && r->mysqld == MYSQLD_DEAD && r->tail != TAIL_NONE)
        put(b, o, "tail", tail(b, r));
    put(b, o, "problem", text(r ? r->problem : ""));
    put(b, o, "extra_gtid", text(engine_by_place(b->e, i) ? "" : h->extra));
    if (engine_by_place(b->e, i) && *h->extra)
        put(b, o, "cannot_follow", text(h->extra));
    aside = engine_aside(b->e, i, &aside_text);
    if (aside == TAIL_READY || aside == TAIL_FAILED)
        put(b, o, "quarantine", quarantine(b, aside, aside_text));
    put(b, o, "flapping", json_boolean(h->flapping));
    put(b, o, "barred", text(r && engine_barred(b->e, i, barred, sizeof barred) ? barred : ""));
    put(b, o, "semi_sync", facts ? semi_sync(b, i, r) : json_null());
    return o;
}

/* --- the cluster ---------------------------------------------------------------------------- */

static json_t *roles(struct build *b)
{
    const struct engine *e = b->e;
    json_t *array = json_array();
    char ip[ADDR_LEN];

    for (unsigned s = 0; s < e->conf.names.slots; s++)
        for (unsigned i = 0; i < b->s->slot[s].n; i++) {
            int holder = status_holder(e, (int)s);
            bool exclusive = e->conf.role[e->conf.slot_role[s]].exclusive;
            json_t *o = json_object();
            char waits[PROBLEM_LEN];

            engine_waits(e, (int)s, waits, sizeof waits);
            put(b, o, "name", json_string(e->conf.role[e->conf.slot_role[s]].name));
            put(b, o, "mode", json_string(exclusive ? "exclusive" : "balanced"));
            put(b, o, "ip", json_string(status_ip(ip, b->s->slot[s].ip[i])));
            put(b, o, "host", host_name(b, holder));
            put(b, o, "held", json_boolean(status_held(e, (int)s)));
            put(b, o, "waiting", text(waits));
            add(b, array, o);
        }
    return array;
}

static json_t *move(struct build *b)
{
    static const char *const phase[] = {
        [MOVE_LAG] = "waiting for the lag to go",
        [MOVE_RELEASE] = "writes are blocked, the old host lets go",
        [MOVE_PROMOTE] = "the new host takes over",
        [MOVE_BACK] = "going back",
    };
    const struct move *m = &b->e->move;
    json_t *o;

    if (m->phase == MOVE_NONE)
        return json_null();
    o = json_object();
    put(b, o, "role", json_string(b->e->conf.role[b->e->conf.slot_role[m->slot]].name));
    put(b, o, "from", host_name(b, m->from));
    put(b, o, "to", host_name(b, m->to));
    put(b, o, "phase", json_string(phase[m->phase]));
    put(b, o, "for_ms", json_integer(b->e->now - m->started));
    return o;
}

static json_t *active_role(const struct engine *e)
{
    for (unsigned r = 0; r < e->conf.roles; r++)
        if (e->conf.role[r].writable)
            return json_string(e->conf.role[r].name);
    return json_null();
}

struct why {
    struct build *b;
    json_t *array;
};

static void add_why(void *to, const char *sentence)
{
    struct why *w = to;

    add(w->b, w->array, json_string(sentence));
}

static char *finish(struct build *b, json_t *root)
{
    char *out = b->failed ? NULL : json_dumps(root, JSON_COMPACT);

    json_decref(root);
    return out;
}

char *status_json(const struct engine *e, const struct status_conf *s)
{
    struct build b = {.e = e, .s = s};
    json_t *o = json_object(), *hosts = json_array();
    struct why why = {&b, json_array()};

    status_why(e, s, add_why, &why);
    for (unsigned i = 0; i < e->conf.names.hosts; i++)
        add(&b, hosts, one_host(&b, (int)i));
    put(&b, o, "schema", json_integer(1));
    put(&b, o, "cluster", json_string(s->cluster));
    put(&b, o, "time", moment(e->wall));
    put(&b, o, "mode", json_string(mode_names[e->reign == REIGN_YES ? e->mode : MODE_PASSIVE]));
    put(&b, o, "monitor", json_string(e->conf.monitor));
    put(&b, o, "reigning", json_boolean(e->reign == REIGN_YES));
    put(&b, o, "passive_why", text(engine_why_passive(e)));
    put(&b, o, "epoch", json_integer((json_int_t)e->epoch));
    put(&b, o, "health", json_string(health_names[status_health(e, s)]));
    put(&b, o, "why", why.array);
    put(&b, o, "writer", host_name(&b, status_writer(e)));
    put(&b, o, "active_master_role", active_role(e));
    put(&b, o, "move", move(&b));
    put(&b, o, "hosts", hosts);
    put(&b, o, "roles", roles(&b));
    return finish(&b, o);
}

char *status_checks_json(const struct engine *e, int host, int check)
{
    struct build b = {.e = e};
    json_t *o = json_object(), *hosts = json_array();

    put(&b, o, "schema", json_integer(1));
    for (int i = 0; i < (int)e->conf.names.hosts; i++) {
        json_t *h;
        if (host >= 0 && host != i)
            continue;
        h = json_object();
        put(&b, h, "name", host_name(&b, i));
        put(&b, h, "checks", checks(&b, i, check));
        add(&b, hosts, h);
    }
    put(&b, o, "hosts", hosts);
    return finish(&b, o);
}

void status_event(struct buf *to, const struct engine *e, const struct ring_event *ev, bool json)
{
    static const char *const level[] = {
        [EVENT_INFO] = "info",
        [EVENT_NOTE] = "note",
        [EVENT_WARN] = "warn",
    };
    struct build b = {.e = e};
    char when[RFC3339_LEN], *line;
    json_t *o;

    if (!json) {
        buf_addf(to, "%s  %s  %s%s%s\n", status_time(when, ev->wall_ms), level[ev->level],
                 ev->host < 0 ? "" : e->conf.names.host[ev->host], ev->host < 0 ? "" : ": ",
                 ev->text);
        return;
    }
    o = json_object();
    put(&b, o, "time", moment(ev->wall_ms));
    put(&b, o, "level", json_string(level[ev->level]));
    put(&b, o, "host", host_name(&b, ev->host));
    put(&b, o, "text", text(ev->text));
    line = finish(&b, o);
    if (line)
        buf_addf(to, "%s\n", line);
    else
        to->full = true;
    free(line);
}
