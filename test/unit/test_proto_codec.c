/* SPDX-License-Identifier: GPL-2.0-or-later
 * Every message there and back, at its largest; and everything that is not a message. */
#include "proto/codec.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct names names; /* two hosts, two slots */
static struct names full;  /* as many and as long as can be */
static struct msg msg, back;
static char frame[MSG_FRAME_MAX];
static struct err err;

static int setup(void **state)
{
    (void)state;
    names = (struct names){.hosts = 2, .slots = 2};
    strcpy(names.host[0], "db1");
    strcpy(names.host[1], "db2");
    strcpy(names.slot[0], "writer");
    strcpy(names.slot[1], "reader/10.77.0.103");
    full = (struct names){.hosts = HOSTS_MAX, .slots = SLOTS_MAX};
    for (int i = 0; i < HOSTS_MAX; i++)
        snprintf(full.host[i], NAME_LEN, "%032d", i);
    for (int i = 0; i < SLOTS_MAX; i++)
        snprintf(full.slot[i], SLOT_LEN, "%079d", i);
    memset(&msg, 0, sizeof msg);
    memset(&back, 0xff, sizeof back);
    memset(&err, 0, sizeof err);
    return 0;
}

static void there_and_back(const struct names *n)
{
    size_t len = 0;

    if (msg_encode(&msg, n, frame, sizeof frame, &len, &err) ||
        msg_decode(&back, n, frame, len, &err))
        fail_msg("%s", err.msg);
    assert_memory_equal(&msg, &back, sizeof msg);
}

/* Quotes take two bytes each: as long as a text gets. */
static void fill(char *text, size_t size)
{
    memset(text, '"', size - 1);
    text[size - 1] = 0;
}
#define FILL(text) fill(text, sizeof(text))

static void hello(void **state)
{
    (void)state;
    msg.kind = MSG_HELLO;
    msg.hello = (struct msg_hello){.version = PROTOCOL_VERSION, .speaker = SPEAKER_CTL};
    msg.hello.heard_ms = -1;
    there_and_back(&names);
    msg.hello.speaker = SPEAKER_AGENT;
    msg.hello.epoch = UINT64_MAX;
    msg.hello.start_id = (uint64_t)INT64_MAX + 1;
    msg.hello.heard_ms = MSG_MS_MAX;
    FILL(msg.hello.cluster);
    FILL(msg.hello.name);
    FILL(msg.hello.monitor);
    there_and_back(&full);
}

static void beat_and_refusal(void **state)
{
    (void)state;
    msg.kind = MSG_BEAT;
    msg.beat.epoch = INT64_MAX;
    FILL(msg.beat.monitor);
    msg.beat.passive = true;
    there_and_back(&names);
    setup(state);
    msg.kind = MSG_REFUSAL;
    msg.refusal.epoch = 7;
    strcpy(msg.refusal.monitor, "mon1.0123456789abcdef");
    there_and_back(&names);
}

static void order(void **state)
{
    (void)state;
    msg.kind = MSG_ORDER;
    msg.order.source = -1;
    there_and_back(&names);
    msg.order.hold = UINT64_MAX;
    msg.order.follow = FOLLOW_SOURCE;
    msg.order.source = 63;
    msg.order.serial = 7ull << 32 | 5;
    msg.order.may_start = MSG_MS_MAX;
    msg.order.look = UINT64_MAX;
    msg.order.tail = msg.order.fence = msg.order.as_is = msg.order.probe = true;
    msg.order.hear = true;
    FILL(msg.order.at);
    FILL(msg.order.from);
    FILL(msg.order.behind);
    FILL(msg.order.aside);
    FILL(msg.order.reach);
    there_and_back(&full);
}

static void grant_and_lease(void **state)
{
    (void)state;
    msg.kind = MSG_GRANT;
    msg.grant.sent_ms = -MSG_MS_MAX;
    msg.grant.lease_ms = 2000;
    there_and_back(&names);
    msg.grant.n = SLOTS_MAX;
    for (int i = 0; i < SLOTS_MAX; i++)
        msg.grant.slot[i] = (struct grant_slot){
            .slot = 63 - i, .serial = UINT64_MAX, .electorate = UINT64_MAX, .members = UINT64_MAX};
    there_and_back(&full);
    setup(state);
    msg.kind = MSG_LEASE;
    msg.lease.n = 1;
    msg.lease.slot[0].slot = 1;
    msg.lease.slot[0].electorate = 3;
    there_and_back(&names);
}

