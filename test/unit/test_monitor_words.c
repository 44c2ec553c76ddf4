/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "monitor/ring.h"
#include "monitor/chunk.h"
#include "monitor/status.h"
#include "monitor/words.h"
#include "proto/command.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct engine_conf conf;
static struct status_conf status;
static char writer_ips[2][ADDR_LEN] = {"10.77.0.100/24", "fd00::100/64"};
static char reader_ips[1][ADDR_LEN] = {"10.77.0.103/24"};
static struct words w;
static struct faults faults;
static struct err err;

static int setup(void **state)
{
    (void)state;
    conf.names.hosts = 3;
    for (int i = 0; i < 3; i++)
        snprintf(conf.names.host[i], NAME_LEN, "db%d", i + 1);
    conf.names.slots = 2;
    conf.roles = 2;
    strcpy(conf.role[0].name, "writer");
    strcpy(conf.role[1].name, "reader");
    status.slot[0].n = 2;
    status.slot[0].ip = writer_ips;
    status.slot[1].n = 1;
    status.slot[1].ip = reader_ips;
    return 0;
}

/* Splits at blanks, as a shell would. */
static int parse(const char *line)
{
    static struct msg_command m;
    char copy[512], *save = NULL;

    memset(&m, 0, sizeof m);
    memset(&err, 0, sizeof err);
    memset(&w, 0xff, sizeof w);
    strcpy(copy, line);
    for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
        strcpy(m.word[m.n++], word);
    return words_parse(&w, &faults, &m, &conf, &status, &err);
}

static void is(const char *line, enum words_kind kind)
{
    if (parse(line))
        fail_msg("%s: %s", line, err.msg);
    assert_int_equal(w.kind, kind);
}

static void wrong(const char *line, const char *sentence)
{
    assert_int_equal(parse(line), -EINVAL);
    assert_string_equal(err.msg, sentence);
}

static void reading(void **state)
{
    (void)state;
    is("ping", WORDS_PING);
    is("status", WORDS_STATUS);
    is("receipts", WORDS_RECEIPTS);
    assert_int_equal(w.last, 10);
    is("receipts 3", WORDS_RECEIPTS);
    assert_int_equal(w.last, 3);
    is("status --exit-code", WORDS_STATUS);
    is("show", WORDS_SHOW);
    is("mode", WORDS_MODE);
    is("checks", WORDS_CHECKS);
    assert_int_equal(w.host, -1);
    assert_int_equal(w.check, -1);
    is("checks all rep_backlog", WORDS_CHECKS);
    assert_int_equal(w.host, -1);
    assert_int_equal(w.check, CK_REP_BACKLOG);
    is("checks db3 all", WORDS_CHECKS);
    assert_int_equal(w.host, 2);
    assert_int_equal(w.check, -1);
    is("events", WORDS_EVENTS);
    assert_int_equal(w.last, 20);
    assert_false(w.follow);
    is("events -f -n 5", WORDS_EVENTS);
    assert_int_equal(w.last, 5);
    assert_true(w.follow);
    is("events -n 99999", WORDS_EVENTS);
    assert_int_equal(w.last, RING_MAX);
}

static void questions(void **state)
{
    (void)state;
    is("explain", WORDS_EXPLAIN);
    assert_int_equal(w.role, -1);
    assert_int_equal(w.host, -1);
    is("explain db2", WORDS_EXPLAIN);
    assert_int_equal(w.host, 1);
    is("explain reader", WORDS_EXPLAIN);
    assert_int_equal(w.role, 1);
    wrong("explain db9", "\"db9\" is neither a host nor a role; hamm ctl status shows both");
    is("what-if kill db1 then 10s start db1", WORDS_WHAT_IF);
    assert_ptr_equal(w.faults, &faults);
    assert_int_equal(faults.n, 2);
    assert_int_equal(faults.at[1].after_ms, 10000);
    is("what_if move-role --force --lost db1 writer db2", WORDS_WHAT_IF);
    assert_true(faults.at[0].command.force);
    assert_int_equal(parse("what-if kill db9"), -EINVAL);
    assert_int_equal(parse("what-if"), -EINVAL);
}

static void orders(void **state)
{
    (void)state;
    is("mode wait", WORDS_ORDER);
    assert_int_equal(w.order.verb, VERB_MODE);
    assert_int_equal(w.order.mode, MODE_WAIT);
    is("set_passive", WORDS_ORDER);
    assert_int_equal(w.order.mode, MODE_PASSIVE);
    is("set-active", WORDS_ORDER);
    assert_int_equal(w.order.mode, MODE_ACTIVE);
    is("set_manual", WORDS_ORDER);
    assert_int_equal(w.order.mode, MODE_MANUAL);
    is("set_online db2", WORDS_ORDER);
    assert_int_equal(w.order.verb, VERB_SET_ONLINE);
    assert_int_equal(w.order.host, 1);
    is("set-offline db1", WORDS_ORDER);
    assert_int_equal(w.order.verb, VERB_SET_OFFLINE);
    is("move-role reader db3", WORDS_ORDER);
    assert_int_equal(w.order.verb, VERB_MOVE_ROLE);
    assert_int_equal(w.order.role, 1);
    assert_int_equal(w.order.host, 2);
    assert_int_equal(w.order.lost, -1);
    assert_false(w.order.force);
    is("move_role writer db2 --force --lost db1", WORDS_ORDER);
    assert_int_equal(w.order.role, 0);
    assert_int_equal(w.order.host, 1);
    assert_int_equal(w.order.lost, 0);
    assert_true(w.order.force);
    is("set-ip 10.77.0.103 db2", WORDS_ORDER);
    assert_int_equal(w.order.verb, VERB_SET_IP);
    assert_int_equal(w.order.slot, 1);
    is("set_ip fd00:0::100 db2", WORDS_ORDER);
    assert_int_equal(w.order.slot, 0);
    assert_int_equal(w.order.host, 1);
}

