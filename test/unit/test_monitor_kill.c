/* SPDX-License-Identifier: GPL-2.0-or-later
 * kill_host: what is run and how, every way it can end, and that the loop waits for none of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "loop/timer.h"
#include "monitor/kill.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/hamm-kill-XXXXXX";
static uv_loop_t loop;
static uv_timer_t patience;
static struct kills k;
static struct err e;
static unsigned told, wanted, stopped, repeat;
static struct {
    int host;
    bool ok;
    char message[WHY_LEN];
} last;

static char *at(const char *name)
{
    static char path[256];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static char *program(const char *text)
{
    static char path[256];
    FILE *f;

    snprintf(path, sizeof path, "%s/program", dir);
    f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "#!/bin/sh\n%s\n", text);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, 0755), 0);
    return path;
}

static const char *content(const char *name)
{
    static char text[4096];
    FILE *f = fopen(at(name), "r");
    size_t n;

    assert_non_null(f);
    n = fread(text, 1, sizeof text - 1, f);
    text[n] = 0;
    fclose(f);
    return text;
}

static void on_ended(void *owner, int host, bool ok, const char *message)
{
    assert_ptr_equal(owner, &k);
    told++;
    last.host = host;
    last.ok = ok;
    snprintf(last.message, sizeof last.message, "%s", message);
    if (repeat && repeat--)
        kill_host(&k, host, "db1", false);
    if (told >= wanted)
        uv_stop(&loop);
}

static void on_patience(uv_timer_t *t)
{
    (void)t;
    uv_stop(&loop);
}

static void run_ms(unsigned until_told, int64_t ms)
{
    wanted = until_told;
    timer_in(&patience, ms, on_patience);
    if (told < wanted)
        uv_run(&loop, UV_RUN_DEFAULT);
}

static void run(unsigned until_told)
{
    run_ms(until_told, 8000);
    assert_int_equal(told, until_told);
}

static void start_with(const char *path)
{
    told = repeat = stopped = 0;
    memset(&last, 0, sizeof last);
    e = (struct err){0};
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(uv_timer_init(&loop, &patience), 0);
    (void)!kill_start(&k, &loop, path, on_ended, &k, &e);
}

static void start(const char *text)
{
    start_with(program(text));
    assert_int_equal(e.code, 0);
}

static void on_stopped(void *owner)
{
    assert_ptr_equal(owner, &k);
    stopped++;
}

static void stop(void)
{
    unsigned before = told;

    uv_timer_stop(&patience);
    uv_close((uv_handle_t *)&patience, NULL);
    kill_stop(&k, on_stopped);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(stopped, 1);
    assert_int_equal(told, before);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void check_end(const char *text, bool ok, const char *message)
{
    start(text);
    kill_host(&k, 3, "db4", true);
    assert_int_equal(told, 0); /* never from within */
    run(1);
    assert_string_equal(last.message, message);
    assert_int_equal(last.ok, ok);
    assert_int_equal(last.host, 3);
    stop();
}

static void how_it_can_end(void **state)
{
    (void)state;
    check_end("echo switching off; echo outlet 7 is off", true, "outlet 7 is off");
    check_end("echo gone >&2; echo; echo ' '", true, "gone");
    check_end("exit 0", true, "exit 0");
    check_end("echo no answer from the BMC >&2; exit 3", false, "exit 3: no answer from the BMC");
    check_end("exit 1", false, "exit 1");
    check_end("echo half; kill -TERM $$", false, "ended by signal 15: half");
    check_end("printf 'a\\033[31mb\\tc'", true, "a?[31mb?c");
}

