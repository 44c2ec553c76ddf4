/* SPDX-License-Identifier: GPL-2.0-or-later
 * The gate in a real kernel: what it lets through, when it closes by itself, and that a second
 * life of the agent adopts it. Host a has the address, host b is the client. */
#include "net/diag.h"
#include "net/gate.h"
#include "test_net_ns.h"

#include <nftables/libnftables.h>
#include <sys/syscall.h>
#include <time.h>

#define PORT 3306

static const char *const vip_text[] = {NS_VIP4, NS_VIP6};
/* Stands before the libc's: after the next look at the boot clock this process loses so much time,
 * as if it were stopped between reading the clock and telling the kernel; then, look by look, as
 * much as the list says. */
static int freeze_ms;
static const int *freezes; /* ends with a negative one; NULL: no more */

int clock_gettime(clockid_t id, struct timespec *to)
{
    long rc = syscall(SYS_clock_gettime, id, to);
    int ms = freeze_ms;

    if (id == CLOCK_BOOTTIME && ms > 0) {
        freeze_ms = 0;
        usleep((unsigned)ms * 1000);
    } else if (id == CLOCK_BOOTTIME && freezes) {
        ms = *freezes++;
        if (ms < 0)
            freezes = NULL;
        else
            usleep((unsigned)ms * 1000);
    }
    return (int)rc;
}

static void open_gate(struct gate *g)
{
    struct ip vips[] = {ns_ip(NS_VIP4), ns_ip(NS_VIP6)};
    struct err e = {0};

    NS_OK(gate_open(g, "shop-1", vips, 2, &e));
}

static void configure(struct ns *ns, const struct ip *vip, bool on)
{
    struct err e = {0};

    if (on)
        NS_OK(rtnl_add(&ns->rtnl[NS_A], ns->ifindex[NS_A], vip, vip->family == AF_INET ? 24 : 64,
                       60, false, &e));
    else
        NS_OK(rtnl_remove(&ns->rtnl[NS_A], vip, &e));
    ns_settle();
}

static int client(struct ns *ns, int family)
{
    int fd;

    ns_in(ns, NS_B);
    fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    ns_in(ns, NS_A);
    return fd;
}

static int client_tcp(struct ns *ns, int family)
{
    int fd;

    ns_in(ns, NS_B);
    fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    ns_in(ns, NS_A);
    return fd;
}

/* Listens on all addresses, so that it is there before the role address is. */
static int listener(const struct ip *of)
{
    struct ip any = ns_ip(of->family == AF_INET ? "0.0.0.0" : "::");
    int fd = socket(of->family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    struct sockaddr_storage at;
    socklen_t len = ip_to_sockaddr(&any, &at);

    ((struct sockaddr_in *)&at)->sin_port = htons(PORT);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(fd, 8), 0);
    return fd;
}

static void nf_tables_work_and_leave_nothing(void **state)
{
    struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
    struct err e = {0};

    (void)state;
    NS_OK(gate_probe(&e));
    assert_int_equal(nft_ctx_buffer_output(nft), 0);
    assert_int_equal(nft_run_cmd_from_buffer(nft, "list ruleset"), 0);
    assert_string_equal(nft_ctx_get_output_buffer(nft), "");
    nft_ctx_free(nft);
}

/* Programs on the host itself are under the same rule. */
static void own_programs_pass_only_while_held(void **state)
{
    struct ns *ns = *state;
    struct gate gate;
    struct err e = {0};

    open_gate(&gate);
    for (unsigned i = 0; i < 2; i++) {
        struct ip vip = ns_ip(vip_text[i]);
        int at = ns_udp(&vip, PORT), from = socket(vip.family, SOCK_DGRAM | SOCK_NONBLOCK, 0);

        configure(ns, &vip, true);
        assert_false(ns_reaches(from, &vip, PORT, at, 50));
        NS_OK(gate_hold(&gate, &vip, 1, clock_boot_ms() + 5000, &e));
        assert_true(ns_reaches(from, &vip, PORT, at, 200));
        configure(ns, &vip, false);
        close(at);
        close(from);
    }
    NS_OK(gate_remove(&gate, &e));
}

