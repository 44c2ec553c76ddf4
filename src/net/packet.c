/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PACKET_BURST_MAX 64  /* frames read before the loop gets its turn */
#define PACKET_READ_MAX  256 /* an ARP or NA is shorter; the rest of anything longer is cut off */

/* Offsets in an Ethernet frame, see arp.c. */
#define AT_ARP_SENDER    28
#define AT_IP6_NEXT      20
#define AT_ICMP6_TYPE    54
#define AT_ND_TARGET_END 74 /* its last four bytes */

#define FILTER_MAX (PACKET_ADDR_MAX * 2 + 8)

struct filter {
    struct sock_filter at[FILTER_MAX];
    unsigned short n;
};

static void emit(struct filter *f, unsigned code, unsigned yes, unsigned no, uint32_t k)
{
    CHECK(f->n < FILTER_MAX);
    f->at[f->n++] =
        (struct sock_filter){.code = (uint16_t)code, .jt = (uint8_t)yes, .jf = (uint8_t)no, .k = k};
}

static void emit_load(struct filter *f, unsigned size, uint32_t at)
{
    emit(f, BPF_LD | size | BPF_ABS, 0, 0, at);
}

static void emit_equal(struct filter *f, uint32_t value, unsigned yes, unsigned no)
{
    emit(f, BPF_JMP | BPF_JEQ | BPF_K, yes, no, value);
}

static void emit_return(struct filter *f, uint32_t bytes)
{
    emit(f, BPF_RET | BPF_K, 0, 0, bytes);
}

/* Passes frames whose word at `offset` is the end of one of the addresses: all of an IPv4 address,
 * and enough of an IPv6 one, as whoever is woken compares the whole. */
static void emit_addresses(struct filter *f, uint32_t offset, int family, const struct ip *at,
                           size_t n)
{
    emit_load(f, BPF_W, offset);
    for (size_t i = 0; i < n; i++) {
        uint32_t end;

        if (at[i].family != family)
            continue;
        memcpy(&end, at[i].at + ip_len(&at[i]) - 4, 4);
        emit_equal(f, ntohl(end), 0, 1);
        emit_return(f, PACKET_READ_MAX);
    }
    emit_return(f, 0);
}

/* ARP whose sender is one of the IPv4 addresses. */
static void filter_arp(struct filter *f, const struct ip *at, size_t n)
{
    emit_addresses(f, AT_ARP_SENDER, AF_INET, at, n);
}

/* Neighbour advertisements whose target is one of the IPv6 addresses. */
static void filter_nd(struct filter *f, const struct ip *at, size_t n)
{
    emit_load(f, BPF_B, AT_IP6_NEXT);
    emit_equal(f, IPPROTO_ICMPV6, 1, 0);
    emit_return(f, 0);
    emit_load(f, BPF_B, AT_ICMP6_TYPE);
    emit_equal(f, 136, 1, 0);
    emit_return(f, 0);
    emit_addresses(f, AT_ND_TARGET_END, AF_INET6, at, n);
}

