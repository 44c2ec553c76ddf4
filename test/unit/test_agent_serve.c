/* SPDX-License-Identifier: GPL-2.0-or-later
 * A dead server's binary log is read when its process is gone (tail.c), and what another host lacks
 * of it is handed over piece by piece (serve.c). */
#include "test_agent_slice.h"

#include "agent/base64.h"

#include <sys/wait.h>

/* ---- handing over ---- */

static void ask(int host, int link, uint64_t id, int64_t offset)
{
    static struct msg_slice q;

    q = (struct msg_slice){.id = id, .offset = offset};
    agentd_serve(&d, host, link, &q);
}

/* The answer to one question, and nothing more. */
static const struct msg_chunk *answer(int host, int link, uint64_t id, int64_t offset)
{
    unsigned before = sents;

    ask(host, link, id, offset);
    run_until(&sents, before + 1);
    run_out();
    assert_int_equal(sents, before + 1);
    assert_int_equal(sent.kind, MSG_CHUNK);
    assert_int_equal(sent_to, link);
    assert_int_equal(sent.chunk.id, id);
    return &sent.chunk;
}

static void refused(const struct msg_chunk *c, const char *words)
{
    assert_non_null(strstr(c->why, words));
    assert_string_equal(c->data, "");
    assert_int_equal(c->size, 0);
}

static long decoded(const struct msg_chunk *c, unsigned char *to)
{
    return base64_decode(to, CHUNK_BYTES, c->data);
}

static void test_a_slice_is_handed_over_piece_by_piece(void **state)
{
    static unsigned char file[1 << 17], piece[CHUNK_BYTES];
    size_t len;
    const struct msg_chunk *c = answer(1, LINK, 5, 0);

    (void)state;
    assert_string_equal(c->why, "");
    assert_int_equal(c->offset, 0);
    assert_int_equal(c->server_id, 3);
    assert_string_equal(c->version, "10.11.6-MariaDB-log");
    assert_string_equal(c->reach, ALL_MARIADB);
    len = get("shop.db1.tail", file, sizeof file);
    assert_int_equal(c->size, len);
    assert_int_equal(decoded(c, piece), len < CHUNK_BYTES ? len : CHUNK_BYTES);
    assert_memory_equal(piece, file, len < CHUNK_BYTES ? len : CHUNK_BYTES);
    c = answer(1, LINK, 5, 1000); /* made once only */
    assert_int_equal(c->offset, 1000);
    assert_int_equal(decoded(c, piece), len - 1000 < CHUNK_BYTES ? len - 1000 : CHUNK_BYTES);
    assert_memory_equal(piece, file + 1000, len - 1000 < CHUNK_BYTES ? len - 1000 : CHUNK_BYTES);
    c = answer(1, OTHER_LINK, 5, (int64_t)len); /* it connected anew */
    assert_string_equal(c->why, "");
    assert_string_equal(c->data, "");
}

static void test_what_the_asker_has_is_left_out(void **state)
{
    static struct msg_slice q = {.id = 5, .have = ALL_MARIADB};
    int64_t all = answer(1, LINK, 4, 0)->size;

    (void)state;
    agentd_serve(&d, 1, LINK, &q);
    run_until(&sents, 2);
    assert_string_equal(sent.chunk.why, "");
    assert_true(sent.chunk.size < all);
}

static void test_no_piece_beyond_the_file(void **state)
{
    int64_t size = answer(1, LINK, 5, 0)->size;

    (void)state;
    refused(answer(1, LINK, 5, size + 1), "that file is gone");
    refused(answer(1, LINK, 5, -1), "that file is gone");
    refused(answer(1, LINK, 5, INT64_MIN), "that file is gone");
    assert_string_equal(answer(1, LINK, 5, 0)->why, ""); /* it is still there */
}

static void test_a_file_nobody_asked_for_is_not_read_on(void **state)
{
    (void)state;
    refused(answer(1, LINK, 5, 1000), "that file is gone");
    assert_int_equal(names_in(dir, ".tail"), 0);
}

static void test_another_asker_gets_another_file(void **state)
{
    (void)state;
    (void)answer(1, LINK, 5, 0);
    refused(answer(2, OTHER_LINK, 5, 1000), "that file is gone"); /* the same number by chance */
    assert_string_equal(answer(2, OTHER_LINK, 6, 0)->why, "");
    refused(answer(1, LINK, 5, 1000), "that file is gone");
    assert_int_equal(names_in(dir, ".tail"), 1);
}

static void test_one_piece_at_a_time(void **state)
{
    (void)state;
    ask(1, LINK, 5, 0);
    ask(2, OTHER_LINK, 6, 0);
    assert_int_equal(sents, 1);
    assert_int_equal(sent_to, OTHER_LINK);
    refused(&sent.chunk, "at work for somebody");
    run_until(&sents, 2);
    assert_int_equal(sent_to, LINK);
    assert_string_equal(sent.chunk.why, "");
}

