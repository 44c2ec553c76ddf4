/* SPDX-License-Identifier: GPL-2.0-or-later
 * Binary logs that real servers wrote (MariaDB 10.11, MySQL 9.7: DDL, several engines, XA, tags,
 * compression, statements, domains; the third file without checksums), cut at every byte. */
#include "binlog/binlog.h"
#include "binlog/crc.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define UUID        "5e4119bf-eb4b-11f1-bcc8-02fc00000001"
#define ALL_MYSQL   UUID ":1-28:tag_a:1-3"
#define ALL_MARIADB "0-1-28,2-7-1,3-1-5"
#define SLICE_BYTES (1u << 20)

static char dir[64], list[96], out[96];
static struct binlog_scan scan;
static struct binlog_slice slice;
static struct err e;

static void put(const char *name, const void *data, size_t len)
{
    char path[128];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    fclose(f);
}

static uint8_t *corpus(const char *name, size_t *len)
{
    uint8_t *data = malloc(1 << 16);
    char path[512];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", BINLOG_CORPUS, name);
    f = fopen(path, "r");
    assert_non_null(f);
    *len = fread(data, 1, 1 << 16, f);
    fclose(f);
    return data;
}

/* The first n of the three files and their index. */
static void place(const char *flavour, int n)
{
    char names[256] = "";

    for (int i = 1; i <= n; i++) {
        char from[32], to[32];
        size_t len;
        uint8_t *data;

        snprintf(from, sizeof from, "%s.00000%d", flavour, i);
        snprintf(to, sizeof to, "bin.00000%d", i);
        data = corpus(from, &len);
        put(to, data, len);
        free(data);
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s/%s\n", i == 2 ? dir : ".",
                 to);
    }
    put("bin.index", names, strlen(names));
}

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "%s/hamm-binlog-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"); /* slices are synced */
    assert_non_null(mkdtemp(dir));
    snprintf(list, sizeof list, "%s/bin.index", dir);
    snprintf(out, sizeof out, "%s/slice", dir);
    return 0;
}

static int teardown(void **state)
{
    const char *const names[] = {"bin.000001", "bin.000002", "bin.000003",
                                 "bin.index",  "slice",      "slice.index"};
    char path[128];

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    return rmdir(dir);
}

#define SCANS(flavour, text)                                                                       \
    do {                                                                                           \
        if (binlog_scan(list, flavour, &scan, &e) < 0)                                             \
            fail_msg("%s", e.msg);                                                                 \
        assert_string_equal(scan.gtid, text);                                                      \
    } while (0)

#define SLICES(flavour, have)                                                                      \
    do {                                                                                           \
        if (binlog_slice(list, flavour, have, out, SLICE_BYTES, &slice, &e) < 0)                   \
            fail_msg("%s", e.msg);                                                                 \
    } while (0)

/* ---- tests ---- */

static void the_checksum_is_that_of_zlib(void **state)
{
    (void)state;
    assert_int_equal(crc_update(0, (const uint8_t *)"123456789", 9), 0xcbf43926);
    assert_int_equal(
        crc_update(crc_update(0, (const uint8_t *)"12345", 5), (const uint8_t *)"6789", 4),
        0xcbf43926);
}

static void a_scan_tells_all_that_was_written(void **state)
{
    (void)state;
    place("my", 3);
    SCANS(GTID_MYSQL, ALL_MYSQL);
    assert_string_equal(scan.file, "bin.000003");
    assert_int_equal(scan.pos, 954);
    assert_int_equal(scan.left_out, 0);
    place("my", 1);
    SCANS(GTID_MYSQL, UUID ":1-25:tag_a:1-2");
    place("ma", 3);
    SCANS(GTID_MARIADB_STATE, ALL_MARIADB);
    SCANS(GTID_MARIADB_POS, ALL_MARIADB);
    place("ma", 1);
    SCANS(GTID_MARIADB_STATE, "0-1-25,3-1-4");
}

/* The slice alone, as a binary log, tells the same as all files: what it says came before and what
 * is in it. */