static void report(void **state)
{
    struct msg_report *r = &msg.report;

    (void)state;
    msg.kind = MSG_REPORT;
    r->lag_ms = r->source = -1;
    there_and_back(&names);
    r->epoch = r->start_id = r->serial = r->settled = UINT64_MAX;
    r->uptime_s = r->pid = r->lag_ms = MSG_MS_MAX;
    r->gate = GATE_LIFETIME;
    r->n = SLOTS_MAX;
    for (int i = 0; i < SLOTS_MAX; i++)
        r->slot[i] = (struct report_slot){.slot = i,
                                          .hold = HOLD_LEAVING,
                                          .serial = UINT64_MAX,
                                          .ended = UINT64_MAX,
                                          .promised_ms = -MSG_MS_MAX,
                                          .lease_ms = -MSG_MS_MAX,
                                          .electorate = UINT64_MAX,
                                          .members = UINT64_MAX};
    r->mysqld = MYSQLD_DEAD;
    r->facts = r->mysql_flavour = r->read_only = r->applier = true;
    r->server_id = UINT32_MAX;
    r->traits = (struct traits){TRAIT_ALL, UINT_MAX, UINT64_MAX, UINT_MAX, UINT_MAX, MSG_MS_MAX};
    r->facts_ms = 40;
    r->source_port = 65535;
    r->receiver = RECEIVER_YES;
    r->source = 63;
    r->heard_ms = -1;
    FILL(r->obeys);
    r->died = MSG_MS_MAX;
    r->tail = TAIL_FAILED;
    r->unsalvaged = true;
    r->disk_full = true;
    FILL(r->tail_why);
    r->aside = TAIL_READY;
    FILL(r->aside_text);
    FILL(r->mysqld_why);
    FILL(r->gtid);
    FILL(r->source_host);
    r->looked = UINT64_MAX;
    FILL(r->obstacle);
    FILL(r->own);
    FILL(r->applied);
    FILL(r->turn_from);
    FILL(r->turn_own);
    FILL(r->seen_behind);
    FILL(r->own_more);
    FILL(r->problem);
    there_and_back(&full);
}

static void ask_and_promise(void **state)
{
    (void)state;
    msg.kind = MSG_ASK;
    msg.ask.round = 123456789;
    msg.ask.promise_ms = 2091;
    msg.ask.slots = 3;
    there_and_back(&names);
    setup(state);
    msg.kind = MSG_PROMISE;
    msg.promise.yes = UINT64_MAX;
    FILL(msg.promise.why);
    there_and_back(&full);
}

static void command_and_answer(void **state)
{
    struct names none = {0};

    (void)state;
    msg.kind = MSG_COMMAND;
    msg.command.id = 1;
    there_and_back(&none);
    msg.command.json = true;
    msg.command.n = WORDS_MAX;
    for (int i = 0; i < WORDS_MAX; i++)
        FILL(msg.command.word[i]);
    there_and_back(&none);
    setup(state);
    msg.kind = MSG_ANSWER;
    msg.answer.code = 255;
    msg.answer.more = true;
    memset(msg.answer.text, 'x', ANSWER_LEN - 1);
    there_and_back(&none);
}

static void slice_and_chunk(void **state)
{
    (void)state;
    msg.kind = MSG_SLICE;
    there_and_back(&names);
    msg.slice.id = INT64_MAX;
    msg.slice.offset = MSG_MS_MAX;
    FILL(msg.slice.have);
    there_and_back(&names);
    setup(state);
    msg.kind = MSG_CHUNK;
    there_and_back(&names);
    msg.chunk.id = INT64_MAX;
    msg.chunk.offset = msg.chunk.size = MSG_MS_MAX;
    msg.chunk.server_id = UINT32_MAX;
    FILL(msg.chunk.why);
    msg.chunk.hopeless = true;
    FILL(msg.chunk.version);
    FILL(msg.chunk.server_uuid);
    FILL(msg.chunk.reach);
    memset(msg.chunk.data, '+', (CHUNK_BYTES + 2) / 3 * 4); /* the largest piece */
    there_and_back(&names);
}

/* A field added to msg.h travels only once it stands in fields.c: describe it there, set it in
 * the tests above, and correct the size here. */
