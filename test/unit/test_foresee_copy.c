/* SPDX-License-Identifier: GPL-2.0-or-later
 * What-if from a running engine: copying alone moves nothing, at whatever moment; the same fault
 * tells the same story in the copy as in the world that was copied. */
#include "foresee/foresee.h"

#include "rounds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct engine_conf engine_conf;
static struct foresee_conf conf;
static const int sources[3] = {1, 0, 0};
static struct foresee *world, *copy;
static struct tale *tale;

static void conf_make(void)
{
    struct engine_conf *c = &engine_conf;

    memset(c, 0, sizeof *c);
    c->names.hosts = 3;
    c->names.slots = 3;
    snprintf(c->monitor, NAME_LEN, "mon1");
    snprintf(c->names.slot[0], SLOT_LEN, "writer");
    snprintf(c->names.slot[1], SLOT_LEN, "reader/10.0.0.103");
    snprintf(c->names.slot[2], SLOT_LEN, "reader/10.0.0.104");
    c->roles = 2;
    snprintf(c->role[0].name, NAME_LEN, "writer");
    snprintf(c->role[1].name, NAME_LEN, "reader");
    c->role[0].exclusive = c->role[0].writable = true;
    c->role[0].prefer = c->role[1].prefer = -1;
    c->role[0].hosts = 2;
    c->role[1].hosts = 3;
    c->slot_role[1] = c->slot_role[2] = 1;
    for (int h = 0; h < 3; h++) {
        snprintf(c->names.host[h], NAME_LEN, "db%d", h + 1);
        c->host[h].master = h < 2;
        c->role[0].host[h] = c->role[1].host[h] = h;
    }
    c->trap_ms[CK_PING] = 1000;
    c->trap_ms[CK_MYSQL] = 2000;
    c->trap_ms[CK_REP_THREADS] = c->trap_ms[CK_REP_BACKLOG] = 5000;
    c->max_backlog_ms = 60000;
    c->lease_ms = 2000;
    c->flap_count = 3;
    c->flap_duration_ms = 3600000;
    c->wait_for_other_master_ms = 120000;
    c->catch_up_ms = 30000;
    c->salvage_ms = 30000;
    c->switchover_budget_ms = 5000;
    c->careful_startup = true;
    foresee_conf_of(&conf, c);
}

static int setup(void **state)
{
    (void)state;
    conf_make();
    world = calloc(1, sizeof *world);
    copy = calloc(1, sizeof *copy);
    tale = calloc(1, sizeof *tale);
    return world && copy && tale ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    free(world);
    free(copy);
    free(tale);
    return 0;
}

static void parse(struct faults *out, const char *words)
{
    const char *word[FAULT_WORDS];
    struct err e = {0};
    char text[512];
    int n;

    memset(out, 0, sizeof *out);
    snprintf(text, sizeof text, "%s", words);
    n = fault_split(text, word, FAULT_WORDS);
    assert_true(n >= 0);
    if (faults_parse(out, &engine_conf, (unsigned)n, word, &e) < 0)
        fail_msg("%s: %s", words, e.msg);
}

static void happens(const char *words)
{
    static struct faults all;

    parse(&all, words);
    for (unsigned i = 0; i < all.n; i++) {
        assert_true(foresee_run(world, foresee_now(world) + all.at[i].after_ms));
        foresee_fault(world, &all.at[i]);
    }
}

static const char *what_if(const char *words)
{
    static struct faults all;
    static char text[64 * 1024];

    parse(&all, words);
    foresee_what_if(copy, &conf, &world->e, &all, NULL, NULL, tale);
    assert_true(tale_format(tale, text, sizeof text) < sizeof text);
    return text;
}

static void nothing_happens(const char *when)
{
    const char *text = what_if("wait 60s");

    if (tale->n != 1) /* the fault itself */
        fail_msg("%s: copying told %u lines:\n%s", when, tale->n, text);
}

