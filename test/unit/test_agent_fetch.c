/* SPDX-License-Identifier: GPL-2.0-or-later
 * Pieces of a dead server's binary log are fetched and served to our own server (fetch.c): never
 * one of another file, never a part for the whole. */
#include "test_agent_slice.h"

#include "agent/base64.h"
#include "mysql/source.h"

#include <sys/stat.h>

/* ---- fetching ---- */

static struct msg_chunk chunk;

/* The next `len` bytes of a binary log; after its end all are alike. */
static const struct msg_chunk *piece(size_t len, int64_t size)
{
    static unsigned char bytes[1 << 17];

    memset(bytes, 'a', sizeof bytes);
    (void)get("bin.000001", bytes, sizeof bytes);
    assert_true((size_t)d.fetch.offset + len <= sizeof bytes);
    memset(&chunk, 0, sizeof chunk);
    chunk.id = d.fetch.id;
    chunk.offset = d.fetch.offset;
    chunk.size = size;
    chunk.server_id = 3;
    strcpy(chunk.version, "10.11.6-MariaDB-log");
    strcpy(chunk.reach, ALL_MARIADB);
    base64_encode(chunk.data, bytes + d.fetch.offset, len);
    return &chunk;
}

static void fetch(void)
{
    d.ask[0].state = ASK_UP;
    d.self = 1;
    strcpy(d.server.facts.gtid, "0-1-20");
    agentd_fetch(&d, 0, PLENTY_MS);
}

static void asked(unsigned times, int64_t offset)
{
    assert_int_equal(sents, times);
    assert_int_equal(sent.kind, MSG_SLICE);
    assert_int_equal(sent_to, 0);
    assert_int_equal(sent.slice.id, d.fetch.id);
    assert_int_equal(sent.slice.offset, offset);
    assert_string_equal(sent.slice.have, "0-1-20");
}

static void failed(const char *words)
{
    run_out();
    assert_int_equal(ended, 1);
    assert_non_null(strstr(ended_why, words));
    assert_int_equal(strncmp(ended_why, "db1: ", 5), 0);
    assert_false(d.fetch.on);
    assert_int_equal(names_in(dir, ".fetched"), 0);
}

