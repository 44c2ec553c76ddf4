/* SPDX-License-Identifier: GPL-2.0-or-later
 * When a disk is full, and when it has room again. */
#include "base/room.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { MIB = 1 << 20 };

static void full_is_less_than_a_mebibyte(void **state)
{
    (void)state;
    assert_true(room_is_full(0, false));
    assert_true(room_is_full(MIB - 1, false));
    assert_false(room_is_full(MIB, false));
    assert_false(room_is_full(UINT64_MAX, false));
}

static void room_again_is_four(void **state)
{
    (void)state;
    assert_true(room_is_full(MIB, true));
    assert_true(room_is_full(4 * MIB - 1, true));
    assert_false(room_is_full(4 * MIB, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_is_less_than_a_mebibyte),
        cmocka_unit_test(room_again_is_four),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