static void assert_slice_is_the_rest(enum gtid_flavour flavour, const char *all)
{
    static struct binlog_scan of_slice;
    char index[96];

    put("slice.index", "./slice\n", 8);
    snprintf(index, sizeof index, "%s/slice.index", dir);
    if (binlog_scan(index, flavour, &of_slice, &e) < 0)
        fail_msg("%s", e.msg);
    assert_string_equal(of_slice.gtid, all);
    assert_int_equal(of_slice.left_out, 0);
    assert_int_equal(of_slice.pos, slice.bytes);
}

static void a_slice_holds_exactly_what_is_missing(void **state)
{
    static const struct {
        const char *have, *gtid;
        unsigned transactions;
    } my[] = {{UUID ":1-28:tag_a:1-3", "", 0},
              {UUID ":1-27:tag_a:1-2", UUID ":28:tag_a:3", 2},
              {UUID ":1-5:tag_a:2", UUID ":6-28:tag_a:1:3", 25},
              {"", ALL_MYSQL, 31}},
      ma[] = {{ALL_MARIADB, "", 0},
              {"0-1-27,3-1-5,2-7-1", "0-1-28", 1},
              {"0-1-7,3-1-2", "0-1-8..28,2-7-1,3-1-3..5", 25},
              {"", "0-1-1..28,2-7-1,3-1-1..5", 34}};

    (void)state;
    place("my", 3);
    for (unsigned i = 0; i < ARRAY_LEN(my); i++) {
        SLICES(GTID_MYSQL, my[i].have);
        assert_string_equal(slice.gtid, my[i].gtid);
        assert_string_equal(slice.reach, my[i].gtid);
        assert_int_equal(slice.transactions, my[i].transactions);
        assert_slice_is_the_rest(GTID_MYSQL, ALL_MYSQL);
    }
    place("ma", 3);
    for (unsigned i = 0; i < ARRAY_LEN(ma); i++) {
        SLICES(i % 2 ? GTID_MARIADB_POS : GTID_MARIADB_STATE, ma[i].have);
        assert_string_equal(slice.gtid, ma[i].gtid);
        assert_int_equal(slice.transactions, ma[i].transactions);
        assert_slice_is_the_rest(GTID_MARIADB_STATE, ALL_MARIADB);
    }
    assert_string_equal(slice.reach, ALL_MARIADB);
}

static void without_gtid_a_slice_begins_at_coordinates(void **state)
{
    (void)state;
    place("my", 3);
    assert_int_equal(binlog_slice_from(list, "bin.000002", 4, out, SLICE_BYTES, &slice, &e), 0);
    assert_int_equal(slice.transactions, 4);
    assert_int_equal(binlog_slice_from(list, "bin.000003", 954, out, SLICE_BYTES, &slice, &e), 0);
    assert_int_equal(slice.transactions, 0);
    assert_int_equal(binlog_slice_from(list, "bin.000009", 4, out, SLICE_BYTES, &slice, &e),
                     -ENODATA);
}

/* Every prefix of the newest file reads well, and what it tells only grows. */
static void cut_anywhere(const char *flavour, enum gtid_flavour f, int n)
{
    char name[32];
    struct gtid_set now, was;
    size_t len;
    uint8_t *data;

    place(flavour, n);
    snprintf(name, sizeof name, "%s.00000%d", flavour, n);
    data = corpus(name, &len);
    snprintf(name, sizeof name, "bin.00000%d", n);
    assert_int_equal(gtid_parse("", f, &was, &e), 0);
    for (size_t cut = n == 1 ? 400 : 0; cut <= len; cut++) {
        put(name, data, cut);
        if (binlog_scan(list, f, &scan, &e) < 0)
            fail_msg("cut at %zu: %s", cut, e.msg);
        assert_int_equal(gtid_parse(scan.gtid, f, &now, &e), 0);
        assert_true(gtid_subset(&was, &now));
        was = now;
        if (cut % 67 == 0) {
            SLICES(f, "");
            assert_slice_is_the_rest(f == GTID_MYSQL ? f : GTID_MARIADB_STATE, scan.gtid);
        }
    }
    free(data);
}

