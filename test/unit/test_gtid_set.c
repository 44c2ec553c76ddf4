/* SPDX-License-Identifier: GPL-2.0-or-later
 * GTID sets of both flavours: text, comparison, arithmetic, limits. */
#include "gtid/gtid.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define A "3e11fa47-71ca-11e1-9e33-c80aa9429562"
#define B "528f1111-71ca-11e1-9e33-c80aa9429562"

static struct gtid_set set_of(enum gtid_flavour flavour, const char *text)
{
    struct gtid_set set;
    struct err e = {0};

    if (gtid_parse(text, flavour, &set, &e) < 0)
        fail_msg("%s: %s", text, e.msg);
    return set;
}

static void assert_text(const struct gtid_set *set, const char *text)
{
    static char got[GTID_TEXT_MAX];
    size_t len = gtid_format(set, got, sizeof got);

    assert_int_equal(len, strlen(got));
    assert_string_equal(got, text);
}

static void assert_reads(enum gtid_flavour flavour, const char *text, const char *canonical)
{
    struct gtid_set set = set_of(flavour, text);

    assert_text(&set, canonical);
}

static void mysql_text_is_read_and_written(void **state)
{
    (void)state;
    assert_reads(GTID_MYSQL, "", "");
    assert_reads(GTID_MYSQL, " \n, ,", "");
    assert_reads(GTID_MYSQL, A ":1-5:7", A ":1-5:7");
    assert_reads(GTID_MYSQL, A ":7:1-5:6", A ":1-7");
    assert_reads(GTID_MYSQL, A ":1-5,\n" B ":1-3", A ":1-5," B ":1-3");
    assert_reads(GTID_MYSQL, B ":1 , " A " : 3 - 5 : 1", A ":1:3-5," B ":1");
    assert_reads(GTID_MYSQL, "3E11FA47-71CA-11E1-9E33-C80AA9429562:1", A ":1");
    assert_reads(GTID_MYSQL, A ":9223372036854775807", A ":9223372036854775807");
}

static void mysql_tags_are_sources_of_their_own(void **state)
{
    struct gtid_set plain = set_of(GTID_MYSQL, A ":1-9");
    struct gtid_set tagged = set_of(GTID_MYSQL, A ":1-3:dom_1:1-3:5:Other:2," B ":x:1");

    (void)state;
    assert_text(&tagged, A ":1-3:dom_1:1-3:5:other:2," B ":x:1");
    assert_false(gtid_subset(&tagged, &plain));
    assert_int_equal(gtid_count(&tagged), 3 + 4 + 1 + 1);
}

static void places_in_binary_logs_are_rows_of_numbers(void **state)
{
    struct gtid_set before = set_of(GTID_MYSQL, A "/mysql-bin.000005:900");
    struct gtid_set after = set_of(GTID_MYSQL, A "/mysql-bin.000006:157");
    struct gtid_set both = set_of(GTID_MYSQL, A "/mysql-bin.000006:4," B "/x.y.000001:4"), out;
    struct gtid_set others = set_of(GTID_MYSQL, A "/binlog.000009:900");

    (void)state;
    assert_text(&before, A "/mysql-bin.000005:900");
    assert_text(&both, A "/mysql-bin.000006:4," B "/x.y.000001:4");
    assert_reads(GTID_MYSQL, A "/b.8388607:1099511627775," A ":1-3",
                 A ":1-3," A "/b.8388607:1099511627775");
    assert_true(gtid_subset(&before, &after));
    assert_true(gtid_subset(&before, &both));
    assert_false(gtid_subset(&after, &both));
    assert_false(gtid_subset(&before, &others)); /* the log was given another name */
    assert_int_equal(gtid_subtract(&after, &before, &out), 0);
    assert_text(&out, A "/mysql-bin.000005:900..mysql-bin.000006:157");
    assert_reads(GTID_MYSQL, A "/b.000001:4..b.000001:9", A "/b.000001:4..b.000001:9");
}

