/* SPDX-License-Identifier: GPL-2.0-or-later
 * Frames cut out of a byte stream, however it is chopped; and whose turn a complaint is. */
#include "net/complain.h"
#include "net/frame.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* Feeds `len` bytes; returns the frames' lengths and bytes as text, then the result that ended it.
 */
static void feed(struct frame_in *f, struct buf *story, const void *data, size_t len)
{
    const uint8_t *at = data, *frame;
    size_t frame_len;
    int rc;

    while ((rc = frame_next(f, &at, &len, &frame, &frame_len)) > 0)
        buf_addf(story, "%zu:%.*s ", frame_len, (int)frame_len, (const char *)frame);
    if (rc < 0)
        buf_addf(story, "%s", strerror(-rc));
    else
        assert_int_equal(len, 0);
}

static const char three[] = "\0\0\0\1a\0\0\0\5hello\0\0\0\2ok";

static void every_cut_gives_the_same_frames(void **state)
{
    size_t len = sizeof three - 1;

    (void)state;
    for (size_t i = 0; i <= len; i++) {
        for (size_t j = i; j <= len; j++) {
            struct frame_in f = FRAME_IN;
            auto_buf story = BUF(1000);

            feed(&f, &story, three, i);
            feed(&f, &story, three + i, j - i);
            feed(&f, &story, three + j, len - j);
            assert_string_equal(story.at, "1:a 5:hello 2:ok ");
            assert_false(frame_partial(&f));
            frame_free(&f);
        }
    }
}

static void byte_by_byte(void **state)
{
    struct frame_in f = FRAME_IN;
    auto_buf story = BUF(1000);

    (void)state;
    for (size_t i = 0; i + 1 < sizeof three; i++) {
        feed(&f, &story, three + i, 1);
        assert_int_equal(frame_partial(&f), i != 4 && i != 13 && i != 19);
    }
    assert_string_equal(story.at, "1:a 5:hello 2:ok ");
    frame_free(&f);
}

static void a_bad_length_is_seen_with_its_fourth_byte(void **state)
{
    static const struct {
        const char *head, *story;
    } bad[] = {
        {"\0\0\0\0", "Bad message"},
        {"\0\1\0\1", "Message too long"},
        {"\377\377\377\377", "Message too long"},
        {"GET ", "Message too long"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        for (size_t cut = 0; cut <= 4; cut++) {
            struct frame_in f = FRAME_IN;
            auto_buf story = BUF(1000);

            feed(&f, &story, bad[i].head, cut);
            if (cut < 4)
                feed(&f, &story, bad[i].head + cut, 4 - cut);
            assert_string_equal(story.at, bad[i].story);
            frame_free(&f);
        }
    }
}

static void the_longest_frame_passes_and_its_memory_goes(void **state)
{
    struct frame_in f = FRAME_IN;
    static uint8_t wire[FRAME_HEAD + FRAME_MAX];
    const uint8_t *at, *frame;
    size_t len, frame_len;

    (void)state;
    frame_head(wire, FRAME_MAX);
    memset(wire + FRAME_HEAD, 'x', FRAME_MAX);
    at = wire;
    len = 1000;
    assert_int_equal(frame_next(&f, &at, &len, &frame, &frame_len), 0);
    assert_true(f.part.cap <= 2048); /* what was announced costs nothing until it comes */
    len = sizeof wire - 1000;
    assert_int_equal(frame_next(&f, &at, &len, &frame, &frame_len), 1);
    assert_int_equal(frame_len, FRAME_MAX);
    assert_memory_equal(frame, wire + FRAME_HEAD, FRAME_MAX);
    assert_int_equal(frame_next(&f, &at, &len, &frame, &frame_len), 0);
    assert_int_equal(f.part.cap, 0);
    frame_free(&f);
}

static void complaints_come_at_once_then_once_a_minute(void **state)
{
    struct complain *c = calloc(1, sizeof *c);
    unsigned held = 99;

    (void)state;
    assert_int_equal(complain_turn(c, "10.0.0.1", 1, 1000, &held), COMPLAIN_SAY);
    assert_int_equal(held, 0);
    for (int i = 0; i < 500; i++)
        assert_int_equal(complain_turn(c, "10.0.0.1", 1, 1000 + i, &held), COMPLAIN_HOLD);
    assert_int_equal(complain_turn(c, "10.0.0.1", 2, 1500, &held), COMPLAIN_SAY);
    assert_int_equal(complain_turn(c, "10.0.0.2", 1, 1500, &held), COMPLAIN_SAY);
    assert_int_equal(complain_turn(c, "10.0.0.1", 1, 61000, &held), COMPLAIN_SAY);
    assert_int_equal(held, 500);
    free(c);
}

static void very_many_addresses_share_one_line(void **state)
{
    struct complain *c = calloc(1, sizeof *c);
    unsigned held, said = 0, others = 0;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        char who[COMPLAIN_WHO_MAX];
        enum complain_turn turn;

        snprintf(who, sizeof who, "2001:db8::%x", i);
        turn = complain_turn(c, who, 1, 5000 + i / 10, &held);
        said += turn == COMPLAIN_SAY;
        others += turn == COMPLAIN_SAY_OTHERS;
    }
    assert_int_equal(said, COMPLAIN_N);
    assert_int_equal(others, 1);
    /* a minute later there is room again, and what was held back is told with the next overflow */
    for (int i = 0; i <= COMPLAIN_N; i++) {
        char who[COMPLAIN_WHO_MAX];
        enum complain_turn turn;

        snprintf(who, sizeof who, "10.1.%d.%d", i / 256, i % 256);
        turn = complain_turn(c, who, 1, 80000, &held);
        assert_int_equal(turn, i < COMPLAIN_N ? COMPLAIN_SAY : COMPLAIN_SAY_OTHERS);
    }
    assert_int_equal(held, 100000 - COMPLAIN_N - 1);
    free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut_gives_the_same_frames),
        cmocka_unit_test(byte_by_byte),
        cmocka_unit_test(a_bad_length_is_seen_with_its_fourth_byte),
        cmocka_unit_test(the_longest_frame_passes_and_its_memory_goes),
        cmocka_unit_test(complaints_come_at_once_then_once_a_minute),
        cmocka_unit_test(very_many_addresses_share_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