static void every_field_is_described(void **state)
{
    (void)state;
    assert_int_equal(sizeof(struct msg_hello), 160);
    assert_int_equal(sizeof(struct msg_beat), 72);
    assert_int_equal(sizeof(struct msg_refusal), 64);
    assert_int_equal(sizeof(struct msg_order), 5680);
    assert_int_equal(sizeof(struct msg_grant), 2136);
    assert_int_equal(sizeof(struct msg_lease), 1568);
    assert_int_equal(sizeof(struct msg_report), 10496);
    assert_int_equal(sizeof(struct msg_ask), 24);
    assert_int_equal(sizeof(struct msg_promise), 272);
    assert_int_equal(sizeof(struct msg_slice), 4112);
    assert_int_equal(sizeof(struct msg_chunk), 53672);
    assert_int_equal(sizeof(struct msg_command), 4112);
    assert_int_equal(sizeof(struct msg_answer), 49168);
}

static void text_travels_clean(void **state)
{
    size_t len = 0;

    (void)state;
    msg.kind = MSG_PROMISE;
    strcpy(msg.promise.why, "a\tb\n\x1b[2J caf\xe9 caf\xc3\xa9 \xc2\x9b \x7f \xed\xa0\x80");
    assert_int_equal(msg_encode(&msg, &names, frame, sizeof frame, &len, &err), 0);
    assert_int_equal(msg_decode(&back, &names, frame, len, &err), 0);
    assert_string_equal(back.promise.why, "a\tb\n?[2J caf? caf\xc3\xa9 ?? ? ???");
}

static void refused(const char *text, const char *sentence)
{
    memset(&err, 0, sizeof err);
    memset(&back, 0xff, sizeof back);
    assert_int_equal(msg_decode(&back, &names, text, strlen(text), &err), -EPROTO);
    assert_int_equal(err.code, -EPROTO);
    assert_string_equal(err.msg, sentence);
    assert_int_equal((int)back.kind, -1); /* untouched */
}

#define LEASE(slots) "{\"t\":\"lease\",\"epoch\":1,\"start_id\":2,\"sent_ms\":3,\"slot\":" slots "}"
#define ORDER(follow, source)                                                                      \
    "{\"t\":\"order\",\"epoch\":1,\"monitor\":\"m\",\"serial\":1,\"start_id\":1,\"hold\":[],"      \
    "\"follow\":" follow ",\"source\":" source ",\"tail\":false,\"may_start\":0,\"fence\":false,"  \
    "\"as_is\":false,\"hear\":false,\"probe\":false,\"look\":0,\"at\":\"\",\"from\":\"\","         \
    "\"behind\":\"\","                                                                             \
    "\"aside\":\"\",\"reach\":\"\"}"
