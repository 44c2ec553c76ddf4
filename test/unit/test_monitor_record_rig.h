/* SPDX-License-Identifier: GPL-2.0-or-later
 * A recorder on a loop of its own, an engine with three hosts that gets random inputs of all kinds,
 * and what `hamm replay` says of the files. */
#pragma once

#include "base/clock.h"
#include "loop/closer.h"
#include "monitor/record.h"
#include "monitor/record_code.h"
#include "monitor/record_hash.h"
#include "monitor/replay_run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { HOSTS = 3, SLOTS = 3, STEP_MS = 16, EVENTS = 10000 };
static const int64_t noon = 1772366400000; /* 2026-03-01T12:00:00Z */

static struct {
    char directory[64], path[96];
    uv_loop_t loop;
    struct closer closer;
    struct record *record;
    struct engine engine;
    struct plan plan;
    int64_t now;
    uint64_t seed;
    unsigned bad, good; /* what the recorder said */
    char said[1024];
} rig;

static inline void on_say(void *owner, bool bad, const char *text)
{
    (void)owner;
    *(bad ? &rig.bad : &rig.good) += 1;
    snprintf(rig.said, sizeof rig.said, "%s", text);
}

static inline unsigned chance(unsigned n)
{
    rig.seed = rig.seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(rig.seed >> 33) % n;
}

static inline void configure(void)
{
    static struct engine_conf c;

    memset(&c, 0, sizeof c);
    c.names.hosts = HOSTS;
    c.names.slots = SLOTS;
    c.roles = 2;
    snprintf(c.monitor, NAME_LEN, "mon1");
    snprintf(c.names.slot[0], SLOT_LEN, "writer");
    snprintf(c.names.slot[1], SLOT_LEN, "reader/10.77.0.103");
    snprintf(c.names.slot[2], SLOT_LEN, "reader/10.77.0.104");
    snprintf(c.role[0].name, NAME_LEN, "writer");
    snprintf(c.role[1].name, NAME_LEN, "reader");
    c.role[0].exclusive = c.role[0].writable = true;
    c.role[0].hosts = 2;
    c.role[1].hosts = 3;
    c.slot_role[1] = c.slot_role[2] = 1;
    c.role[0].prefer = c.role[1].prefer = -1;
    for (int h = 0; h < HOSTS; h++) {
        snprintf(c.names.host[h], NAME_LEN, "db%d", h + 1);
        c.role[0].host[h] = c.role[1].host[h] = h;
        c.host[h].master = h < 2;
    }
    for (int k = 0; k < CK_N; k++)
        c.trap_ms[k] = 1000;
    c.max_backlog_ms = 60000;
    c.lease_ms = 2000;
    c.flap_count = 3;
    c.flap_duration_ms = 3600000;
    c.catch_up_ms = 30000;
    c.switchover_budget_ms = 5000;
    c.gate_unheard = GATE_NFT;
    c.mode = MODE_ACTIVE;
    engine_init(&rig.engine, &c);
}

static const struct record_opts plain = {.file = {.file_max = RECORD_FILE_MAX},
                                         .memory_max = 1 << 20,
                                         .flush_ms = 200,
                                         .retry_ms = 3000};

static inline void begin(const struct record_opts *opts)
{
    rig.closer = (struct closer){0};
    rig.bad = rig.good = 0;
    assert_int_equal(uv_loop_init(&rig.loop), 0);
    configure();
    rig.record = record_start(&rig.loop, rig.path, "shop", "mon1", opts, &rig.engine, on_say, NULL);
    assert_non_null(rig.record);
}

static inline void on_closed(struct closer *c)
{
    (void)c;
}

static inline void end(void)
{
    record_stop(rig.record, &rig.closer);
    closer_end(&rig.closer, on_closed);
    uv_run(&rig.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&rig.loop), 0);
}

static inline void feed(struct engine_event *ev)
{
    rig.now += STEP_MS;
    ev->now_ms = rig.now;
    ev->wall_ms = noon + rig.now;
    engine_step(&rig.engine, ev, &rig.plan);
    record_step(rig.record, ev, &rig.engine, &rig.plan);
}

