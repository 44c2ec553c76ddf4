/* SPDX-License-Identifier: GPL-2.0-or-later
 * Role addresses on a real wire: host a shows them, host b is the neighbour, or another holder. */
#include "net/gate.h"
#include "net/vip.h"
#include "test_net_ns.h"

#include <sys/syscall.h>
#include <time.h>

static const char *const vip_text[] = {NS_VIP4, NS_VIP6};
static const uint8_t wrong_mac[ARP_MAC_LEN] = {2, 0xba, 0xd, 0, 0, 1};

struct bench {
    struct ns *ns;
    uv_loop_t loop;
    struct vips vips;
    struct vip vip[2];
    struct packet b; /* host b's voice */
    unsigned removed, foreign, link_downs, link_ups, probes;
    bool answered, put_back;
    uint8_t mac[ARP_MAC_LEN];
    int64_t removed_us;
};

static void on_removed(void *owner, struct vip *v)
{
    struct bench *b = owner;
    struct err e = {0};

    b->removed++;
    b->removed_us = ns_us();
    if (b->put_back)
        NS_OK(vip_show(v, clock_boot_ms() + 5000, &e));
}

static void on_foreign(void *owner, struct vip *v, const uint8_t mac[ARP_MAC_LEN])
{
    struct bench *b = owner;

    (void)v;
    b->foreign++;
    memcpy(b->mac, mac, ARP_MAC_LEN);
}

static void on_link(void *owner, unsigned ifindex, bool up)
{
    struct bench *b = owner;

    assert_int_equal(ifindex, b->ns->ifindex[NS_A]);
    *(up ? &b->link_ups : &b->link_downs) += 1;
}

static void on_claim(void *owner, const struct ip *ip, const uint8_t mac[ARP_MAC_LEN])
{
    (void)owner, (void)ip, (void)mac;
}

static void bench_start(struct bench *b, struct ns *ns, bool gated)
{
    static const struct vips_events events = {on_removed, on_foreign, on_link};
    struct err e = {0};

    *b = (struct bench){.ns = ns};
    assert_int_equal(uv_loop_init(&b->loop), 0);
    NS_OK(vips_start(&b->vips, &b->loop, gated, &events, b, &e));
    for (unsigned i = 0; i < 2; i++) {
        struct ip ip = ns_ip(vip_text[i]);
        vip_add(&b->vips, &b->vip[i], &ip, i ? 64 : 24, i ? "wire" : "auto", NULL);
    }
    ns_in(ns, NS_B);
    NS_OK(packet_start(&b->b, &b->loop, ns->ifindex[NS_B], ns->mac[NS_B], on_claim, NULL, &e));
    ns_in(ns, NS_A);
}

static void bench_stop(struct bench *b)
{
    struct err e = {0};

    for (unsigned i = 0; i < 2; i++)
        NS_OK(vip_hide(&b->vip[i], &e));
    vips_stop(&b->vips, NULL);
    packet_stop(&b->b, NULL);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&b->loop), 0);
}

static void run_ms(struct bench *b, int64_t ms)
{
    int64_t end_ms = clock_boot_ms() + ms;

    do {
        uv_run(&b->loop, UV_RUN_NOWAIT);
        usleep(300);
    } while (clock_boot_ms() < end_ms);
}

static void until(struct bench *b, const unsigned *count, unsigned n, int64_t ms)
{
    int64_t end_ms = clock_boot_ms() + ms;

    while (*count < n && clock_boot_ms() < end_ms) {
        uv_run(&b->loop, UV_RUN_NOWAIT);
        usleep(100);
    }
}

/* Stands before the libc's: after the next look at the boot clock this process loses so much time,
 * as if it were stopped between reading the clock and telling the kernel. */
static int freeze_after, freeze_ms;

int clock_gettime(clockid_t id, struct timespec *to)
{
    long rc = syscall(SYS_clock_gettime, id, to);
    int ms = freeze_ms;

    if (id == CLOCK_BOOTTIME && ms > 0 && freeze_after-- == 0) {
        freeze_ms = 0;
        usleep((unsigned)ms * 1000);
    }
    return (int)rc;
}