#define SLOT(name) "{\"slot\":\"" name "\",\"serial\":1,\"electorate\":1}"

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    refused("{}", "t, the kind of message, is missing or no text");
    refused("[]", "a message is a JSON object");
    refused("{\"t\":\"hi\\u001b\"}",
            "t: unknown message \"hi?\": is the other side a newer version?");
    refused("{\"t\":\"beat\",\"monitor\":\"m\"}", "beat.epoch is missing");
    refused("{\"t\":\"beat\",\"epoch\":1.5,\"monitor\":\"m\"}",
            "beat.epoch: expected a number from 0, got a fraction");
    refused("{\"t\":\"beat\",\"epoch\":-1,\"monitor\":\"m\"}",
            "beat.epoch: expected a number from 0, got a number");
    refused("{\"t\":\"beat\",\"epoch\":\"12\",\"monitor\":\"m\"}",
            "beat.epoch: expected a number of 64 bits, got a text");
    refused("{\"t\":\"beat\",\"epoch\":\"18446744073709551616\",\"monitor\":\"m\"}",
            "beat.epoch: expected a number of 64 bits, got a text");
    refused("{\"t\":\"beat\",\"epoch\":1,\"monitor\":7}",
            "beat.monitor: expected a text, got a number");
    refused("{\"t\":\"beat\",\"epoch\":1,\"monitor\":\"0123456789012345678901234567890123456789"
            "0123456789012345\"}",
            "beat.monitor: 56 bytes, 55 are the most");
    refused(LEASE("{}"), "lease.slot: expected an array, got an object");
    refused(LEASE("[7]"), "lease.slot[0]: expected an object, got a number");
    refused(LEASE("[" SLOT("writer") "," SLOT("reader/10.0.0.9") "]"),
            "lease.slot[1].slot: this side knows no slot \"reader/10.0.0.9\": is the configuration "
            "the same on both?");
    refused(LEASE("[" SLOT("writer") "," SLOT("writer") "]"),
            "lease.slot[1]: slot \"writer\" stands in the list twice");
    refused(
        ORDER("\"none\"", "\"db9\""),
        "order.source: this side knows no host \"db9\": is the configuration the same on both?");
    refused(ORDER("\"source\"", "null"),
            "order.source: a host with follow \"source\", and only then");
    refused(ORDER("\"leave\"", "null"),
            "order.follow: unknown word \"leave\": is the other side a newer version?");
    refused("{\"t\":\"ask\",\"round\":1125899906842625}",
            "ask.round: 1125899906842625 is out of range");
    refused("{\"t\":\"ask\",\"round\":1,\"promise_ms\":1,\"slots\":[\"writer\",\"writer\"]}",
            "ask.slots[1]: named twice");
    refused(
        "{\"t\":\"grant\",\"hosts\":[\"db1\",\"dbx\"]}",
        "grant.hosts[1]: this side knows no host \"dbx\": is the configuration the same on both?");
    refused("{\"t\":\"grant\",\"hosts\":[\"db1\"],\"epoch\":1,\"monitor\":\"m\",\"sent_ms\":1,"
            "\"lease_ms\":1,\"slot\":[{\"slot\":\"writer\",\"serial\":1,\"electorate\":1,"
            "\"members\":[1]}]}",
            "grant.slot[0].members[0]: expected an index of the list `hosts`");
}

#define CHUNK(offset, why, data)                                                                   \
    "{\"t\":\"chunk\",\"id\":7,\"offset\":" offset ",\"size\":11,\"server_id\":3,\"why\":\"" why   \
    "\",\"hopeless\":false,\"version\":\"\",\"server_uuid\":\"\",\"reach\":\"\",\"data\":\"" data  \
    "\"}"

static void a_slice_has_limits(void **state)
{
    static char text[MSG_FRAME_MAX + 1], data[ANSWER_LEN + 1];

    (void)state;
    refused("{\"t\":\"slice\",\"id\":-7}", "slice.id: expected a number from 0, got a number");
    refused("{\"t\":\"slice\",\"id\":7,\"offset\":1125899906842625}",
            "slice.offset: 1125899906842625 is out of range");
    refused("{\"t\":\"slice\",\"id\":7,\"offset\":0.5}",
            "slice.offset: expected a whole number, got a fraction");
    refused("{\"t\":\"slice\",\"id\":7,\"offset\":0}", "slice.have is missing");
    refused("{\"t\":\"chunk\",\"id\":7,\"offset\":0,\"size\":null}",
            "chunk.size: expected a whole number, got null");
    refused("{\"t\":\"chunk\",\"id\":7,\"offset\":0,\"size\":1,\"server_id\":-1}",
            "chunk.server_id: expected a number from 0, got a number");
    memset(data, 'A', ANSWER_LEN);
    snprintf(text, sizeof text, CHUNK("0", "", "%s"), data);
    refused(text, "chunk.data: 49152 bytes, 49151 are the most");
    data[ANSWER_LEN - 1] = 0;
    snprintf(text, sizeof text, CHUNK("0", "", "%s"), data);
    assert_int_equal(msg_decode(&back, &names, text, strlen(text), &err), 0);
    assert_string_equal(back.chunk.data, data);
}

/* A field that is added is missing in a message written before: then the fuzzer begins with nothing
 * of that kind. */
static void the_fuzzer_begins_with_messages(void **state)
{
    static char text[MSG_FRAME_MAX];
    struct names three = names;
    bool seen[MSG_N] = {false};
    struct dirent *entry;
    DIR *dir = opendir(MSG_CORPUS);

    (void)state;
    assert_non_null(dir);
    three.hosts = three.slots = 3;
    strcpy(three.host[2], "db3");
    strcpy(three.slot[2], "reader/10.77.0.104");
    while ((entry = readdir(dir))) {
        char path[512];
        size_t len;
        FILE *f;

        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", MSG_CORPUS, entry->d_name);
        f = fopen(path, "r");
        assert_non_null(f);
        len = fread(text, 1, sizeof text, f);
        fclose(f);
        if (msg_decode(&back, &three, text, len, &err))
            fail_msg("%s: %s", path, err.msg);
        seen[back.kind] = true;
    }
    closedir(dir);
    for (int i = 0; i < MSG_N; i++)
        if (!seen[i])
            fail_msg("%s: no message of kind %d", MSG_CORPUS, i);
}

