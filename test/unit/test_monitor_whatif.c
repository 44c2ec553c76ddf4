/* SPDX-License-Identifier: GPL-2.0-or-later
 * what-if in its thread: the answer is JSON whatever was said, and the loop can end it. */
#include "monitor/whatif.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

static struct engine_conf engine_conf;
static struct foresee_conf conf;
static struct foresee *world;
static struct faults faults;
static struct whatif whatif;
static uv_loop_t loop;
static char *answer;
static unsigned answers;

static void on_done(void *owner, uint64_t id, const char *text)
{
    (void)owner;
    assert_int_equal(id, 7);
    answers++;
    free(answer);
    answer = text ? strdup(text) : NULL;
}

static void a_cluster_of(unsigned hosts)
{
    struct engine_conf *c = &engine_conf;
    int source[HOSTS_MAX];

    memset(c, 0, sizeof *c);
    c->names.hosts = hosts;
    c->names.slots = c->roles = 1;
    snprintf(c->monitor, NAME_LEN, "mon1");
    snprintf(c->names.slot[0], SLOT_LEN, "writer");
    snprintf(c->role[0].name, NAME_LEN, "writer");
    c->role[0].exclusive = c->role[0].writable = true;
    c->role[0].prefer = -1;
    c->role[0].hosts = hosts;
    for (unsigned h = 0; h < hosts; h++) {
        snprintf(c->names.host[h], NAME_LEN, "db%u", h + 1);
        c->host[h].master = true;
        c->role[0].host[h] = (int)h;
        source[h] = h ? 0 : 1;
    }
    for (int k = 0; k < CK_N; k++)
        c->trap_ms[k] = 2000;
    c->max_backlog_ms = 60000;
    c->lease_ms = 2000;
    c->catch_up_ms = 30000;
    c->salvage_ms = 30000;
    c->switchover_budget_ms = 5000;
    foresee_conf_of(&conf, c);
    foresee_settled(world, &conf, source, NULL, NULL);
}

static void begin(const char *words, bool json)
{
    const char *word[FAULT_WORDS];
    struct err e = {0};
    char text[512];
    int n;

    memset(&faults, 0, sizeof faults);
    snprintf(text, sizeof text, "%s", words);
    n = fault_split(text, word, FAULT_WORDS);
    assert_true(n > 0);
    assert_int_equal(faults_parse(&faults, &engine_conf, (unsigned)n, word, &e), 0);
    answers = 0;
    whatif.done = on_done;
    assert_int_equal(whatif_begin(&whatif, &loop, 7, &world->e, &conf, &faults, json, &e), 0);
}

static void half_a_character_is_no_end(void **state)
{
    char words[400] = "check db1 ping error \"x";
    json_t *all;

    (void)state;
    a_cluster_of(2);
    for (int i = 0; i < 100; i++)
        strcat(words, "ä"); /* longer than a fault's text, of which an even number of bytes fits */
    strcat(words, "\"");
    begin(words, true);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(answers, 1);
    assert_non_null(answer);
    all = json_loads(answer, 0, NULL);
    assert_non_null(all);
    assert_true(json_array_size(json_object_get(all, "story")) > 0);
    assert_true(json_is_false(json_object_get(all, "cut")));
    json_decref(all);
}

static void it_ends_when_told_to(void **state)
{
    int64_t told;

    (void)state;
    a_cluster_of(HOSTS_MAX);
    begin("kill db1 then 9m start db1", false);
    (void)uv_run(&loop, UV_RUN_NOWAIT);
    told = clock_boot_ms();
    whatif_stop(&whatif);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(answers, 1);
    assert_true(clock_boot_ms() - told < 3000); /* the whole story takes many times that */
    whatif_stop(&whatif);
    begin("wait 1s", false); /* and the next one begins anew */
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_non_null(answer);
}

static int setup(void **state)
{
    (void)state;
    world = calloc(1, sizeof *world);
    return world && uv_loop_init(&loop) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    free(world);
    free(answer);
    return uv_loop_close(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(half_a_character_is_no_end),
        cmocka_unit_test(it_ends_when_told_to),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
