/* SPDX-License-Identifier: GPL-2.0-or-later
 * Servers without GTID (engine/place.c): who may follow the writer, who waits, who never, in which
 * words; and who of two becomes the writer when nothing can be fetched. */
#include "engine/engine_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define U1 "11111111-aaaa-11f1-bcc8-02fc00000001/"
#define U2 "22222222-aaaa-11f1-bcc8-02fc00000002/"
#define U3 "33333333-aaaa-11f1-bcc8-02fc00000003/"
#define U9 "99999999-aaaa-11f1-bcc8-02fc00000009/"
#define P1 U1 "bin.000005:900" /* where db1, the old writer, ended */
#define P2 U2 "bin.000002:157" /* where db2 was when it became the writer */

enum { OLD, WRITER, REPLICA, HOSTS };

static struct engine e;
static char why[PROBLEM_LEN];

static struct msg_report *report(int h)
{
    return &e.host[h].report;
}

static void set(char *field, const char *text)
{
    snprintf(field, PLACE_LEN, "%s", text);
}

/* db1 wrote to P1 and died; db2 has become the writer there; db3 has applied as far. */
static int setup(void **state)
{
    (void)state;
    memset(&e, 0, sizeof e);
    why[0] = 0;
    e.conf.names.hosts = HOSTS;
    e.conf.lease_ms = 2000;
    for (int h = 0; h < HOSTS; h++) {
        snprintf(e.conf.names.host[h], NAME_LEN, "db%d", h + 1);
        report(h)->facts = report(h)->mysql_flavour = report(h)->read_only = true;
        report(h)->mysqld = MYSQLD_UP;
        report(h)->source = OLD;
        e.host[h].linked = e.host[h].heard = true;
        e.host[h].order.source = -1;
    }
    report(OLD)->source = -1;
    set(report(OLD)->own, P1);
    set(report(OLD)->gtid, P1);
    set(report(WRITER)->own, U2 "bin.000002:700");
    set(report(WRITER)->gtid, U2 "bin.000002:700");
    set(report(WRITER)->applied, P1);
    set(report(WRITER)->turn_from, P1);
    set(report(WRITER)->turn_own, P2);
    set(report(REPLICA)->own, U3 "bin.000001:4000");
    set(report(REPLICA)->gtid, P1);
    set(report(REPLICA)->applied, P1);
    return 0;
}

static void verdict(int h, enum place_verdict expected, const char *words)
{
    why[0] = 0;
    assert_int_equal(place_compare(&e, h, WRITER, why, sizeof why), expected);
    assert_string_equal(why, words);
}

static void stands(const char *at)
{
    set(report(REPLICA)->applied, at);
    set(report(REPLICA)->gtid, at);
}

static void follows(int h, const char *at, const char *from)
{
    static struct msg_order o;

    memset(&o, 0, sizeof o);
    place_follow(&e, h, WRITER, &o);
    assert_string_equal(o.at, at);
    assert_string_equal(o.from, from);
}

static void test_a_replica_at_the_turn_follows_from_there(void **state)
{
    (void)state;
    verdict(REPLICA, PLACE_CLEAN, "");
    follows(REPLICA, P2, P1);
}

static void test_one_byte_off_the_turn_never(void **state)
{
    (void)state;
    stands(U1 "bin.000005:899");
    e.host[OLD].linked = false;
    verdict(REPLICA, PLACE_NEVER,
            "stands at db1 bin.000005:899, and db2 became the writer at db1 bin.000005:900");
    follows(REPLICA, "", "");
    stands(U1 "bin.000005:901"); /* it has what the writer will never have */
    verdict(REPLICA, PLACE_NEVER,
            "stands at db1 bin.000005:901, and db2 became the writer at db1 bin.000005:900");
    follows(REPLICA, "", "");
    stands(U1 "bin.000006:900");
    verdict(REPLICA, PLACE_NEVER,
            "stands at db1 bin.000006:900, and db2 became the writer at db1 bin.000005:900");
}

