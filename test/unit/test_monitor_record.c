/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the recorder writes and `hamm replay` makes of it: random inputs of all kinds, files that
 * are full, damaged, cut off or of another build, disks that are slow or full. */
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

static void on_say(void *owner, bool bad, const char *text)
{
    (void)owner;
    *(bad ? &rig.bad : &rig.good) += 1;
    snprintf(rig.said, sizeof rig.said, "%s", text);
}

static unsigned chance(unsigned n)
{
    rig.seed = rig.seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(rig.seed >> 33) % n;
}

static void configure(void)
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
        c.host[h].peer = h < 2 ? 1 - h : -1;
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

static void begin(const struct record_opts *opts)
{
    rig.closer = (struct closer){0};
    rig.bad = rig.good = 0;
    assert_int_equal(uv_loop_init(&rig.loop), 0);
    configure();
    rig.record = record_start(&rig.loop, rig.path, "shop", "mon1", opts, &rig.engine, on_say, NULL);
    assert_non_null(rig.record);
}

static void on_closed(struct closer *c)
{
    (void)c;
}

static void end(void)
{
    record_stop(rig.record, &rig.closer);
    closer_end(&rig.closer, on_closed);
    uv_run(&rig.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&rig.loop), 0);
}

static void feed(struct engine_event *ev)
{
    rig.now += STEP_MS;
    ev->now_ms = rig.now;
    ev->wall_ms = noon + rig.now;
    engine_step(&rig.engine, ev, &rig.plan);
    record_step(rig.record, ev, &rig.engine, &rig.plan);
}

static void feed_start(bool durable)
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

static const char *a_gtid(void)
{
    static const char *const all[] = {"", "0-1-5", "0-1-5,0-2-9", "0-1-1000", "0-1-5,0-3-77"};

    return all[chance(5)];
}

static void a_report(struct msg_report *r, int h)
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

static void feed_agent(int h)
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

static void feed_command(void)
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

static void feed_check(int h)
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

static void feed_any(void)
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

static void feed_many(unsigned n, unsigned pause_every)
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

static int replay_with(const char *path, const struct replay_opts *opts)
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

static int replay(const char *path)
{
    return replay_with(path, &all_of_it);
}

/* The last line's figure; -1: nothing was said to be as recorded. */
static long inputs(void)
{
    const char *at = strstr(told, " inputs over ");

    if (!at || !strstr(at, "all as recorded"))
        return -1;
    while (at > told && at[-1] != '\n')
        at--;
    return strtol(at, NULL, 10);
}

static void expect_replay(const char *path, long n)
{
    if (replay(path) != 0)
        fail_msg("%s: %s", path, complained);
    assert_int_equal(inputs(), n);
}

static void file_of(char to[128], int i)
{
    snprintf(to, 128, i ? "%s.%d" : "%s", rig.path, i);
}

static int setup(void **state)
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

static int teardown(void **state)
{
    char path[128];

    (void)state;
    for (int i = 0; i < 6; i++) {
        file_of(path, i);
        unlink(path);
    }
    return rmdir(rig.directory);
}

static void record_some(unsigned n)
{
    begin(&plain);
    feed_start(true);
    feed_many(n - 1, 16);
    end();
}

/* ---- */

static void test_all_kinds_over_several_files(void **state)
{
    struct record_opts opts = plain;
    char path[128];
    struct stat st;
    long sum = 0;
    int files = 0;

    (void)state;
    opts.file.file_max = 64 * 1024;
    begin(&opts);
    feed_start(true);
    feed_many(EVENTS - 1, 8);
    end();
    assert_int_equal(rig.bad, 0);
    for (int i = RECORD_FILES; i >= 0; i--) {
        file_of(path, i);
        if (stat(path, &st) < 0)
            continue;
        files++;
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_true(st.st_size <= (off_t)opts.file.file_max);
        if (replay(path) != 0)
            fail_msg("%s: %s", path, complained);
        sum += inputs();
    }
    print_message("%d files, %ld inputs\n", files, sum);
    assert_true(files >= 3);
    assert_int_equal(sum, EVENTS);
}

static void test_a_start_without_journal(void **state)
{
    (void)state;
    begin(&plain);
    feed_start(false);
    feed_many(500, 0);
    end();
    expect_replay(rig.path, 501);
}

