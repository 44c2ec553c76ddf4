/* SPDX-License-Identifier: GPL-2.0-or-later
 * The gate: the kernel keeps the lease. Two nftables tables (inet and arp, both hamm_<cluster>)
 * know the role addresses and, of these, the held ones, each with a timeout. IPv4, IPv6, ARP and
 * ND traffic of a role address that is not held is dropped, whatever becomes of this process:
 *   to it:   TCP is answered with a reset (see gate_answer), other packets (prerouting), ARP
 *            requests for it and solicitations of it are dropped; other hosts' announcements pass,
 *            so this host goes on learning who has it
 *   from it: packets but TCP resets, ARP and advertisements in its name are dropped (output)
 * Frames from packet sockets bypass the kernel's output hooks: who sends those asks first.
 * The tables outlive the process on purpose and are adopted by its next life.
 * Holding and dropping take tens of microseconds whatever else the firewall holds. Installing goes
 * through libnftables, which reads all of it first: milliseconds, or tens of them beside a big one.
 */
#pragma once

#include "base/err.h"
#include "net/ip.h"
#include "net/nl.h"

#include <stddef.h>
#include <stdint.h>

#define GATE_ADDR_MAX  256
#define GATE_TABLE_MAX 48
#define GATE_PARTS     6

struct nft_ctx;

struct gate {
    struct nft_ctx *nft; /* NULL: closed; for rules, which it writes best */
    struct nl nl;        /* for held addresses, which want microseconds */
    char table[GATE_TABLE_MAX];
    struct ip role[GATE_ADDR_MAX];
    size_t role_n;
    unsigned
        whole[GATE_PARTS]; /* how many rules and role addresses there should be, by table and set */
    bool silent;         /* this kernel can't send resets: TCP is dropped like all else, for good */
    bool quiet;          /* no resets now: TCP is dropped, until gate_answer() */
    int64_t quiet_ms;    /* since when */
    uint32_t generation; /* of the machine's ruleset, when it was last looked at; 0: never */
    unsigned reinstalled; /* how often somebody (`nft flush ruleset`) had removed our tables */
};

/* Does nf_tables work here, with all that the gate needs? Tried in one transaction that leaves
 * nothing behind. -EOPNOTSUPP and the kernel's words if not. */
int gate_probe(struct err *e) MUST_CHECK;

/* Installs rules and role addresses, all in one transaction; held addresses found there and their
 * remaining time are kept. The gate is quiet then: if somebody had removed the tables, they hold
 * nothing of what this host may have a lease for. cluster: [a-z0-9-]{1,32}. */
int gate_open(struct gate *g, const char *cluster, const struct ip *role, size_t n,
              struct err *e) MUST_CHECK;
/* The same again, with the addresses it was opened with: mends tables that somebody damaged. Quiet
 * too. */
int gate_install(struct gate *g, struct err *e) MUST_CHECK;

/* From now on TCP is answered with resets, if the gate has been quiet for at least after_ms (a
 * whole lease: what was held before is held again, or nobody's) and the kernel can. Nothing to do
 * costs nothing. After a failure it stays quiet, and after_ms count anew. */
int gate_answer(struct gate *g, int64_t after_ms, struct err *e) MUST_CHECK;

/* Has somebody taken something out of the tables? Rules that are gone would never be missed else:
 * everything passes. 1: yes, and it is put back (what was held may have been taken out too: hold
 * it again); 0: all is there. Asks the kernel one question, more only if anybody's rules changed.
 */
int gate_mend(struct gate *g, struct err *e) MUST_CHECK;

/* Opens the gate for these role addresses until the moment until_ms (CLOCK_BOOTTIME), or moves
 * the end of a hold; without a gap. The kernel counts from when it is told, so the clock is read
 * again afterwards, and a hold that came late is corrected, a dozen times on a busy machine, and
 * taken back in the end. -ETIME: it is over or this host too slow; nothing is held then. If the
 * tables had vanished they are installed anew first. */
int gate_hold(struct gate *g, const struct ip *at, size_t n, int64_t until_ms,
              struct err *e) MUST_CHECK;
/* Closes it; not held is fine. After a failure the elements still run out by themselves. */
int gate_drop(struct gate *g, const struct ip *at, size_t n, struct err *e) MUST_CHECK;
/* What is left of a hold; 0: not held. */
int gate_held_ms(struct gate *g, const struct ip *at, int64_t *ms, struct err *e) MUST_CHECK;

void gate_close(struct gate *g); /* lets go of the handle, the tables stay; may be repeated */
int gate_remove(struct gate *g,
                struct err *e) MUST_CHECK; /* deletes the tables, then as gate_close */