static void test_who_is_behind_waits_while_its_source_can_help(void **state)
{
    (void)state;
    stands(U1 "bin.000005:100");
    verdict(REPLICA, PLACE_UNSURE, "");
    assert_true(place_waits(&e, REPLICA, WRITER));
    set(report(OLD)->own, U1 "bin.000006:4"); /* UNTIL is sure in the same file only */
    verdict(REPLICA, PLACE_NEVER,
            "stands at db1 bin.000005:100, and db2 became the writer at db1 bin.000005:900");
    set(report(OLD)->own, U1 "bin.000005:2000");
    verdict(REPLICA, PLACE_UNSURE, "");
    report(OLD)->mysqld = MYSQLD_DEAD;
    verdict(REPLICA, PLACE_NEVER,
            "stands at db1 bin.000005:100, and db2 became the writer at db1 bin.000005:900");
    report(OLD)->mysqld = MYSQLD_UP;
    e.host[OLD].linked = false;
    assert_false(place_waits(&e, REPLICA, WRITER));
    e.host[OLD].linked = true;
    report(REPLICA)->source = WRITER; /* it doesn't receive from there any more */
    assert_false(place_waits(&e, REPLICA, WRITER));
    report(REPLICA)->source = -1;
    assert_false(place_waits(&e, REPLICA, WRITER));
}

static void test_who_follows_already_goes_on_from_where_it_is(void **state)
{
    (void)state;
    report(REPLICA)->source = WRITER;
    stands(U2 "bin.000002:300");
    verdict(REPLICA, PLACE_CLEAN, "");
    follows(REPLICA, "", "");
    stands(U2 "bin.000002:700"); /* all of it */
    verdict(REPLICA, PLACE_CLEAN, "");
    stands(U2 "bin.000002:701"); /* RESET BINARY LOGS at the writer, or it lost its end */
    verdict(REPLICA, PLACE_NEVER,
            "stands at db2 bin.000002:701, and db2 became the writer at db1 bin.000005:900");
    stands(U2 "other.000001:4"); /* a log of another name compares with nothing */
    verdict(REPLICA, PLACE_NEVER,
            "stands at db2 other.000001:4, and db2 became the writer at db1 bin.000005:900");
}

static void test_the_writer_does_not_know_its_turn(void **state)
{
    (void)state;
    report(WRITER)->turn_from[0] = report(WRITER)->turn_own[0] = 0;
    verdict(REPLICA, PLACE_NEVER,
            "stands at db1 bin.000005:900, and it is not known where that is in the binary log of "
            "db2");
    follows(REPLICA, "", "");
    stands("");
    verdict(REPLICA, PLACE_NEVER,
            "stands at no place, and it is not known where that is in the binary log of db2");
}

static void test_a_server_nobody_knows_keeps_its_uuid(void **state)
{
    (void)state;
    stands(U9 "bin.000001:4");
    verdict(REPLICA, PLACE_NEVER,
            "stands at " U9 "bin.000001:4, and db2 became the writer at db1 bin.000005:900");
}

/* The old writer comes back: what it has behind P1 is looked for in its log before it is judged. */
static void test_an_old_writer_is_looked_at_first(void **state)
{
    (void)state;
    assert_string_equal(place_look(&e, OLD, WRITER), P1);
    verdict(OLD, PLACE_UNSURE, "");
    set(report(OLD)->seen_behind, P1);
    verdict(OLD, PLACE_CLEAN, "");
    follows(OLD, P2, P1);
    set(report(OLD)->seen_behind, U1 "bin.000005:800"); /* that was another question */
    verdict(OLD, PLACE_UNSURE, "");
    follows(OLD, "", "");
}

static void test_an_old_writer_with_more_never(void **state)
{
    (void)state;
    set(report(OLD)->seen_behind, P1);
    snprintf(report(OLD)->own_more, WHY_LEN, "%s", "3 transactions from " U1 "bin.000005:900");
    verdict(OLD, PLACE_NEVER,
            "has transactions nobody else has: 3 transactions from db1 bin.000005:900");
}

