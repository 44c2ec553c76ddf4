/* SPDX-License-Identifier: GPL-2.0-or-later
 * Role addresses on this host's interfaces: shown with a finite lifetime, announced, hidden,
 * watched. Nothing is decided here: an address removed by other hands or claimed by another host
 * is reported, and the caller, who knows the lease, does what must be done. The gate is the
 * caller's too: he holds it before vip_show and drops it before vip_hide. */
#pragma once

#include "base/err.h"
#include "loop/closer.h"
#include "net/packet.h"
#include "net/rtnl.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct vip;
struct vips;
struct vip_link;

struct vips_events {
    /* A shown address is not configured any more (by hand, or its lifetime ended). It stays
     * "shown" for vip_show, vip_refresh and vip_hide. */
    void (*on_removed)(void *owner, struct vip *v);
    /* Another hardware address said by ARP or ND that it has our shown address. */
    void (*on_foreign)(void *owner, struct vip *v, const uint8_t mac[ARP_MAC_LEN]);
    /* An interface that carries role addresses went up or down; NULL if not wanted. */
    void (*on_link)(void *owner, unsigned ifindex, bool up);
};

/* All role addresses of this host (of one cluster). */
struct vips {
    uv_loop_t *loop;
    bool gated; /* the kernel's gate keeps the lease: addresses may outlive it by a little */
    const struct vips_events *events;
    void *owner;
    struct rtnl rtnl;
    struct rtnl_watch watch;
    struct vip *first;
    struct vip_link *links;
    struct closer closer;
    void (*done)(struct vips *s);
};

/* answered: somebody with this hardware address has the address. */
typedef void (*vip_probe_fn)(void *owner, struct vip *v, bool answered,
                             const uint8_t mac[ARP_MAC_LEN]);

enum vip_state { VIP_HIDDEN, VIP_PROBING, VIP_SHOWN, VIP_STATE_N };

struct vip {
    struct ip ip;
    unsigned prefix;
    char interface[RTNL_NAME_MAX]; /* "": the one with an address in the same subnet */
    void *owner;                   /* the caller's, untouched */

    enum vip_state state; /* to read, not to write; all below too */
    struct vips *set;
    struct vip *next;
    struct vip_link *link; /* while probing or shown, on Ethernet */
    unsigned ifindex;
    bool on_link;     /* see rtnl_add */
    int64_t until_ms; /* nothing is announced after this moment */
    unsigned said;    /* announcements, or probes, sent so far in this round */
    int64_t since_ms; /* start of the round */
    int64_t probe_until_ms;
    vip_probe_fn probed;
    struct err announce_err; /* code 0, or why the last announcement was not sent */
    uv_timer_t timer;
};

int vips_start(struct vips *s, uv_loop_t *loop, bool gated, const struct vips_events *events,
               void *owner, struct err *e) MUST_CHECK;
/* Stops everything; addresses stay as they are. After done the memory (of the vips too) may go. */
void vips_stop(struct vips *s, void (*done)(struct vips *s));

/* Puts a role address under the set's care, hidden. interface: NULL, "" or "auto" finds it anew at
 * each showing. The memory must last until vips_stop is done. */
void vip_add(struct vips *s, struct vip *v, const struct ip *ip, unsigned prefix,
             const char *interface, void *owner);

/* Configures the address until the moment until_ms (CLOCK_BOOTTIME) and announces it at 0, 50, 200,
 * 500 ms, 1, 2, 5 s, then every 30 s. With the gate its lifetime is whole seconds rounded up and
 * one more; without, rounded down, and less than a second is -ETIME. Shown already: the same again,
 * announcements included. An IPv6 address receives packets some 0.1 ms after the return, when the
 * kernel has its route. A probe under way is given up without its callback. -ENODEV: no interface
 * for it. -ETIME: the lease is over, or was by the time the kernel heard of it: hide it. */
int vip_show(struct vip *v, int64_t until_ms, struct err *e) MUST_CHECK;
/* A new lifetime for a shown address. */
int vip_refresh(struct vip *v, int64_t until_ms, struct err *e) MUST_CHECK;
/* Removes the address, wherever it is configured, and checks that it is gone. On failure the
 * announcements have ended all the same. Hidden already: looks and removes all the same. */
int vip_hide(struct vip *v, struct err *e) MUST_CHECK;
/* 1 if the address is configured on this host, 0 if not, else negative. */
int vip_present(struct vip *v, struct err *e) MUST_CHECK;

/* Asks the segment, three times within `ms`, whether anybody has the hidden address, without
 * touching anybody's cache. `done` comes once, later: at the first answer or after ms. */
int vip_probe(struct vip *v, int64_t ms, vip_probe_fn done, struct err *e) MUST_CHECK;
