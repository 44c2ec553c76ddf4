/* SPDX-License-Identifier: GPL-2.0-or-later
 * Watching a process die: the big one whose end takes long, the quick one, the one that was gone
 * before; and what the watching costs. */
#include "agent/watch.h"

#include "base/clock.h"
#include "loop/timer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define BIG (200u << 20)

struct seen {
    uv_loop_t loop;
    uv_timer_t timer;
    struct watch w;
    int64_t began_ms, exited_ms; /* 0: not */
    unsigned n, n_stopped;
    char why[WATCH_N][160];
    bool stop_at_once, timed_out;
};

static void on_stopped(struct watch *w)
{
    ((struct seen *)w->owner)->n_stopped++;
}

static void on_event(struct watch *w, enum watch_event ev, const char *why)
{
    struct seen *s = w->owner;

    s->n++;
    *(ev == WATCH_BEGAN_EXIT ? &s->began_ms : &s->exited_ms) = clock_boot_ms();
    snprintf(s->why[ev], sizeof s->why[ev], "%s", why);
    if (s->stop_at_once)
        watch_stop(w, on_stopped);
}

static void on_time(uv_timer_t *t)
{
    ((struct seen *)t->data)->timed_out = true;
}

static void seen_up(struct seen *s, pid_t pid)
{
    struct err e = {0};

    *s = (struct seen){0};
    assert_int_equal(uv_loop_init(&s->loop), 0);
    uv_timer_init(&s->loop, &s->timer);
    s->timer.data = s;
    if (watch_start(&s->w, &s->loop, pid, s, on_event, &e) < 0)
        fail_msg("%s", e.msg);
}

/* Until it has ended, or for so long. */
static void seen_run(struct seen *s, int64_t ms)
{
    s->timed_out = false;
    timer_in(&s->timer, ms, on_time);
    while (!s->exited_ms && !s->timed_out)
        uv_run(&s->loop, UV_RUN_ONCE);
}

static void seen_down(struct seen *s)
{
    if (!s->stop_at_once)
        watch_stop(&s->w, on_stopped);
    uv_close((uv_handle_t *)&s->timer, NULL);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    assert_int_equal(s->n_stopped, 1);
    assert_int_equal(uv_loop_close(&s->loop), 0);
}

/* A child that runs body, named mysqld; returns once it is at its work (body writes a byte). */
static pid_t child(void (*body)(int ready))
{
    int fd[2];
    char byte;
    pid_t pid;

    assert_int_equal(pipe(fd), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_NAME, "mysqld");
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGTERM, SIG_DFL);
        body(fd[1]);
        _exit(3);
    }
    close(fd[1]);
    assert_int_equal(read(fd[0], &byte, 1), 1);
    close(fd[0]);
    return pid;
}

static void tell_ready(int ready)
{
    if (write(ready, "", 1) != 1)
        _exit(99);
}

static void touch_big(void)
{
    char *at = mmap(NULL, BIG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    madvise(at, BIG, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < BIG; i += 4096)
        at[i] = 1;
}

static void body_big(int ready)
{
    touch_big();
    tell_ready(ready);
    for (;;)
        pause();
}

static void body_idle(int ready)
{
    tell_ready(ready);
    for (;;)
        pause();
}

static void body_exits_in_50_ms(int ready)
{
    tell_ready(ready);
    usleep(50000);
}

static void *thread_idle(void *arg)
{
    for (;;)
        pause();
    return arg;
}

static void start_threads(unsigned n)
{
    pthread_attr_t small;
    pthread_t t;

    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 65536);
    for (unsigned i = 0; i < n; i++)
        if (pthread_create(&t, &small, thread_idle, NULL) != 0)
            _exit(98);
}

static void body_leader_leaves(int ready)
{
    start_threads(2);
    tell_ready(ready);
    pthread_exit(NULL);
}

static void body_big_threads(int ready)
{
    start_threads(40);
    touch_big();
    tell_ready(ready);
    for (;;)
        pause();
}

static void *thread_short(void *arg)
{
    usleep(40000);
    return arg;
}

static void body_two_threads_leave(int ready)
{
    pthread_t t[2];

    pthread_create(&t[0], NULL, thread_short, NULL);
    pthread_create(&t[1], NULL, thread_short, NULL);
    start_threads(10);
    touch_big();
    tell_ready(ready);
    for (;;)
        pause();
}

static void body_300_threads(int ready)
{
    start_threads(300);
    tell_ready(ready);
    for (;;)
        pause();
}

static void big_one_killed(const char *what, void (*body)(int ready), int64_t before_ms)
{
    pid_t pid = child(body);
    struct seen s;
    char sentence[100], early[100];
    int64_t kill_ms;

    seen_up(&s, pid);
    assert_string_equal(s.w.name, "mysqld");
    seen_run(&s, before_ms);
    assert_int_equal(s.n, 0);
    kill_ms = clock_boot_ms();
    kill(pid, SIGKILL);
    seen_run(&s, 20000);
    assert_true(s.began_ms && s.exited_ms);
    print_message("%s, 200 MB: began to exit after %lld ms, gone after %lld ms\n", what,
                  (long long)(s.began_ms - kill_ms), (long long)(s.exited_ms - kill_ms));
    assert_true(s.began_ms <= s.exited_ms);
    assert_int_equal(s.n, 2);
    snprintf(sentence, sizeof sentence, "mysqld (pid %d) is exiting: killed by signal 9 (Killed)",
             (int)pid);
    snprintf(early, sizeof early, "mysqld (pid %d) is exiting: killed by a signal", (int)pid);
    /* PF_SIGNALED is set before the exit code: between the two the number is not known */
    assert_true(strcmp(s.why[WATCH_BEGAN_EXIT], sentence) == 0 ||
                strcmp(s.why[WATCH_BEGAN_EXIT], early) == 0);
    snprintf(sentence, sizeof sentence, "mysqld (pid %d) is gone: killed by signal 9 (Killed)",
             (int)pid);
    assert_string_equal(s.why[WATCH_EXITED], sentence);
    assert_int_equal(watch_kill(&s.w), 0); /* a zombie takes it and stays one */
    waitpid(pid, NULL, 0);
    assert_int_equal(watch_kill(&s.w), -ESRCH);
    seen_down(&s);
}

