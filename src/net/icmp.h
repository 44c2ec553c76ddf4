/* SPDX-License-Identifier: GPL-2.0-or-later
 * Pings all hosts from one raw ICMP socket and one raw ICMPv6 socket on the loop. Where raw
 * sockets are forbidden, datagram ICMP. Deadlines and periods are the caller's. */
#pragma once

#include "base/err.h"
#include "loop/closer.h"
#include "net/ip.h"

#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#define ICMP_OUT_MAX    1024  /* pings under way; the oldest are forgotten first */
#define ICMP_AGE_MAX_MS 10000 /* a reply later than this is no reply */

struct icmp_out {
    bool waiting;
    uint16_t seq;
    unsigned id;
    int64_t sent_us;
    struct ip to;
};

struct icmp_socket {
    uv_poll_t poll;
    int fd; /* -1: not available, see why */
    bool raw;
    struct err why;
};

struct icmp {
    struct icmp_socket v4, v6;
    uint16_t ident, seq;
    struct icmp_out out[ICMP_OUT_MAX]; /* by seq modulo */
    void (*on_reply)(void *owner, unsigned id, int64_t rtt_us);
    void *owner;
    struct closer closer;
    void (*done)(struct icmp *i);
};

/* on_reply gets the caller's id and the time the answer took, once per answered ping, matched by
 * source, identifier and sequence number; several pings of one id may be under way.
 * Fails only if neither IPv4 nor IPv6 can be had. */
int icmp_start(struct icmp *i, uv_loop_t *loop,
               void (*on_reply)(void *owner, unsigned id, int64_t rtt_us), void *owner,
               struct err *e) MUST_CHECK;
/* Sends one. A negative errno is the failure of this ping alone (no route, queue full ...). */
int icmp_send(struct icmp *i, const struct sockaddr *to, unsigned id, struct err *e) MUST_CHECK;
/* After done the memory may go. Not to be called if the start failed. */
void icmp_stop(struct icmp *i, void (*done)(struct icmp *i));