static void test_starts_share_a_file(void **state)
{
    const char *at;

    (void)state;
    for (int i = 0; i < 3; i++)
        record_some(100);
    expect_replay(rig.path, 300);
    at = strstr(told, "the monitor starts");
    assert_non_null(at);
    at = strstr(at + 1, "the monitor starts");
    assert_non_null(at);
    assert_non_null(strstr(at + 1, "the monitor starts"));
}

static void test_from_and_until(void **state)
{
    struct replay_opts part = all_of_it;

    (void)state;
    record_some(1000);
    part.until_ms = noon + 1000000 + 500 * STEP_MS;
    assert_int_equal(replay_with(rig.path, &part), 0);
    assert_int_equal(inputs(), 500);
    part.from_ms = part.until_ms;
    assert_int_equal(replay_with(rig.path, &part), 0);
    assert_int_equal(inputs(), 500);
    assert_null(strstr(told, "the monitor starts"));
}

static void test_another_decision_is_a_difference(void **state)
{
    struct engine_event ev = {.kind = EV_TIME};

    (void)state;
    begin(&plain);
    feed_start(true);
    feed_many(200, 0);
    rig.now += STEP_MS;
    ev.now_ms = rig.now;
    ev.wall_ms = noon + rig.now;
    engine_step(&rig.engine, &ev, &rig.plan);
    memset(&rig.plan.at[rig.plan.n], 0, sizeof *rig.plan.at);
    rig.plan.at[rig.plan.n].kind = ACT_EVENT;
    snprintf(rig.plan.at[rig.plan.n++].text, EVENT_LEN, "what was never decided");
    record_step(rig.record, &ev, &rig.engine, &rig.plan);
    end();
    assert_int_equal(replay(rig.path), 1);
    assert_int_equal(inputs(), -1);
    assert_non_null(strstr(complained, "input 202, time: decided otherwise"));
    assert_non_null(strstr(complained, "what was never decided"));
}

/* Everything an action stands for is in the number that is compared. */
static void test_what_a_decision_is(void **state)
{
    struct action *grant = NULL;
    uint64_t is;

    (void)state;
    rig.record = NULL;
    configure();
    feed_start(true);
    while (!grant) {
        feed_any();
        for (unsigned i = 0; i < rig.plan.n; i++)
            if (rig.plan.at[i].kind == ACT_GRANT)
                grant = &rig.plan.at[i];
    }
    is = record_hash_plan(&rig.engine, &rig.plan);
    grant->grant->lease_ms++;
    assert_int_not_equal(record_hash_plan(&rig.engine, &rig.plan), is);
    grant->grant->lease_ms--;
    grant->after++;
    assert_int_not_equal(record_hash_plan(&rig.engine, &rig.plan), is);
    grant->after--;
    grant->kind = ACT_ORDER;
    is = record_hash_plan(&rig.engine, &rig.plan);
    rig.engine.host[grant->host].order.reach[0] ^= 1;
    assert_int_not_equal(record_hash_plan(&rig.engine, &rig.plan), is);
}

static void test_what_the_engine_knows_is_compared(void **state)
{
    (void)state;
    begin(&plain);
    feed_start(true);
    feed_many(100, 0);
    rig.engine.host[1].order_at++; /* behind the recorder's back */
    feed_many(200, 0);
    end();
    assert_int_equal(replay(rig.path), 1);
    assert_non_null(strstr(complained, "decided otherwise"));
}

/* ---- damage ---- */

static uint8_t *load(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    uint8_t *all;

    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    *len = (size_t)ftell(f);
    rewind(f);
    all = malloc(*len + 1);
    assert_non_null(all);
    assert_int_equal(fread(all, 1, *len, f), *len);
    fclose(f);
    return all;
}

static void store(const char *path, const uint8_t *all, size_t len)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(all, 1, len, f), len);
    fclose(f);
}

static void test_a_flipped_byte_is_found(void **state)
{
    size_t len;
    uint8_t *all;
    unsigned cut = 0;

    (void)state;
    record_some(300);
    all = load(rig.path, &len);
    for (int i = 0; i < 400; i++) {
        size_t at = chance((unsigned)len);
        uint8_t was = all[at];

        all[at] ^= (uint8_t)(1u << chance(8));
        store(rig.path, all, len);
        if (replay(rig.path) == 0) { /* in the last block: as after a crash */
            assert_non_null(strstr(told, "not complete"));
            cut++;
        } else {
            assert_int_equal(inputs(), -1);
            assert_true(complained_len > 0);
        }
        all[at] = was;
    }
    free(all);
    assert_true(cut < 300);
}

