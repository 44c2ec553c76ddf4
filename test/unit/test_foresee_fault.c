/* SPDX-License-Identifier: GPL-2.0-or-later
 * The words of faults: what each becomes, and what is said of a wrong one. Then all of them, in
 * rows drawn by a fixed seed: the world holds together and no address is held twice. */
#include "foresee/foresee.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct engine_conf conf;
static struct faults all;
static struct err error;

static int setup(void **state)
{
    (void)state;
    conf.names.hosts = 3;
    conf.names.slots = 2;
    snprintf(conf.monitor, NAME_LEN, "mon1");
    snprintf(conf.names.slot[0], SLOT_LEN, "writer");
    snprintf(conf.names.slot[1], SLOT_LEN, "reader/10.0.0.103");
    conf.roles = 2;
    snprintf(conf.role[0].name, NAME_LEN, "writer");
    snprintf(conf.role[1].name, NAME_LEN, "reader");
    conf.role[0].exclusive = conf.role[0].writable = true;
    conf.role[0].prefer = conf.role[1].prefer = -1;
    conf.role[0].hosts = 2;
    conf.role[1].hosts = 3;
    conf.slot_role[1] = 1;
    for (int h = 0; h < 3; h++) {
        snprintf(conf.names.host[h], NAME_LEN, "db%d", h + 1);
        conf.host[h].master = h < 2;
        conf.role[0].host[h] = conf.role[1].host[h] = h;
    }
    for (int c = 0; c < CK_N; c++)
        conf.trap_ms[c] = 2000;
    conf.max_backlog_ms = 60000;
    conf.lease_ms = 2000;
    conf.flap_count = 3;
    conf.flap_duration_ms = 3600000;
    conf.auto_set_online_ms = 3000;
    conf.catch_up_ms = 30000;
    conf.salvage_ms = 30000;
    conf.switchover_budget_ms = 5000;
    conf.careful_startup = true;
    return 0;
}

static int parse(const char *words)
{
    const char *word[FAULT_WORDS];
    char text[1024];
    int n;

    memset(&all, 0, sizeof all);
    memset(&error, 0, sizeof error);
    snprintf(text, sizeof text, "%s", words);
    n = fault_split(text, word, FAULT_WORDS);
    assert_true(n >= 0);
    return faults_parse(&all, &conf, (unsigned)n, word, &error);
}

static void good(const char *words, unsigned n)
{
    if (parse(words) < 0)
        fail_msg("%s: %s", words, error.msg);
    assert_int_equal(all.n, n);
}

static void wrong(const char *words, const char *says)
{
    if (parse(words) == 0)
        fail_msg("%s: taken", words);
    assert_int_equal(all.n, 0);
    assert_string_equal(error.msg, says);
}

static void words_mean(void **state)
{
    (void)state;
    good("kill db1", 1);
    assert_int_equal(all.at[0].kind, FAULT_KILL);
    assert_int_equal(all.at[0].host, 0);
    assert_string_equal(all.at[0].said, "kill db1");
    good("cut db1 monitor then after 5s heal db1 monitor then kill db2", 3);
    assert_int_equal(all.at[0].other, FAULT_MONITOR);
    assert_int_equal(all.at[1].after_ms, 5000);
    assert_int_equal(all.at[2].after_ms, 0);
    assert_int_equal(all.at[2].host, 1);
    good("lag db3 2m", 1);
    assert_int_equal(all.at[0].ms, 120000);
    good("check db1 rep_threads error \"it is broken\"", 1);
    assert_int_equal(all.at[0].check, CK_REP_THREADS);
    assert_int_equal(all.at[0].result, RESULT_ERROR);
    assert_true(all.at[0].on);
    assert_string_equal(all.at[0].text, "it is broken");
    assert_string_equal(all.at[0].said, "check db1 rep_threads error \"it is broken\"");
    good("check db1 ping true", 1);
    assert_false(all.at[0].on);
    good("move_role --force --lost db1 writer db2", 1);
    assert_int_equal(all.at[0].command.verb, VERB_MOVE_ROLE);
    assert_true(all.at[0].command.force);
    assert_int_equal(all.at[0].command.lost, 0);
    assert_int_equal(all.at[0].command.host, 1);
    good("set-ip 10.0.0.103/24 db2", 1);
    assert_int_equal(all.at[0].command.slot, 1);
    good("mode manual then 2s wait 3s then set-online db3", 3);
    assert_int_equal(all.at[0].command.mode, MODE_MANUAL);
    assert_int_equal(all.at[1].after_ms, 5000);
    assert_int_equal(all.at[2].command.host, 2);
    good("network down then killed db1 failed \"no answer\" then uptime db1 reboot", 3);
    assert_false(all.at[0].on);
    assert_false(all.at[1].on);
    assert_int_equal(all.at[2].ms, 0);
}

