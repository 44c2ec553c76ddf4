/* SPDX-License-Identifier: GPL-2.0-or-later
 * The verdict on the monitor's own network. Asked each 250 ms, an answer may take 500 ms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "monitor/network.h"

static struct network n;
static int64_t now, silent;

static int begin(void **state)
{
    (void)state;
    now = 100000;
    network_init(&n, now, 250, 500);
    return 0;
}

static bool look(void)
{
    now += 250;
    return network_look(&n, now, &silent);
}

static void the_first_verdict(void **state)
{
    (void)state;
    assert_false(look());
    assert_false(n.known);
    assert_true(network_heard(&n, now + 3, &silent));
    assert_true(n.up);
    assert_int_equal(silent, 253);
    assert_false(network_heard(&n, now + 5, &silent));
}

static void down_from_the_start(void **state)
{
    (void)state;
    assert_false(look());
    assert_false(look());
    assert_true(look());
    assert_int_equal(silent, 750);
    assert_true(n.known && !n.up);
    for (int i = 0; i < 20; i++)
        assert_false(look()); /* said once */
    assert_true(network_heard(&n, now, &silent));
    assert_int_equal(silent, 750 + 20 * 250);
}

static void one_answer_is_enough(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) { /* of three one is lost, time after time */
        assert_false(look());
        if (i % 2)
            network_heard(&n, now, &silent);
    }
    assert_true(n.up);
    assert_false(look());
    assert_false(look());
    assert_true(look());
    assert_true(network_heard(&n, ++now, &silent));
    assert_false(look()); /* begins anew: one ping missed is nothing */
    assert_false(look());
    assert_true(n.up);
}

static void who_was_stopped_asked_nobody(void **state)
{
    (void)state;
    network_heard(&n, now, &silent);
    now += 20000;
    assert_false(look());
    assert_true(n.up);
    assert_false(look());
    assert_false(look());
    assert_true(look());
    assert_int_equal(silent, 750);
    now += 20000; /* down is down */
    assert_false(look());
    assert_true(network_heard(&n, now, &silent));
    assert_int_equal(silent, 21000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_first_verdict, begin),
        cmocka_unit_test_setup(down_from_the_start, begin),
        cmocka_unit_test_setup(one_answer_is_enough, begin),
        cmocka_unit_test_setup(who_was_stopped_asked_nobody, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