static void test_a_tail_that_is_missing(void **state)
{
    size_t len;
    uint8_t *all;

    (void)state;
    record_some(300);
    all = load(rig.path, &len);
    for (size_t cut = 1; cut < len; cut += 1 + cut / 3) {
        store(rig.path, all, len - cut);
        if (replay(rig.path) != 0) /* not even its beginning is there */
            assert_true(len - cut < 200);
    }
    store(rig.path, all, len - 3);
    assert_int_equal(replay(rig.path), 0);
    assert_in_range(inputs(), 1, 299);
    assert_non_null(strstr(told, "not complete"));
    memset(all + len - 30, 0, 30); /* the file system knew how long it was, and no more */
    store(rig.path, all, len);
    assert_int_equal(replay(rig.path), 0);
    assert_in_range(inputs(), 1, 299);
    free(all);
}

/* What a crash left is put aside, not written behind. */
static void test_after_a_missing_tail_a_new_file(void **state)
{
    char path[128];

    (void)state;
    record_some(300);
    assert_int_equal(truncate(rig.path, 4000), 0);
    record_some(100);
    expect_replay(rig.path, 100);
    file_of(path, 1);
    assert_int_equal(replay(path), 0);
}

static void test_nothing_that_was_recorded(void **state)
{
    (void)state;
    assert_int_equal(replay(rig.directory), 1);
    assert_int_equal(replay("/nonexistent"), 1);
    assert_non_null(strstr(complained, "No such file"));
    store(rig.path, (const uint8_t *)"#!/bin/sh\n", 10);
    assert_int_equal(replay(rig.path), 1);
    assert_non_null(strstr(complained, "no monitor recorded this"));
    store(rig.path, NULL, 0);
    assert_int_equal(replay(rig.path), 1);
}

static void test_another_build(void **state)
{
    struct record_file f;
    struct err e = {0};
    char path[128];

    (void)state;
    record_file_init(&f, rig.path,
                     "hamm inputs 1\nversion 9.8.7\nengine 0123456789abcdef\ncluster shop\n",
                     &plain.file);
    assert_int_equal(record_file_add(&f, true, "x", 1, &e), 0);
    record_file_close(&f);
    assert_int_equal(replay(rig.path), 1);
    assert_non_null(strstr(complained, "another build, hamm 9.8.7"));
    record_some(100);
    expect_replay(rig.path, 100);
    file_of(path, 1);
    assert_int_equal(replay(path), 1);
}

/* Checksums are right, what they cover is not: whoever wrote this means harm. */
static void test_hostile_steps(void **state)
{
    struct record_reader r;
    struct buf section = BUF(RECORD_BLOCK_MAX), steps = BUF(RECORD_BLOCK_MAX);
    enum record_block kind;
    struct err e = {0};
    char who[512];
    int refused = 0;

    (void)state;
    record_some(400);
    assert_int_equal(record_reader_open(&r, rig.path, &e), 0);
    while (record_reader_next(&r, &kind, &e) == 1)
        buf_add(kind == BLOCK_SECTION ? &section : &steps, r.raw.at, r.raw.len);
    snprintf(who, sizeof who, "%s", r.who);
    record_reader_close(&r);
    assert_true(section.len && steps.len);
    for (int i = 0; i < 2000; i++) {
        struct record_file f;
        size_t at = chance((unsigned)steps.len);
        char was = steps.at[at];

        steps.at[at] = (char)chance(256);
        unlink(rig.path);
        record_file_init(&f, rig.path, who, &plain.file);
        assert_int_equal(record_file_add(&f, true, section.at, section.len, &e), 0);
        assert_int_equal(record_file_add(&f, false, steps.at, steps.len, &e), 0);
        record_file_close(&f);
        refused += replay(rig.path);
        steps.at[at] = was;
    }
    assert_true(refused > 1000);
    buf_free(&section);
    buf_free(&steps);
}

/* ---- the disk ---- */