static void mariadb_text_is_read_and_written(void **state)
{
    (void)state;
    assert_reads(GTID_MARIADB_STATE, "", "");
    assert_reads(GTID_MARIADB_STATE, "0-2-99,0-1-105", "0-1-105,0-2-99");
    assert_reads(GTID_MARIADB_POS, " 1-2-7 ,\n0-1-105", "0-1-105,1-2-7");
    assert_reads(GTID_MARIADB_POS, "0-1-0", "");
    assert_reads(GTID_MARIADB_LIST, "0-1-101..105,0-1-107,0-2-1..2",
                 "0-1-101..105,0-1-107,0-2-1..2");
    assert_reads(GTID_MARIADB_LIST, "0-1-3,0-1-4..5", "0-1-3..5");
    assert_reads(GTID_MARIADB_STATE, "4294967295-4294967295-18446744073709551615",
                 "4294967295-4294967295-18446744073709551615");
}

static void other_text_is_refused_with_the_place(void **state)
{
    static const struct {
        enum gtid_flavour flavour;
        const char *text;
    } bad[] = {
        {GTID_MYSQL, "x"},
        {GTID_MYSQL, A "/b.000001"},
        {GTID_MYSQL, A "/b:4"},
        {GTID_MYSQL, A "/b.8388608:4"},
        {GTID_MYSQL, A "/b.000002:4..b.000001:9"},
        {GTID_MYSQL, A "/b.000001:4..c.000002:9"},
        {GTID_MYSQL, A},
        {GTID_MYSQL, A ":"},
        {GTID_MYSQL, A ":0"},
        {GTID_MYSQL, A ":5-3"},
        {GTID_MYSQL, A ":1-"},
        {GTID_MYSQL, A ":1 2"},
        {GTID_MYSQL, A ":tag"},
        {GTID_MYSQL, A ":tag:tag:1"},
        {GTID_MYSQL, A ":1:tag"},
        {GTID_MYSQL, A ":9223372036854775808"},
        {GTID_MYSQL, A ":a23456789012345678901234567890123:1"},
        {GTID_MYSQL, "3e11fa47071ca-11e1-9e33-c80aa9429562:1"},
        {GTID_MYSQL, "3e11fa47"},
        {GTID_MYSQL, "0-1-5"},
        {GTID_MARIADB_STATE, A ":1"},
        {GTID_MARIADB_STATE, "0-1"},
        {GTID_MARIADB_STATE, "0-1-"},
        {GTID_MARIADB_STATE, "0-1-1..5"},
        {GTID_MARIADB_STATE, "0-1-5;"},
        {GTID_MARIADB_STATE, "4294967296-1-5"},
        {GTID_MARIADB_STATE, "0-1-18446744073709551616"},
        {GTID_MARIADB_POS, "0-1-5,0-2-7"},
        {GTID_MARIADB_LIST, "0-1-5..4"},
        {GTID_MARIADB_LIST, "0-1-0"},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        struct gtid_set set = {.n = 77};
        struct err e = {0};

        if (gtid_parse(bad[i].text, bad[i].flavour, &set, &e) != -EINVAL)
            fail_msg("accepted: %s", bad[i].text);
        assert_int_equal(set.n, 77);
        assert_non_null(strstr(e.msg, "character"));
    }
}

static void assert_difference(enum gtid_flavour flavour, const char *a, const char *b,
                              const char *left)
{
    struct gtid_set one = set_of(flavour, a), two = set_of(flavour, b), out;

    assert_int_equal(gtid_subtract(&one, &two, &out), 0);
    assert_text(&out, left);
    assert_int_equal(gtid_subset(&one, &two), gtid_empty(&out));
}

static void differences_name_the_transactions(void **state)
{
    (void)state;
    assert_difference(GTID_MYSQL, A ":1-10", A ":1-10", "");
    assert_difference(GTID_MYSQL, A ":1-10", "", A ":1-10");
    assert_difference(GTID_MYSQL, "", A ":1-10", "");
    assert_difference(GTID_MYSQL, A ":1-10", A ":3:5-6", A ":1-2:4:7-10");
    assert_difference(GTID_MYSQL, A ":3-4," B ":1-2", A ":1-4", B ":1-2");
    assert_difference(GTID_MYSQL, A ":1-10", B ":1-10", A ":1-10");
    assert_difference(GTID_MARIADB_STATE, "0-1-105", "0-1-100", "0-1-101..105");
    assert_difference(GTID_MARIADB_STATE, "0-1-101", "0-1-100", "0-1-101");
    assert_difference(GTID_MARIADB_STATE, "0-1-100", "0-1-105", "");
    assert_difference(GTID_MARIADB_STATE, "0-1-9,0-4-37", "0-1-9,0-4-9", "0-4-10..37");
    assert_difference(GTID_MARIADB_STATE, "0-1-18446744073709551615", "0-1-18446744073709551614",
                      "0-1-18446744073709551615");
}