static void a_big_process_is_seen_to_begin_its_end(void **state)
{
    (void)state;
    big_one_killed("one thread", body_big, 30);
    big_one_killed("41 threads", body_big_threads, 30);
    big_one_killed("pinned ones left", body_two_threads_leave, 100);
    big_one_killed("pinned anew", body_two_threads_leave, 800);
}

/* From here on in this process: no pidfds of threads, as before Linux 6.9. */
static void old_kernel(void)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, O_EXCL, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog prog = {.len = ARRAY_LEN(rules), .filter = rules};

    assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    assert_int_equal(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog), 0);
}

static void an_old_kernel_does_too(void **state)
{
    int status;
    pid_t pid = fork();

    (void)state;
    assert_true(pid >= 0);
    if (pid == 0) {
        setenv("CMOCKA_TEST_ABORT", "1", 1); /* an assertion ends the child, not its test */
        old_kernel();
        big_one_killed("41 threads, old kernel", body_big_threads, 30);
        exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void its_own_end_is_told_apart(void **state)
{
    pid_t pid = child(body_exits_in_50_ms);
    struct seen s;

    (void)state;
    seen_up(&s, pid);
    seen_run(&s, 20000);
    assert_true(s.exited_ms);
    assert_non_null(strstr(s.why[WATCH_EXITED], "is gone: ended by itself (exit code 3)"));
    waitpid(pid, NULL, 0);
    seen_down(&s);
}

static void killing_goes_to_that_process(void **state)
{
    pid_t pid = child(body_idle);
    struct seen s;
    int status;

    (void)state;
    seen_up(&s, pid);
    assert_int_equal(watch_kill(&s.w), 0);
    seen_run(&s, 20000);
    assert_true(s.exited_ms);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    seen_down(&s);
}

static void a_first_thread_may_leave_alone(void **state)
{
    pid_t pid = child(body_leader_leaves);
    struct seen s;

    (void)state;
    seen_up(&s, pid);
    seen_run(&s, 150);
    assert_int_equal(s.n, 0);
    kill(pid, SIGTERM);
    seen_run(&s, 20000);
    assert_true(s.exited_ms);
    assert_non_null(strstr(s.why[WATCH_EXITED], "signal 15"));
    waitpid(pid, NULL, 0);
    seen_down(&s);
}

static void the_dead_are_not_watched(void **state)
{
    pid_t pid = child(body_idle);
    struct err e = {0};
    struct watch w;
    struct seen s;
    uv_loop_t loop;

    (void)state;
    kill(pid, SIGKILL);
    usleep(50000);
    seen_up(&s, pid); /* a zombie: said at once */
    seen_run(&s, 20000);
    assert_true(s.exited_ms);
    seen_down(&s);
    waitpid(pid, NULL, 0);
    uv_loop_init(&loop);
    assert_int_equal(watch_start(&w, &loop, pid, NULL, on_event, &e), -ESRCH);
    assert_non_null(strstr(e.msg, "no such process"));
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void stopping_is_always_allowed(void **state)
{
    pid_t pid = child(body_big);
    struct seen s;

    (void)state;
    seen_up(&s, pid); /* before any event */
    seen_down(&s);
    assert_int_equal(s.n, 0);
    seen_up(&s, pid); /* from inside the first one */
    s.stop_at_once = true;
    kill(pid, SIGKILL);
    seen_run(&s, 1000);
    assert_int_equal(s.n, 1);
    seen_down(&s);
    waitpid(pid, NULL, 0);
}

static double cpu_s(void)
{
    struct rusage u;

    getrusage(RUSAGE_THREAD, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void cost(const char *what, void (*body)(int ready))
{
    pid_t pid = child(body);
    struct seen s;
    double before;

    seen_up(&s, pid);
    before = cpu_s();
    seen_run(&s, 2000);
    before = cpu_s() - before;
    print_message("watching %s: %.2f %% of a core\n", what, before / 2 * 100);
    assert_true(before < 0.06); /* loose: sanitizers, busy machines */
    kill(pid, SIGKILL);
    seen_run(&s, 20000);
    assert_true(s.exited_ms);
    waitpid(pid, NULL, 0);
    seen_down(&s);
}

static void watching_costs_little(void **state)
{
    (void)state;
    cost("301 threads", body_300_threads);
    cost("one thread", body_idle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_big_process_is_seen_to_begin_its_end),
        cmocka_unit_test(an_old_kernel_does_too),
        cmocka_unit_test(its_own_end_is_told_apart),
        cmocka_unit_test(killing_goes_to_that_process),
        cmocka_unit_test(a_first_thread_may_leave_alone),
        cmocka_unit_test(the_dead_are_not_watched),
        cmocka_unit_test(stopping_is_always_allowed),
        cmocka_unit_test(watching_costs_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
