/* SPDX-License-Identifier: GPL-2.0-or-later
 * Receipts on disk, as text and as JSON. */
#include "monitor/cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[64], path[128], complained[512];
static uv_loop_t loop;
static struct receipts r;

static void say(void *owner, bool bad, const char *text)
{
    (void)owner;
    (void)bad;
    snprintf(complained, sizeof complained, "%s", text);
}

static void begin(void)
{
    complained[0] = 0;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(receipts_start(&r, &loop, path, say, NULL), 0);
}

static void on_closed(struct closer *c)
{
    *(bool *)c->owner = true;
}

static void end(void)
{
    bool closed = false;
    struct closer closer = {.owner = &closed};

    receipts_stop(&r, &closer);
    closer_end(&closer, on_closed);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_true(closed);
    assert_int_equal(uv_loop_close(&loop), 0);
    receipts_free(&r);
}

static int setup(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/hamm-receipts-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/shop.mon1.monitor.receipts", folder);
    return 0;
}

static int teardown(void **state)
{
    char lock[160];

    (void)state;
    unlink(path);
    snprintf(lock, sizeof lock, "%s.lock", path);
    unlink(lock);
    return rmdir(folder);
}

static const struct receipt salvaged = {
    .number = 1,
    .evidence = EVIDENCE_PROVEN,
    .role = "writer",
    .from = "db1",
    .to = "db2",
    .trigger = "mysqld (pid 17) is exiting",
    .began_wall_ms = 1767225600250,
    .phase_ms = {0, 3, 11, 12, 80, 95},
    .salvaged = {5, "0-1-101..105"},
    .lost = LOST_NONE,
    .why = "db2 has everything that db1's binary log holds",
    .said_wall_ms = 1767225600345,
};
static const struct receipt cable = {
    .number = 2,
    .evidence = EVIDENCE_SILENT,
    .role = "writer",
    .from = "db2",
    .to = "db1",
    .trigger = "db2 fell silent",
    .began_wall_ms = 1767225700000,
    .phase_ms = {2020, 2020, 2028, -1, 2028, 2133},
    .lost = LOST_UNKNOWN,
    .gone = {1, "0-2-106"},
    .why = "db2 was not reached",
    .said_wall_ms = 1767225702133,
};
static const struct receipt completed = {
    .number = 2,
    .later = true,
    .from = "db2",
    .lost = LOST_KNOWN,
    .gone = {3, "0-2-106..108"},
    .why = "db2 came back with them, and db1 has not",
    .said_wall_ms = 1767225800000,
};

static void is_json(const char *wanted)
{
    char *json = receipts_json(&r, "shop", 10);

    assert_string_equal(json, wanted);
    free(json);
}

static void is_text(unsigned last, const char *wanted)
{
    char *text = receipts_text(&r, last);

    assert_string_equal(text, wanted);
    free(text);
}

#define SALVAGED_JSON                                                                              \
    "{\"number\":1,\"role\":\"writer\",\"from\":\"db1\",\"to\":\"db2\",\"planned\":false,"         \
    "\"trigger\":\"mysqld (pid 17) is exiting\",\"evidence\":\"proven\",\"phases\":{"              \
    "\"decided\":0,\"out\":3,\"gathered\":11,\"fetches\":12,\"ordered\":80,\"open\":95},"          \
    "\"began\":\"2026-01-01T00:00:00.250Z\",\"blocked_ms\":null,\"salvaged\":\"0-1-101..105\","    \
    "\"salvaged_count\":5,\"lost\":\"none\",\"lost_why\":\"db2 has everything that db1's binary "  \
    "log holds\",\"lost_known_at\":\"2026-01-01T00:00:00.345Z\"}"
#define CABLE_JSON                                                                                 \
    "{\"number\":2,\"role\":\"writer\",\"from\":\"db2\",\"to\":\"db1\",\"planned\":false,"         \
    "\"trigger\":\"db2 fell silent\",\"evidence\":\"silent\",\"phases\":{"                         \
    "\"decided\":2020,\"out\":2020,\"gathered\":2028,\"fetches\":null,\"ordered\":2028,"           \
    "\"open\":2133},\"began\":\"2026-01-01T00:01:40.000Z\",\"blocked_ms\":null,"                   \
    "\"salvaged\":\"none\","

static void test_said(void **state)
{
    (void)state;
    begin();
    is_text(10, "no change of writer is known");
    is_json("{\"schema\":1,\"cluster\":\"shop\",\"receipts\":[]}");
    receipts_add(&r, &salvaged);
    receipts_add(&r, &cable);
    is_json("{\"schema\":1,\"cluster\":\"shop\",\"receipts\":[" SALVAGED_JSON "," CABLE_JSON
            "\"lost\":null,\"lost_at_least\":\"0-2-106\",\"lost_at_least_count\":1,"
            "\"lost_why\":\"db2 was not reached\","
            "\"lost_known_at\":\"2026-01-01T00:01:42.133Z\"}]}");
    receipts_add(&r, &completed);
    is_json("{\"schema\":1,\"cluster\":\"shop\",\"receipts\":[" SALVAGED_JSON "," CABLE_JSON
            "\"lost\":\"0-2-106..108\",\"lost_count\":3,"
            "\"lost_why\":\"db2 came back with them, and db1 has not\","
            "\"lost_known_at\":\"2026-01-01T00:03:20.000Z\"}]}");
    is_text(1, "2026-01-01T00:01:40.000Z  receipt 2: writer db2 -> db1 in 2133 ms\n"
               "  trigger   db2 fell silent [silent]\n"
               "  phases    decided 2020 ms, db2 out 2020 ms, known who has most 2028 ms, db1 "
               "ordered to open 2028 ms, db1 open 2133 ms\n"
               "  salvaged  none\n"
               "  lost      0-2-106..108 (3 transactions): db2 came back with them, and db1 has "
               "not\n"
               "            known since 2026-01-01T00:03:20.000Z");
    end();
}