static void shown_refreshed_hidden(void **state)
{
    struct bench b;
    struct rtnl_addr found;
    struct err e = {0};
    int64_t us;

    bench_start(&b, *state, true);
    for (unsigned i = 0; i < 2; i++) {
        struct vip *v = &b.vip[i];

        us = ns_us();
        NS_OK(vip_show(v, clock_boot_ms() + 2500, &e));
        print_message("vip_show %lld us", (long long)(ns_us() - us));
        us = ns_us();
        NS_OK(vip_refresh(v, clock_boot_ms() + 2500, &e));
        print_message(", vip_refresh %lld us\n", (long long)(ns_us() - us));
        assert_int_equal(rtnl_find(&b.ns->rtnl[NS_A], &v->ip, &found, &e), 1);
        assert_int_equal(found.valid_s, 4); /* up, and one more: the gate is what ends it */
        assert_int_equal(found.ifindex, b.ns->ifindex[NS_A]);
        assert_int_equal(vip_present(v, &e), 1);
        us = ns_us();
        NS_OK(vip_hide(v, &e));
        print_message("vip_hide %lld us\n", (long long)(ns_us() - us));
        assert_int_equal(vip_present(v, &e), 0);
        NS_OK(vip_hide(v, &e));
    }
    run_ms(&b, 20);
    assert_int_equal(b.removed, 0); /* what we do ourselves is no news */
    bench_stop(&b);
}

static void without_the_gate_lifetimes_are_rounded_down(void **state)
{
    struct bench b;
    struct rtnl_addr found;
    struct err e = {0};

    bench_start(&b, *state, false);
    assert_int_equal(vip_show(&b.vip[0], clock_boot_ms() + 999, &e), -ETIME);
    assert_int_equal(vip_present(&b.vip[0], &e), 0);
    for (unsigned i = 0; i < 2; i++) {
        NS_OK(vip_show(&b.vip[i], clock_boot_ms() + 2999, &e));
        assert_int_equal(rtnl_find(&b.ns->rtnl[NS_A], &b.vip[i].ip, &found, &e), 1);
        assert_in_range(found.valid_s, 1, 2);
        NS_OK(vip_refresh(&b.vip[i], clock_boot_ms() + 1900, &e));
        NS_OK(vip_refresh(&b.vip[i], clock_boot_ms() + 900, &e)); /* changes nothing */
    }
    /* nobody refreshes: they end, and that is heard */
    until(&b, &b.removed, 2, 3500);
    assert_int_equal(b.removed, 2);
    bench_stop(&b);
}

/* The process may be killed right afterwards: what the kernel was told then is what counts. */
static void a_lifetime_told_late_does_not_last_longer(void **state)
{
    struct bench b;
    struct rtnl_addr found;
    struct err e = {0};

    bench_start(&b, *state, false);
    for (unsigned i = 0; i < 2; i++) {
        struct vip *v = &b.vip[i];
        int64_t until_ms = clock_boot_ms() + 3500;

        NS_OK(vip_show(v, until_ms, &e));
        freeze_after = 1; /* the second look, right before the kernel is told */
        freeze_ms = 1700;
        NS_OK(vip_refresh(v, until_ms, &e));
        assert_int_equal(freeze_ms, 0);
        assert_int_equal(rtnl_find(&b.ns->rtnl[NS_A], &v->ip, &found, &e), 1);
        assert_true(clock_boot_ms() + found.valid_s * 1000 <= until_ms + 60);
        freeze_after = 1;
        freeze_ms = 1500;
        assert_int_equal(vip_refresh(v, clock_boot_ms() + 1400, &e), -ETIME);
        NS_OK(vip_hide(v, &e));
    }
    bench_stop(&b);
}

/* Host b's cache points elsewhere, as after a crash of the former holder. */
static void announcements_turn_the_neighbours_around(void **state)
{
    struct bench b;
    struct err e = {0};

    bench_start(&b, *state, true);
    for (unsigned i = 0; i < 2; i++) {
        struct vip *v = &b.vip[i];
        int64_t us;

        ns_neigh_set(b.ns, NS_B, &v->ip, wrong_mac);
        assert_true(ns_neigh_is(b.ns, NS_B, &v->ip, wrong_mac));
        us = ns_us();
        NS_OK(vip_show(v, clock_boot_ms() + 5000, &e));
        while (!ns_neigh_is(b.ns, NS_B, &v->ip, b.ns->mac[NS_A]) && ns_us() - us < 1000000)
            usleep(100);
        print_message("the neighbour knows %lld us after the start of vip_show\n",
                      (long long)(ns_us() - us));
        assert_true(ns_neigh_is(b.ns, NS_B, &v->ip, b.ns->mac[NS_A]));
        /* again at 50 ms */
        ns_neigh_set(b.ns, NS_B, &v->ip, wrong_mac);
        run_ms(&b, 80);
        assert_true(ns_neigh_is(b.ns, NS_B, &v->ip, b.ns->mac[NS_A]));
        /* and 200 ms, but not when the lease is over by then */
        NS_OK(vip_refresh(v, clock_boot_ms() + 1, &e));
        usleep(2000);
        ns_neigh_set(b.ns, NS_B, &v->ip, wrong_mac);
        run_ms(&b, 200);
        assert_true(ns_neigh_is(b.ns, NS_B, &v->ip, wrong_mac));
        NS_OK(vip_hide(v, &e));
        ns_neigh_forget(b.ns, NS_B, &v->ip);
    }
    bench_stop(&b);
}