static void packets_pass_while_held_and_only_then(void **state)
{
    struct ns *ns = *state;
    struct gate gate;
    struct err e = {0};

    open_gate(&gate);
    for (unsigned i = 0; i < 2; i++) {
        struct ip vip = ns_ip(vip_text[i]);
        int at = ns_udp(&vip, PORT), from = client(ns, vip.family);
        int64_t began_ms, last_ms = 0, left_ms = 0;

        configure(ns, &vip, true);
        ns_neigh_set(ns, NS_B, &vip, ns->mac[NS_A]); /* the gate alone is looked at */
        assert_false(ns_reaches(from, &vip, PORT, at, 100));
        began_ms = clock_boot_ms();
        NS_OK(gate_hold(&gate, &vip, 1, began_ms + 700, &e));
        NS_OK(gate_held_ms(&gate, &vip, &left_ms, &e));
        assert_in_range(left_ms, 500, 704);
        /* From here on nobody touches the gate: as if the holder were frozen. */
        while (clock_boot_ms() < began_ms + 900) {
            if (ns_reaches(from, &vip, PORT, at, 2))
                last_ms = clock_boot_ms() - began_ms;
        }
        print_message("held for 700 ms: the last packet passed after %lld ms\n",
                      (long long)last_ms);
        assert_in_range(last_ms, 500, 750);
        NS_OK(gate_held_ms(&gate, &vip, &left_ms, &e));
        assert_int_equal(left_ms, 0);

        /* Dropped before its time; dropping again is fine. */
        NS_OK(gate_hold(&gate, &vip, 1, clock_boot_ms() + 5000, &e));
        assert_true(ns_reaches(from, &vip, PORT, at, 200));
        NS_OK(gate_drop(&gate, &vip, 1, &e));
        assert_false(ns_reaches(from, &vip, PORT, at, 50));
        NS_OK(gate_drop(&gate, &vip, 1, &e));
        configure(ns, &vip, false);
        close(at);
        close(from);
    }
    NS_OK(gate_remove(&gate, &e));
}

/* What becomes of connecting: 0, ECONNREFUSED, ... or ETIMEDOUT for silence. */
static int connects(int fd, const struct ip *to, int ms)
{
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    struct sockaddr_storage at;
    socklen_t len = ip_to_sockaddr(to, &at), size = sizeof(int);
    int error = ETIMEDOUT;

    ((struct sockaddr_in *)&at)->sin_port = htons(PORT); /* at the same place for IPv6 */
    if (connect(fd, (struct sockaddr *)&at, len) < 0 && errno != EINPROGRESS)
        return errno;
    if (poll(&wait, 1, ms) == 1)
        assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size), 0);
    return error;
}

/* Nobody waits for an answer that won't come: a connection that is open when the gate closes hears
 * of its end when it says something or is destroyed, a new one is refused. With the address on and
 * off. Ping is not answered. */
static void clients_hear_of_a_closed_gate(void **state)
{
    struct ns *ns = *state;
    struct gate gate;
    struct err e = {0};

    open_gate(&gate);
    assert_false(gate.silent);
    NS_OK(gate_answer(&gate, 0, &e));
    for (unsigned i = 0; i < 2; i++) {
        struct ip vip = ns_ip(vip_text[i]);
        int at = listener(&vip), talks = client_tcp(ns, vip.family);
        int waits = client_tcp(ns, vip.family), late;
        struct pollfd end = {.fd = talks, .events = POLLIN};

        configure(ns, &vip, true);
        ns_neigh_set(ns, NS_B, &vip, ns->mac[NS_A]);
        NS_OK(gate_hold(&gate, &vip, 1, clock_boot_ms() + 5000, &e));
        assert_int_equal(connects(talks, &vip, 500), 0);
        assert_int_equal(connects(waits, &vip, 500), 0);

        NS_OK(gate_drop(&gate, &vip, 1, &e));
        assert_int_equal(send(talks, "?", 1, MSG_NOSIGNAL), 1);
        assert_int_equal(poll(&end, 1, 500), 1);
        assert_int_equal(recv(talks, &(char){0}, 1, 0), -1);
        assert_int_equal(errno, ECONNRESET);

        end.fd = waits;
        assert_int_equal(poll(&end, 1, 50), 0);
        assert_true(diag_kill(&vip, &e) >= 1);
        assert_int_equal(poll(&end, 1, 500), 1);
        assert_int_equal(recv(waits, &(char){0}, 1, 0), -1);
        assert_int_equal(errno, ECONNRESET);

        for (unsigned on = 2; on-- > 0;) {
            if (!on)
                configure(ns, &vip, false);
            late = client_tcp(ns, vip.family);
            assert_int_equal(connects(late, &vip, 500), ECONNREFUSED);
            close(late);
        }
        close(talks);
        close(waits);
        close(at);
    }
    NS_OK(gate_remove(&gate, &e));
}

