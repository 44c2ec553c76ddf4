/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/rtnl.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RTNL_SAME_MAX   16 /* interfaces that may carry one address, or addresses in one subnet */
#define WATCH_BURST_MAX 64 /* messages read before the loop gets its turn */

int rtnl_open(struct rtnl *r, struct err *e)
{
    return nl_open(&r->nl, NETLINK_ROUTE, e);
}

void rtnl_close(struct rtnl *r)
{
    nl_close(&r->nl);
}

static struct ifaddrmsg *begin_addr(struct nl_request *q, unsigned type, unsigned flags,
                                    unsigned ifindex, const struct ip *ip, unsigned prefix)
{
    struct ifaddrmsg *a = nl_begin(q, type, flags, sizeof *a);

    a->ifa_family = (uint8_t)ip->family;
    a->ifa_prefixlen = (uint8_t)prefix;
    a->ifa_index = ifindex;
    nl_put(q, IFA_LOCAL, ip->at, ip_len(ip));
    nl_put(q, IFA_ADDRESS, ip->at, ip_len(ip));
    return a;
}

int rtnl_add(struct rtnl *r, unsigned ifindex, const struct ip *ip, unsigned prefix,
             uint32_t valid_s, bool on_link, struct err *e)
{
    struct ifa_cacheinfo life = {.ifa_prefered = valid_s, .ifa_valid = valid_s};
    uint32_t flags = IFA_F_NODAD | (on_link ? 0 : IFA_F_NOPREFIXROUTE);
    struct nl_request q;
    char text[IP_TEXT_MAX];

    CHECK(valid_s > 0);
    begin_addr(&q, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, ifindex, ip, prefix);
    if (ip->family == AF_INET6) {
        life.ifa_prefered = 0;
        nl_put(&q, IFA_FLAGS, &flags, sizeof flags);
    }
    nl_put(&q, IFA_CACHEINFO, &life, sizeof life);
    if (nl_ask(&r->nl, &q, NULL, NULL, e) < 0)
        return err_wrap(e, "add address %s/%u", ip_text(ip, text), prefix);
    return 0;
}

/* Reads RTM_NEWADDR and RTM_DELADDR. */
static bool parse_addr(const struct nlmsghdr *m, struct rtnl_addr *to)
{
    const struct ifaddrmsg *a = NLMSG_DATA(m);
    const void *ip, *life, *flags;
    size_t len;

    if (m->nlmsg_len < NLMSG_LENGTH(sizeof *a) ||
        (a->ifa_family != AF_INET && a->ifa_family != AF_INET6))
        return false;
    len = a->ifa_family == AF_INET ? 4 : 16;
    ip = nl_attr(m, sizeof *a, IFA_LOCAL, len);
    if (!ip) /* IPv6 without a peer has no IFA_LOCAL */
        ip = nl_attr(m, sizeof *a, IFA_ADDRESS, len);
    if (!ip)
        return false;
    *to = (struct rtnl_addr){.ip = ip_make(a->ifa_family, ip),
                             .prefix = a->ifa_prefixlen,
                             .ifindex = a->ifa_index,
                             .valid_s = RTNL_FOREVER,
                             .flags = a->ifa_flags};
    life = nl_attr(m, sizeof *a, IFA_CACHEINFO, sizeof(struct ifa_cacheinfo));
    if (life)
        memcpy(&to->valid_s, (const char *)life + offsetof(struct ifa_cacheinfo, ifa_valid), 4);
    flags = nl_attr(m, sizeof *a, IFA_FLAGS, sizeof to->flags);
    if (flags)
        memcpy(&to->flags, flags, sizeof to->flags);
    return true;
}

struct listing {
    rtnl_addr_fn each;
    void *ctx;
};

static void list_on_answer(void *ctx, const struct nlmsghdr *m)
{
    struct listing *l = ctx;
    struct rtnl_addr a;

    if (m->nlmsg_type == RTM_NEWADDR && parse_addr(m, &a))
        l->each(l->ctx, &a);
}

static int list_family(struct rtnl *r, int family, rtnl_addr_fn each, void *ctx, struct err *e)
{
    struct listing l = {each, ctx};
    struct nl_request q;
    struct ifaddrmsg *a = nl_begin(&q, RTM_GETADDR, NLM_F_DUMP, sizeof *a);

    a->ifa_family = (uint8_t)family;
    if (nl_ask(&r->nl, &q, list_on_answer, &l, e) < 0)
        return err_wrap(e, "list addresses");
    return 0;
}

int rtnl_list(struct rtnl *r, rtnl_addr_fn each, void *ctx, struct err *e)
{
    return list_family(r, AF_UNSPEC, each, ctx, e);
}

/* Addresses that have something in common with a wanted one. */
struct matches {
    const struct ip *ip;
    unsigned prefix; /* of the subnet to share; with all bits: the address itself */
    bool others;     /* only addresses other than ip */
    struct rtnl_addr at[RTNL_SAME_MAX];
    size_t n;
};