static void what_it_is_given(void **state)
{
    char text[1024];
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    (void)state;
    assert_int_equal(dup2(fd, 77), 77); /* of a library that forgot to protect it */
    setenv("HAMM_TEST_SECRET", "x", 1);
    snprintf(text, sizeof text,
             "cd %s || exit 9\n"
             "echo \"$# $1 $2\" > args\n"
             "tr '\\0' '\\n' < /proc/$$/environ > env\n"
             "readlink /proc/$$/fd/0 > in; pwd -P > cwd; ls /proc/$$/fd > fds\n"
             "cat > read\n"
             "ps -o pid=,pgid=,sid= -p $$ > ids",
             dir);
    start(text);
    kill_host(&k, 0, "db1; touch /tmp/x", false);
    run(1);
    assert_string_equal(last.message, "exit 0");
    assert_string_equal(content("args"), "2 db1; touch /tmp/x 0\n");
    assert_string_equal(content("env"),
                        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n");
    assert_string_equal(content("in"), "/dev/null\n");
    assert_string_equal(content("read"), "");
    assert_non_null(strstr(content("fds"), "2\n"));
    assert_null(strstr(content("fds"), "77\n"));
    {
        int pid = 0, pgid = 0, sid = 0;

        if (sscanf(content("ids"), "%d %d %d", &pid, &pgid, &sid) == 3) {
            assert_int_equal(pid, pgid);
            assert_int_equal(pid, sid);
        }
    }
    close(77);
    close(fd);
    stop();
}

static void it_runs_in_the_root(void **state)
{
    (void)state;
    check_end("pwd -P", true, "/");
}

static void a_program_that_cannot_be_run(void **state)
{
    (void)state;
    start_with("/nowhere/at/all");
    assert_int_equal(e.code, -2);
    assert_string_equal(e.msg, "/nowhere/at/all: No such file or directory");
    kill_host(&k, 1, "db2", true);
    assert_int_equal(told, 0);
    run(1);
    assert_false(last.ok);
    assert_string_equal(last.message, "cannot be run: No such file or directory");
    kill_host(&k, 1, "db2", true); /* and again */
    run(2);
    stop();
    start_with(dir); /* a folder */
    kill_host(&k, 1, "db2", true);
    run(1);
    assert_string_equal(last.message, "cannot be run: Permission denied");
    stop();
    start_with("/nowhere"); /* and an end before it was told */
    kill_host(&k, 1, "db2", true);
    stop();
}

static void a_relative_path_is_made_whole(void **state)
{
    (void)state;
    start_with("etc/kill");
    assert_int_equal(k.program[0], '/');
    assert_non_null(strstr(k.program, "/etc/kill"));
    stop();
}

static void one_that_hangs_is_killed_with_all_it_started(void **state)
{
    char text[512];
    int64_t began;
    int pid;

    (void)state;
    snprintf(text, sizeof text, "sleep 1000 & echo $! > %s/child; trap '' TERM; wait", dir);
    start(text);
    k.limit_ms = 400;
    began = clock_boot_ms();
    kill_host(&k, 0, "db1", false);
    assert_true(clock_boot_ms() - began < 300);
    run(1);
    assert_true(clock_boot_ms() - began >= 390);
    assert_false(last.ok);
    assert_string_equal(last.message, "still running after 0 s: killed");
    pid = atoi(content("child"));
    assert_true(pid > 1);
    for (int i = 0; i < 200; i++) {
        run_ms(2, 10);
        if (kill(pid, 0) < 0)
            break;
        (void)!usleep(5000);
    }
    {
        char path[64], status[64] = "";
        FILE *f;

        snprintf(path, sizeof path, "/proc/%d/stat", pid); /* gone, or a zombie nobody reaps */
        f = fopen(path, "r");
        if (f) {
            assert_int_equal(fscanf(f, "%*d %*s %60s", status), 1);
            fclose(f);
            assert_string_equal(status, "Z");
        }
    }
    assert_int_equal(told, 1);
    kill_host(&k, 0, "db1", false); /* the next one can be */
    run(2);
    stop();
}

static void one_at_a_time_for_each_host(void **state)
{
    char text[256];

    (void)state;
    snprintf(text, sizeof text, "echo $1 >> %s/ran; sleep 0.3", dir);
    unlink(at("ran"));
    start(text);
    kill_host(&k, 0, "db1", false);
    kill_host(&k, 0, "db1", false);
    kill_host(&k, 1, "db2", false);
    run(2);
    run_ms(3, 500);
    assert_int_equal(told, 2);
    kill_host(&k, 0, "db1", false);
    run(3);
    {
        const char *ran = content("ran");

        assert_int_equal(strlen(ran), 12);
        assert_non_null(strstr(ran, "db2\n"));
    }
    stop();
}

static void the_next_may_be_asked_for_when_one_is_told(void **state)
{
    (void)state;
    start("echo it");
    repeat = 3;
    kill_host(&k, 0, "db1", false);
    run(4);
    stop();
    start_with("/nowhere");
    repeat = 3;
    kill_host(&k, 0, "db1", false);
    run(4);
    stop();
    start("sleep 100");
    k.limit_ms = 50;
    repeat = 2;
    kill_host(&k, 0, "db1", false);
    run(3);
    assert_string_equal(last.message, "still running after 0 s: killed");
    stop();
}

static void a_process_left_behind_delays_nothing(void **state)
{
    char text[256];
    int64_t began;

    (void)state;
    snprintf(text, sizeof text, "sleep 1000 & echo $! > %s/child; echo off", dir);
    start(text);
    began = clock_boot_ms();
    kill_host(&k, 0, "db1", false);
    run(1);
    assert_true(clock_boot_ms() - began < 3000);
    assert_true(last.ok);
    assert_string_equal(last.message, "off");
    stop();
    assert_int_equal(kill(atoi(content("child")), SIGKILL), 0);
}

static void a_chatterbox_is_not_listened_to_for_ever(void **state)
{
    (void)state;
    start("yes 'all work and no play'");
    k.limit_ms = 500;
    kill_host(&k, 0, "db1", false);
    run(1);
    assert_string_equal(last.message, "still running after 0 s: killed");
    assert_in_range(k.run[0].read, KILL_READ_MAX, KILL_READ_MAX + 70000);
    stop();
    check_end("seq 1 20000", true, "20000");
    {
        char line[WHY_LEN - 40];

        memset(line, 'x', sizeof line - 1);
        line[sizeof line - 1] = 0;
        check_end("head -c 5000 /dev/zero | tr '\\0' x", true, line);
    }
}

static void an_end_while_some_run(void **state)
{
    char text[256];
    int pid = 0;

    (void)state;
    snprintf(text, sizeof text, "echo $$ > %s/running; exec sleep 1000", dir);
    unlink(at("running"));
    start(text);
    kill_host(&k, 0, "db1", false);
    kill_host(&k, 5, "db6", false);
    for (int i = 0; i < 300 && access(at("running"), R_OK) < 0; i++)
        run_ms(1, 10);
    run_ms(1, 50);
    pid = atoi(content("running"));
    stop();
    assert_true(pid > 1);
    assert_int_equal(kill(pid, 0), -1); /* reaped, too */
    start("exit 0");
    stop();
}

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    static const char *const files[] = {"program", "args", "env", "in",      "cwd",  "fds",
                                        "read",    "ids",  "ran", "running", "child"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        unlink(at(files[i]));
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(how_it_can_end),
        cmocka_unit_test(what_it_is_given),
        cmocka_unit_test(it_runs_in_the_root),
        cmocka_unit_test(a_program_that_cannot_be_run),
        cmocka_unit_test(a_relative_path_is_made_whole),
        cmocka_unit_test(one_that_hangs_is_killed_with_all_it_started),
        cmocka_unit_test(one_at_a_time_for_each_host),
        cmocka_unit_test(the_next_may_be_asked_for_when_one_is_told),
        cmocka_unit_test(a_process_left_behind_delays_nothing),
        cmocka_unit_test(a_chatterbox_is_not_listened_to_for_ever),
        cmocka_unit_test(an_end_while_some_run),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