static void refreshing_leaves_no_gap(void **state)
{
    struct ns *ns = *state;
    struct ip vip = ns_ip(NS_VIP4);
    int at = ns_udp(&vip, PORT), from = client(ns, AF_INET), lost = 0, sent = 0;
    int64_t began_ms = clock_boot_ms(), spent_us = 0, worst_us = 0;
    struct gate gate;
    struct err e = {0};

    open_gate(&gate);
    configure(ns, &vip, true);
    ns_neigh_set(ns, NS_B, &vip, ns->mac[NS_A]);
    for (; clock_boot_ms() < began_ms + 1000; sent++) {
        int64_t us = ns_us();

        NS_OK(gate_hold(&gate, &vip, 1, clock_boot_ms() + 300, &e));
        us = ns_us() - us;
        spent_us += us;
        worst_us = us > worst_us ? us : worst_us;
        lost += !ns_reaches(from, &vip, PORT, at, 200);
    }
    print_message("%d refreshes, gate_hold %lld us on average, %lld at worst, %d packets lost\n",
                  sent, (long long)(spent_us / sent), (long long)worst_us, lost);
    assert_int_equal(lost, 0);
    /* A refresh shortens as well as it lengthens. */
    NS_OK(gate_hold(&gate, &vip, 1, clock_boot_ms() + 5000, &e));
    NS_OK(gate_hold(&gate, &vip, 1, clock_boot_ms() + 100, &e));
    usleep(160000);
    assert_false(ns_reaches(from, &vip, PORT, at, 50));
    assert_int_equal(gate_hold(&gate, &vip, 1, clock_boot_ms(), &e), -ETIME);
    configure(ns, &vip, false);
    close(at);
    close(from);
    NS_OK(gate_remove(&gate, &e));
}

/* When a hold ends, as exactly as can be said from outside. */
struct span {
    int64_t least_ms, most_ms;
};

static struct span ends_of(struct gate *g, const struct ip *ip)
{
    int64_t before_ms = clock_boot_ms(), left_ms = 0;
    struct err e = {0};

    NS_OK(gate_held_ms(g, ip, &left_ms, &e));
    assert_true(left_ms > 0);
    return (struct span){before_ms + left_ms, clock_boot_ms() + left_ms};
}

static void the_next_life_adopts_what_is_held(void **state)
{
    struct ns *ns = *state;
    struct ip vips[] = {ns_ip(NS_VIP4), ns_ip(NS_VIP6), ns_ip("10.99.0.101")};
    int at = ns_udp(&vips[0], PORT), from = client(ns, AF_INET);
    struct span ends[2];
    struct gate gate;
    struct err e = {0};
    int64_t until_ms, left_ms;

    open_gate(&gate);
    configure(ns, &vips[0], true);
    configure(ns, &vips[2], true);
    ns_neigh_set(ns, NS_B, &vips[0], ns->mac[NS_A]);
    ns_neigh_set(ns, NS_B, &vips[2], ns->mac[NS_A]);
    until_ms = clock_boot_ms() + 1500;
    NS_OK(gate_hold(&gate, vips, 2, until_ms, &e));
    for (unsigned i = 0; i < 2; i++) {
        ends[i] = ends_of(&gate, &vips[i]);
        assert_true(ends[i].least_ms <= until_ms + 8);
    }
    gate_close(&gate); /* the end of the first life */
    assert_true(ns_reaches(from, &vips[0], PORT, at, 100));
    for (unsigned life = 0; life < 5; life++) {
        /* ... whose successor knows one address more */
        NS_OK(gate_open(&gate, "shop-1", vips, 3, &e));
        assert_true(ns_reaches(from, &vips[0], PORT, at, 100));
        for (unsigned i = 0; i < 2; i++) {
            struct span now = ends_of(&gate, &vips[i]);

            /* The same moment as in the first life, to a tick of the kernel's. */
            assert_true(now.least_ms <= ends[i].most_ms + 8);
            assert_true(now.most_ms >= ends[i].least_ms - 8);
        }
        NS_OK(gate_held_ms(&gate, &vips[2], &left_ms, &e));
        assert_int_equal(left_ms, 0);
        gate_close(&gate);
    }
    close(at);
    at = ns_udp(&vips[2], PORT);
    assert_false(ns_reaches(from, &vips[2], PORT, at, 50));
    open_gate(&gate); /* and a later one knows it no more */
    assert_true(ns_reaches(from, &vips[2], PORT, at, 50));
    NS_OK(gate_remove(&gate, &e));
    configure(ns, &vips[0], false);
    configure(ns, &vips[2], false);
    close(at);
    close(from);
}