static void a_position_counts_by_domain_whoever_wrote_it(void **state)
{
    struct gtid_set at = set_of(GTID_MARIADB_POS, "0-2-107,1-1-3");
    struct gtid_set want = set_of(GTID_MARIADB_POS, "0-1-105"), left;

    (void)state;
    assert_true(gtid_subset(&want, &at));
    assert_false(gtid_subset(&at, &want));
    assert_int_equal(gtid_subtract(&at, &want, &left), 0);
    assert_text(&left, "0-2-106..107,1-1-1..3");
}

static void positions_merge_to_the_highest_of_each_domain(void **state)
{
    struct gtid_set slave = set_of(GTID_MARIADB_POS, "0-2-107,1-1-3");
    struct gtid_set binlog = set_of(GTID_MARIADB_POS, "0-1-105,1-2-9,5-1-1"), sum;

    (void)state;
    assert_int_equal(gtid_merge(&slave, &binlog, &sum), 0);
    assert_text(&sum, "0-2-107,1-2-9,5-1-1");
    assert_int_equal(gtid_merge(&binlog, &slave, &binlog), 0);
    assert_true(gtid_equal(&binlog, &sum));
    assert_text(&binlog, "0-2-107,1-2-9,5-1-1");
}

static void sets_merge(void **state)
{
    struct gtid_set a = set_of(GTID_MYSQL, A ":1-3:8"), b = set_of(GTID_MYSQL, A ":4-7," B ":1");

    (void)state;
    assert_int_equal(gtid_merge(&a, &b, &a), 0);
    assert_text(&a, A ":1-8," B ":1");
    assert_false(gtid_equal(&a, &b));
    assert_true(gtid_subset(&b, &a));
}

static void flavours_have_nothing_in_common(void **state)
{
    struct gtid_set mysql = set_of(GTID_MYSQL, A ":1-3");
    struct gtid_set maria = set_of(GTID_MARIADB_STATE, "0-1-3"), none = {0}, out;

    (void)state;
    assert_false(gtid_subset(&mysql, &maria));
    assert_false(gtid_subset(&maria, &mysql));
    assert_false(gtid_equal(&maria, &mysql));
    assert_true(gtid_subset(&none, &maria));
    assert_int_equal(gtid_subtract(&maria, &mysql, &out), 0);
    assert_text(&out, "0-1-1..3");
    assert_int_equal(gtid_merge(&maria, &mysql, &out), -EINVAL);
    assert_true(out.full);
    assert_int_equal(gtid_merge(&none, &maria, &out), 0);
    assert_text(&out, "0-1-3");
    assert_int_equal(gtid_merge(&maria, &none, &out), 0);
    assert_text(&out, "0-1-3");
}

static void too_many_ranges_are_an_error_not_a_shorter_set(void **state)
{
    static char text[64 * 1024];
    struct gtid_set set = {0}, one = set_of(GTID_MYSQL, A ":1"), out;
    struct err e = {0};
    size_t len = (size_t)sprintf(text, A);

    (void)state;
    for (unsigned i = 0; i < GTID_RANGES_MAX; i++)
        len += (size_t)sprintf(text + len, ":%u", 2 * i + 1);
    assert_int_equal(gtid_parse(text, GTID_MYSQL, &set, &e), 0);
    assert_int_equal(set.n, GTID_RANGES_MAX);

    one = set_of(GTID_MYSQL, A ":2"); /* joins two: fits */
    assert_int_equal(gtid_merge(&set, &one, &out), 0);
    assert_int_equal(out.n, GTID_RANGES_MAX - 1);

    one = set_of(GTID_MYSQL, B ":2");
    assert_int_equal(gtid_merge(&set, &one, &out), -E2BIG);
    assert_true(out.full);
    assert_false(gtid_subset(&one, &out));
    assert_false(gtid_subset(&out, &out));
    assert_int_equal(gtid_subtract(&one, &out, &set), -E2BIG);
    assert_false(gtid_empty(&set));

    sprintf(text + len, ":9999");
    set.n = 77;
    assert_int_equal(gtid_parse(text, GTID_MYSQL, &set, &e), -E2BIG);
    assert_int_equal(set.n, 77);
    assert_string_equal(e.msg, "GTID set: too many ranges, 256 at most");
}