static void copying_moves_nothing(void **state)
{
    static const char *const calm[] = {"kill db1 then 60s wait 1s",
                                       "start db1 then 60s wait 1s",
                                       "set-online db1 then 60s wait 1s",
                                       "move-role writer db1 then 60s wait 1s",
                                       "cut db2 then 60s wait 1s",
                                       "stop-agent db3 then 20s wait 1s",
                                       "stop-monitor then 5s start-monitor then 20s wait 1s",
                                       "start-agent db3 then heal db2 then 20s wait 1s",
                                       "break-replication db3 then 20s wait 1s",
                                       "heal db3 then lag db3 120s then 20s wait 1s",
                                       "mode manual then hang db3 then 20s wait 1s"};

    (void)state;
    foresee_settled(world, &conf, sources, NULL, NULL);
    nothing_happens("settled");
    for (int ms = 0; ms < ROUNDS(500); ms += 7) { /* every phase of reports, beats and leases */
        assert_true(foresee_run(world, foresee_now(world) + 7));
        nothing_happens("in between");
    }
    for (unsigned i = 0; i < ARRAY_LEN(calm); i++) {
        happens(calm[i]);
        nothing_happens(calm[i]);
    }
}

static void in_the_midst_of_things(void **state)
{
    static const char *const words[] = {"kill db1", "move-role writer db2", "crash db1", "cut db1",
                                        "hang db1"};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(words); i++) {
        foresee_settled(world, &conf, sources, NULL, NULL);
        happens(words[i]);
        for (int step = 0; step < 60; step++) {
            assert_true(foresee_run(world, foresee_now(world) + (step < 40 ? 1 : 250)));
            if (step % (60 / ROUNDS(60)))
                continue;
            (void)what_if("wait 30s");
            assert_false(copy->broken);
            assert_false(copy->failed);
            if (world->e.slot[0].holder == 0 && !world->e.slot[0].releasing)
                continue;                     /* the monitor doesn't know it yet */
            if (engine_writer(&copy->e) != 1) /* it ends as it would have */
                fail_msg("%s, step %d: %s", words[i], step, what_if("wait 30s"));
        }
    }
}

static void same_story(void **state)
{
    (void)state;
    foresee_settled(world, &conf, sources, NULL, NULL);
    assert_non_null(strstr(what_if("kill db1"), "writer: open on db2"));
    assert_non_null(strstr(tale->after, "writer db2"));
    assert_non_null(strstr(what_if("cut db1"), "its lease is surely over"));
    assert_non_null(strstr(tale->after, "writer db2"));
    (void)what_if("stop-monitor");
    assert_non_null(strstr(tale->after, "writer db1; reader"));
    assert_string_equal(tale->line[0].text, "! stop-monitor");
    assert_int_equal(tale->n, 1);
    assert_non_null(strstr(what_if("move-role writer db2 then 5s move-role writer db1"),
                           "ctl: OK: Role 'writer' has been moved from 'db2' to 'db1'"));
    assert_int_equal(engine_writer(&world->e), 0); /* nothing happened to what was copied */
}

static void what_comes_too_late_is_said(void **state)
{
    (void)state;
    foresee_settled(world, &conf, sources, NULL, NULL);
    assert_non_null(strstr(what_if("kill db1 then 11m start db1"),
                           "... the story ends after 10 minutes; 1 fault was still to come\n"));
    (void)what_if("kill db1 then 11m start db1 then wait 1s");
    assert_string_equal(tale->cut, "the story ends after 10 minutes; 2 faults were still to come");
    (void)what_if("kill db1 then 9m start db1");
    assert_string_equal(tale->cut, "");
}

static bool stop_soon(void *owner)
{
    int *asked = owner;

    return ++*asked > 3;
}

static void it_can_be_stopped(void **state)
{
    static struct faults all;
    int asked = 0;

    (void)state;
    foresee_settled(world, &conf, sources, NULL, NULL);
    parse(&all, "wait 60s");
    foresee_what_if(copy, &conf, &world->e, &all, stop_soon, &asked, tale);
    assert_int_equal(asked, 4);
    assert_non_null(strstr(tale->cut, "working it out took too long; it was stopped"));
}

static void dead_and_unheard(void **state)
{
    (void)state;
    foresee_settled(world, &conf, sources, NULL, NULL);
    happens("crash db1 then 10s wait 1s");
    assert_int_equal(engine_writer(&world->e), 1);
    (void)what_if("kill db2");
    assert_false(copy->broken);
    assert_non_null(strstr(tale->after, "writer nobody"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copying_moves_nothing),
        cmocka_unit_test(in_the_midst_of_things),
        cmocka_unit_test(same_story),
        cmocka_unit_test(dead_and_unheard),
        cmocka_unit_test(what_comes_too_late_is_said),
        cmocka_unit_test(it_can_be_stopped),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
