/* SPDX-License-Identifier: GPL-2.0-or-later
 * Recordings that are damaged, cut off, of another build, or made to do harm. */
#include "rounds.h"
#include "test_monitor_record_rig.h"

static uint8_t *load(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    uint8_t *all;

    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    *len = (size_t)ftell(f);
    rewind(f);
    all = malloc(*len + 1);
    assert_non_null(all);
    assert_int_equal(fread(all, 1, *len, f), *len);
    fclose(f);
    return all;
}

static void store(const char *path, const uint8_t *all, size_t len)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(all, 1, len, f), len);
    fclose(f);
}

static void test_a_flipped_byte_is_found(void **state)
{
    size_t len;
    uint8_t *all;
    unsigned cut = 0;

    (void)state;
    record_some(300);
    all = load(rig.path, &len);
    for (int i = 0; i < ROUNDS(400); i++) {
        size_t at = chance((unsigned)len);
        uint8_t was = all[at];

        all[at] ^= (uint8_t)(1u << chance(8));
        store(rig.path, all, len);
        if (replay(rig.path) == 0) { /* in the last block: as after a crash */
            assert_non_null(strstr(told, "not complete"));
            cut++;
        } else {
            assert_int_equal(inputs(), -1);
            assert_true(complained_len > 0);
        }
        all[at] = was;
    }
    free(all);
    assert_true(cut < ROUNDS(300));
}

static void test_a_tail_that_is_missing(void **state)
{
    size_t len;
    uint8_t *all;

    (void)state;
    record_some(300);
    all = load(rig.path, &len);
    for (size_t cut = 1; cut < len; cut += 1 + cut / 3) {
        store(rig.path, all, len - cut);
        if (replay(rig.path) != 0) /* not even its beginning is there */
            assert_true(len - cut < 200);
    }
    store(rig.path, all, len - 3);
    assert_int_equal(replay(rig.path), 0);
    assert_in_range(inputs(), 1, 299);
    assert_non_null(strstr(told, "not complete"));
    memset(all + len - 12, 0, 12); /* the file system knew how long it was, and no more */
    store(rig.path, all, len);
    assert_int_equal(replay(rig.path), 0);
    assert_in_range(inputs(), 1, 299);
    free(all);
}

static void test_zeroes_at_the_end(void **state)
{
    (void)state;
    record_some(300);
    assert_int_equal(truncate(rig.path, 64 * 1024), 0);
    expect_replay(rig.path, 300);
    assert_non_null(strstr(told, "not complete"));
}

/* What a crash left is put aside, not written behind. */
static void test_after_a_missing_tail_a_new_file(void **state)
{
    char path[128];

    (void)state;
    record_some(300);
    assert_int_equal(truncate(rig.path, 4000), 0);
    record_some(100);
    expect_replay(rig.path, 100);
    file_of(path, 1);
    assert_int_equal(replay(path), 0);
}

static void test_nothing_that_was_recorded(void **state)
{
    (void)state;
    assert_int_equal(replay(rig.directory), 1);
    assert_int_equal(replay("/nonexistent"), 1);
    assert_non_null(strstr(complained, "No such file"));
    store(rig.path, (const uint8_t *)"#!/bin/sh\n", 10);
    assert_int_equal(replay(rig.path), 1);
    assert_non_null(strstr(complained, "no monitor recorded this"));
    store(rig.path, (const uint8_t *)"", 0);
    assert_int_equal(replay(rig.path), 1);
}

static void test_another_build(void **state)
{
    struct record_file f;
    struct err e = {0};
    char path[128];

    (void)state;
    record_file_init(&f, rig.path,
                     "hamm inputs 1\nversion 9.8.7\nengine 0123456789abcdef\ncluster shop\n",
                     &plain.file);
    assert_int_equal(record_file_add(&f, true, "x", 1, &e), 0);
    record_file_close(&f);
    assert_int_equal(replay(rig.path), 1);
    assert_non_null(strstr(complained, "another build, hamm 9.8.7"));
    record_some(100);
    expect_replay(rig.path, 100);
    file_of(path, 1);
    assert_int_equal(replay(path), 1);
}

/* Checksums are right, what they cover is not: whoever wrote this means harm. */
static void test_hostile_steps(void **state)
{
    struct record_reader r;
    struct buf section = BUF(RECORD_BLOCK_MAX), steps = BUF(RECORD_BLOCK_MAX);
    enum record_block kind;
    struct err e = {0};
    char who[512];
    int refused = 0;

    (void)state;
    record_some(400);
    assert_int_equal(record_reader_open(&r, rig.path, &e), 0);
    while (record_reader_next(&r, &kind, &e) == 1)
        buf_add(kind == BLOCK_SECTION ? &section : &steps, r.raw.at, r.raw.len);
    snprintf(who, sizeof who, "%s", r.who);
    record_reader_close(&r);
    assert_true(section.len && steps.len);
    for (int i = 0; i < ROUNDS(2000); i++) {
        struct record_file f;
        size_t at = chance((unsigned)steps.len);
        char was = steps.at[at];

        steps.at[at] = (char)chance(256);
        unlink(rig.path);
        record_file_init(&f, rig.path, who, &plain.file);
        assert_int_equal(record_file_add(&f, true, section.at, section.len, &e), 0);
        assert_int_equal(record_file_add(&f, false, steps.at, steps.len, &e), 0);
        record_file_close(&f);
        refused += replay(rig.path);
        steps.at[at] = was;
    }
    assert_true(refused > ROUNDS(1000));
    buf_free(&section);
    buf_free(&steps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_flipped_byte_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_tail_that_is_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_zeroes_at_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_after_a_missing_tail_a_new_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_that_was_recorded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_build, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hostile_steps, setup, teardown),
    };
    int rc = cmocka_run_group_tests(tests, NULL, NULL);

    free(told);
    free(complained);
    return rc;
}
