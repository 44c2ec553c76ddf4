/* SPDX-License-Identifier: GPL-2.0-or-later
 * What a journal's file survives: every torn end, each point of a crash while it is replaced,
 * kills; and what it refuses: damage, a second process. */
#include "test_journal_rig.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

static uint8_t bytes[1 << 16];

static void found_again(bool no_uring)
{
    static const char text[] = "with a \0 inside";
    struct rig r;
    struct stat st;

    rig_up(&r, no_uring);
    assert_null(r.last);
    assert_int_equal(r.last_seq, 0);
    assert_int_equal(rig_puts(&r, "one"), 0);
    assert_int_equal(rig_puts(&r, "two"), 0);
    assert_int_equal(rig_put(&r, text, sizeof text), 0);
    rig_down(&r);

    rig_up(&r, no_uring);
    assert_int_equal(r.last_len, sizeof text);
    assert_memory_equal(r.last, text, sizeof text);
    assert_int_equal(r.last_seq, 3);
    assert_string_equal(r.note, "");
    assert_int_equal(rig_puts(&r, "four"), 0);
    assert_int_equal(r.done_seq, 4);
    rig_down(&r);
    rig_expect("four", false);

    assert_int_equal(stat(rig_path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    *strrchr(rig_path, '/') = 0;
    assert_int_equal(stat(rig_path, &st), 0);
    rig_path[strlen(rig_path)] = '/';
    assert_int_equal(st.st_mode & 07777, 0700);
}

static void found_again_by_uring(void **state)
{
    (void)state;
    found_again(false);
}

static void found_again_by_thread(void **state)
{
    (void)state;
    found_again(true);
}

/* Leaves a file with the records "first" and "second"; returns its size, *cut: behind the first. */
static size_t two_records(size_t *cut)
{
    struct rig r;

    rig_up(&r, true);
    assert_int_equal(rig_puts(&r, "first"), 0);
    *cut = rig_slurp(rig_path, bytes, sizeof bytes);
    assert_int_equal(rig_puts(&r, "second"), 0);
    rig_down(&r);
    return rig_slurp(rig_path, bytes, sizeof bytes);
}

static void any_torn_end_is_cut_and_goes_on(void **state)
{
    size_t cut, n = two_records(&cut);

    (void)state;
    for (size_t len = cut; len < n; len++) {
        struct rig r;

        rig_spit(rig_path, bytes, len);
        rig_expect("first", len > cut);
        rig_expect("first", false); /* cut once and for all */
        rig_up(&r, true);
        assert_int_equal(rig_puts(&r, "third"), 0);
        rig_down(&r);
        rig_expect("third", false);
    }
}

static void damage_before_the_end_stops_with_a_sentence(void **state)
{
    size_t cut, n = two_records(&cut);
    struct err e = {0};
    uint8_t now[4096];
    struct rig r;

    (void)state;
    bytes[cut - 1] ^= 1;
    rig_spit(rig_path, bytes, n);
    assert_int_equal(rig_open(&r, true, &e), -EUCLEAN);
    rig_down(&r);
    assert_non_null(strstr(e.msg, rig_path));
    assert_non_null(strstr(e.msg, "byte 0"));
    assert_non_null(strstr(e.msg, "move it away"));
    assert_int_equal(rig_slurp(rig_path, now, sizeof now), n);
    assert_memory_equal(now, bytes, n);
}

static void a_foreign_file_is_left_alone(void **state)
{
    static const uint8_t text[] = "# somebody's notes\n";
    struct err e = {0};
    uint8_t now[64];
    struct rig r;
    size_t cut;

    (void)state;
    two_records(&cut);
    rig_spit(rig_path, text, sizeof text);
    assert_int_equal(rig_open(&r, true, &e), -EUCLEAN);
    rig_down(&r);
    assert_int_equal(rig_slurp(rig_path, now, sizeof now), sizeof text);
}

static void a_second_process_is_told_who_has_it(void **state)
{
    struct err e = {0};
    struct rig a, b;
    char pid[32];

    (void)state;
    snprintf(pid, sizeof pid, "(pid %d)", (int)getpid());
    rig_up(&a, true);
    assert_int_equal(rig_open(&b, true, &e), -EBUSY);
    rig_down(&b);
    assert_non_null(strstr(e.msg, pid));
    assert_int_equal(rig_puts(&a, "mine"), 0);
    rig_down(&a);
    rig_expect("mine", false);
}

static void the_file_stays_small(bool no_uring)
{
    static char big[300000];
    struct stat st;
    struct rig r;

    rig_up(&r, no_uring);
    for (int i = 0; i < 40; i++) {
        memset(big, 'a' + i % 26, sizeof big - 1);
        assert_int_equal(rig_puts(&r, big), 0);
        assert_int_equal(stat(rig_path, &st), 0);
        assert_in_range(st.st_size, 1, JOURNAL_FILE_MAX);
    }
    rig_down(&r);
    rig_up(&r, no_uring);
    assert_string_equal(r.last, big);
    assert_int_equal(r.last_seq, 40);
    rig_down(&r);
}

static void the_file_stays_small_by_uring(void **state)
{
    (void)state;
    the_file_stays_small(false);
}

static void the_file_stays_small_by_thread(void **state)
{
    (void)state;
    the_file_stays_small(true);
}

static void the_largest_state_fits(void **state)
{
    char *max = malloc(JOURNAL_PAYLOAD_MAX + 1);
    struct rig r;

    (void)state;
    memset(max, 'x', JOURNAL_PAYLOAD_MAX);
    max[JOURNAL_PAYLOAD_MAX] = 0;
    rig_up(&r, false);
    assert_int_equal(rig_puts(&r, "small"), 0);
    assert_int_equal(rig_puts(&r, max), 0);
    max[0] = 'y';
    assert_int_equal(rig_puts(&r, max), 0);
    assert_int_equal(rig_put(&r, max, JOURNAL_PAYLOAD_MAX + 1), -EMSGSIZE);
    assert_int_equal(rig_put(&r, max, 0), -EMSGSIZE);
    rig_down(&r);
    rig_expect(max, false);
    free(max);
}

/* The machine stops while FILE.new is written (any part of it there), or just before the rename. */
static void a_crash_while_it_is_replaced_loses_nothing(void **state)
{
    size_t cut, n = two_records(&cut);
    char path_new[160];
    struct rig r;

    (void)state;
    snprintf(path_new, sizeof path_new, "%s.new", rig_path);
    for (size_t len = 0; len <= cut; len++) {
        rig_spit(rig_path, bytes, n);
        rig_spit(path_new, bytes, len);
        rig_expect("second", false);
        assert_int_equal(access(path_new, F_OK), -1);
    }
    unlink(rig_path); /* before the very first rename */
    rig_spit(path_new, bytes, cut);
    rig_expect(NULL, false);
    rig_up(&r, true);
    assert_int_equal(rig_puts(&r, "goes on"), 0);
    rig_down(&r);
    rig_expect("goes on", false);
}

struct child {
    struct rig r;
    int to;
    char state[200000];
};

static void child_next(void *owner, uint64_t seq, int err)
{
    struct child *c = owner;

    if (err || write(c->to, &seq, sizeof seq) != sizeof seq)
        _exit(1);
    memset(c->state, 'a' + (int)((seq + 1) % 26), sizeof c->state);
    journal_append(c->r.j, c->state, sizeof c->state, c, child_next);
}

/* A child appends as fast as it can (five states to a file) and is killed at random moments: what
 * it was told to be durable is there. */
static void a_kill_at_any_moment_loses_nothing(bool no_uring)
{
    static struct child c;
    uint64_t acked = 0, seq;

    for (unsigned round = 0; round < 30; round++) {
        /* a slow disk gets more time */
        long most = acked < round ? 200000000 : 30000000;
        struct timespec nap = {.tv_nsec = 5000000 + random() % most};
        int fd[2];
        pid_t pid;
        struct rig r;

        assert_int_equal(pipe(fd), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            c.to = fd[1];
            rig_up(&c.r, no_uring);
            child_next(&c, c.r.last_seq, 0);
            uv_run(&c.r.loop, UV_RUN_DEFAULT);
            _exit(1);
        }
        close(fd[1]);
        nanosleep(&nap, NULL);
        kill(pid, SIGKILL);
        while (read(fd[0], &seq, sizeof seq) == sizeof seq)
            acked = seq;
        close(fd[0]);
        waitpid(pid, NULL, 0);
        rig_up(&r, no_uring);
        assert_true(r.last_seq >= acked);
        if (r.last)
            assert_int_equal(r.last[r.last_len - 1], 'a' + (int)(r.last_seq % 26));
        acked = r.last_seq;
        rig_down(&r);
    }
    print_message("%llu states, 30 kills\n", (unsigned long long)acked);
    assert_true(acked > 10);
}

static void a_kill_loses_nothing_by_uring(void **state)
{
    (void)state;
    a_kill_at_any_moment_loses_nothing(false);
}

static void a_kill_loses_nothing_by_thread(void **state)
{
    (void)state;
    a_kill_at_any_moment_loses_nothing(true);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(found_again_by_uring),
        TEST(found_again_by_thread),
        TEST(any_torn_end_is_cut_and_goes_on),
        TEST(damage_before_the_end_stops_with_a_sentence),
        TEST(a_foreign_file_is_left_alone),
        TEST(a_second_process_is_told_who_has_it),
        TEST(the_file_stays_small_by_uring),
        TEST(the_file_stays_small_by_thread),
        TEST(the_largest_state_fits),
        TEST(a_crash_while_it_is_replaced_loses_nothing),
        TEST(a_kill_loses_nothing_by_uring),
        TEST(a_kill_loses_nothing_by_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
