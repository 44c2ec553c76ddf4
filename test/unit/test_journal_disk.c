/* SPDX-License-Identifier: GPL-2.0-or-later
 * The journal against a bad disk and a strict kernel: full, failing, hung; io_uring forbidden at
 * the start or later; the loop goes on and the order of the answers holds. fdatasync is defined
 * here, so the one the journal's thread calls is this test's. */
#include "test_journal_rig.h"

#include "base/clock.h"
#include "loop/timer.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

static atomic_int sync_fail_n, sync_sleep_ms, sync_n;

int fdatasync(int fd)
{
    struct timespec nap = {.tv_nsec = sync_sleep_ms * 1000000L};

    sync_n++;
    nanosleep(&nap, NULL);
    if (sync_fail_n > 0) {
        sync_fail_n--;
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

static void answers_come_in_order_and_go_out_together(void **state)
{
    struct rig r;
    char text[32];

    (void)state;
    for (int no_uring = 0; no_uring < 2; no_uring++) {
        rig_up(&r, no_uring);
        assert_int_equal(rig_puts(&r, "begin"), 0);
        sync_n = 0;
        for (int i = 0; i < 1000; i++) {
            if (i == 500) /* refused alone, in its place */
                journal_append(r.j, "", 0, &r, rig_on_done);
            snprintf(text, sizeof text, "state %d", i);
            journal_append(r.j, text, strlen(text), &r, rig_on_done);
        }
        assert_true(journal_waiting_since(r.j) <= clock_boot_ms());
        rig_wait(&r, 1002);
        assert_int_equal(r.n_bad, 1);
        assert_int_equal(r.done_err, 0);
        assert_true(journal_waiting_since(r.j) == CLOCK_NEVER);
        if (no_uring)
            assert_int_equal(sync_n, 2); /* the first at once, the rest as one */
        rig_down(&r);
        rig_expect("state 999", false);
    }
}

struct nested {
    struct rig *r;
    unsigned n;
    bool close;
};

static void nested_on_done(void *owner, uint64_t seq, int err)
{
    struct nested *n = owner;

    (void)seq;
    assert_int_equal(err, 0);
    if (++n->n < 5)
        journal_append(n->r->j, "again", 5, n, nested_on_done);
    else if (n->close)
        journal_close(n->r->j, n->r, rig_on_closed);
}

static void a_callback_may_append_and_close(void **state)
{
    struct rig r;

    (void)state;
    for (int no_uring = 0; no_uring < 2; no_uring++) {
        struct nested n = {.r = &r, .close = true};

        rig_up(&r, no_uring);
        journal_append(r.j, "again", 5, &n, nested_on_done);
        uv_run(&r.loop, UV_RUN_DEFAULT);
        assert_int_equal(n.n, 5);
        assert_int_equal(r.n_closed, 1);
        r.j = NULL;
        rig_down(&r);
    }
}

static void closing_lets_the_waiting_finish(void **state)
{
    struct rig r;

    (void)state;
    for (int no_uring = 0; no_uring < 2; no_uring++) {
        rig_up(&r, no_uring);
        for (int i = 0; i < 10; i++)
            journal_append(r.j, no_uring ? "B" : "A", 1, &r, rig_on_done);
        rig_down(&r);
        assert_int_equal(r.n_done, 10);
        assert_int_equal(r.n_bad, 0);
        rig_expect(no_uring ? "B" : "A", false);
    }
}

static void after_a_failed_sync_a_new_file_is_written(void **state)
{
    struct stat before, after;
    struct rig r;

    (void)state;
    rig_up(&r, true);
    assert_int_equal(rig_puts(&r, "good"), 0);
    assert_int_equal(stat(rig_path, &before), 0);
    sync_fail_n = 1;
    assert_int_equal(rig_puts(&r, "a longer state that failed"), -EIO);
    assert_int_equal(rig_puts(&r, "better"), 0);
    assert_int_equal(stat(rig_path, &after), 0);
    assert_true(before.st_ino != after.st_ino);
    assert_int_equal(rig_puts(&r, "best"), 0);
    rig_down(&r);
    rig_expect("best", false);
}

struct ticks {
    uv_timer_t timer;
    int64_t last_ms, gap_ms;
    unsigned n;
};

static void ticks_on(uv_timer_t *timer)
{
    struct ticks *t = timer->data;
    int64_t now = clock_boot_ms();

    if (t->n++ && now - t->last_ms > t->gap_ms)
        t->gap_ms = now - t->last_ms;
    t->last_ms = now;
}

static void a_hung_disk_stops_nothing_but_the_journal(void **state)
{
    struct ticks t = {0};
    struct rig r;
    int64_t begin;

    (void)state;
    rig_up(&r, true);
    assert_int_equal(rig_puts(&r, "x"), 0);
    uv_timer_init(&r.loop, &t.timer);
    t.timer.data = &t;
    timer_every(&t.timer, 10, ticks_on);
    sync_sleep_ms = 600;
    begin = clock_boot_ms();
    assert_int_equal(rig_puts(&r, "y"), 0);
    sync_sleep_ms = 0;
    assert_in_range(clock_boot_ms() - begin, 590, 5000);
    print_message("sync took %lld ms, longest gap of a 10 ms timer %lld ms\n",
                  (long long)(clock_boot_ms() - begin), (long long)t.gap_ms);
    assert_true(t.n > 10);
    assert_in_range(t.gap_ms, 0, 300);
    uv_close((uv_handle_t *)&t.timer, NULL);
    rig_down(&r);
}

static void pool_sleep(uv_work_t *work)
{
    struct timespec nap = {.tv_sec = 2};

    (void)work;
    nanosleep(&nap, NULL);
}

static void pool_after(uv_work_t *work, int status)
{
    (void)work;
    (void)status;
}

static void a_full_thread_pool_delays_nothing(void **state)
{
    uv_work_t work[4];
    struct rig r;
    int64_t begin;

    (void)state;
    for (int no_uring = 0; no_uring < 2; no_uring++) {
        rig_up(&r, no_uring);
        for (unsigned i = 0; i < 4; i++)
            assert_int_equal(uv_queue_work(&r.loop, &work[i], pool_sleep, pool_after), 0);
        begin = clock_boot_ms();
        assert_int_equal(rig_puts(&r, "one"), 0);
        assert_int_equal(rig_puts(&r, "two"), 0);
        assert_in_range(clock_boot_ms() - begin, 0, 1500);
        rig_down(&r);
    }
}

/* From here on in this process (a child) the system call fails with `err`. */
static void forbid(unsigned call, int err)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)err),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog prog = {.len = ARRAY_LEN(rules), .filter = rules};

    assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    assert_int_equal(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog), 0);
}

