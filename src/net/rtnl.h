/* SPDX-License-Identifier: GPL-2.0-or-later
 * Addresses and interfaces of this host over NETLINK_ROUTE. Requests are answered by this kernel
 * within tens of microseconds, so they are asked and awaited in one call (bounded by a socket
 * timeout of NL_BOUND_MS); what happens by other hands arrives at a watch on the loop. */
#pragma once

#include "base/err.h"
#include "net/ip.h"
#include "net/nl.h"

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define RTNL_FOREVER  UINT32_MAX
#define RTNL_NAME_MAX 16

struct rtnl {
    struct nl nl;
};

struct rtnl_addr {
    struct ip ip;
    unsigned prefix;
    unsigned ifindex;
    uint32_t valid_s; /* RTNL_FOREVER: no end */
    uint32_t flags;   /* IFA_F_* */
};

struct rtnl_link {
    unsigned ifindex;
    char name[RTNL_NAME_MAX];
    uint8_t mac[6];
    bool ethernet; /* has a 6-byte hardware address and speaks ARP/ND */
    bool loopback;
    bool up; /* administratively up and with carrier */
};

int rtnl_open(struct rtnl *r, struct err *e) MUST_CHECK;
void rtnl_close(struct rtnl *r); /* may be repeated */

/* Adds the address or gives it a new lifetime. IPv6: no DAD (usable at once) and preferred
 * lifetime 0, so that this host never picks it as the source of its own connections. valid_s >= 1.
 * on_link: IPv6 only, make a route for its subnet too. That route ends with the address, and a
 * route with a lifetime that the host has already (SLAAC) would be given the same end: say true
 * only if it has none. */
int rtnl_add(struct rtnl *r, unsigned ifindex, const struct ip *ip, unsigned prefix,
             uint32_t valid_s, bool on_link, struct err *e) MUST_CHECK;
/* Removes the address from whichever interfaces have it and looks that none has it any more.
 * Absent already is fine. */
int rtnl_remove(struct rtnl *r, const struct ip *ip, struct err *e) MUST_CHECK;
/* 1: configured here, *found (may be NULL) says where and until when; 0: no; else negative. */
int rtnl_find(struct rtnl *r, const struct ip *ip, struct rtnl_addr *found,
              struct err *e) MUST_CHECK;
/* Calls `each` (which asks nothing on the same socket) with every address of this host; should they
 * change meanwhile, with some twice. */
typedef void (*rtnl_addr_fn)(void *ctx, const struct rtnl_addr *a);
int rtnl_list(struct rtnl *r, rtnl_addr_fn each, void *ctx, struct err *e) MUST_CHECK;

/* The interface an address belongs on: the one with another address in the same subnet (loopback
 * left out; the lowest index if several). -ENODEV if there is none. With `only` other than 0 no
 * other interface than that is looked at. */
int rtnl_interface_of(struct rtnl *r, const struct ip *ip, unsigned prefix, unsigned only,
                      unsigned *ifindex, struct err *e) MUST_CHECK;
int rtnl_link_get(struct rtnl *r, unsigned ifindex, struct rtnl_link *to, struct err *e) MUST_CHECK;
int rtnl_link_named(struct rtnl *r, const char *name, struct rtnl_link *to,
                    struct err *e) MUST_CHECK;

enum rtnl_change_kind {
    RTNL_ADDR_ADDED, /* or its lifetime was changed */
    RTNL_ADDR_REMOVED,
    RTNL_LINK_UP,
    RTNL_LINK_DOWN,
    RTNL_LINK_GONE,
    RTNL_LOST, /* the kernel had more to say than we read: look at everything afresh */
    RTNL_CHANGE_N,
};

struct rtnl_change {
    enum rtnl_change_kind kind;
    struct rtnl_addr addr; /* ADDR_*: all of it; LINK_*: ifindex only */
};

struct rtnl_watch {
    uv_poll_t poll;
    int fd;
    void (*on_change)(void *owner, const struct rtnl_change *c);
    void *owner;
    void (*done)(struct rtnl_watch *w);
};

/* Tells what was changed by anybody, ourselves included. */
int rtnl_watch_start(struct rtnl_watch *w, uv_loop_t *loop,
                     void (*on_change)(void *owner, const struct rtnl_change *c), void *owner,
                     struct err *e) MUST_CHECK;
/* After done the memory may go. Not to be called if the start failed. */
void rtnl_watch_stop(struct rtnl_watch *w, void (*done)(struct rtnl_watch *w));