static void a_hold_that_comes_late_does_not_last_longer(void **state)
{
    struct gate gate;
    struct err e = {0};

    (void)state;
    open_gate(&gate);
    for (unsigned i = 0; i < 2; i++) {
        struct ip vip = ns_ip(vip_text[i]);
        int64_t until_ms = clock_boot_ms() + 500, left_ms = -1;
        struct span ends;

        freeze_ms = 300; /* late, but the lease goes on: told again, and right */
        NS_OK(gate_hold(&gate, &vip, 1, until_ms, &e));
        assert_int_equal(freeze_ms, 0);
        ends = ends_of(&gate, &vip);
        assert_true(ends.least_ms <= until_ms + 20);
        assert_true(ends.most_ms >= until_ms - 60); /* nor is more lost than the host is slow */
        until_ms = clock_boot_ms() + 50;
        freeze_ms = 200; /* over when the kernel hears of it: taken back */
        assert_int_equal(gate_hold(&gate, &vip, 1, until_ms, &e), -ETIME);
        NS_OK(gate_held_ms(&gate, &vip, &left_ms, &e));
        assert_int_equal(left_ms, 0);
    }
    NS_OK(gate_remove(&gate, &e));
}

/* However often the kernel is told late: while the lease runs what is held stays held. */
static void a_slow_host_does_not_close_the_gate_under_a_running_lease(void **state)
{
    /* Two looks per try, before and after telling: late by more than the last time, six times. */
    static const int busy[] = {20, 0, 40, 0, 60, 0, 80, 0, 100, 0, 120, 0, -1};
    struct ip vip = ns_ip(NS_VIP4);
    int64_t until_ms, left_ms = 0;
    struct gate gate;
    struct err e = {0};

    (void)state;
    open_gate(&gate);
    until_ms = clock_boot_ms() + 3000;
    NS_OK(gate_hold(&gate, &vip, 1, until_ms, &e));
    freezes = busy;
    NS_OK(gate_hold(&gate, &vip, 1, until_ms, &e));
    assert_null(freezes);
    assert_true(ends_of(&gate, &vip).least_ms <= until_ms + 20);

    until_ms = clock_boot_ms() + 150;
    freezes = busy; /* until it is over */
    assert_int_equal(gate_hold(&gate, &vip, 1, until_ms, &e), -ETIME);
    freezes = NULL;
    NS_OK(gate_held_ms(&gate, &vip, &left_ms, &e));
    assert_int_equal(left_ms, 0);
    NS_OK(gate_remove(&gate, &e));
}

static void neighbours_are_answered_only_while_held(void **state)
{
    struct ns *ns = *state;
    struct gate gate;
    struct err e = {0};

    open_gate(&gate);
    for (unsigned i = 0; i < 2; i++) {
        struct ip vip = ns_ip(vip_text[i]);
        int at = ns_udp(&vip, PORT), from = client(ns, vip.family);

        configure(ns, &vip, true);
        ns_neigh_forget(ns, NS_B, &vip);
        assert_false(ns_reaches(from, &vip, PORT, at, 200)); /* asks who has it */
        assert_false(ns_neigh_is(ns, NS_B, &vip, ns->mac[NS_A]));
        NS_OK(gate_hold(&gate, &vip, 1, clock_boot_ms() + 5000, &e));
        assert_true(ns_reaches(from, &vip, PORT, at, 2500)); /* it asks again each second */
        assert_true(ns_neigh_is(ns, NS_B, &vip, ns->mac[NS_A]));
        configure(ns, &vip, false);
        close(at);
        close(from);
    }
    NS_OK(gate_remove(&gate, &e));
}

/* b holds the address: a, whose gate is shut, must go on learning b's hardware address, or its own
 * programs could not reach the writer. */
