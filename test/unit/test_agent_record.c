/* SPDX-License-Identifier: GPL-2.0-or-later
 * The lease record: survives kills at any moment, not a reboot. */
#include "agent/record.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

static char dir[64], sub[80];

static int setup(void **state)
{
    (void)state;
    strcpy(dir, "/dev/shm/hamm-record-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(sub, sizeof sub, "%s/hamm", dir);
    return 0;
}

static int teardown(void **state)
{
    char path[160];

    (void)state;
    snprintf(path, sizeof path, "%s/shop.db1.lease", sub);
    unlink(path);
    rmdir(sub);
    return rmdir(dir);
}

static void up(struct record *r)
{
    struct err e = {0};

    if (record_open(r, sub, "shop", "db1", &e) < 0)
        fail_msg("%s", e.msg);
}

static void put(struct record *r, const char *text)
{
    struct err e = {0};

    assert_int_equal(record_write(r, text, strlen(text), &e), 0);
}

static void assert_holds(const struct record *r, const char *text)
{
    static char data[RECORD_MAX];
    size_t len = 0;

    assert_int_equal(record_read(r, data, &len), RECORD_VALID);
    assert_int_equal(len, strlen(text));
    assert_memory_equal(data, text, len);
}

static void the_last_write_is_read(void **state)
{
    static char max[RECORD_MAX + 1];
    struct record r;
    struct stat st;
    size_t len;
    char data[RECORD_MAX];

    (void)state;
    up(&r);
    assert_string_equal(r.warning, "");
    assert_int_equal(record_read(&r, data, &len), RECORD_NONE);
    put(&r, "one");
    assert_holds(&r, "one");
    put(&r, "two");
    record_close(&r);
    record_close(&r);
    up(&r);
    assert_holds(&r, "two");
    memset(max, 'm', RECORD_MAX);
    put(&r, max);
    assert_holds(&r, max);
    put(&r, "");
    assert_holds(&r, "");
    assert_int_equal(stat(r.path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    record_close(&r);
}

static void another_boots_record_is_void(void **state)
{
    struct record r;
    char data[RECORD_MAX];
    size_t len;

    (void)state;
    up(&r);
    assert_int_equal(strlen(r.boot_id), RECORD_BOOT_LEN);
    put(&r, "lease");
    r.boot_id[0] ^= 1; /* as if this were the next boot */
    assert_int_equal(record_read(&r, data, &len), RECORD_OTHER_BOOT);
    put(&r, "lease of this boot");
    assert_holds(&r, "lease of this boot");
    record_close(&r);
    up(&r);
    assert_int_equal(record_read(&r, data, &len), RECORD_OTHER_BOOT);
    record_close(&r);
}

static void flip(const struct record *r, off_t at)
{
    uint8_t byte;

    assert_int_equal(pread(r->fd, &byte, 1, at), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(r->fd, &byte, 1, at), 1);
}

/* A write cut short spoils at most the newer slot; then the record before it is the truth, since
 * nobody was told that the newer one was written. */
static void a_spoilt_slot_leaves_the_one_before(void **state)
{
    struct record r;
    struct stat st;
    char data[RECORD_MAX];
    size_t len;

    (void)state;
    up(&r);
    put(&r, "older");
    put(&r, "newer");
    assert_int_equal(fstat(r.fd, &st), 0);
    for (off_t at = 0; at < 60; at++) { /* seq 2 lies in the first slot */
        flip(&r, at);
        assert_int_equal(record_read(&r, data, &len), RECORD_VALID);
        assert_true(len == 5 && (memcmp(data, "older", 5) == 0 || memcmp(data, "newer", 5) == 0));
        flip(&r, at);
    }
    flip(&r, 30);
    assert_holds(&r, "older");
    flip(&r, st.st_size / 2 + 30);
    assert_int_equal(record_read(&r, data, &len), RECORD_DAMAGED);
    put(&r, "fresh");
    assert_holds(&r, "fresh");
    record_close(&r);
    up(&r);
    assert_holds(&r, "fresh");
    record_close(&r);
}

static void a_second_agent_is_refused(void **state)
{
    struct err e = {0};
    struct record a, b;

    (void)state;
    up(&a);
    assert_int_equal(record_open(&b, sub, "shop", "db1", &e), -EBUSY);
    assert_non_null(strstr(e.msg, "another agent"));
    record_close(&a);
    up(&b);
    record_close(&b);
}

static void a_directory_on_disk_is_warned_about(void **state)
{
    char on_disk[] = "/var/tmp/hamm-record-XXXXXX";
    struct err e = {0};
    struct record r;

    (void)state;
    assert_non_null(mkdtemp(on_disk));
    assert_int_equal(record_open(&r, on_disk, "shop", "db1", &e), 0);
    if (r.warning[0])
        assert_non_null(strstr(r.warning, on_disk));
    else
        print_message("/var/tmp is in memory here\n");
    unlink(r.path);
    rmdir(on_disk);
    record_close(&r);
}

static void a_kill_at_any_moment_leaves_a_whole_record(void **state)
{
    static char data[RECORD_MAX];

    (void)state;
    for (unsigned round = 0; round < 100; round++) {
        struct timespec nap = {.tv_nsec = 500000 + (long)(random() % 3000000)};
        struct record r;
        size_t len = 0;
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
            struct err e = {0};

            up(&r);
            for (unsigned i = 0;; i++) {
                memset(data, 'a' + (int)(i % 26), sizeof data);
                if (record_write(&r, data, sizeof data, &e) < 0)
                    _exit(1);
            }
        }
        nanosleep(&nap, NULL);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        up(&r);
        if (r.seq) {
            assert_int_equal(record_read(&r, data, &len), RECORD_VALID);
            assert_int_equal(len, RECORD_MAX);
            for (size_t i = 1; i < len; i++)
                assert_int_equal(data[i], data[0]);
        }
        if (round == 99)
            print_message("%llu writes, 100 kills\n", (unsigned long long)r.seq);
        record_close(&r);
    }
}

static void fill(void)
{
    static char block[4096];
    char path[160];
    int fd;

    snprintf(path, sizeof path, "%s/filler", sub);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    while (write(fd, block, sizeof block) > 0)
        ;
    close(fd);
}

/* What there is goes on, also for the next agent; without any there is no agent. */
static void a_full_directory_stops_no_agent_that_ran(void **state)
{
    static char long_text[RECORD_MAX];
    struct err e = {0};
    struct record r;
    char path[160];

    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(mkdir(sub, 0755), 0);
    assert_int_equal(unshare(CLONE_NEWNS), 0);
    assert_int_equal(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    assert_int_equal(mount("none", sub, "tmpfs", 0, "size=64k"), 0);
    memset(long_text, 'x', sizeof long_text - 1);
    up(&r);
    put(&r, "a");
    fill();
    put(&r, long_text);
    put(&r, long_text);
    record_close(&r);
    up(&r);
    assert_holds(&r, long_text);
    put(&r, "b");
    assert_holds(&r, "b");
    record_close(&r);
    snprintf(path, sizeof path, "%s/shop.db1.lease", sub);
    unlink(path);
    fill();
    assert_int_equal(record_open(&r, sub, "shop", "db1", &e), -ENOSPC);
    assert_non_null(strstr(e.msg, "make room there"));
    assert_int_equal(umount(sub), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_last_write_is_read),
        TEST(another_boots_record_is_void),
        TEST(a_spoilt_slot_leaves_the_one_before),
        TEST(a_second_agent_is_refused),
        TEST(a_directory_on_disk_is_warned_about),
        TEST(a_kill_at_any_moment_leaves_a_whole_record),
        TEST(a_full_directory_stops_no_agent_that_ran),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
