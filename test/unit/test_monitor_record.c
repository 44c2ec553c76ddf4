/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the recorder writes and `hamm replay` makes of it: all kinds of inputs, files that are full,
 * decisions that differ, disks that are slow or full; and what it costs. */
#include "test_monitor_record_rig.h"

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
    assert_non_null(strstr(told, "the monitor starts")); /* the same file still */
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

static int64_t cpu_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void test_cost(void **state)
{
    enum { N = 20000 };
    struct record *record;
    int64_t with, without, all;
    struct stat st;

    (void)state;
    begin(&plain);
    feed_start(true);
    record = rig.record;
    rig.record = NULL;
    feed_many(N, 0);
    without = cpu_ns(CLOCK_THREAD_CPUTIME_ID);
    feed_many(N, 0);
    without = cpu_ns(CLOCK_THREAD_CPUTIME_ID) - without;
    rig.record = record;
    end();
    unlink(rig.path);
    rig.seed = 7;
    rig.now = 1000000;
    begin(&plain);
    feed_start(true);
    feed_many(N, 0);
    with = cpu_ns(CLOCK_THREAD_CPUTIME_ID);
    all = cpu_ns(CLOCK_PROCESS_CPUTIME_ID);
    feed_many(N, 0);
    with = cpu_ns(CLOCK_THREAD_CPUTIME_ID) - with;
    end();
    all = cpu_ns(CLOCK_PROCESS_CPUTIME_ID) - all;
    assert_int_equal(stat(rig.path, &st), 0);
    print_message("a step: %" PRId64 " ns of the loop, recorded %" PRId64
                  ", with the thread %" PRId64 "; %" PRId64 " bytes on disk\n",
                  without / N, with / N, all / N, (int64_t)st.st_size / (2 * N));
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
