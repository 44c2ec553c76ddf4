/* SPDX-License-Identifier: GPL-2.0-or-later
 * Elements of nftables sets, straight over netlink. libnftables reads the whole ruleset before
 * each command, 16 ms on a host with 3,000 chains and sets of others; this takes tens of
 * microseconds whatever else is there. Keys are addresses; timeouts are in ms. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "net/ip.h"
#include "net/nl.h"

struct nfset {
    int family; /* NFPROTO_INET or NFPROTO_ARP */
    const char *table, *name;
    int key; /* AF_INET or AF_INET6: of what family the addresses are */
};

/* One transaction under construction: all of it is done, or nothing. */
struct nfset_batch {
    struct buf bytes;
    uint32_t seq, first; /* as in struct nl */
    size_t last_at;      /* where the last message is */
};

void nfset_begin(struct nfset_batch *b, struct nl *n);
/* Adds to the set those of the addresses that are of its key's family; timeout_ms 0: none. What is
 * in the set already stays as it is, or takes the new timeout, as the kernel likes. */
void nfset_add(struct nfset_batch *b, const struct nfset *s, const struct ip *at, size_t n,
               int64_t timeout_ms);
/* Deletes them; one that is not in the set fails the transaction. */
void nfset_del(struct nfset_batch *b, const struct nfset *s, const struct ip *at, size_t n);
/* Does it. -ENOENT: a table or set, or an element to delete, is not there. Frees the batch. */
int nfset_commit(struct nfset_batch *b, struct nl *n, struct err *e) MUST_CHECK;

/* What is left of an element's time; 0: it is not in the set, or the set is not there. */
int nfset_left_ms(struct nl *n, const struct nfset *s, const struct ip *at, int64_t *ms,
                  struct err *e) MUST_CHECK;