static void test_pieces_become_a_file_that_is_served(void **state)
{
    static unsigned char file[1 << 16], log[1 << 16];
    size_t size = get("bin.000001", log, sizeof log);
    struct stat st;
    char path[512];

    (void)state;
    fetch();
    assert_int_not_equal(d.fetch.id, 0);
    asked(1, 0);
    agentd_fetch_chunk(&d, 0, piece(300, (int64_t)size));
    run_until(&sents, 2);
    asked(2, 300);
    agentd_fetch_chunk(&d, 0, piece(size - 300, (int64_t)size));
    run_until(&ended, 1);
    assert_string_equal(ended_why, "");
    assert_int_equal(get("shop.db2.fetched", file, sizeof file), size);
    assert_memory_equal(file, log, size);
    snprintf(path, sizeof path, "%s/shop.db2.fetched", dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_non_null(d.fetch.source);
    assert_true(source_port(d.fetch.source) > 0);
    assert_int_equal(strlen(d.fetch.password), 32);
    agentd_fetch_chunk(&d, 0, piece(1, (int64_t)size + 1)); /* nobody asked */
    assert_int_equal(sents, 2);
    agentd_fetch_end(&d);
    agentd_fetch_end(&d);
    assert_int_equal(names_in(dir, ".fetched"), 0);
    assert_int_equal(d.fetch.password[0], 0);
}

static void test_only_the_piece_that_was_asked_for_counts(void **state)
{
    (void)state;
    fetch();
    agentd_fetch_chunk(&d, 2, piece(300, 700)); /* another host */
    (void)piece(300, 700);
    chunk.id++;
    agentd_fetch_chunk(&d, 0, &chunk); /* another file */
    (void)piece(300, 700);
    chunk.offset = 300;
    agentd_fetch_chunk(&d, 0, &chunk); /* another piece */
    (void)piece(0, 0);
    strcpy(chunk.why, "gone");
    chunk.id++;
    agentd_fetch_chunk(&d, 0, &chunk); /* another file's end */
    run_out();
    assert_int_equal(sents + ended, 1);
    assert_int_equal(d.fetch.offset, 0);
    agentd_fetch_chunk(&d, 0, piece(300, 700));
    agentd_fetch_chunk(&d, 0, piece(300, 700)); /* said again, while it is being written */
    run_until(&sents, 2);
    asked(2, 300);
    (void)piece(300, 700);
    chunk.offset = 0;
    agentd_fetch_chunk(&d, 0, &chunk); /* and once more */
    run_out();
    assert_int_equal(d.fetch.offset, 300);
    assert_int_equal(sents + ended, 2);
}

/* After a first piece of 300 bytes of 700, what comes is wrong. */
static void wrong(const struct msg_chunk *(*make)(void))
{
    fetch();
    agentd_fetch_chunk(&d, 0, piece(300, 700));
    run_until(&sents, 2);
    agentd_fetch_chunk(&d, 0, make());
    failed("it sends what it should not");
}

static const struct msg_chunk *more_than_the_file(void)
{
    return piece(401, 700);
}

static const struct msg_chunk *nothing(void)
{
    return piece(0, 700);
}

static const struct msg_chunk *no_text_of_bytes(void)
{
    (void)piece(4, 700);
    chunk.data[1] = '!';
    return &chunk;
}

/* It would be taken for the whole. */
static const struct msg_chunk *a_shorter_file(void)
{
    return piece(100, 400);
}

static const struct msg_chunk *a_longer_file(void)
{
    return piece(400, 800);
}

static const struct msg_chunk *a_negative_size(void)
{
    return piece(100, -700);
}

static void test_wrong_pieces(void **state)
{
    static const struct msg_chunk *(*const makes[])(void) = {more_than_the_file, nothing,
                                                             no_text_of_bytes,   a_shorter_file,
                                                             a_longer_file,      a_negative_size};

    for (unsigned i = 0; i < ARRAY_LEN(makes); i++) {
        if (i) {
            assert_int_equal(teardown(state), 0);
            assert_int_equal(setup(state), 0);
        }
        wrong(makes[i]);
    }
}

static void test_pieces_and_files_have_limits(void **state)
{
    fetch();
    agentd_fetch_chunk(&d, 0, piece(CHUNK_BYTES, CHUNK_BYTES + 1));
    run_until(&sents, 2);
    asked(2, CHUNK_BYTES); /* as big as may be */
    agentd_fetch_end(&d);
    fetch();
    agentd_fetch_chunk(&d, 0, piece(CHUNK_BYTES + 1, 2 * CHUNK_BYTES));
    failed("it sends what it should not");
    assert_int_equal(teardown(state), 0);
    assert_int_equal(setup(state), 0);
    fetch();
    agentd_fetch_chunk(&d, 0, piece(300, (1ll << 30) + 1));
    failed("it sends what it should not");
    fetch();
    agentd_fetch_chunk(&d, 0, piece(300, 1ll << 30));
    run_until(&sents, sents + 1);
    assert_int_equal(d.fetch.offset, 300);
}

static void test_what_the_other_says_fails_it(void **state)
{
    (void)state;
    fetch();
    agentd_fetch_chunk(&d, 0, piece(300, 700));
    run_until(&sents, 2);
    (void)piece(0, 0);
    strcpy(chunk.why, "that file is gone; ask from its beginning");
    agentd_fetch_chunk(&d, 0, &chunk);
    failed("that file is gone");
    assert_false(ended_hopeless);
    assert_int_equal(teardown(state), 0);
    assert_int_equal(setup(state), 0);
    fetch();
    (void)piece(0, 0);
    strcpy(chunk.why, "it is purged");
    chunk.hopeless = true;
    agentd_fetch_chunk(&d, 0, &chunk);
    failed("it is purged");
    assert_true(ended_hopeless);
}

static void test_a_full_disk_ends_it(void **state)
{
    (void)state;
    fetch();
    disk_of(500);
    agentd_fetch_chunk(&d, 0, piece(300, 900));
    run_until(&sents, 2);
    agentd_fetch_chunk(&d, 0, piece(600, 900)); /* 200 of it are written */
    run_until(&sents, 3);                       /* anew, to memory */
    asked(3, 0);
    assert_int_equal(names_in(run_dir, ".fetched"), 1);
    assert_int_equal(names_in(dir, ".fetched"), 0);
    agentd_fetch_chunk(&d, 0, piece(300, 900));
    run_until(&sents, 4);
    agentd_fetch_chunk(&d, 0, piece(600, 900)); /* the same there */
    run_until(&ended, 1);
    disk_of(RLIM_INFINITY);
    failed("the disk is full");
    assert_int_equal(names_in(run_dir, ".fetched"), 0);
}

static void test_without_room_it_is_fetched_to_memory(void **state)
{
    static unsigned char file[1 << 16], log[1 << 16];
    size_t size = get("bin.000001", log, sizeof log);

    (void)state;
    if (!full_state_dir())
        skip();
    fetch();
    agentd_fetch_chunk(&d, 0, piece(300, (int64_t)size));
    run_until(&sents, 2);
    asked(2, 0);
    agentd_fetch_chunk(&d, 0, piece(size, (int64_t)size));
    run_until(&ended, 1);
    assert_string_equal(ended_why, "");
    assert_int_equal(get("run/shop.db2.fetched", file, sizeof file), size);
    assert_memory_equal(file, log, size);
    assert_non_null(d.fetch.source);
    agentd_fetch_end(&d);
    full_state_dir_ends();
}

static void test_more_than_memory_has_is_not_fetched_there(void **state)
{
    (void)state;
    if (!full_state_dir())
        skip();
    d.run_dir = d.state_dir;
    fetch();
    agentd_fetch_chunk(&d, 0, piece(300, 900));
    run_until(&sents, 2);
    agentd_fetch_chunk(&d, 0, piece(300, 900));
    failed("neither state_dir nor memory has room");
    d.run_dir = run_dir;
    full_state_dir_ends();
}

static void test_the_other_gone_in_the_middle(void **state)
{
    (void)state;
    fetch();
    agentd_fetch_chunk(&d, 0, piece(300, 700));
    run_until(&sents, 2);
    d.ask[0].state = ASK_PAUSE; /* its agent was restarted, say */
    agentd_fetch_tick(&d);
    assert_int_equal(sents, 2);
    d.fetch.asked_ms -= 1001;
    agentd_fetch_tick(&d);
    assert_int_equal(sents, 2);
    d.ask[0].state = ASK_UP;
    agentd_fetch_tick(&d);
    asked(3, 300); /* from where it was */
    agentd_fetch_tick(&d);
    assert_int_equal(sents, 3); /* once */
    d.fetch.until_ms -= PLENTY_MS;
    agentd_fetch_tick(&d);
    failed("did not hand it over in time");
}

static void test_who_is_not_reached_is_asked_later(void **state)
{
    (void)state;
    d.ask[0].state = ASK_CONNECTING;
    d.self = 1;
    strcpy(d.server.facts.gtid, "0-1-20");
    agentd_fetch(&d, 0, PLENTY_MS);
    agentd_fetch_tick(&d);
    assert_int_equal(sents, 0);
    d.ask[0].state = ASK_UP;
    agentd_fetch_tick(&d);
    asked(1, 0);
}

static void test_given_up_while_it_writes(void **state)
{
    (void)state;
    fetch();
    agentd_fetch_chunk(&d, 0, piece(300, 700));
    agentd_fetch_end(&d);
    fetch(); /* the next must wait: its file is the same */
    assert_int_equal(ended, 1);
    assert_string_equal(ended_why, "the one before has not ended yet");
    run_out();
    assert_int_equal(names_in(dir, ".fetched"), 0);
    assert_int_equal(sents, 1);
    fetch();
    asked(2, 0);
}

static void test_no_place_for_it(void **state)
{
    (void)state;
    d.state_dir = "/dev/shm/hamm-no-such-directory";
    fetch();
    failed("create /dev/shm/hamm-no-such-directory/shop.db2.fetched");
}

/* ---- what an earlier life left ---- */

static bool there(const char *name)
{
    char path[512];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    return access(path, F_OK) == 0;
}

static void test_what_an_earlier_life_left_goes(void **state)
{
    char path[512], target[512];

    (void)state;
    put("shop.db1.tail", "old", 3);
    put("shop.db1.fetched", "old", 3);
    put("shop.db2.tail", "another agent's", 15);
    agentd_serve_start(&d);
    agentd_fetch_end(&d);
    assert_false(there("shop.db1.tail"));
    assert_false(there("shop.db1.fetched"));
    assert_true(there("shop.db2.tail"));
    snprintf(path, sizeof path, "%s/shop.db1.fetched", dir);
    snprintf(target, sizeof target, "%s/shop.db2.tail", dir);
    assert_int_equal(symlink(target, path), 0);
    d.ask[0].state = ASK_UP;
    agentd_fetch(&d, 0, PLENTY_MS); /* nor is anything written through what lies there */
    agentd_fetch_chunk(&d, 0, piece(300, 700));
    run_until(&sents, 2);
    assert_int_equal(get("shop.db2.tail", (unsigned char *)target, sizeof target), 15);
    snprintf(path, sizeof path, "%s/shop.db2.tail", dir);
    assert_int_equal(unlink(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_pieces_become_a_file_that_is_served),
        TEST(test_only_the_piece_that_was_asked_for_counts),
        TEST(test_wrong_pieces),
        TEST(test_pieces_and_files_have_limits),
        TEST(test_what_the_other_says_fails_it),
        TEST(test_a_full_disk_ends_it),
        TEST(test_without_room_it_is_fetched_to_memory),
        TEST(test_more_than_memory_has_is_not_fetched_there),
        TEST(test_the_other_gone_in_the_middle),
        TEST(test_who_is_not_reached_is_asked_later),
        TEST(test_given_up_while_it_writes),
        TEST(test_no_place_for_it),
        TEST(test_what_an_earlier_life_left_goes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
