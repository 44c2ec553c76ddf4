/* SPDX-License-Identifier: GPL-2.0-or-later
 * One Ethernet interface as seen by packet sockets: says ARP and ND frames, and hears what others
 * say in the name of chosen addresses. A BPF filter lets only those frames wake us. */
#pragma once

#include "base/err.h"
#include "loop/closer.h"
#include "net/arp.h"

#include <uv.h>

#define PACKET_ADDR_MAX 256

struct packet_tap {
    uv_poll_t poll;
    int fd;
};

struct packet {
    unsigned ifindex;
    uint8_t mac[ARP_MAC_LEN]; /* ours; the owner may change it when the interface's changes */
    struct packet_tap arp, nd;
    struct closer closer;
    /* Somebody with another hardware address than ours said that it has `ip`. */
    void (*on_claim)(void *owner, const struct ip *ip, const uint8_t mac[ARP_MAC_LEN]);
    void *owner;
    void (*done)(struct packet *p);
};

int packet_start(struct packet *p, uv_loop_t *loop, unsigned ifindex,
                 const uint8_t mac[ARP_MAC_LEN],
                 void (*on_claim)(void *owner, const struct ip *ip, const uint8_t mac[ARP_MAC_LEN]),
                 void *owner, struct err *e) MUST_CHECK;
/* From now on only claims of these addresses are heard; at first of none. */
int packet_listen_for(struct packet *p, const struct ip *at, size_t n, struct err *e) MUST_CHECK;
/* Queues one frame; never waits. */
int packet_send(struct packet *p, const uint8_t *frame, size_t len, struct err *e) MUST_CHECK;
/* After done the memory may go. Not to be called if the start failed. */
void packet_stop(struct packet *p, void (*done)(struct packet *p));