static int tap_filter(struct packet_tap *t, bool arp, const struct ip *at, size_t n, struct err *e)
{
    struct filter f = {.n = 0};
    struct sock_fprog program = {.filter = f.at};

    if (arp)
        filter_arp(&f, at, n);
    else
        filter_nd(&f, at, n);
    program.len = f.n;
    if (setsockopt(t->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0)
        return err_set(e, -errno, "packet filter: %s", strerror(errno));
    return 0;
}

int packet_listen_for(struct packet *p, const struct ip *at, size_t n, struct err *e)
{
    if (n > PACKET_ADDR_MAX)
        return err_set(e, -E2BIG, "packet filter: %zu addresses on one interface, at most %d", n,
                       PACKET_ADDR_MAX);
    if (tap_filter(&p->arp, true, at, n, e) < 0 || tap_filter(&p->nd, false, at, n, e) < 0)
        return e->code;
    return 0;
}

static void packet_hear(struct packet *p, const uint8_t *frame, size_t len)
{
    struct arp_seen seen;

    if (arp_parse(&seen, frame, len) < 0 || memcmp(seen.mac, p->mac, ARP_MAC_LEN) == 0)
        return;
    switch (seen.kind) {
    case ARP_IS_REQUEST:
    case ARP_IS_REPLY:
        p->on_claim(p->owner, &seen.sender, seen.mac);
        break;
    case ARP_IS_NA:
        p->on_claim(p->owner, &seen.target, seen.mac);
        break;
    case ARP_IS_NS:
    case ARP_KIND_N:
        break;
    }
}

static void packet_on_poll(uv_poll_t *poll, int status, int events)
{
    struct packet *p = poll->data;
    struct packet_tap *t = poll == &p->arp.poll ? &p->arp : &p->nd;
    uint8_t frame[PACKET_READ_MAX];

    (void)events;
    /* ENETDOWN when the interface goes down: libuv has stopped polling, reading takes the error. */
    if (status < 0)
        CHECK(uv_poll_start(poll, UV_READABLE, packet_on_poll) == 0);
    for (unsigned i = 0; i < PACKET_BURST_MAX && t->fd >= 0; i++) {
        struct sockaddr_ll from = {0};
        socklen_t from_len = sizeof from;
        ssize_t got =
            recvfrom(t->fd, frame, sizeof frame, MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);

        if (got < 0 && errno == EAGAIN)
            return;
        if (got > 0 && from.sll_pkttype != PACKET_OUTGOING)
            packet_hear(p, frame, (size_t)got);
    }
}

static int tap_open(struct packet_tap *t, unsigned ifindex, unsigned protocol, struct err *e)
{
    const struct sockaddr_ll where = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons((uint16_t)protocol),
        .sll_ifindex = (int)ifindex,
    };

    /* Protocol 0 hears nothing: the filter is in place before the first frame. */
    t->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (t->fd < 0)
        return err_set(e, -errno, "packet socket: %s", strerror(errno));
    if (tap_filter(t, protocol == ETH_P_ARP, NULL, 0, e) == 0 &&
        bind(t->fd, (const struct sockaddr *)&where, sizeof where) < 0)
        err_set(e, -errno, "packet socket on interface %u: %s", ifindex, strerror(errno));
    if (e->code == 0)
        return 0;
    close(t->fd);
    t->fd = -1;
    return e->code;
}

static void tap_start(struct packet *p, struct packet_tap *t, uv_loop_t *loop)
{
    CHECK(uv_poll_init(loop, &t->poll, t->fd) == 0);
    t->poll.data = p;
    CHECK(uv_poll_start(&t->poll, UV_READABLE, packet_on_poll) == 0);
    closer_add(&p->closer);
}

int packet_start(struct packet *p, uv_loop_t *loop, unsigned ifindex,
                 const uint8_t mac[ARP_MAC_LEN],
                 void (*on_claim)(void *owner, const struct ip *ip, const uint8_t mac[ARP_MAC_LEN]),
                 void *owner, struct err *e)
{
    struct err trouble = {0};

    *p = (struct packet){.ifindex = ifindex, .on_claim = on_claim, .owner = owner};
    memcpy(p->mac, mac, ARP_MAC_LEN);
    if (tap_open(&p->arp, ifindex, ETH_P_ARP, &trouble) < 0) {
        *e = trouble;
        return e->code;
    }
    if (tap_open(&p->nd, ifindex, ETH_P_IPV6, &trouble) < 0) {
        close(p->arp.fd);
        *e = trouble;
        return e->code;
    }
    tap_start(p, &p->arp, loop);
    tap_start(p, &p->nd, loop);
    return 0;
}

int packet_send(struct packet *p, const uint8_t *frame, size_t len, struct err *e)
{
    struct sockaddr_ll to = {
        .sll_family = AF_PACKET,
        .sll_ifindex = (int)p->ifindex,
        .sll_halen = ARP_MAC_LEN,
    };

    memcpy(&to.sll_protocol, frame + 12, 2);
    memcpy(to.sll_addr, frame, ARP_MAC_LEN);
    if (sendto(p->arp.fd, frame, len, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof to) < 0)
        return err_set(e, -errno, "send on interface %u: %s", p->ifindex, strerror(errno));
    return 0;
}

static void packet_on_closed(struct closer *c)
{
    struct packet *p = c->owner;

    if (p->done)
        p->done(p);
}

static void tap_stop(struct packet *p, struct packet_tap *t)
{
    uv_poll_stop(&t->poll);
    close(t->fd);
    t->fd = -1;
    closer_handle(&p->closer, (uv_handle_t *)&t->poll);
}

void packet_stop(struct packet *p, void (*done)(struct packet *p))
{
    p->done = done;
    p->closer.owner = p;
    tap_stop(p, &p->arp);
    tap_stop(p, &p->nd);
    closer_end(&p->closer, packet_on_closed);
}