static void a_newest_file_cut_anywhere_is_read_to_its_last_transaction(void **state)
{
    (void)state;
    for (int n = 1; n <= 3; n++) {
        cut_anywhere("my", GTID_MYSQL, n);
        cut_anywhere("ma", GTID_MARIADB_STATE, n);
    }
    assert_string_equal(scan.gtid, ALL_MARIADB);
}

/* A server that came up again goes on in a new file; the old one's end stays as it was. */
static void a_torn_end_of_an_older_file_is_left_out(void **state)
{
    size_t len;
    uint8_t *data = corpus("ma.000001", &len);

    (void)state;
    for (size_t off = 45; off < 120; off += 20) { /* the rotation, and more or less of 3-1-4 */
        place("ma", 3);
        put("bin.000001", data, len - off);
        SLICES(GTID_MARIADB_STATE, "");
        assert_string_equal(slice.gtid, "0-1-1..28,2-7-1,3-1-1..3,3-1-5");
        assert_slice_is_the_rest(GTID_MARIADB_STATE, ALL_MARIADB);
    }
    free(data);
}

static void what_is_purged_is_said(void **state)
{
    (void)state;
    place("my", 3);
    put("bin.index", "./bin.000002\n./bin.000003\n", 26);
    assert_int_equal(binlog_slice(list, GTID_MYSQL, UUID ":1-20", out, SLICE_BYTES, &slice, &e),
                     -ENODATA);
    assert_non_null(strstr(e.msg, UUID ":21-25:tag_a:1-2"));
    assert_int_equal(access(out, F_OK), -1);
    SLICES(GTID_MYSQL, UUID ":1-25:tag_a:1-2");
    assert_int_equal(slice.transactions, 4);
    place("ma", 3);
    put("bin.index", "./bin.000002\n./bin.000003\n", 26);
    assert_int_equal(binlog_slice(list, GTID_MARIADB_POS, "0-1-20", out, SLICE_BYTES, &slice, &e),
                     -ENODATA);
}

static void what_is_encrypted_damaged_or_too_big_is_said(void **state)
{
    size_t len;
    uint8_t *data = corpus("ma.000001", &len);

    (void)state;
    place("ma", 1);
    assert_int_equal(binlog_slice(list, GTID_MARIADB_POS, "", out, 3000, &slice, &e), -EFBIG);
    assert_int_equal(access(out, F_OK), -1);
    assert_int_equal(binlog_scan(list, GTID_MYSQL, &scan, &e), -EBADMSG);
    data[1000] ^= 1;
    put("bin.000001", data, len);
    assert_int_equal(binlog_scan(list, GTID_MARIADB_POS, &scan, &e), -EBADMSG);
    assert_int_equal(binlog_slice(list, GTID_MARIADB_POS, "", out, SLICE_BYTES, &slice, &e),
                     -EBADMSG);
    put("bin.000001",
        "\xfd"
        "bin....",
        8);
    assert_int_equal(binlog_scan(list, GTID_MARIADB_POS, &scan, &e), -ENOTSUP);
    unlink(list);
    assert_int_equal(binlog_scan(list, GTID_MARIADB_POS, &scan, &e), -ENOENT);
    put("bin.index", "", 0);
    assert_int_equal(binlog_scan(list, GTID_MARIADB_POS, &scan, &e), -EBADMSG);
    put("bin.index", "./gone.000001\n", 14);
    assert_int_equal(binlog_scan(list, GTID_MARIADB_POS, &scan, &e), -ENOENT);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_checksum_is_that_of_zlib),
        cmocka_unit_test(a_scan_tells_all_that_was_written),
        cmocka_unit_test(a_slice_holds_exactly_what_is_missing),
        cmocka_unit_test(without_gtid_a_slice_begins_at_coordinates),
        cmocka_unit_test(a_newest_file_cut_anywhere_is_read_to_its_last_transaction),
        cmocka_unit_test(a_torn_end_of_an_older_file_is_left_out),
        cmocka_unit_test(what_is_purged_is_said),
        cmocka_unit_test(what_is_encrypted_damaged_or_too_big_is_said),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
