/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

static void text_grows(void **state)
{
    auto_buf b = BUF(1000);

    (void)state;
    for (int i = 0; i < 100; i++)
        buf_addf(&b, "%d,", i % 10);
    assert_int_equal(b.len, 200);
    assert_false(b.full);
    buf_drop(&b, 198);
    assert_string_equal(b.at, "9,");
}

static void past_the_ceiling_nothing_is_added(void **state)
{
    auto_buf b = BUF(5);

    (void)state;
    buf_add(&b, "12345", 5);
    assert_false(b.full);
    buf_add(&b, "6", 1);
    assert_true(b.full);
    assert_int_equal(b.len, 5);
    assert_null(buf_take(&b));
    buf_add(&b, "again", 5);
    assert_false(b.full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_grows),
        cmocka_unit_test(past_the_ceiling_nothing_is_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