static void the_longest_text_fits_its_limit(void **state)
{
    static char text[2 * GTID_TEXT_MAX], got[GTID_TEXT_MAX];
    struct gtid_set set;
    struct err e = {0};
    size_t len = 0;

    (void)state;
    for (unsigned i = 0; i < GTID_RANGES_MAX; i++)
        len += (size_t)sprintf(text + len,
                               "3e11fa47-71ca-11e1-9e33-c80aa942%04x:"
                               "t2345678901234567890123456789012:"
                               "1000000000000000000-9223372036854775807,",
                               i);
    assert_int_equal(gtid_parse(text, GTID_MYSQL, &set, &e), 0);
    assert_true(gtid_format(&set, got, sizeof got) < sizeof got);
}

static void a_text_that_does_not_fit_ends_after_a_whole_item(void **state)
{
    struct gtid_set set = set_of(GTID_MARIADB_STATE, "0-1-105,0-2-99,1-1-7");
    char text[18];

    (void)state;
    assert_int_equal(gtid_format(&set, NULL, 0), 20);
    assert_int_equal(gtid_format(&set, text, 18), 20);
    assert_string_equal(text, "0-1-105,0-2-99...");
    gtid_format(&set, text, 17);
    assert_string_equal(text, "0-1-105...");
    gtid_format(&set, text, 3);
    assert_string_equal(text, "");
}

static void counts_do_not_overflow(void **state)
{
    struct gtid_set set = set_of(GTID_MARIADB_STATE, "0-1-18446744073709551615,0-2-9");

    (void)state;
    assert_true(gtid_count(&set) == UINT64_MAX);
    set = set_of(GTID_MARIADB_LIST, "0-1-7,0-2-1..9");
    assert_int_equal(gtid_count(&set), 10);
}

/* All pairs of small sets against the plain meaning: a bit per transaction. */
static struct gtid_set set_of_bits(unsigned bits)
{
    char text[256] = "";
    size_t len = 0;

    for (unsigned i = 0; i < 6; i++)
        if (bits >> i & 1)
            len += (size_t)sprintf(text + len, "0-%u-%u,", 1 + i / 4, 1 + i % 4);
    return set_of(GTID_MARIADB_LIST, text);
}

static void arithmetic_agrees_with_bits(void **state)
{
    (void)state;
    for (unsigned a = 0; a < 64; a++) {
        struct gtid_set one = set_of_bits(a);

        for (unsigned b = 0; b < 64; b++) {
            struct gtid_set two = set_of_bits(b), out, expected = set_of_bits(a & ~b);

            assert_int_equal(gtid_subset(&one, &two), (a & ~b) == 0);
            assert_int_equal(gtid_equal(&one, &two), a == b);
            assert_int_equal(gtid_subtract(&one, &two, &out), 0);
            assert_true(gtid_equal(&out, &expected));
            assert_int_equal(out.n, expected.n);
            expected = set_of_bits(a | b);
            assert_int_equal(gtid_merge(&one, &two, &out), 0);
            assert_true(gtid_equal(&out, &expected));
            assert_int_equal(out.n, expected.n);
            assert_int_equal(gtid_count(&out), __builtin_popcount(a | b));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mysql_text_is_read_and_written),
        cmocka_unit_test(mysql_tags_are_sources_of_their_own),
        cmocka_unit_test(places_in_binary_logs_are_rows_of_numbers),
        cmocka_unit_test(mariadb_text_is_read_and_written),
        cmocka_unit_test(other_text_is_refused_with_the_place),
        cmocka_unit_test(differences_name_the_transactions),
        cmocka_unit_test(a_position_counts_by_domain_whoever_wrote_it),
        cmocka_unit_test(positions_merge_to_the_highest_of_each_domain),
        cmocka_unit_test(sets_merge),
        cmocka_unit_test(flavours_have_nothing_in_common),
        cmocka_unit_test(too_many_ranges_are_an_error_not_a_shorter_set),
        cmocka_unit_test(the_longest_text_fits_its_limit),
        cmocka_unit_test(a_text_that_does_not_fit_ends_after_a_whole_item),
        cmocka_unit_test(counts_do_not_overflow),
        cmocka_unit_test(arithmetic_agrees_with_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