static void mistakes(void **state)
{
    (void)state;
    wrong("", "unknown command \"\"; hamm ctl --help lists them");
    wrong("sh", "unknown command \"sh\"; hamm ctl --help lists them");
    wrong("show-", "unknown command \"show-\"; hamm ctl --help lists them");
    wrong("set-online", "usage: hamm ctl set-online HOST");
    wrong("receipts many", "\"many\" is no number of receipts");
    wrong("receipts 3 4", "usage: hamm ctl receipts [N]");
    wrong("ping now", "usage: hamm ctl ping");
    wrong("set-online dbx", "unknown host \"dbx\": the hosts are db1, db2, db3");
    wrong("checks db1 p.*",
          "unknown check \"p.*\": the checks are ping, mysql, rep_threads, rep_backlog");
    wrong("mode off", "unknown mode \"off\": the modes are active, manual, passive, wait");
    wrong("move-role master db1", "unknown role \"master\": the roles are writer, reader");
    wrong("move-role writer",
          "usage: hamm ctl move-role [--force [--lost OLD] [--accept-loss OLD]] ROLE HOST");
    wrong("move-role --lost db1 writer db2",
          "--lost declares db1 dead for good: it goes with --force only");
    wrong("move-role --force --lost db2 writer db2", "db2 cannot be lost and get the role");
    wrong("move-role writer db2 --lost",
          "usage: hamm ctl move-role [--force [--lost OLD] [--accept-loss OLD]] ROLE HOST");
    wrong("set-ip 10.77.0.1000 db2", "\"10.77.0.1000\" is no IP address");
    wrong("set-ip 10.77.0.9 db2",
          "unknown address 10.77.0.9: the roles have 10.77.0.100, fd00::100, 10.77.0.103");
    wrong("events -n many", "\"many\" is no number of events");
    wrong("events -n -1", "\"-1\" is no number of events");
    wrong("show --force", "show has no option --force; usage: hamm ctl show");
    wrong("events --f", "events has no option --f; usage: hamm ctl events [-f] [-n N]");
}

/* --- chunks --------------------------------------------------------------------------------- */

static void long_texts_are_cut(void **state)
{
    static char text[200000], to[ANSWER_LEN], whole[200000];
    size_t len = 0;
    unsigned n = 0;

    (void)state;
    while (len < sizeof text - 8)
        len += (size_t)sprintf(text + len, "%s", len % 3 ? "\xc3\xa9" : "\"");
    *whole = 0;
    len = 0;
    for (const char *at = text; *at; n++) {
        size_t took = chunk_take(to, at);
        assert_true(took > 0 && took < ANSWER_LEN);
        assert_true(((unsigned char)to[0] & 0xc0) != 0x80);
        memcpy(whole + len, to, took + 1);
        len += took;
        at += took;
    }
    assert_string_equal(whole, text);
    assert_true(n >= 5 && n < 10);
    assert_int_equal(chunk_take(to, ""), 0);
    memset(text, 0xbf, sizeof text - 1); /* no UTF-8 at all */
    assert_int_equal(chunk_take(to, text), ANSWER_LEN - 1);
}

/* --- the ring ------------------------------------------------------------------------------- */

struct listener {
    struct ring_follower follower;
    struct ring *ring;
    unsigned heard, until;
};

static void on_event(struct ring_follower *f, const struct ring_event *ev)
{
    struct listener *l = (struct listener *)f;

    assert_int_equal(ev->n, l->ring->added);
    if (++l->heard == l->until)
        ring_unfollow(l->ring, f);
}

static void the_ring_keeps_the_last(void **state)
{
    struct ring r;
    struct listener one = {{on_event, NULL}, &r, 0, 0}, two = {{on_event, NULL}, &r, 0, 3};

    (void)state;
    assert_int_equal(ring_init(&r), 0);
    assert_int_equal(ring_first(&r, 20), 1);
    assert_null(ring_get(&r, 1));
    ring_follow(&r, &one.follower);
    ring_follow(&r, &two.follower);
    for (int i = 1; i <= RING_MAX + 5; i++) {
        char text[32];
        sprintf(text, "event %d\x1b", i);
        ring_add(&r, i, EVENT_INFO, -1, text);
    }
    assert_int_equal(one.heard, RING_MAX + 5);
    assert_int_equal(two.heard, 3);
    ring_unfollow(&r, &one.follower);
    ring_unfollow(&r, &one.follower);
    assert_int_equal(ring_first(&r, 5000), 6);
    assert_null(ring_get(&r, 5));
    assert_null(ring_get(&r, 0));
    assert_string_equal(ring_get(&r, 6)->text, "event 6?");
    assert_int_equal(ring_first(&r, 2), RING_MAX + 4);
    assert_string_equal(ring_get(&r, RING_MAX + 5)->text, "event 1005?");
    assert_null(ring_get(&r, RING_MAX + 6));
    ring_free(&r);
    ring_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading),
        cmocka_unit_test(questions),
        cmocka_unit_test(orders),
        cmocka_unit_test(mistakes),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(the_ring_keeps_the_last),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