static void a_shut_gate_does_not_keep_us_from_the_holder(void **state)
{
    struct ns *ns = *state;
    struct gate gate;
    struct err e = {0};

    open_gate(&gate);
    for (unsigned i = 0; i < 2; i++) {
        struct ip vip = ns_ip(vip_text[i]), own = ns_ip(i ? NS_A6 : NS_A4);
        int here = ns_udp(&own, PORT), there;

        ns_in(ns, NS_B);
        there = ns_udp(&vip, PORT);
        ns_in(ns, NS_A);
        NS_OK(rtnl_add(&ns->rtnl[NS_B], ns->ifindex[NS_B], &vip, i ? 64 : 24, 60, false, &e));
        ns_settle();
        ns_neigh_forget(ns, NS_A, &vip);
        if (!ns_reaches(here, &vip, PORT, there, 500))
            fail_msg("%s: nothing arrived; its hardware address is %s", vip_text[i],
                     ns_neigh_is(ns, NS_A, &vip, ns->mac[NS_B]) ? "known" : "not known");
        assert_true(ns_neigh_is(ns, NS_A, &vip, ns->mac[NS_B]));
        assert_true(ns_reaches(there, &own, PORT, here, 500)); /* what comes in its name */
        NS_OK(rtnl_remove(&ns->rtnl[NS_B], &vip, &e));
        close(here);
        close(there);
    }
    NS_OK(gate_remove(&gate, &e));
}

static void tables_that_vanished_come_back_with_the_next_hold(void **state)
{
    struct ns *ns = *state;
    struct ip vip = ns_ip(NS_VIP4);
    int at = ns_udp(&vip, PORT), from = client(ns, AF_INET);
    struct gate gate, flusher;
    struct nft_ctx *nft;
    struct err e = {0};

    open_gate(&gate);
    configure(ns, &vip, true);
    ns_neigh_set(ns, NS_B, &vip, ns->mac[NS_A]);
    NS_OK(gate_hold(&gate, &vip, 1, clock_boot_ms() + 500, &e));
    open_gate(&flusher);
    NS_OK(gate_remove(&flusher, &e));
    NS_OK(gate_hold(&gate, &vip, 1, clock_boot_ms() + 300, &e));
    assert_int_equal(gate.reinstalled, 1);
    assert_true(ns_reaches(from, &vip, PORT, at, 100));
    usleep(350000);
    assert_false(ns_reaches(from, &vip, PORT, at, 50));

    /* One of the two tables gone must not leave the address held in the other. */
    NS_OK(gate_hold(&gate, &vip, 1, clock_boot_ms() + 5000, &e));
    nft = nft_ctx_new(NFT_CTX_DEFAULT);
    assert_int_equal(nft_run_cmd_from_buffer(nft, "delete table arp hamm_shop_1"), 0);
    nft_ctx_free(nft);
    assert_true(ns_reaches(from, &vip, PORT, at, 100));
    NS_OK(gate_drop(&gate, &vip, 1, &e));
    assert_false(ns_reaches(from, &vip, PORT, at, 50));
    configure(ns, &vip, false);
    close(at);
    close(from);
    NS_OK(gate_remove(&gate, &e));
}

static void names_that_are_no_cluster_are_refused(void **state)
{
    struct gate gate;
    struct err e = {0};

    (void)state;
    assert_int_equal(gate_open(&gate, "a; flush ruleset", NULL, 0, &e), -EINVAL);
    gate_close(&gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nf_tables_work_and_leave_nothing),
        cmocka_unit_test(names_that_are_no_cluster_are_refused),
        cmocka_unit_test(packets_pass_while_held_and_only_then),
        cmocka_unit_test(own_programs_pass_only_while_held),
        cmocka_unit_test(clients_hear_of_a_closed_gate),
        cmocka_unit_test(refreshing_leaves_no_gap),
        cmocka_unit_test(the_next_life_adopts_what_is_held),
        cmocka_unit_test(a_hold_that_comes_late_does_not_last_longer),
        cmocka_unit_test(a_slow_host_does_not_close_the_gate_under_a_running_lease),
        cmocka_unit_test(neighbours_are_answered_only_while_held),
        cmocka_unit_test(a_shut_gate_does_not_keep_us_from_the_holder),
        cmocka_unit_test(tables_that_vanished_come_back_with_the_next_hold),
    };
    struct err e = {0};
    int failed;

    if (ns_make(&ns_two) != 0)
        return 0;
    if (gate_probe(&e) < 0) {
        print_message("skipped: %s\n", e.msg);
        return 0;
    }
    failed = cmocka_run_group_tests(tests, ns_setup, NULL);
    ns_free(&ns_two);
    return failed;
}
