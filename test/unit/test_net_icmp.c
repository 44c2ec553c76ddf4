/* SPDX-License-Identifier: GPL-2.0-or-later
 * Pings between two namespaces: host a asks host b. */
#include "net/icmp.h"
#include "test_net_ns.h"

#include <linux/capability.h>
#include <sys/syscall.h>

struct pings {
    unsigned n, last_id;
    int64_t last_us;
};

static void on_reply(void *owner, unsigned id, int64_t rtt_us)
{
    struct pings *p = owner;

    p->n++;
    p->last_id = id;
    p->last_us = rtt_us;
}

static void run_for(uv_loop_t *loop, const struct pings *p, unsigned n, int64_t ms)
{
    int64_t end_ms = clock_boot_ms() + ms;

    while (p->n < n && clock_boot_ms() < end_ms) {
        uv_run(loop, UV_RUN_NOWAIT);
        usleep(500);
    }
}

static int ping(struct icmp *i, const char *text, unsigned id, struct err *e)
{
    struct ip ip = ns_ip(text);
    struct sockaddr_storage sa;

    ip_to_sockaddr(&ip, &sa);
    return icmp_send(i, (struct sockaddr *)&sa, id, e);
}

static void finish(struct icmp *i, uv_loop_t *loop)
{
    icmp_stop(i, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(loop), 0);
}

static void replies_find_their_host(void **state)
{
    static const char *const to[] = {NS_B4, NS_B6, "127.0.0.1", "::1"};
    static struct icmp icmp;
    struct pings pings = {0};
    struct err e = {0};
    uv_loop_t loop;

    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    NS_OK(icmp_start(&icmp, &loop, on_reply, &pings, &e));
    for (unsigned i = 0; i < ARRAY_LEN(to); i++) {
        NS_OK(ping(&icmp, to[i], 100 + i, &e));
        run_for(&loop, &pings, i + 1, 3000);
        assert_int_equal(pings.n, i + 1);
        assert_int_equal(pings.last_id, 100 + i);
        assert_in_range(pings.last_us, 1, 3000000);
    }
    print_message("the last one took %lld us\n", (long long)pings.last_us);
    /* many under way at once, each answered once */
    for (unsigned i = 0; i < 200; i++)
        NS_OK(ping(&icmp, to[i % 2], i, &e));
    run_for(&loop, &pings, 204, 3000);
    assert_int_equal(pings.n, 204);
    finish(&icmp, &loop);
}

static void silence_and_failure_concern_one_ping(void **state)
{
    static struct icmp icmp;
    struct pings pings = {0};
    struct err e = {0};
    struct sockaddr none = {.sa_family = AF_UNIX};
    uv_loop_t loop;

    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    NS_OK(icmp_start(&icmp, &loop, on_reply, &pings, &e));
    NS_OK(ping(&icmp, "10.99.0.77", 1, &e)); /* nobody there */
    assert_int_equal(ping(&icmp, "192.0.2.1", 2, &e), -ENETUNREACH);
    assert_non_null(strstr(e.msg, "192.0.2.1"));
    assert_int_equal(icmp_send(&icmp, &none, 3, &e), -EAFNOSUPPORT);
    NS_OK(ping(&icmp, NS_B4, 4, &e));
    run_for(&loop, &pings, 2, 300);
    assert_int_equal(pings.n, 1);
    assert_int_equal(pings.last_id, 4);
    finish(&icmp, &loop);
}

/* An echo reply from `fd` to host a. */
static void forge(int fd, uint16_t ident, uint16_t seq)
{
    struct ip a = ns_ip(NS_A4);
    struct sockaddr_storage sa;
    socklen_t len = ip_to_sockaddr(&a, &sa);
    unsigned sum = (unsigned)ident + seq;
    uint8_t reply[16] = {
        [4] = (uint8_t)(ident >> 8), (uint8_t)ident, (uint8_t)(seq >> 8), (uint8_t)seq};

    sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
    reply[2] = (uint8_t)(sum >> 8);
    reply[3] = (uint8_t)sum;
    assert_int_equal(sendto(fd, reply, sizeof reply, 0, (struct sockaddr *)&sa, len), 16);
}