/* Each ARP form for itself changes a cache; a fresh entry (Linux's locktime) too. */
static void both_arp_forms_update_a_fresh_entry(void **state)
{
    static const enum arp_form form[] = {ARP_GARP_REQUEST, ARP_GARP_REPLY};
    struct ip ip = ns_ip(NS_VIP4);
    struct packet a;
    struct bench b;
    struct err e = {0};

    bench_start(&b, *state, true);
    NS_OK(packet_start(&a, &b.loop, b.ns->ifindex[NS_A], b.ns->mac[NS_A], on_claim, NULL, &e));
    for (unsigned i = 0; i < ARRAY_LEN(form); i++) {
        uint8_t frame[ARP_FRAME_MAX];
        size_t len = arp_build(frame, form[i], b.ns->mac[NS_A], &ip, NULL, NULL);

        ns_neigh_set(b.ns, NS_B, &ip, wrong_mac);
        NS_OK(packet_send(&a, frame, len, &e));
        usleep(10000);
        assert_true(ns_neigh_is(b.ns, NS_B, &ip, b.ns->mac[NS_A]));
    }
    ns_neigh_forget(b.ns, NS_B, &ip);
    packet_stop(&a, NULL);
    bench_stop(&b);
}

static void removal_by_hand_is_seen(void **state)
{
    struct bench b;
    struct err e = {0};

    bench_start(&b, *state, true);
    b.put_back = true;
    for (unsigned i = 0; i < 2; i++) {
        int64_t us;

        NS_OK(vip_show(&b.vip[i], clock_boot_ms() + 5000, &e));
        run_ms(&b, 20);
        us = ns_us();
        NS_OK(rtnl_remove(&b.ns->rtnl[NS_A], &b.vip[i].ip, &e));
        until(&b, &b.removed, i + 1, 1000);
        print_message("removed by hand: known after %lld us\n", (long long)(b.removed_us - us));
        assert_int_equal(b.removed, i + 1);
        assert_int_equal(vip_present(&b.vip[i], &e), 1); /* the owner put it back */
    }
    run_ms(&b, 50);
    assert_int_equal(b.removed, 2);
    bench_stop(&b);
}

static void another_holder_is_seen(void **state)
{
    struct bench b;
    uint8_t frame[ARP_FRAME_MAX];
    struct ip other = ns_ip(NS_A4), v4 = ns_ip(NS_VIP4), v6 = ns_ip(NS_VIP6), b4 = ns_ip(NS_B4);
    unsigned seen = 0;
    struct err e = {0};

    bench_start(&b, *state, true);
    /* hidden: nobody cares */
    NS_OK(
        packet_send(&b.b, frame, arp_build(frame, ARP_GARP_REPLY, wrong_mac, &v4, NULL, NULL), &e));
    run_ms(&b, 30);
    NS_OK(vip_show(&b.vip[0], clock_boot_ms() + 5000, &e));
    NS_OK(vip_show(&b.vip[1], clock_boot_ms() + 5000, &e));
    run_ms(&b, 30);
    assert_int_equal(b.foreign, 0);
    for (enum arp_form form = 0; form < ARP_FORM_N; form++) {
        /* in ARP_REQUEST the claimed address is the asker's */
        size_t len = form == ARP_REQUEST
                         ? arp_build(frame, form, wrong_mac, &other, NULL, &v4)
                         : arp_build(frame, form, wrong_mac, &v4, b.ns->mac[NS_A], &other);

        seen += form != ARP_PROBE; /* who probes claims nothing */
        NS_OK(packet_send(&b.b, frame, len, &e));
        until(&b, &b.foreign, seen, 200);
        run_ms(&b, 10);
        assert_int_equal(b.foreign, seen);
        assert_memory_equal(b.mac, wrong_mac, ARP_MAC_LEN);
    }
    NS_OK(packet_send(&b.b, frame, arp_build_dad(frame, wrong_mac, &v6), &e));
    run_ms(&b, 30);
    assert_int_equal(b.foreign, seen);
    NS_OK(packet_send(&b.b, frame, arp_build_na(frame, wrong_mac, &v6), &e));
    until(&b, &b.foreign, seen + 1, 200);
    assert_int_equal(b.foreign, seen + 1);
    /* other addresses, and our own voice coming back, are nothing */
    NS_OK(
        packet_send(&b.b, frame, arp_build(frame, ARP_GARP_REPLY, wrong_mac, &b4, NULL, NULL), &e));
    NS_OK(packet_send(&b.b, frame,
                      arp_build(frame, ARP_GARP_REPLY, b.ns->mac[NS_A], &v4, NULL, NULL), &e));
    run_ms(&b, 30);
    assert_int_equal(b.foreign, seen + 1);
    bench_stop(&b);
}