static void match_on_addr(void *ctx, const struct rtnl_addr *a)
{
    struct matches *m = ctx;

    if (m->n < RTNL_SAME_MAX && ip_same_net(&a->ip, m->ip, m->prefix) &&
        !(m->others && ip_same(&a->ip, m->ip)))
        m->at[m->n++] = *a;
}

static int matches_of(struct rtnl *r, struct matches *m, struct err *e)
{
    return list_family(r, m->ip->family, match_on_addr, m, e);
}

int rtnl_find(struct rtnl *r, const struct ip *ip, struct rtnl_addr *found, struct err *e)
{
    struct matches m = {.ip = ip, .prefix = ip_len(ip) * 8};

    if (matches_of(r, &m, e) < 0)
        return e->code;
    if (m.n > 0 && found)
        *found = m.at[0];
    return m.n > 0;
}

int rtnl_remove(struct rtnl *r, const struct ip *ip, struct err *e)
{
    struct matches m = {.ip = ip, .prefix = ip_len(ip) * 8};
    struct nl_request q;
    char text[IP_TEXT_MAX];
    int still;

    if (matches_of(r, &m, e) < 0)
        return e->code;
    for (size_t i = 0; i < m.n; i++) {
        begin_addr(&q, RTM_DELADDR, 0, m.at[i].ifindex, ip, m.at[i].prefix);
        if (nl_ask(&r->nl, &q, NULL, NULL, e) < 0 && e->code != -EADDRNOTAVAIL &&
            e->code != -ENODEV)
            return err_wrap(e, "remove address %s", ip_text(ip, text));
    }
    if (m.n == 0)
        return 0;
    still = rtnl_find(r, ip, &m.at[0], e);
    if (still > 0)
        return err_set(e, -EBUSY, "address %s was removed but is on interface %u again",
                       ip_text(ip, text), m.at[0].ifindex);
    return still;
}

/* Reads RTM_NEWLINK. */
static bool parse_link(const struct nlmsghdr *m, struct rtnl_link *to)
{
    const struct ifinfomsg *i = NLMSG_DATA(m);
    const char *name;
    const void *mac;

    if (m->nlmsg_len < NLMSG_LENGTH(sizeof *i))
        return false;
    *to = (struct rtnl_link){
        .ifindex = (unsigned)i->ifi_index,
        .loopback = i->ifi_flags & IFF_LOOPBACK,
        .up = (i->ifi_flags & (IFF_UP | IFF_RUNNING)) == (IFF_UP | IFF_RUNNING),
    };
    name = nl_attr(m, sizeof *i, IFLA_IFNAME, 1);
    if (name)
        snprintf(to->name, sizeof to->name, "%.*s", RTNL_NAME_MAX - 1, name);
    mac = nl_attr(m, sizeof *i, IFLA_ADDRESS, sizeof to->mac);
    if (mac && i->ifi_type == ARPHRD_ETHER && !(i->ifi_flags & IFF_NOARP)) {
        memcpy(to->mac, mac, sizeof to->mac);
        to->ethernet = true;
    }
    return true;
}

static void link_on_answer(void *ctx, const struct nlmsghdr *m)
{
    struct rtnl_link *to = ctx;

    if (m->nlmsg_type == RTM_NEWLINK)
        (void)parse_link(m, to); /* nothing found stays index 0 */
}

static int link_ask(struct rtnl *r, struct nl_request *q, struct rtnl_link *to, struct err *e)
{
    struct rtnl_link found = {0};

    if (nl_ask(&r->nl, q, link_on_answer, &found, e) < 0)
        return e->code;
    if (found.ifindex == 0)
        return err_set(e, -ENODEV, "No such device");
    *to = found;
    return 0;
}

int rtnl_link_get(struct rtnl *r, unsigned ifindex, struct rtnl_link *to, struct err *e)
{
    struct nl_request q;
    struct ifinfomsg *i = nl_begin(&q, RTM_GETLINK, 0, sizeof *i);

    i->ifi_index = (int)ifindex;
    return link_ask(r, &q, to, e) < 0 ? err_wrap(e, "interface %u", ifindex) : 0;
}

int rtnl_link_named(struct rtnl *r, const char *name, struct rtnl_link *to, struct err *e)
{
    struct nl_request q;
    size_t len = strlen(name);

    if (len == 0 || len >= RTNL_NAME_MAX)
        return err_set(e, -EINVAL, "'%s' is no interface name", name);
    nl_begin(&q, RTM_GETLINK, 0, sizeof(struct ifinfomsg));
    nl_put(&q, IFLA_IFNAME, name, len + 1);
    return link_ask(r, &q, to, e) < 0 ? err_wrap(e, "interface %s", name) : 0;
}

