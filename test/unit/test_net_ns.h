/* SPDX-License-Identifier: GPL-2.0-or-later
 * Two hosts on one wire inside one test process: network namespaces "a" and "b" joined by a veth
 * pair, both without a name, so nothing stays behind whatever becomes of the test. A socket
 * belongs to the namespace it was opened in: ns_in() says where the next ones are opened. */
#pragma once

#include "base/clock.h"
#include "net/arp.h"
#include "net/rtnl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define NS_A4   "10.99.0.1"
#define NS_B4   "10.99.0.2"
#define NS_A6   "fd99::1"
#define NS_B6   "fd99::2"
#define NS_VIP4 "10.99.0.100"
#define NS_VIP6 "fd99::100"

enum ns_host { NS_A, NS_B, NS_N };

struct ns {
    int fd[NS_N];
    struct rtnl rtnl[NS_N];
    unsigned ifindex[NS_N];
    uint8_t mac[NS_N][ARP_MAC_LEN];
};

/* For calls that fill a `struct err e` of the caller's. */
#define NS_OK(call)                                                                                \
    do {                                                                                           \
        if ((call) < 0)                                                                            \
            fail_msg("%s: %s", #call, e.msg);                                                      \
    } while (0)

static inline struct ip ns_ip(const char *text)
{
    struct ip ip;

    assert_int_equal(ip_parse(&ip, text), 0);
    return ip;
}

static inline void ns_in(struct ns *n, enum ns_host host)
{
    assert_int_equal(setns(n->fd[host], CLONE_NEWNET), 0);
}

static inline struct nlattr *ns_nest(struct nl_request *r, unsigned type)
{
    size_t at = NLMSG_ALIGN(r->head.nlmsg_len);

    nl_put(r, type, "", 0);
    return (struct nlattr *)(r->room + at);
}

static inline void ns_nest_end(struct nl_request *r, struct nlattr *nest)
{
    nest->nla_len = (uint16_t)(r->room + r->head.nlmsg_len - (char *)nest);
}

/* A veth pair: "wire" here and "wire" in the other namespace. 0 or a negative errno. */
static inline int ns_wire(struct rtnl *r, int other_fd, struct err *e)
{
    static const struct ifinfomsg peer = {0};
    struct nl_request q;
    struct nlattr *info, *data, *end;

    nl_begin(&q, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg));
    nl_put(&q, IFLA_IFNAME, "wire", 5);
    info = ns_nest(&q, IFLA_LINKINFO);
    nl_put(&q, IFLA_INFO_KIND, "veth", 5);
    data = ns_nest(&q, IFLA_INFO_DATA);
    end = ns_nest(&q, VETH_INFO_PEER);
    memcpy(q.room + NLMSG_ALIGN(q.head.nlmsg_len), &peer, sizeof peer);
    q.head.nlmsg_len = (uint32_t)(NLMSG_ALIGN(q.head.nlmsg_len) + sizeof peer);
    nl_put(&q, IFLA_IFNAME, "wire", 5);
    nl_put(&q, IFLA_NET_NS_FD, &other_fd, sizeof other_fd);
    ns_nest_end(&q, end);
    ns_nest_end(&q, data);
    ns_nest_end(&q, info);
    return nl_ask(&r->nl, &q, NULL, NULL, e);
}

static inline void ns_link_set(struct rtnl *r, unsigned ifindex, bool up)
{
    struct nl_request q;
    struct ifinfomsg *i = nl_begin(&q, RTM_NEWLINK, 0, sizeof *i);
    struct err e = {0};

    i->ifi_index = (int)ifindex;
    i->ifi_change = IFF_UP;
    i->ifi_flags = up ? IFF_UP : 0;
    NS_OK(nl_ask(&r->nl, &q, NULL, NULL, &e));
}

/* What host b or a has in its neighbour cache; false: nothing with a hardware address. */
struct ns_neigh {
    struct ip ip;
    unsigned ifindex; /* the host's own addresses have entries on its loopback */
    uint8_t mac[ARP_MAC_LEN];
    bool found;
};

static inline void ns_neigh_on_answer(void *ctx, const struct nlmsghdr *m)
{
    struct ns_neigh *n = ctx;
    const void *dst = nl_attr(m, sizeof(struct ndmsg), NDA_DST, ip_len(&n->ip));
    const void *mac = nl_attr(m, sizeof(struct ndmsg), NDA_LLADDR, ARP_MAC_LEN);
    const struct ndmsg *d = NLMSG_DATA(m);

    if (m->nlmsg_type != RTM_NEWNEIGH || (unsigned)d->ndm_ifindex != n->ifindex || !dst || !mac ||
        memcmp(dst, n->ip.at, ip_len(&n->ip)) != 0)
        return;
    memcpy(n->mac, mac, ARP_MAC_LEN);
    n->found = true;
}

static inline bool ns_neigh_is(struct ns *ns, enum ns_host host, const struct ip *ip,
                               const uint8_t *mac)
{
    struct ns_neigh n = {.ip = *ip, .ifindex = ns->ifindex[host]};
    struct nl_request q;
    struct ndmsg *d = nl_begin(&q, RTM_GETNEIGH, NLM_F_DUMP, sizeof *d);
    struct err e = {0};

    d->ndm_family = (uint8_t)ip->family;
    NS_OK(nl_ask(&ns->rtnl[host].nl, &q, ns_neigh_on_answer, &n, &e));
    return n.found && memcmp(n.mac, mac, ARP_MAC_LEN) == 0;
}