static void on_probed(void *owner, struct vip *v, bool answered, const uint8_t mac[ARP_MAC_LEN])
{
    struct bench *b = owner;

    assert_int_equal(v->state, VIP_HIDDEN);
    b->probes++;
    b->answered = answered;
    memcpy(b->mac, mac, ARP_MAC_LEN);
}

static void a_probe_finds_who_still_answers(void **state)
{
    struct bench b;
    struct err e = {0};

    bench_start(&b, *state, true);
    for (unsigned i = 0; i < 2; i++) {
        struct vip *v = &b.vip[i];
        int64_t us = ns_us();

        b.probes = 0;
        NS_OK(vip_probe(v, 60, on_probed, &e));
        until(&b, &b.probes, 1, 1000);
        assert_int_equal(b.probes, 1);
        assert_false(b.answered);
        assert_in_range(ns_us() - us, 58000, 200000);

        NS_OK(rtnl_add(&b.ns->rtnl[NS_B], b.ns->ifindex[NS_B], &v->ip, i ? 64 : 24, 60, false, &e));
        ns_settle();
        us = ns_us();
        NS_OK(vip_probe(v, 1000, on_probed, &e));
        until(&b, &b.probes, 2, 2000);
        print_message("an answer to a probe after %lld us\n", (long long)(ns_us() - us));
        assert_int_equal(b.probes, 2);
        assert_true(b.answered);
        assert_memory_equal(b.mac, b.ns->mac[NS_B], ARP_MAC_LEN);
        /* nobody's cache was touched: b does not think that a has it */
        assert_false(ns_neigh_is(b.ns, NS_B, &v->ip, b.ns->mac[NS_A]));
        NS_OK(rtnl_remove(&b.ns->rtnl[NS_B], &v->ip, &e));

        NS_OK(vip_probe(v, 1000, on_probed, &e)); /* given up by showing */
        NS_OK(vip_show(v, clock_boot_ms() + 5000, &e));
        run_ms(&b, 50);
        assert_int_equal(b.probes, 2);
        NS_OK(vip_hide(v, &e));
    }
    bench_stop(&b);
}

/* A holder whose gate is shut does not answer, though its address is still configured. */
static void a_probe_does_not_hear_a_shut_gate(void **state)
{
    struct ip ips[] = {ns_ip(NS_VIP4), ns_ip(NS_VIP6)};
    struct bench b;
    struct gate gate;
    struct err e = {0};

    ns_in(*state, NS_B);
    if (gate_probe(&e) < 0) {
        print_message("skipped: %s\n", e.msg);
        ns_in(*state, NS_A);
        return;
    }
    NS_OK(gate_open(&gate, "shop", ips, 2, &e));
    ns_in(*state, NS_A);
    bench_start(&b, *state, true);
    for (unsigned i = 0; i < 2; i++) {
        NS_OK(
            rtnl_add(&b.ns->rtnl[NS_B], b.ns->ifindex[NS_B], &ips[i], i ? 64 : 24, 60, false, &e));
        ns_settle();
        for (unsigned held = 0; held < 2; held++) {
            if (held)
                NS_OK(gate_hold(&gate, &ips[i], 1, clock_boot_ms() + 2000, &e));
            b.probes = 0;
            NS_OK(vip_probe(&b.vip[i], 100, on_probed, &e));
            until(&b, &b.probes, 1, 1000);
            assert_int_equal(b.probes, 1);
            assert_int_equal(b.answered, held);
        }
        NS_OK(rtnl_remove(&b.ns->rtnl[NS_B], &ips[i], &e));
    }
    NS_OK(gate_remove(&gate, &e));
    bench_stop(&b);
}