static void test_an_old_writer_the_writer_never_heard_of(void **state)
{
    (void)state;
    set(report(WRITER)->applied, U3 "bin.000001:4");
    set(report(WRITER)->turn_from, U3 "bin.000001:4");
    verdict(OLD, PLACE_NEVER,
            "was the writer before, up to db1 bin.000005:900, and it is not known up to where db2 "
            "has that");
}

/* In a circle the writer's place in the old one's log moves on: the question that was put counts.
 */
static void test_what_was_asked_stays_the_question(void **state)
{
    struct msg_order *o = &e.host[OLD].order;

    (void)state;
    o->serial = 5;
    o->follow = FOLLOW_NONE;
    set(o->behind, P1);
    set(report(WRITER)->applied, U1 "bin.000005:950");
    assert_string_equal(place_look(&e, OLD, WRITER), P1);
    set(report(OLD)->seen_behind, P1);
    snprintf(report(OLD)->own_more, WHY_LEN, "1 transaction");
    assert_string_equal(place_look(&e, OLD, WRITER), U1 "bin.000005:950"); /* perhaps no more */
    set(o->behind, U1 "other.000001:4");
    assert_string_equal(place_look(&e, OLD, WRITER), U1 "bin.000005:950");
}

/* Whatever an agent says, nobody follows from a place that is none, and it fits into its line. */
static void test_garbage_is_no_place(void **state)
{
    static const char *const garbage[] = {
        "bin.000005:900",
        U1 "bin.000005",
        U1 "bin.000005:",
        U1 ":900",
        U1 "bin:900",
        "1111/bin.000005:9",
        U1 "bin.000005:-1",
        U1 "bin.000005:99999999999999999999999",
        U1,
        "0-1-5",
        "11111111-aaaa-11f1-bcc8-02fc00000001:1-5",
        ":::",
        "\xff\xfe",
        U1 "bin.000005:9x",
        "%s%n",
    };
    char longest[PLACE_LEN];

    (void)state;
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    e.host[OLD].linked = false;
    for (unsigned i = 0; i <= ARRAY_LEN(garbage); i++) {
        const char *text = i < ARRAY_LEN(garbage) ? garbage[i] : longest;

        setup(state);
        e.host[OLD].linked = false;
        stands(text);
        assert_int_equal(place_compare(&e, REPLICA, WRITER, why, sizeof why), PLACE_NEVER);
        assert_true(why[0] && strlen(why) < sizeof why);
        follows(REPLICA, "", "");
        setup(state);
        set(report(REPLICA)->own, text);
        assert_int_not_equal(place_compare(&e, REPLICA, WRITER, why, sizeof why), PLACE_NEVER);
        setup(state);
        set(report(WRITER)->turn_from, text);
        assert_int_not_equal(place_compare(&e, REPLICA, WRITER, why, sizeof why), PLACE_CLEAN);
        follows(REPLICA, "", "");
        setup(state);
        set(report(WRITER)->own, text);
        report(REPLICA)->source = WRITER;
        stands(U2 "bin.000002:300");
        assert_int_not_equal(place_compare(&e, REPLICA, WRITER, why, sizeof why), PLACE_CLEAN);
    }
}

static void test_names_for_uuids_fit_any_room(void **state)
{
    char out[64];

    (void)state;
    for (size_t room = 1; room <= sizeof out; room++) {
        memset(out, 'z', sizeof out);
        place_tell(&e, "from " P1 " to " P2, out, room);
        assert_true(memchr(out, 0, room) != NULL);
    }
    assert_string_equal(out, "from db1 bin.000005:900 to db2 bin.000002:157");
}