static void wrong_words(void **state)
{
    (void)state;
    wrong("", "what shall happen? kill db1, for one");
    wrong("kill db1 then", "what shall happen? kill db1, for one");
    wrong("kill db1 then 5s", "what shall happen then? kill db1, for one");
    wrong("kill", "usage: kill HOST");
    wrong("kill db1 db2", "usage: kill HOST");
    wrong("kill db9", "unknown host \"db9\": there are db1, db2, db3");
    wrong("cut db1 db9", "unknown host \"db9\": there are db1, db2, db3, monitor");
    wrong("cut db1 db1", "db1 twice: between which two hosts?");
    wrong("lag db1 soon", "\"soon\" is no duration: write 500ms, 2s, 5m or 1h");
    wrong("mode angry", "unknown mode \"angry\": there are active, manual, passive, wait");
    wrong("move-role boss db1", "unknown role \"boss\": there are writer, reader");
    wrong("move-role --lost db1 writer db2", "--lost and --accept-loss go with --force only");
    wrong("set-ip 10.0.0.99 db1",
          "unknown address \"10.0.0.99\": there are writer, reader/10.0.0.103");
    assert_int_equal(parse("explode db1"), -EINVAL);
    assert_non_null(strstr(error.msg, "unknown word \"explode\": there are kill, start, hang"));
    assert_non_null(strstr(error.msg, "move-role, set-ip, wait"));
}

static void durations(void **state)
{
    (void)state;
    assert_int_equal(fault_duration("250ms"), 250);
    assert_int_equal(fault_duration("3"), 3000);
    assert_int_equal(fault_duration("1h"), 3600000);
    assert_int_equal(fault_duration("-1s"), -1);
    assert_int_equal(fault_duration("5 s"), -1);
    assert_int_equal(fault_duration("99999999h"), -1);
}

/* `%` becomes the host's number. */
static void word_of(char *to, size_t size, const char *pattern, int host)
{
    size_t n = strcspn(pattern, "%");

    if (pattern[n])
        snprintf(to, size, "%.*s%d%s", (int)n, pattern, host, pattern + n + 1);
    else
        snprintf(to, size, "%s", pattern);
}

static void anything_in_any_order(void **state)
{
    static const char *const words[] = {
        "kill db%",
        "start db%",
        "hang db%",
        "resume db%",
        "cut db%",
        "cut db2 db1",
        "cut db% monitor",
        "heal db%",
        "lag db% 100s",
        "write db%",
        "extra db%",
        "break-replication db%",
        "crash db%",
        "start db%",
        "stop-agent db%",
        "start-agent db%",
        "freeze-agent db%",
        "stop-monitor",
        "start-monitor",
        "move-role writer db%",
        "set-online db%",
        "set-offline db%",
        "move-role reader db%",
        "rebuild db%",
        "network down",
        "network up",
        "mode manual",
        "mode active",
        "uptime db% reboot",
        "heal db% monitor",
        "heal db2 db1",
    };
    static const int sources[3] = {1, 0, 0};
    static struct foresee_conf c;
    struct foresee *f = calloc(1, sizeof *f);
    uint64_t luck = 88172645463325252u;

    (void)state;
    assert_non_null(f);
    foresee_conf_of(&c, &conf);
    for (int run = 0; run < 60; run++) {
        c.gate = c.engine.gate_unheard = run % 3 ? GATE_NFT : GATE_LIFETIME;
        foresee_settled(f, &c, sources, NULL, NULL);
        for (int i = 0; i < 25; i++) {
            char text[64];

            luck ^= luck << 13;
            luck ^= luck >> 7;
            luck ^= luck << 17;
            word_of(text, sizeof text, words[luck % ARRAY_LEN(words)],
                    (int)(luck >> 32 & 3) % 3 + 1);
            good(text, 1);
            foresee_fault(f, &all.at[0]);
            assert_true(foresee_run(f, foresee_now(f) + (int64_t)(luck >> 40 & 4095)));
            if (f->broken)
                fail_msg("run %d, %s: two hosts hold one address", run, text);
        }
    }
    free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_mean),
        cmocka_unit_test(wrong_words),
        cmocka_unit_test(durations),
        cmocka_unit_test(anything_in_any_order),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