/* Runs body in a child, so that what it does to its process stays there. */
static void apart(void (*body)(void))
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        setenv("CMOCKA_TEST_ABORT", "1", 1); /* an assertion ends the child, not its test */
        body();
        exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void strict_from_the_start(void)
{
    struct rig r;

    forbid(SYS_io_uring_setup, EPERM);
    rig_up(&r, false);
    assert_string_equal(journal_backend(r.j), "own thread (io_uring: Operation not permitted)");
    assert_int_equal(rig_puts(&r, "by thread"), 0);
    rig_down(&r);
}

static void strict_before_the_first_job(void)
{
    struct rig r;

    forbid(SYS_io_uring_enter, ENOSYS);
    rig_up(&r, false);
    assert_non_null(strstr(journal_backend(r.j), "own thread (io_uring: "));
    assert_int_equal(rig_puts(&r, "by thread"), 0);
    rig_down(&r);
}

static void strict_later(void)
{
    struct rig r;

    rig_up(&r, false);
    if (strcmp(journal_backend(r.j), "io_uring") == 0) {
        assert_int_equal(rig_puts(&r, "new file"), 0);
        assert_int_equal(rig_puts(&r, "by io_uring"), 0);
        assert_string_equal(journal_backend(r.j), "io_uring");
        forbid(SYS_io_uring_enter, EPERM);
        assert_int_equal(rig_puts(&r, "by thread"), 0);
        assert_string_equal(journal_backend(r.j), "own thread (io_uring: Operation not permitted)");
        assert_int_equal(rig_puts(&r, "by thread"), 0);
    }
    rig_down(&r);
}

static void io_uring_may_be_forbidden(void **state)
{
    (void)state;
    apart(strict_from_the_start);
    rig_expect("by thread", false);
    apart(strict_before_the_first_job);
    rig_expect("by thread", false);
    apart(strict_later);
}

static size_t fill(const char *path)
{
    static char block[4096];
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    size_t n = 0;

    assert_true(fd >= 0);
    while (write(fd, block, sizeof block) > 0)
        n++;
    close(fd);
    return n;
}

static void full_disk(bool no_uring)
{
    static char big[20000];
    char filler[80];
    struct rig r;

    assert_int_equal(unshare(CLONE_NEWNS), 0);
    assert_int_equal(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    assert_int_equal(mount("none", rig_dir, "tmpfs", 0, "size=256k"), 0);
    snprintf(filler, sizeof filler, "%s/filler", rig_dir);
    memset(big, 'b', sizeof big - 1);
    rig_up(&r, no_uring);
    assert_int_equal(rig_puts(&r, "before"), 0);
    assert_true(fill(filler) > 0);
    assert_int_equal(rig_puts(&r, big), -ENOSPC);
    assert_int_equal(rig_puts(&r, big), -ENOSPC);
    rig_down(&r); /* what was durable is still there, and a full disk keeps nobody from starting */
    rig_up(&r, no_uring);
    assert_string_equal(r.last, "before");
    assert_int_equal(rig_puts(&r, big), -ENOSPC);
    unlink(filler);
    assert_int_equal(rig_puts(&r, big), 0);
    assert_int_equal(rig_puts(&r, "after"), 0);
    rig_down(&r);
    rig_expect("after", false);
}

static void full_disk_by_uring(void)
{
    full_disk(false);
}

static void full_disk_by_thread(void)
{
    full_disk(true);
}

static void a_full_disk_is_reported_and_outlived(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        skip();
        return;
    }
    apart(full_disk_by_uring);
    apart(full_disk_by_thread);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(answers_come_in_order_and_go_out_together),
        TEST(a_callback_may_append_and_close),
        TEST(closing_lets_the_waiting_finish),
        TEST(after_a_failed_sync_a_new_file_is_written),
        TEST(a_hung_disk_stops_nothing_but_the_journal),
        TEST(io_uring_may_be_forbidden),
        TEST(a_full_disk_is_reported_and_outlived),
        TEST(a_full_thread_pool_delays_nothing), /* last: libuv's pool doesn't outlive a fork */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
