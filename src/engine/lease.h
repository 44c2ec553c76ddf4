/* SPDX-License-Identifier: GPL-2.0-or-later
 * The arithmetic of leases. All in ms of CLOCK_BOOTTIME, whose
 * rate is within 1 % of true on every machine. */
#pragma once

#include "proto/msg.h"

enum {
    SLACK_NFT_MS = 50,        /* the gate was seen to close within 8 ms of its timeout */
    SLACK_LIFETIME_MS = 1300, /* the kernel was seen to drop an address up to 1 s late */
    LEASE_LEAST_NFT_MS = 500,
    LEASE_LEAST_LIFETIME_MS = 3000,
    OBEY_MS = 1000, /* a server that takes longer to become read-only is killed */
};

/* The lease in force on a host with this gate, when `configured` is asked for. */
static inline int64_t lease_on(enum gate_kind gate, int64_t configured)
{
    return gate == GATE_LIFETIME && configured < LEASE_LEAST_LIFETIME_MS ? LEASE_LEAST_LIFETIME_MS
                                                                         : configured;
}

/* How long after its own moment another party must wait to be sure that such a lease is over:
 * 1.01/0.99 of it for the clocks' rates, rounded up, and what the kernel may be late. */
static inline int64_t lease_out(enum gate_kind gate, int64_t lease)
{
    return (lease * 10204 + 9999) / 10000 + (gate == GATE_NFT ? SLACK_NFT_MS : SLACK_LIFETIME_MS);
}