static void forged_and_late_replies_are_ignored(void **state)
{
    static struct icmp icmp;
    struct ns *ns = *state;
    struct pings pings = {0};
    struct err e = {0};
    struct ip silent = ns_ip("10.99.0.77");
    struct sockaddr_storage sa;
    socklen_t len = ip_to_sockaddr(&silent, &sa);
    uv_loop_t loop;
    int from_b, from_silent, on = 1;

    assert_int_equal(uv_loop_init(&loop), 0);
    NS_OK(icmp_start(&icmp, &loop, on_reply, &pings, &e));
    NS_OK(ping(&icmp, "10.99.0.77", 1, &e));
    ns_in(ns, NS_B);
    from_b = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    from_silent = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    ns_in(ns, NS_A);
    assert_int_equal(setsockopt(from_silent, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof on), 0);
    assert_int_equal(bind(from_silent, (struct sockaddr *)&sa, len), 0);
    forge(from_b, icmp.ident, icmp.seq);
    forge(from_silent, icmp.ident, (uint16_t)(icmp.seq - 1));
    forge(from_silent, icmp.ident,
          (uint16_t)(icmp.seq + ICMP_OUT_MAX)); /* same place, other ping */
    forge(from_silent, (uint16_t)(icmp.ident + 1), icmp.seq);
    run_for(&loop, &pings, 1, 100);
    assert_int_equal(pings.n, 0);
    forge(from_silent, icmp.ident, icmp.seq); /* the real one, twice */
    forge(from_silent, icmp.ident, icmp.seq);
    run_for(&loop, &pings, 2, 100);
    assert_int_equal(pings.n, 1);

    NS_OK(ping(&icmp, NS_B4, 2, &e));
    icmp.out[icmp.seq % ICMP_OUT_MAX].sent_us -= (int64_t)(ICMP_AGE_MAX_MS + 1) * 1000;
    run_for(&loop, &pings, 2, 100);
    assert_int_equal(pings.n, 1);
    close(from_b);
    close(from_silent);
    finish(&icmp, &loop);
}

/* Drops CAP_NET_RAW for the calls between. */
static void net_raw(bool on)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    const uint32_t bit = 1u << CAP_NET_RAW;

    assert_int_equal(syscall(SYS_capget, &head, data), 0);
    data[0].effective = on ? data[0].effective | bit : data[0].effective & ~bit;
    assert_int_equal(syscall(SYS_capset, &head, data), 0);
}

static void without_the_right_to_raw_sockets_datagrams_do(void **state)
{
    static struct icmp icmp;
    struct pings pings = {0};
    struct err e = {0};
    uv_loop_t loop;
    int fd, wrote;

    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    net_raw(false);
    assert_int_equal(icmp_start(&icmp, &loop, on_reply, &pings, &e), -EPERM);
    net_raw(true);
    assert_non_null(strstr(e.msg, "ping_group_range"));
    fd = open("/proc/sys/net/ipv4/ping_group_range", O_WRONLY);
    wrote = fd >= 0 ? (int)write(fd, "0 2147483647", 12) : -1;
    close(fd);
    if (wrote > 0) {
        memset(&e, 0, sizeof e);
        net_raw(false);
        NS_OK(icmp_start(&icmp, &loop, on_reply, &pings, &e));
        net_raw(true);
        assert_false(icmp.v4.raw || icmp.v6.raw);
        NS_OK(ping(&icmp, NS_B4, 7, &e));
        NS_OK(ping(&icmp, NS_B6, 8, &e));
        run_for(&loop, &pings, 2, 2000);
        assert_int_equal(pings.n, 2);
        icmp_stop(&icmp, NULL);
        uv_run(&loop, UV_RUN_DEFAULT);
    } else {
        print_message("skipped: ping_group_range cannot be written here\n");
    }
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_find_their_host),
        cmocka_unit_test(silence_and_failure_concern_one_ping),
        cmocka_unit_test(forged_and_late_replies_are_ignored),
        cmocka_unit_test(without_the_right_to_raw_sockets_datagrams_do),
    };
    int failed;

    if (ns_make(&ns_two) != 0)
        return 0;
    failed = cmocka_run_group_tests(tests, ns_setup, NULL);
    ns_free(&ns_two);
    return failed;
}