/* ... but hears who has the address now: its own programs are clients too. */
static void a_shut_gate_lets_announcements_in(void **state)
{
    static const enum arp_form form[] = {ARP_GARP_REQUEST, ARP_GARP_REPLY, ARP_FORM_N};
    struct ip ips[] = {ns_ip(NS_VIP4), ns_ip(NS_VIP6)};
    struct packet a;
    struct bench b;
    struct gate gate;
    struct err e = {0};

    ns_in(*state, NS_B);
    if (gate_probe(&e) < 0) {
        print_message("skipped: %s\n", e.msg);
        ns_in(*state, NS_A);
        return;
    }
    NS_OK(gate_open(&gate, "shop", ips, 2, &e));
    ns_in(*state, NS_A);
    bench_start(&b, *state, true);
    NS_OK(packet_start(&a, &b.loop, b.ns->ifindex[NS_A], b.ns->mac[NS_A], on_claim, NULL, &e));
    for (unsigned i = 0; i < ARRAY_LEN(form); i++) {
        const struct ip *ip = &ips[form[i] == ARP_FORM_N];
        uint8_t frame[ARP_FRAME_MAX];
        size_t len = form[i] == ARP_FORM_N
                         ? arp_build_na(frame, b.ns->mac[NS_A], ip)
                         : arp_build(frame, form[i], b.ns->mac[NS_A], ip, NULL, NULL);

        ns_neigh_set(b.ns, NS_B, ip, wrong_mac);
        NS_OK(packet_send(&a, frame, len, &e));
        usleep(10000);
        assert_true(ns_neigh_is(b.ns, NS_B, ip, b.ns->mac[NS_A]));
        ns_neigh_forget(b.ns, NS_B, ip);
    }
    NS_OK(gate_remove(&gate, &e));
    packet_stop(&a, NULL);
    bench_stop(&b);
}

/* The kernel gathers changes of carriers and tells of them once a second (net/core/link_watch.c).
 */
enum { LINK_WATCH_MS = 2500 };

static void a_link_that_comes_back_is_announced_on(void **state)
{
    struct bench b;
    int64_t round_ms;
    struct err e = {0};

    bench_start(&b, *state, true);
    NS_OK(vip_show(&b.vip[0], clock_boot_ms() + 5000, &e));
    round_ms = b.vip[0].since_ms;
    run_ms(&b, 60);
    ns_link_set(&b.ns->rtnl[NS_B], b.ns->ifindex[NS_B], false);
    until(&b, &b.link_downs, 1, LINK_WATCH_MS);
    assert_int_equal(b.link_downs, 1);
    ns_link_set(&b.ns->rtnl[NS_B], b.ns->ifindex[NS_B], true);
    until(&b, &b.link_ups, 1, LINK_WATCH_MS);
    assert_int_equal(b.link_ups, 1);
    assert_true(b.vip[0].since_ms > round_ms); /* a new one */
    bench_stop(&b);
}

static void an_interface_that_is_gone_is_an_error(void **state)
{
    struct ip far = ns_ip("10.98.0.1");
    struct bench b;
    struct vip lost;
    struct err e = {0};

    bench_start(&b, *state, true);
    vip_add(&b.vips, &lost, &far, 24, "eth7", NULL);
    assert_int_equal(vip_show(&lost, clock_boot_ms() + 1000, &e), -ENODEV);
    assert_non_null(strstr(e.msg, "eth7"));
    lost.interface[0] = '\0';
    assert_int_equal(vip_show(&lost, clock_boot_ms() + 1000, &e), -ENODEV);
    assert_int_equal(vip_probe(&lost, 1000, on_probed, &e), -ENODEV);
    assert_int_equal(lost.state, VIP_HIDDEN);
    bench_stop(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shown_refreshed_hidden),
        cmocka_unit_test(without_the_gate_lifetimes_are_rounded_down),
        cmocka_unit_test(a_lifetime_told_late_does_not_last_longer),
        cmocka_unit_test(announcements_turn_the_neighbours_around),
        cmocka_unit_test(both_arp_forms_update_a_fresh_entry),
        cmocka_unit_test(removal_by_hand_is_seen),
        cmocka_unit_test(another_holder_is_seen),
        cmocka_unit_test(a_probe_finds_who_still_answers),
        cmocka_unit_test(a_probe_does_not_hear_a_shut_gate),
        cmocka_unit_test(a_shut_gate_lets_announcements_in),
        cmocka_unit_test(a_link_that_comes_back_is_announced_on),
        cmocka_unit_test(an_interface_that_is_gone_is_an_error),
    };
    int failed;

    if (ns_make(&ns_two) != 0)
        return 0;
    failed = cmocka_run_group_tests(tests, ns_setup, NULL);
    ns_free(&ns_two);
    return failed;
}