static inline void feed_start(bool durable)
{
    struct engine_event ev = {.kind = EV_START};
    static struct engine_durable d;

    memset(&d, 0, sizeof d);
    snprintf(d.identity, sizeof d.identity, "mon1.old");
    d.epoch = 6;
    for (int s = 0; s < SLOTS; s++) {
        d.slot[s].holder = s == 0 ? 0 : -1;
        d.slot[s].members = 7;
        d.slot[s].allowed = ~0ull;
    }
    ev.start.durable = durable ? &d : NULL;
    ev.start.take_over = !durable;
    snprintf(ev.start.identity, sizeof ev.start.identity, "mon1.new");
    feed(&ev);
}

static inline const char *a_gtid(void)
{
    static const char *const all[] = {"", "0-1-5", "0-1-5,0-2-9", "0-1-1000", "0-1-5,0-3-77"};

    return all[chance(5)];
}

static inline void a_report(struct msg_report *r, int h)
{
    static const struct engine *const e = &rig.engine;

    memset(r, 0, sizeof *r);
    r->epoch = chance(10) ? e->epoch : chance(9);
    snprintf(r->obeys, IDENTITY_LEN, "%s", e->identity);
    r->heard_ms = chance(300);
    r->start_id = chance(50) ? 10 + (uint64_t)h : chance(90) + 1;
    r->serial = e->host[h].order.serial;
    r->settled = chance(3) ? r->serial : 0;
    r->uptime_s = rig.now / 1000;
    r->n = h < 2 ? SLOTS : SLOTS - 1;
    for (unsigned i = 0; i < r->n; i++) {
        struct report_slot *s = &r->slot[i];

        s->slot = (int)i + (h < 2 ? 0 : 1);
        s->hold = e->host[h].order.hold >> s->slot & 1 ? HOLD_HELD : HOLD_NONE;
        s->serial = r->serial;
        s->ended = s->hold == HOLD_HELD ? 0 : r->serial;
        s->lease_ms = s->hold == HOLD_HELD ? chance(2000) : 0;
        s->electorate = e->slot[s->slot].electorate;
        s->members = 7;
    }
    r->mysqld = chance(40) ? MYSQLD_UP : MYSQLD_DEAD;
    r->pid = 500 + chance(2);
    if (r->mysqld == MYSQLD_DEAD)
        snprintf(r->mysqld_why, WHY_LEN, "mysqld (pid %" PRId64 ") is exiting", r->pid);
    r->facts = r->mysqld == MYSQLD_UP;
    r->read_only = !(e->host[h].order.hold & 1);
    snprintf(r->gtid, GTID_LEN, "%s", a_gtid());
    r->source = h ? 0 : -1;
    snprintf(r->source_host, ADDR_LEN, "10.77.0.11");
    r->receiver = RECEIVER_YES;
    r->applier = true;
    r->lag_ms = chance(20) ? 0 : -1;
}

static inline void feed_agent(int h)
{
    static struct msg_hello hello;
    static struct msg_report report;
    static struct msg_lease lease;
    static struct msg_refusal refusal;
    struct engine_event ev = {.agent = {.host = h}};

    switch (chance(24)) {
    case 0:
        ev.kind = EV_UNLINK;
        break;
    case 1:
        memset(&refusal, 0, sizeof refusal);
        refusal.epoch = chance(3);
        snprintf(refusal.monitor, IDENTITY_LEN, "mon2.other");
        ev.kind = EV_REFUSED;
        ev.agent.refusal = &refusal;
        break;
    case 2:
    case 3:
        memset(&hello, 0, sizeof hello);
        hello = (struct msg_hello){
            .version = PROTOCOL_VERSION, .speaker = SPEAKER_AGENT, .start_id = 10, .heard_ms = -1};
        ev.kind = EV_LINK;
        ev.agent.hello = &hello;
        break;
    case 4:
    case 5:
    case 6:
        memset(&lease, 0, sizeof lease);
        lease.epoch = rig.engine.epoch;
        lease.start_id = 10 + (uint64_t)h;
        lease.sent_ms = rig.now - 3;
        lease.n = 1;
        lease.slot[0] = (struct lease_slot){.slot = h < 2 ? 0 : 1,
                                            .serial = rig.engine.host[h].order.serial,
                                            .electorate = rig.engine.slot[0].electorate};
        ev.kind = EV_LEASE;
        ev.agent.lease = &lease;
        break;
    default:
        a_report(&report, h);
        ev.kind = EV_REPORT;
        ev.agent.report = &report;
        break;
    }
    feed(&ev);
}