int rtnl_interface_of(struct rtnl *r, const struct ip *ip, unsigned prefix, unsigned only,
                      unsigned *ifindex, struct err *e)
{
    struct matches m = {.ip = ip, .prefix = prefix, .others = true};
    unsigned best = 0;
    char text[IP_TEXT_MAX];

    if (matches_of(r, &m, e) < 0)
        return e->code;
    for (size_t i = 0; i < m.n; i++) {
        unsigned index = m.at[i].ifindex;
        struct rtnl_link link;

        if ((only != 0 && index != only) || (best != 0 && index >= best))
            continue;
        if (rtnl_link_get(r, index, &link, e) == 0 && !link.loopback)
            best = index;
    }
    if (best == 0)
        return err_set(e, -ENODEV, "no interface has an address in the subnet of %s/%u",
                       ip_text(ip, text), prefix);
    *ifindex = best;
    return 0;
}

/* --- the watch --- */

static void watch_say(struct rtnl_watch *w, const struct nlmsghdr *m)
{
    struct rtnl_change c = {0};
    struct rtnl_link link;

    switch (m->nlmsg_type) {
    case RTM_NEWADDR:
    case RTM_DELADDR:
        if (!parse_addr(m, &c.addr))
            return;
        c.kind = m->nlmsg_type == RTM_NEWADDR ? RTNL_ADDR_ADDED : RTNL_ADDR_REMOVED;
        break;
    case RTM_NEWLINK:
    case RTM_DELLINK: {
        const struct ifinfomsg *i = NLMSG_DATA(m);

        /* Bridges say NEWLINK and DELLINK about their ports in a family of their own. */
        if (!parse_link(m, &link) || i->ifi_family != AF_UNSPEC)
            return;
        c.addr.ifindex = link.ifindex;
        c.kind = m->nlmsg_type == RTM_DELLINK ? RTNL_LINK_GONE
                 : link.up                    ? RTNL_LINK_UP
                                              : RTNL_LINK_DOWN;
        break;
    }
    default:
        return;
    }
    w->on_change(w->owner, &c);
}

static void watch_read(struct rtnl_watch *w)
{
    _Alignas(struct nlmsghdr) char room[16384];
    ssize_t got;

    /* Bounded, so that a storm of changes cannot hold the loop: the rest wakes us again. */
    for (unsigned i = 0; i < WATCH_BURST_MAX && w->fd >= 0; i++) {
        got = recv(w->fd, room, sizeof room, MSG_DONTWAIT | MSG_TRUNC);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return;
        if (got < 0 || (size_t)got > sizeof room) {
            w->on_change(w->owner, &(struct rtnl_change){.kind = RTNL_LOST});
            continue;
        }
        for (struct nlmsghdr *m = (struct nlmsghdr *)room;
             w->fd >= 0 && NLMSG_OK(m, (size_t)got);) {
            watch_say(w, m);
            got -= (ssize_t)NLMSG_ALIGN(m->nlmsg_len);
            m = (struct nlmsghdr *)((char *)m + NLMSG_ALIGN(m->nlmsg_len));
        }
    }
}

static void watch_on_poll(uv_poll_t *p, int status, int events)
{
    struct rtnl_watch *w = p->data;

    (void)events;
    /* An overrun shows as an error on the socket, and libuv has stopped polling then. */
    if (status < 0)
        CHECK(uv_poll_start(p, UV_READABLE, watch_on_poll) == 0);
    watch_read(w);
}

int rtnl_watch_start(struct rtnl_watch *w, uv_loop_t *loop,
                     void (*on_change)(void *owner, const struct rtnl_change *c), void *owner,
                     struct err *e)
{
    const struct sockaddr_nl groups = {
        .nl_family = AF_NETLINK,
        .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
    };
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    int rc;

    if (fd < 0)
        return err_set(e, -errno, "netlink socket: %s", strerror(errno));
    if (bind(fd, (const struct sockaddr *)&groups, sizeof groups) < 0) {
        err_set(e, -errno, "watch addresses and interfaces: %s", strerror(errno));
        close(fd);
        return e->code;
    }
    *w = (struct rtnl_watch){.fd = fd, .on_change = on_change, .owner = owner};
    rc = uv_poll_init(loop, &w->poll, fd);
    if (rc < 0) {
        close(fd);
        return err_set(e, rc, "watch addresses and interfaces: %s", uv_strerror(rc));
    }
    w->poll.data = w;
    CHECK(uv_poll_start(&w->poll, UV_READABLE, watch_on_poll) == 0);
    return 0;
}

static void watch_on_close(uv_handle_t *h)
{
    struct rtnl_watch *w = h->data;

    if (w->done)
        w->done(w);
}

void rtnl_watch_stop(struct rtnl_watch *w, void (*done)(struct rtnl_watch *w))
{
    w->done = done;
    uv_poll_stop(&w->poll);
    close(w->fd);
    w->fd = -1;
    uv_close((uv_handle_t *)&w->poll, watch_on_close);
}
