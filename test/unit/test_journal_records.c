/* SPDX-License-Identifier: GPL-2.0-or-later
 * The bytes of a journal: checksum, torn ends, damage. */
#include "journal/crc.h"
#include "journal/records.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static uint8_t file[4096];
static size_t ends[4]; /* behind record i; ends[0] = 0 */

static void make(void)
{
    static const char *texts[] = {"first state", "second, longer state", "third"};

    for (unsigned i = 0; i < 3; i++) {
        uint8_t *r = records_encode(10 + i * 3, texts[i], strlen(texts[i]));

        assert_non_null(r);
        ends[i + 1] = ends[i] + RECORDS_HEAD + strlen(texts[i]);
        memcpy(file + ends[i], r, ends[i + 1] - ends[i]);
        free(r);
    }
}

static void crc_matches_the_rfc(void **state)
{
    uint8_t zeros[32] = {0}, up[32];

    (void)state;
    for (unsigned i = 0; i < 32; i++)
        up[i] = (uint8_t)i;
    assert_int_equal(crc32c(0, zeros, 32), 0x8a9136aa); /* RFC 3720 B.4 */
    assert_int_equal(crc32c(0, up, 32), 0x46dd794e);
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
}

static void the_last_one_counts(void **state)
{
    struct records_last last = {0};
    struct err e = {0};

    (void)state;
    make();
    assert_int_equal(records_scan(file, ends[3], &last, &e), 0);
    assert_int_equal(last.seq, 16);
    assert_int_equal(last.end, ends[3]);
    assert_int_equal(last.len, 5);
    assert_memory_equal(last.data, "third", 5);
    assert_int_equal(records_scan(file, 0, &last, &e), 0);
    assert_null(last.data);
}

static void a_torn_end_at_every_byte_leaves_the_record_before(void **state)
{
    struct records_last last;
    struct err e = {0};

    (void)state;
    make();
    for (size_t n = ends[2]; n < ends[3]; n++) {
        assert_int_equal(records_scan(file, n, &last, &e), 0);
        assert_int_equal(last.seq, 13);
        assert_int_equal(last.end, ends[2]);
    }
    for (size_t n = ends[1]; n < ends[2]; n++) {
        assert_int_equal(records_scan(file, n, &last, &e), 0);
        assert_int_equal(last.seq, 10);
    }
}

static void a_first_record_is_never_torn(void **state)
{
    struct records_last last;

    (void)state;
    make();
    for (size_t n = 1; n < ends[1]; n++) {
        struct err e = {0};
        assert_int_equal(records_scan(file, n, &last, &e), -EUCLEAN);
    }
}

/* Every single wrong byte is either seen as damage or costs the last record alone. */
static void any_changed_byte_is_noticed(void **state)
{
    struct records_last last;

    (void)state;
    make();
    for (size_t at = 0; at < ends[3]; at++) {
        struct err e = {0};
        int rc;

        file[at] ^= 0x20;
        rc = records_scan(file, ends[3], &last, &e);
        file[at] ^= 0x20;
        if (at >= ends[2]) {
            assert_int_equal(rc, 0);
            assert_int_equal(last.seq, 13);
            continue;
        }
        assert_int_equal(rc, -EUCLEAN);
        assert_non_null(strstr(e.msg, at < ends[1] ? "byte 0:" : "damaged at byte 35,"));
    }
}

static void older_bytes_behind_the_end_are_no_records(void **state)
{
    struct records_last last;
    struct err e = {0};
    size_t first = 0;

    (void)state;
    make();
    first = ends[1];
    memcpy(file + ends[3], file, first); /* seq 10 again, behind 16 */
    assert_int_equal(records_scan(file, ends[3] + first, &last, &e), 0);
    assert_int_equal(last.seq, 16);
    assert_int_equal(last.end, ends[3]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc_matches_the_rfc),
        cmocka_unit_test(the_last_one_counts),
        cmocka_unit_test(a_torn_end_at_every_byte_leaves_the_record_before),
        cmocka_unit_test(a_first_record_is_never_torn),
        cmocka_unit_test(any_changed_byte_is_noticed),
        cmocka_unit_test(older_bytes_behind_the_end_are_no_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