static inline void feed_command(void)
{
    struct engine_event ev = {.kind = EV_COMMAND};

    ev.command = (struct engine_command){.id = chance(1000),
                                         .verb = (enum verb)chance(VERB_SET_IP + 1),
                                         .mode = chance(9) ? MODE_ACTIVE : (enum mode)chance(4),
                                         .host = (int)chance(HOSTS),
                                         .role = (int)chance(2),
                                         .slot = (int)chance(SLOTS),
                                         .force = chance(2),
                                         .lost = (int)chance(HOSTS + 1) - 1};
    feed(&ev);
}

static inline void feed_check(int h)
{
    char text[WHY_LEN];
    bool ok = chance(6);
    struct engine_event ev = {.kind = EV_CHECK};

    snprintf(text, sizeof text, ok ? "OK: answered in 0.%03u ms" : "ERROR: no answer for %u ms",
             chance(1000));
    ev.check.host = h;
    ev.check.check = (enum check)chance(CK_N);
    ev.check.result = ok ? RESULT_OK : (enum result)chance(3);
    ev.check.lag_ms = chance(3) ? -1 : (int64_t)chance(90000);
    ev.check.message = text;
    feed(&ev);
}

static inline void feed_any(void)
{
    int h = (int)chance(HOSTS);
    struct engine_event ev = {.kind = EV_TIME};

    switch (chance(100)) {
    case 0:
        feed_command();
        return;
    case 1:
        ev.kind = EV_NETWORK;
        ev.network.up = chance(3);
        ev.network.message = ev.network.up ? NULL : "none of ping_ips answers";
        feed(&ev);
        return;
    case 2:
        ev.kind = EV_KILLED;
        ev.killed.host = h;
        ev.killed.ok = chance(2);
        ev.killed.message = "done";
        feed(&ev);
        return;
    default:
        break;
    }
    if (chance(10) == 0)
        feed(&ev);
    else if (chance(5) < 2)
        feed_check(h);
    else
        feed_agent(h);
}

static inline void feed_many(unsigned n, unsigned pause_every)
{
    for (unsigned i = 0; i < n; i++) {
        feed_any();
        if (pause_every && i % pause_every == 0)
            usleep(500);
    }
}

/* ---- replaying ---- */

static char *told, *complained;
static size_t told_len, complained_len;
static const struct replay_opts all_of_it = {.from_ms = INT64_MIN, .until_ms = INT64_MAX};

static inline int replay_with(const char *path, const struct replay_opts *opts)
{
    FILE *to, *bad;
    int rc;

    free(told);
    free(complained);
    to = open_memstream(&told, &told_len);
    bad = open_memstream(&complained, &complained_len);
    rc = replay_run(path, opts, to, bad);
    fclose(to);
    fclose(bad);
    return rc;
}

static inline int replay(const char *path)
{
    return replay_with(path, &all_of_it);
}

/* The last line's figure; -1: nothing was said to be as recorded. */
static inline long inputs(void)
{
    const char *at = strstr(told, " inputs over ");

    if (!at || !strstr(at, "all as recorded"))
        return -1;
    while (at > told && at[-1] != '\n')
        at--;
    return strtol(at, NULL, 10);
}

static inline void expect_replay(const char *path, long n)
{
    if (replay(path) != 0)
        fail_msg("%s: %s", path, complained);
    assert_int_equal(inputs(), n);
}

static inline void file_of(char to[128], int i)
{
    snprintf(to, 128, i ? "%s.%d" : "%s", rig.path, i);
}

static inline int setup(void **state)
{
    (void)state;
    snprintf(rig.directory, sizeof rig.directory, "/tmp/hamm-record-XXXXXX");
    if (!mkdtemp(rig.directory))
        return -1;
    snprintf(rig.path, sizeof rig.path, "%s/shop.mon1.monitor.inputs", rig.directory);
    rig.now = 1000000;
    rig.seed = 7;
    return 0;
}

static inline int teardown(void **state)
{
    char path[128];

    (void)state;
    for (int i = 0; i < 6; i++) {
        file_of(path, i);
        unlink(path);
    }
    return rmdir(rig.directory);
}

static inline void record_some(unsigned n)
{
    begin(&plain);
    feed_start(true);
    feed_many(n - 1, 16);
    end();
}
