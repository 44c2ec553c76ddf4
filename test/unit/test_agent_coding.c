/* SPDX-License-Identifier: GPL-2.0-or-later
 * The agent's memory, written down and read back, also by an agent with another configuration. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "agent/coding.h"

#include <stdio.h>
#include <string.h>

static void durable_there_and_back(void **state)
{
    struct agent_durable d = {.epoch = UINT64_MAX, .monitor = "mon1.3f9ac2d1e5f60718"}, back;
    char text[AGENTD_DURABLE_MAX];
    size_t len = agentd_durable_encode(&d, text);

    (void)state;
    assert_int_equal(agentd_durable_decode(&back, text, len), 0);
    assert_int_equal(back.epoch, d.epoch);
    assert_string_equal(back.monitor, d.monitor);
}

static void durable_of_a_stranger(void **state)
{
    static const char *const bad[] = {
        "",
        "hamm agent 1\n",
        "hamm agent 2\nepoch 1\nmonitor a\n",
        "hamm agent 1\nepoch 1\nmonitor a",
        "hamm agent 1\nepoch 1\nmonitor a\nmore\n",
        "hamm agent 1\nepoch -1\nmonitor a\n",
        "hamm agent 1\nepoch 01\nmonitor a\n",
        ("hamm agent 1\nepoch 1\nmonitor "
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"),
    };
    struct agent_durable d = {.epoch = 7};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
        assert_true(agentd_durable_decode(&d, bad[i], strlen(bad[i])) < 0);
    assert_int_equal(d.epoch, 7);
}

static struct names names_of(const char *const *hosts, const char *const *slots)
{
    struct names n = {0};

    for (; hosts[n.hosts]; n.hosts++)
        snprintf(n.host[n.hosts], NAME_LEN, "%s", hosts[n.hosts]);
    for (; slots[n.slots]; n.slots++)
        snprintf(n.slot[n.slots], SLOT_LEN, "%s", slots[n.slots]);
    return n;
}

static const char *const hosts_now[] = {"db1", "db2", "db3", NULL};
static const char *const slots_now[] = {"writer", "reader/10.77.0.103", NULL};

static struct agent_record record_now(void)
{
    struct agent_record r = {.epoch = 12, .died_ms = 98765};

    r.slot[0].held = r.slot[0].unclean = true;
    r.slot[0].serial = 5;
    r.slot[0].ended = 4;
    r.slot[0].lease_until_ms = 123456;
    r.slot[0].electorate = 9;
    r.slot[0].members = 3;
    r.slot[1].ended = 4;
    r.slot[1].promised_until_ms = 777;
    return r;
}

static void record_there_and_back(void **state)
{
    struct names n = names_of(hosts_now, slots_now);
    struct agent_record r = record_now(), back;
    unsigned char data[AGENTD_RECORD_MAX];
    size_t len = agentd_record_encode(&r, &n, data);

    (void)state;
    assert_int_equal(agentd_record_decode(&back, &n, data, len), 0);
    assert_int_equal(back.epoch, 12);
    assert_int_equal(back.died_ms, 98765);
    assert_true(back.slot[0].held && back.slot[0].unclean);
    assert_int_equal(back.slot[0].serial, 5);
    assert_int_equal(back.slot[0].ended, 4);
    assert_int_equal(back.slot[0].lease_until_ms, 123456);
    assert_int_equal(back.slot[0].electorate, 9);
    assert_int_equal(back.slot[0].members, 3);
    assert_false(back.slot[1].held || back.slot[1].unclean);
    assert_int_equal(back.slot[1].promised_until_ms, 777);
}

static void record_under_another_configuration(void **state)
{
    static const char *const hosts[] = {"db9", "db2", "db1", NULL};
    static const char *const slots[] = {"new", "reader/10.77.0.103", "writer", NULL};
    struct names n = names_of(hosts_now, slots_now), other = names_of(hosts, slots);
    struct agent_record r = record_now(), back;
    unsigned char data[AGENTD_RECORD_MAX];
    size_t len = agentd_record_encode(&r, &n, data);

    (void)state;
    assert_int_equal(agentd_record_decode(&back, &other, data, len), 0);
    assert_false(back.slot[0].held);
    assert_int_equal(back.slot[0].ended, 0);
    assert_int_equal(back.slot[1].promised_until_ms, 777);
    assert_true(back.slot[2].held);
    assert_int_equal(back.slot[2].members, 6); /* db1 is number 2 there, db2 number 1 */
}

/* A member that nobody can ask any more: the lease cannot be kept by promises, it is not adopted.
 */
static void record_with_a_member_that_is_gone(void **state)
{
    static const char *const hosts[] = {"db1", NULL};
    struct names n = names_of(hosts_now, slots_now), other = names_of(hosts, slots_now);
    struct agent_record r = record_now(), back;
    unsigned char data[AGENTD_RECORD_MAX];
    size_t len = agentd_record_encode(&r, &n, data);

    (void)state;
    assert_int_equal(agentd_record_decode(&back, &other, data, len), 0);
    assert_false(back.slot[0].held);
    assert_true(back.slot[0].unclean);
    assert_int_equal(back.slot[0].members, 0);
}

static void record_damaged(void **state)
{
    struct names n = names_of(hosts_now, slots_now);
    struct agent_record r = record_now(), back = {.epoch = 1};
    unsigned char data[AGENTD_RECORD_MAX + 1] = {0};
    size_t len = agentd_record_encode(&r, &n, data);

    (void)state;
    for (size_t i = 0; i < len; i++)
        assert_true(agentd_record_decode(&back, &n, data, i) < 0);
    assert_true(agentd_record_decode(&back, &n, data, len + 1) < 0);
    data[0] ^= 1;
    assert_true(agentd_record_decode(&back, &n, data, len) < 0);
    data[0] ^= 1;
    data[4]++;
    assert_int_equal(agentd_record_decode(&back, &n, data, len), -71); /* EPROTO: another version */
    assert_int_equal(back.epoch, 1);
}

static void a_full_record_fits(void **state)
{
    struct names n = {.hosts = HOSTS_MAX, .slots = SLOTS_MAX};
    static struct agent_record r, back;
    unsigned char data[AGENTD_RECORD_MAX];
    size_t len;

    (void)state;
    for (unsigned i = 0; i < HOSTS_MAX; i++)
        snprintf(n.host[i], NAME_LEN, "host%u", i);
    for (unsigned i = 0; i < SLOTS_MAX; i++) {
        snprintf(n.slot[i], SLOT_LEN, "slot%u", i);
        r.slot[i].members = ~0ull;
        r.slot[i].held = true;
    }
    len = agentd_record_encode(&r, &n, data);
    assert_int_equal(agentd_record_decode(&back, &n, data, len), 0);
    assert_true(back.slot[63].held);
    assert_true(back.slot[63].members == ~0ull);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durable_there_and_back),
        cmocka_unit_test(durable_of_a_stranger),
        cmocka_unit_test(record_there_and_back),
        cmocka_unit_test(record_under_another_configuration),
        cmocka_unit_test(record_with_a_member_that_is_gone),
        cmocka_unit_test(record_damaged),
        cmocka_unit_test(a_full_record_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