static void test_only_of_a_dead_server_whose_log_was_read(void **state)
{
    static const enum tail no[] = {TAIL_NONE, TAIL_READING, TAIL_FAILED};

    (void)state;
    (void)answer(1, LINK, 5, 0);
    for (unsigned i = 0; i < ARRAY_LEN(no); i++) {
        d.agent.tail.state = no[i];
        refused(answer(1, LINK, 5, 0), "no binary log of a dead server");
        refused(answer(1, LINK, 6, 0), "no binary log of a dead server");
    }
}

static void test_what_cannot_be_made_is_said_and_leaves_nothing(void **state)
{
    static struct msg_slice garbage = {.id = 9, .have = "0-1-"};

    (void)state;
    agentd_serve(&d, 1, LINK, &garbage);
    run_until(&sents, 1);
    assert_true(sent.chunk.why[0]);
    snprintf(d.tail.place.index, sizeof d.tail.place.index, "%s/gone.index", dir);
    refused(answer(1, LINK, 5, 0), "gone.index");
    assert_int_equal(d.serve.id, 0);
    assert_int_equal(names_in(dir, ".tail"), 0);
    d.state_dir = "/dev/shm/hamm-no-such-directory";
    snprintf(d.tail.place.index, sizeof d.tail.place.index, "%s/bin.index", dir);
    refused(answer(1, LINK, 6, 0), "hamm-no-such-directory");
}

static void test_what_will_never_be_handed_over_is_said(void **state)
{
    (void)state;
    put("bin.index", "./bin.000002\n./bin.000003\n", 26);
    refused(answer(1, LINK, 5, 0), "purged");
    assert_true(sent.chunk.hopeless);
    put("bin.index", "./bin.000001\n./bin.000002\n./bin.000003\n./bin.000004\n", 52);
    refused(answer(1, LINK, 6, 0), "bin.000004");
    assert_false(sent.chunk.hopeless);
}

static void test_a_full_disk_is_said_and_leaves_nothing(void **state)
{
    (void)state;
    disk_of(500);
    refused(answer(1, LINK, 5, 0), "shop.db1.tail");
    disk_of(RLIM_INFINITY);
    assert_int_equal(names_in(dir, ".tail"), 0);
    assert_string_equal(answer(1, LINK, 6, 0)->why, "");
}

static void test_without_room_it_is_handed_over_from_memory(void **state)
{
    (void)state;
    if (!full_state_dir())
        skip();
    assert_string_equal(answer(1, LINK, 5, 0)->why, "");
    assert_string_equal(sent.chunk.reach, ALL_MARIADB);
    assert_int_equal(names_in(run_dir, ".tail"), 1);
    assert_string_equal(answer(1, LINK, 5, 1000)->why, "");
    d.serve.used_ms -= 60 * 1000;
    agentd_serve_tick(&d);
    assert_int_equal(names_in(run_dir, ".tail"), 0);
    disk_of(500); /* and no room there */
    refused(answer(1, LINK, 6, 0), "has room for it");
    disk_of(RLIM_INFINITY);
    full_state_dir_ends();
}

static void test_what_nobody_fetches_any_more_goes(void **state)
{
    (void)state;
    (void)answer(1, LINK, 5, 0);
    agentd_serve_tick(&d);
    assert_int_equal(names_in(dir, ".tail"), 1);
    d.serve.used_ms -= 59 * 1000;
    agentd_serve_tick(&d);
    assert_int_equal(names_in(dir, ".tail"), 1);
    d.serve.used_ms -= 1000;
    agentd_serve_tick(&d);
    assert_int_equal(names_in(dir, ".tail"), 0);
    refused(answer(1, LINK, 5, 1000), "that file is gone");
}

static void test_an_agent_that_ends_while_it_works_leaves_nothing(void **state)
{
    (void)state;
    ask(1, LINK, 5, 0);
    d.stopping = true;
    agentd_serve_stop(&d);
    run_until(&sents, 1);
    refused(&sent.chunk, "it is ending");
    assert_int_equal(names_in(dir, ".tail"), 0);
    d.stopping = false;
    (void)answer(1, LINK, 6, 0);
    ask(1, LINK, 6, 10);
    d.stopping = true;
    agentd_serve_stop(&d);
    run_until(&sents, 3);
    assert_int_equal(names_in(dir, ".tail"), 0);
}

/* ---- reading ---- */

static pid_t sleeper(void)
{
    pid_t pid = fork();

    if (!pid) {
        pause();
        _exit(0);
    }
    assert_true(pid > 0);
    return pid;
}

static void read_log(int64_t pid, int64_t died)
{
    d.tail.place.pid = pid;
    agentd_tail(&d, &(struct agent_action){.kind = AA_TAIL, .died = died});
}