static void test_there_after_a_restart(void **state)
{
    struct receipts before;
    struct receipt planned = salvaged;

    (void)state;
    planned.number = 3;
    planned.planned = true;
    planned.evidence = EVIDENCE_OPERATOR;
    begin();
    receipts_add(&r, &salvaged);
    receipts_add(&r, &cable);
    receipts_add(&r, &planned);
    before = r;
    before.at = malloc(RECEIPTS_MAX * sizeof *before.at);
    memcpy(before.at, r.at, RECEIPTS_MAX * sizeof *before.at);
    end();
    begin();
    assert_int_equal(r.n, 3);
    assert_memory_equal(r.at, before.at, 3 * sizeof *r.at);
    receipts_add(&r, &completed);
    end();
    begin();
    assert_int_equal(r.at[1].lost, LOST_KNOWN);
    assert_string_equal(r.at[1].gone.text, "0-2-106..108");
    assert_string_equal(complained, "");
    end();
    free(before.at);
}

/* What is still unknown keeps what is known at least; a number nobody has is dropped. */
static void test_completed_in_part(void **state)
{
    struct receipt later = completed;

    (void)state;
    later.lost = LOST_UNKNOWN;
    later.gone = (struct receipt_set){0};
    begin();
    receipts_add(&r, &cable);
    receipts_add(&r, &later);
    assert_string_equal(r.at[0].gone.text, "0-2-106");
    assert_string_equal(r.at[0].why, later.why);
    later.number = 7;
    receipts_add(&r, &later);
    assert_int_equal(r.n, 1);
    end();
}

static void test_so_many_and_no_more(void **state)
{
    struct receipt one = salvaged;

    (void)state;
    memset(one.salvaged.text, 'x', sizeof one.salvaged.text - 1);
    memset(one.gone.text, 'y', sizeof one.gone.text - 1);
    one.lost = LOST_KNOWN;
    begin();
    for (one.number = 1; one.number <= RECEIPTS_MAX + 7; one.number++)
        receipts_add(&r, &one);
    end();
    begin();
    assert_int_equal(r.n, RECEIPTS_MAX);
    assert_int_equal(r.at[0].number, 8);
    assert_int_equal(r.at[RECEIPTS_MAX - 1].number, RECEIPTS_MAX + 7);
    free(receipts_text(&r, RECEIPTS_MAX));
    end();
}

static void test_a_file_of_something_else(void **state)
{
    FILE *f = fopen(path, "w");

    (void)state;
    for (int i = 0; i < 100; i++)
        fprintf(f, "not a journal at all\n");
    fclose(f);
    begin();
    assert_non_null(strstr(complained, "in memory only"));
    receipts_add(&r, &salvaged); /* is shown all the same */
    assert_int_equal(r.n, 1);
    end();
}

/* What the engine has to remember for them goes through the monitor's state. */
static void test_debts_in_the_state(void **state)
{
    static struct engine_durable d, back;
    struct names names = {.hosts = 2, .slots = 0, .host = {"db1", "db2"}};
    struct err e = {0};
    char *text;

    (void)state;
    snprintf(d.identity, sizeof d.identity, "mon1.1");
    d.epoch = 1;
    d.receipts = 9;
    d.host[1].debt = (struct debt){.number = 8, .some = true, .since = "0-2-105"};
    text = state_encode(&d, &names);
    assert_int_equal(state_decode(&back, &names, text, strlen(text), &e), 0);
    assert_int_equal(back.receipts, 9);
    assert_memory_equal(&back.host[1].debt, &d.host[1].debt, sizeof d.host[1].debt);
    free(text);
    text = strdup("{\"identity\":\"mon1.1\",\"epoch\":3,\"mode\":\"active\"}"); /* an older one */
    assert_int_equal(state_decode(&back, &names, text, strlen(text), &e), 0);
    assert_int_equal(back.receipts, 0);
    assert_int_equal(back.host[1].debt.number, 0);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_said, setup, teardown),
        cmocka_unit_test_setup_teardown(test_there_after_a_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_completed_in_part, setup, teardown),
        cmocka_unit_test_setup_teardown(test_so_many_and_no_more, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_file_of_something_else, setup, teardown),
        cmocka_unit_test(test_debts_in_the_state),
    };
    return cmocka_run_group_tests_name("monitor_receipts", tests, NULL, NULL);
}