static inline void ns_neigh_set(struct ns *ns, enum ns_host host, const struct ip *ip,
                                const uint8_t *mac)
{
    struct nl_request q;
    struct ndmsg *d = nl_begin(&q, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, sizeof *d);
    struct err e = {0};

    d->ndm_family = (uint8_t)ip->family;
    d->ndm_ifindex = (int)ns->ifindex[host];
    d->ndm_state = NUD_REACHABLE;
    nl_put(&q, NDA_DST, ip->at, ip_len(ip));
    nl_put(&q, NDA_LLADDR, mac, ARP_MAC_LEN);
    NS_OK(nl_ask(&ns->rtnl[host].nl, &q, NULL, NULL, &e));
}

static inline void ns_neigh_forget(struct ns *ns, enum ns_host host, const struct ip *ip)
{
    struct nl_request q;
    struct ndmsg *d = nl_begin(&q, RTM_DELNEIGH, 0, sizeof *d);
    struct err e = {0};

    d->ndm_family = (uint8_t)ip->family;
    d->ndm_ifindex = (int)ns->ifindex[host];
    nl_put(&q, NDA_DST, ip->at, ip_len(ip));
    if (nl_ask(&ns->rtnl[host].nl, &q, NULL, NULL, &e) < 0)
        assert_int_equal(e.code, -ENOENT);
}

/* The kernel says yes to an IPv6 address and finishes adding it (local route, multicast group) in a
 * work queue, 0.1 to 1 ms later; a packet that comes earlier is lost. */
static inline void ns_settle(void)
{
    usleep(20000);
}

static inline void ns_host(struct ns *n, enum ns_host host, const char *v4, const char *v6)
{
    struct ip a4 = ns_ip(v4), a6 = ns_ip(v6);
    struct rtnl_link link;
    struct err e = {0};

    ns_in(n, host);
    ns_link_set(&n->rtnl[host], 1, true);
    NS_OK(rtnl_link_named(&n->rtnl[host], "wire", &link, &e));
    n->ifindex[host] = link.ifindex;
    memcpy(n->mac[host], link.mac, sizeof link.mac);
    ns_link_set(&n->rtnl[host], link.ifindex, true);
    NS_OK(rtnl_add(&n->rtnl[host], link.ifindex, &a4, 24, RTNL_FOREVER, true, &e));
    NS_OK(rtnl_add(&n->rtnl[host], link.ifindex, &a6, 64, 1000, true, &e));
}

/* 0, or 1 with the reason printed if this process may not make namespaces. */
static inline int ns_make(struct ns *n)
{
    struct err e = {0};

    for (unsigned h = 0; h < NS_N; h++) {
        if (unshare(CLONE_NEWNET) < 0) {
            print_message("skipped: no network namespace for us: %s\n", strerror(errno));
            return 1;
        }
        n->fd[h] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        if (n->fd[h] < 0 || rtnl_open(&n->rtnl[h], &e) < 0) {
            print_message("skipped: %s %s\n", strerror(errno), e.msg);
            return 1;
        }
    }
    if (ns_wire(&n->rtnl[NS_B], n->fd[NS_A], &e) < 0) {
        print_message("skipped: no veth pair: %s\n", e.msg);
        return 1;
    }
    ns_host(n, NS_A, NS_A4, NS_A6);
    ns_host(n, NS_B, NS_B4, NS_B6);
    ns_in(n, NS_A);
    return 0;
}

/* The group's setup: every test's state is these two hosts. */
static struct ns ns_two;

static inline int ns_setup(void **state)
{
    *state = &ns_two;
    return 0;
}

static inline void ns_free(struct ns *n)
{
    for (unsigned h = 0; h < NS_N; h++) {
        rtnl_close(&n->rtnl[h]);
        close(n->fd[h]);
    }
}

/* UDP from b: is `to` reached? a must have ns_echo's socket. Waits at most ms. */
static inline int ns_udp(const struct ip *local, uint16_t port)
{
    struct sockaddr_storage sa;
    socklen_t len = ip_to_sockaddr(local, &sa);
    int on = 1, fd = socket(local->family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    assert_true(fd >= 0);
    ((struct sockaddr_in *)&sa)->sin_port = htons(port); /* at the same place for IPv6 */
    assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof on), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, len), 0);
    return fd;
}

/* Does a datagram from `from` to address `to` arrive at `at` within ms? */
static inline bool ns_reaches(int from, const struct ip *to, uint16_t port, int at, int ms)
{
    struct sockaddr_storage sa;
    socklen_t len = ip_to_sockaddr(to, &sa);
    struct pollfd p = {.fd = at, .events = POLLIN};
    char junk[8];

    while (recv(at, junk, sizeof junk, MSG_DONTWAIT) > 0)
        ;
    ((struct sockaddr_in *)&sa)->sin_port = htons(port);
    if (sendto(from, "x", 1, 0, (struct sockaddr *)&sa, len) < 0)
        return false;
    return poll(&p, 1, ms) == 1 && recv(at, junk, sizeof junk, MSG_DONTWAIT) == 1;
}

static inline int64_t ns_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}
