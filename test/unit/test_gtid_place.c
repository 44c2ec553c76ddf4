/* SPDX-License-Identifier: GPL-2.0-or-later
 * Places in binary logs: text, order, files one after another. */
#include "gtid/place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define A "3e11fa47-71ca-11e1-9e33-c80aa9429562"
#define B "528f1111-71ca-11e1-9e33-c80aa9429562"

static void a_place_is_written_and_read(void **state)
{
    char text[PLACE_TEXT_MAX];
    struct place p;

    (void)state;
    place_write(text, A, "mysql-bin.000005", 900);
    assert_string_equal(text, A "/mysql-bin.000005:900");
    assert_true(place_read(text, &p));
    assert_string_equal(p.uuid, A);
    assert_string_equal(p.file, "mysql-bin.000005");
    assert_int_equal(p.pos, 900);
    place_write(text, A, "", 0); /* no binary log */
    assert_string_equal(text, "");
    place_write(text, "", "mysql-bin.000005", 900); /* never connected to its source */
    assert_string_equal(text, "");
    place_write(text, A, "bin.000001", 1ull << 40);
    assert_string_equal(text, "");
    assert_false(place_read("", &p));
    assert_false(place_read(A ":1-5", &p));
    assert_false(place_read(A "/b.000001:4," B "/b.000001:4", &p));
    assert_false(place_read(A "/b.000001:4..b.000001:9", &p));
}

static void places_of_one_log_have_an_order(void **state)
{
    (void)state;
    assert_true(place_before(A "/b.000001:999", A "/b.000002:4"));
    assert_true(place_before(A "/b.000002:4", A "/b.000002:158"));
    assert_true(place_before(A "/b.999999:4", A "/b.1000000:4"));
    assert_false(place_before(A "/b.000002:4", A "/b.000002:4"));
    assert_false(place_before(A "/b.000001:4", B "/b.000002:4"));
    assert_false(place_before(A "/b.000001:4", A "/c.000002:4")); /* log_bin was changed */
    assert_false(place_before(A "/b.000001:4", A "/b.x.000002:4"));
    assert_true(place_same_server(A "/b.000001:4", A "/c.000002:4"));
    assert_false(place_same_server(A "/b.000001:4", ""));
    assert_false(place_same_log("", ""));
}

static void files_follow_each_other(void **state)
{
    char file[PLACE_FILE_MAX] = "mysql-bin.000009";

    (void)state;
    assert_true(place_next_file(file));
    assert_string_equal(file, "mysql-bin.000010");
    strcpy(file, "b.999999");
    assert_true(place_next_file(file));
    assert_string_equal(file, "b.1000000");
    strcpy(file, "none");
    assert_false(place_next_file(file));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_place_is_written_and_read),
        cmocka_unit_test(places_of_one_log_have_an_order),
        cmocka_unit_test(files_follow_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
