/* SPDX-License-Identifier: GPL-2.0-or-later
 * The start gate: what a starting server is told by the agent's word, a stale one, and none. */
#include "agent/start.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64], path[128];
static const char boot[] = "5a5a5a5a-0000-4000-8000-000000000001";
enum { NOW = 100000 };

static int setup(void **state)
{
    struct err e = {0};

    (void)state;
    strcpy(dir, "/dev/shm/hamm-start-XXXXXX");
    return mkdtemp(dir) ? start_path(path, sizeof path, dir, "shop", "db1", &e) : -1;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(dir);
}

static struct start_verdict judged(enum start_state what, int64_t said, int64_t now, int64_t until)
{
    struct agent_start s = {.state = what, .until_ms = until, .why = "it died as the writer"};
    struct start_verdict v;
    struct start_word w;
    struct err e = {0};

    assert_int_equal(start_say(path, boot, 7, said, &s, &e), 0);
    assert_true(start_read(path, &w));
    start_judge(&w, boot, now, NOW, &v);
    return v;
}

static void test_nobody_ever_said_anything(void **state)
{
    struct start_verdict v;
    struct start_word w;

    (void)state;
    assert_false(start_read(path, &w));
    start_judge(NULL, boot, NOW, NOW, &v);
    assert_false(v.wait);
}

static void test_a_word_of_another_boot_is_void(void **state)
{
    struct start_verdict v = judged(START_HELD, NOW, NOW, NOW + 30000);
    struct start_word w;

    (void)state;
    assert_true(v.wait);
    assert_true(start_read(path, &w));
    start_judge(&w, "another", NOW, NOW, &v);
    assert_false(v.wait);
    assert_false(judged(START_HELD, NOW + 1, NOW, NOW + 30000).wait); /* said in the future */
}

static void test_held_until_it_is_said(void **state)
{
    struct start_verdict v = judged(START_HELD, NOW, NOW + 100, NOW + 30000);

    (void)state;
    assert_true(v.wait);
    assert_int_equal(v.until_ms, NOW + 30000);
    assert_true(v.silence);
    assert_false(judged(START_FREE, NOW + 200, NOW + 200, 0).wait);
    assert_false(judged(START_HELD, NOW + 30000, NOW + 30000, NOW + 30000).wait);
}

static void test_the_agent_has_time_to_notice(void **state)
{
    (void)state;
    assert_true(
        judged(START_WRITER, NOW + START_NOTICES_MS - 1, NOW + START_NOTICES_MS - 1, 0).wait);
    assert_false(judged(START_WRITER, NOW + START_NOTICES_MS, NOW + START_NOTICES_MS, 0).wait);
}

static void test_a_dead_agent_blocks_nobody_for_long(void **state)
{
    (void)state;
    assert_true(judged(START_HELD, NOW - 9000, NOW, NOW + 30000).wait);
    assert_true(judged(START_HELD, NOW - 9000, NOW + START_RETURNS_MS - 1, NOW + 30000).wait);
    assert_false(judged(START_HELD, NOW - 9000, NOW + START_RETURNS_MS, NOW + 30000).wait);
    assert_false(judged(START_WRITER, NOW - 9000, NOW + START_RETURNS_MS, 0).wait);
    assert_false(judged(START_FREE, NOW - 9000, NOW, 0).wait);
}

static void test_damage_is_no_word(void **state)
{
    struct start_word w;
    int fd;

    (void)state;
    (void)judged(START_HELD, NOW, NOW, NOW + 30000);
    fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, "X", 1, offsetof(struct start_word, said_ms)), 1);
    close(fd);
    assert_false(start_read(path, &w));
    assert_int_equal(truncate(path, 20), 0);
    assert_false(start_read(path, &w));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nobody_ever_said_anything, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_word_of_another_boot_is_void, setup, teardown),
        cmocka_unit_test_setup_teardown(test_held_until_it_is_said, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_agent_has_time_to_notice, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_dead_agent_blocks_nobody_for_long, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damage_is_no_word, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