static uv_sem_t gate;
static volatile bool gated;
static volatile int error;

static ssize_t slow_pwrite(int fd, const void *data, size_t len, off_t at)
{
    if (gated) {
        uv_sem_wait(&gate);
        gated = false;
    }
    return pwrite(fd, data, len, at);
}

static void test_a_slow_disk_loses_some_and_goes_on(void **state)
{
    struct record_opts opts = plain;

    (void)state;
    opts.file.pwrite = slow_pwrite;
    opts.memory_max = 64 * 1024;
    assert_int_equal(uv_sem_init(&gate, 0), 0);
    begin(&opts);
    feed_start(true);
    feed_many(200, 8);
    gated = true;
    feed_many(5000, 0);
    assert_int_equal(rig.bad, 1);
    assert_non_null(strstr(rig.said, "too slow"));
    feed_many(2000, 0);
    assert_int_equal(rig.bad, 1);
    uv_sem_post(&gate);
    usleep(100000);
    feed_many(2000, 8);
    assert_int_equal(rig.bad, 1);
    assert_int_equal(rig.good, 1);
    end();
    uv_sem_destroy(&gate);
    assert_int_equal(replay(rig.path), 0);
    assert_non_null(strstr(told, "what happened before this is missing"));
    assert_in_range(inputs(), 1000, 9000);
}

static ssize_t full_pwrite(int fd, const void *data, size_t len, off_t at)
{
    if (error) { /* some of it still fits */
        errno = error;
        return len > 100 ? pwrite(fd, data, 50, at) : -1;
    }
    return pwrite(fd, data, len, at);
}

static void test_a_full_disk_is_told_once(void **state)
{
    struct record_opts opts = plain;

    (void)state;
    opts.file.pwrite = full_pwrite;
    begin(&opts);
    feed_start(true);
    feed_many(200, 8);
    error = ENOSPC;
    feed_many(2000, 8);
    assert_int_equal(rig.bad, 1);
    assert_non_null(strstr(rig.said, "No space left"));
    error = 0;
    feed_many(2000, 8);
    end();
    assert_int_equal(rig.bad, 1);
    assert_int_equal(rig.good, 1);
    assert_int_equal(replay(rig.path), 0);
    assert_non_null(strstr(told, "what happened before this is missing"));
    assert_null(strstr(told, "not complete"));
}

static void test_the_journal_keeps_its_room(void **state)
{
    struct record_opts opts = plain;

    (void)state;
    opts.file.disk_left = UINT64_MAX;
    begin(&opts);
    feed_start(true);
    feed_many(500, 8);
    end();
    assert_int_equal(rig.bad, 1);
    assert_non_null(strstr(rig.said, "left to the journal"));
}

/* ---- what it costs ---- */

static void test_cost(void **state)
{
    enum { N = 20000 };
    struct timespec a, b;
    struct record *record;
    int64_t with, without;
    struct stat st;

    (void)state;
    begin(&plain);
    feed_start(true);
    record = rig.record;
    feed_many(N, 0);
    rig.record = NULL;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
    feed_many(N, 0);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
    without = (b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec;
    rig.record = record;
    end();
    unlink(rig.path);
    rig.seed = 7;
    rig.now = 1000000;
    begin(&plain);
    feed_start(true);
    feed_many(N, 0);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
    feed_many(N, 0);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
    with = (b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec;
    end();
    assert_int_equal(stat(rig.path, &st), 0);
    print_message("a step: %" PRId64 " ns, recorded %" PRId64 " ns; %" PRId64
                  " bytes each on disk\n",
                  without / N, with / N, (int64_t)st.st_size / (2 * N));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_kinds_over_several_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_start_without_journal, setup, teardown),
        cmocka_unit_test_setup_teardown(test_starts_share_a_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_from_and_until, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_decision_is_a_difference, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_a_decision_is, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_the_engine_knows_is_compared, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_flipped_byte_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_tail_that_is_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_after_a_missing_tail_a_new_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_that_was_recorded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_build, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hostile_steps, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_slow_disk_loses_some_and_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_full_disk_is_told_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_journal_keeps_its_room, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cost, setup, teardown),
    };
    int rc = cmocka_run_group_tests(tests, NULL, NULL);

    free(told);
    free(complained);
    return rc;
}