static void test_only_a_source_lends(void **state)
{
    (void)state;
    assert_true(place_lends(&e, OLD, REPLICA));
    assert_false(place_lends(&e, REPLICA, WRITER));
    assert_false(place_lends(&e, WRITER, REPLICA));
    report(WRITER)->own[0] = 0; /* it has GTIDs */
    assert_true(place_lends(&e, WRITER, REPLICA));
}

/* ---- who becomes the writer ---- */

/* db1 died; db2 and db3 are fit, db2 is preferred. */
static void candidates(const char *preferred, const char *other)
{
    e.conf.names.slots = e.conf.roles = 1;
    e.conf.role[0].exclusive = e.conf.role[0].writable = true;
    e.conf.role[0].hosts = HOSTS;
    e.conf.role[0].prefer = 1;
    e.mode = MODE_ACTIVE;
    e.candidates[0] = (1u << HOSTS) - 1;
    e.slot[0].holder = e.slot[0].target = -1;
    e.slot[0].last = OLD;
    e.host[OLD].state = HARD_OFFLINE;
    report(OLD)->mysqld = MYSQLD_DEAD;
    report(OLD)->facts = false;
    for (int h = 0; h < HOSTS; h++) {
        e.conf.role[0].host[h] = h;
        report(h)->start_id = 1;
    }
    for (int h = 1; h < HOSTS; h++) {
        e.host[h].state = ONLINE;
        e.host[h].facts_at = 1;
        report(h)->turn_from[0] = report(h)->turn_own[0] = 0;
    }
    e.now = 2;
    set(report(1)->own, U2 "bin.000002:157");
    set(report(1)->applied, preferred);
    set(report(1)->gtid, preferred);
    stands(other);
}

static void chosen(int h)
{
    int is = slot_choose(&e, 0, why, sizeof why);

    if (is != h)
        fail_msg("%d, not %d: %s", is, h, why);
}

static void test_without_gtid_who_has_most_goes_before_who_is_preferred(void **state)
{
    (void)state;
    candidates(P1, P1);
    chosen(1);
    candidates(P1, U1 "bin.000005:901"); /* nobody could give db2 these */
    chosen(2);
    candidates(U1 "bin.000005:901", P1);
    chosen(1);
    candidates(P1, U9 "bin.000001:4"); /* they can't be compared */
    chosen(1);
}

static void test_who_is_preferred_and_receives_from_the_other_goes_first(void **state)
{
    (void)state;
    candidates(P1, U1 "bin.000005:901");
    report(1)->source = REPLICA; /* what it lacks comes by itself */
    chosen(1);
}

static void test_with_gtid_who_is_preferred_fetches(void **state)
{
    (void)state;
    candidates("", "");
    for (int h = 1; h < HOSTS; h++)
        report(h)->own[0] = 0;
    snprintf(report(1)->gtid, GTID_LEN, "11111111-aaaa-11f1-bcc8-02fc00000001:1-5");
    snprintf(report(2)->gtid, GTID_LEN, "11111111-aaaa-11f1-bcc8-02fc00000001:1-6");
    chosen(1);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_replica_at_the_turn_follows_from_there),
        TEST(test_one_byte_off_the_turn_never),
        TEST(test_who_is_behind_waits_while_its_source_can_help),
        TEST(test_who_follows_already_goes_on_from_where_it_is),
        TEST(test_the_writer_does_not_know_its_turn),
        TEST(test_a_server_nobody_knows_keeps_its_uuid),
        TEST(test_an_old_writer_is_looked_at_first),
        TEST(test_an_old_writer_with_more_never),
        TEST(test_an_old_writer_the_writer_never_heard_of),
        TEST(test_what_was_asked_stays_the_question),
        TEST(test_garbage_is_no_place),
        TEST(test_names_for_uuids_fit_any_room),
        TEST(test_only_a_source_lends),
        TEST(test_without_gtid_who_has_most_goes_before_who_is_preferred),
        TEST(test_who_is_preferred_and_receives_from_the_other_goes_first),
        TEST(test_with_gtid_who_is_preferred_fetches),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