static void test_the_log_of_a_dead_server_is_read(void **state)
{
    pid_t pid = sleeper();

    (void)state;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    read_log(pid, 4711);
    run_until(&tails, 1);
    assert_true(tail_ok);
    assert_int_equal(tail_died, 4711);
    assert_string_equal(tail_gtid, ALL_MARIADB);
}

static void test_it_is_not_read_while_its_process_lives(void **state)
{
    pid_t pid = sleeper();

    (void)state;
    read_log(pid, 1);
    for (int i = 0; i < 20; i++) {
        usleep(5000);
        uv_run(&d.loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(tails, 0);
    kill(pid, SIGKILL);
    run_until(&tails, 1); /* a zombie is dead */
    assert_true(tail_ok);
    waitpid(pid, NULL, 0);
}

static void test_only_the_last_reading_counts(void **state)
{
    pid_t pid = sleeper();

    (void)state;
    read_log(pid, 1);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    read_log(pid, 2); /* it came up and died again */
    run_out();
    assert_int_equal(tails, 1);
    assert_int_equal(tail_died, 2);
    read_log(pid, 3);
    agentd_tail_stop(&d);
    run_out();
    assert_int_equal(tails, 1);
}

static void test_why_it_cannot_be_read(void **state)
{
    (void)state;
    read_log(0, 1);
    run_until(&tails, 1);
    assert_false(tail_ok);
    assert_non_null(strstr(tail_why, "mysql.socket"));
    snprintf(d.tail.place.index, sizeof d.tail.place.index, "%s/gone.index", dir);
    read_log(INT32_MAX, 2);
    run_until(&tails, 2);
    assert_false(tail_ok);
    assert_non_null(strstr(tail_why, "gone.index"));
    d.tail.place.index[0] = 0;
    read_log(INT32_MAX, 3);
    run_until(&tails, 3);
    assert_false(tail_ok);
    assert_non_null(strstr(tail_why, "log_bin"));
}

/* ---- bytes as text ---- */

static void test_base64(void **state)
{
    static const char *const good[][2] = {{"", ""},
                                          {"f", "Zg=="},
                                          {"fo", "Zm8="},
                                          {"foo", "Zm9v"},
                                          {"foob", "Zm9vYg=="},
                                          {"fooba", "Zm9vYmE="},
                                          {"foobar", "Zm9vYmFy"}};
    static const char *const bad[] = {
        "Z",      "Zg",   "Zg=",  "====", "Z===",       "Zg==Zg==", "Zm=v",
        "Zm9v\n", "Zm9 ", "Zm9-", "Zm9_", "\xc3\xa4Zm", "Zm9vYg=a", "=Zm9"};
    unsigned char bytes[8];
    char text[16];

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(good); i++) {
        size_t n = strlen(good[i][0]);

        base64_encode(text, (const unsigned char *)good[i][0], n);
        assert_string_equal(text, good[i][1]);
        assert_int_equal(strlen(text), BASE64_LEN(n));
        assert_int_equal(base64_decode(bytes, n, text), n); /* it just fits */
        assert_memory_equal(bytes, good[i][0], n);
        if (n)
            assert_int_equal(base64_decode(bytes, n - 1, text), -1);
    }
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(base64_decode(bytes, sizeof bytes, bad[i]), -1);
}

static void test_every_byte_comes_back(void **state)
{
    static unsigned char bytes[CHUNK_BYTES], back[CHUNK_BYTES];
    static char text[BASE64_LEN(CHUNK_BYTES) + 1];

    (void)state;
    assert_true(sizeof text <= sizeof sent.chunk.data);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 7 + i / 256);
    for (size_t n = sizeof bytes - 2; n <= sizeof bytes; n++) {
        base64_encode(text, bytes, n);
        assert_int_equal(base64_decode(back, sizeof back, text), n);
        assert_memory_equal(back, bytes, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_slice_is_handed_over_piece_by_piece),
        TEST(test_what_the_asker_has_is_left_out),
        TEST(test_no_piece_beyond_the_file),
        TEST(test_a_file_nobody_asked_for_is_not_read_on),
        TEST(test_another_asker_gets_another_file),
        TEST(test_one_piece_at_a_time),
        TEST(test_only_of_a_dead_server_whose_log_was_read),
        TEST(test_what_cannot_be_made_is_said_and_leaves_nothing),
        TEST(test_what_will_never_be_handed_over_is_said),
        TEST(test_a_full_disk_is_said_and_leaves_nothing),
        TEST(test_without_room_it_is_handed_over_from_memory),
        TEST(test_what_nobody_fetches_any_more_goes),
        TEST(test_an_agent_that_ends_while_it_works_leaves_nothing),
        TEST(test_the_log_of_a_dead_server_is_read),
        TEST(test_it_is_not_read_while_its_process_lives),
        TEST(test_only_the_last_reading_counts),
        TEST(test_why_it_cannot_be_read),
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_every_byte_comes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