static void broken(const char *text, size_t len)
{
    assert_int_equal(msg_decode(&back, &names, text, len, &err), -EPROTO);
    assert_memory_equal(err.msg, "not JSON: ", 10);
}

static void what_is_no_json_is_refused(void **state)
{
    static char deep[60000];

    (void)state;
    broken("", 0);
    broken("{\"t\":\"beat\"", 11);
    broken("{\"t\":\"beat\",\"t\":\"beat\"}", 23);
    broken("{\"t\":\"a\\u0000b\"}", 16);
    broken("{\"t\":\"a\0b\"}", 11);
    broken("{\"t\":\"\xff\"}", 9);
    broken("{\"t\":\"beat\"} {}", 15);
    memset(deep, '[', sizeof deep);
    broken(deep, sizeof deep);
    assert_int_equal(msg_decode(&back, &names, deep, MSG_FRAME_MAX + 1, &err), -EPROTO);
}

static void unknown_keys_are_for_newer_versions(void **state)
{
    const char *text =
        "{\"new\":[{}],\"t\":\"beat\",\"epoch\":1,\"monitor\":\"m\",\"passive\":false}";

    (void)state;
    assert_int_equal(msg_decode(&back, &names, text, strlen(text), &err), 0);
    assert_int_equal(back.beat.epoch, 1);
}

static void unsound(const char *sentence)
{
    size_t len = 77;

    memset(&err, 0, sizeof err);
    assert_true(msg_encode(&msg, &names, frame, sizeof frame, &len, &err) < 0);
    assert_string_equal(err.msg, sentence);
    assert_int_equal(len, 77);
}

static void what_cannot_be_said_is_not_sent(void **state)
{
    (void)state;
    msg.kind = MSG_ASK;
    msg.ask.slots = 4;
    unsound("ask.slots: nothing has number 2 here");
    msg.ask.slots = 0;
    msg.ask.round = INT64_MIN;
    unsound("ask.round: -9223372036854775808 is out of range");
    msg.kind = MSG_ORDER;
    memset(&msg.order, 0, sizeof msg.order);
    unsound("order.source: a host with follow \"source\", and only then");
    msg.order.source = -1;
    memset(msg.order.reach, 'x', GTID_LEN);
    unsound("order.reach: no end of text within 4096 bytes");
    msg.kind = MSG_LEASE;
    memset(&msg.lease, 0, sizeof msg.lease);
    msg.lease.n = SLOTS_MAX + 1;
    unsound("lease.slot: 65 elements, 64 are the most");
    msg.lease.n = 1;
    msg.lease.slot[0].slot = -1;
    unsound("lease.slot[0].slot: nothing has number -1 here");
    msg.kind = MSG_ANSWER;
    memset(&msg.answer, 0, sizeof msg.answer);
    FILL(msg.answer.text);
    unsound("answer: 98355 bytes, 65536 are the most");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(hello, setup),
        cmocka_unit_test_setup(beat_and_refusal, setup),
        cmocka_unit_test_setup(order, setup),
        cmocka_unit_test_setup(grant_and_lease, setup),
        cmocka_unit_test_setup(report, setup),
        cmocka_unit_test_setup(ask_and_promise, setup),
        cmocka_unit_test_setup(command_and_answer, setup),
        cmocka_unit_test_setup(slice_and_chunk, setup),
        cmocka_unit_test_setup(every_field_is_described, setup),
        cmocka_unit_test_setup(text_travels_clean, setup),
        cmocka_unit_test_setup(what_is_wrong_is_named, setup),
        cmocka_unit_test_setup(a_slice_has_limits, setup),
        cmocka_unit_test_setup(the_fuzzer_begins_with_messages, setup),
        cmocka_unit_test_setup(what_is_no_json_is_refused, setup),
        cmocka_unit_test_setup(unknown_keys_are_for_newer_versions, setup),
        cmocka_unit_test_setup(what_cannot_be_said_is_not_sent, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
