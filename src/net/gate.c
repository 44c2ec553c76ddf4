/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/gate.h"

#include "base/buf.h"
#include "base/clock.h"
#include "net/nfset.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <nftables/libnftables.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define GATE_TEXT_MAX 131072
#define GATE_LATE_MS  10 /* of the 50 ms of slack that others wait beyond a lease */
#define GATE_TRIES    12

/* A held address stands in two sets: one per table for IPv4; for IPv6 one of addresses and one of
 * ND targets, which nft 1.0.6 can only match as a raw field and therefore as a type of its own.
 *
 * Resets, which say nothing of who holds the address, are all that leaves in its name. Those that
 * end this host's own connections carry its own sequence numbers, which no other holder's
 * connection has; for the others see to_rules.
 *
 * ARP requests by another holder about itself (GARP: sender = target) must pass, or this host
 * would not learn who has the address: hence `saddr ip != @role4`. What it costs, a request from
 * one role address for another, is stopped by the output chain, which drops our answer. */
static const char rules[] =
    "add table inet %1$s\n"
    "add set inet %1$s role4 { type ipv4_addr; }\n"
    "add set inet %1$s held4 { type ipv4_addr; flags timeout; }\n"
    "add set inet %1$s role6 { type ipv6_addr; }\n"
    "add set inet %1$s held6 { type ipv6_addr; flags timeout; }\n"
    "add set inet %1$s role_nd { typeof @th,64,128; }\n"
    "add set inet %1$s held_nd { typeof @th,64,128; flags timeout; }\n"
    "add chain inet %1$s to { type filter hook prerouting priority -300; policy accept; }\n"
    "add chain inet %1$s from { type filter hook output priority -300; policy accept; }\n"
    "flush chain inet %1$s from\n"
    "add rule inet %1$s from ip saddr @role4 ip saddr != @held4 tcp flags & rst == rst accept\n"
    "add rule inet %1$s from ip saddr @role4 ip saddr != @held4 drop\n"
    "add rule inet %1$s from ip6 saddr @role6 ip6 saddr != @held6 tcp flags & rst == rst accept\n"
    "add rule inet %1$s from ip6 saddr @role6 ip6 saddr != @held6 drop\n"
    "add rule inet %1$s from icmpv6 type nd-neighbor-advert"
    " @th,64,128 @role_nd @th,64,128 != @held_nd drop\n"
    "add table arp %1$s\n"
    "add set arp %1$s role4 { type ipv4_addr; }\n"
    "add set arp %1$s held4 { type ipv4_addr; flags timeout; }\n"
    "add chain arp %1$s to { type filter hook input priority -300; policy accept; }\n"
    "add chain arp %1$s from { type filter hook output priority -300; policy accept; }\n"
    "flush chain arp %1$s to\n"
    "flush chain arp %1$s from\n"
    "add rule arp %1$s to arp operation request arp saddr ip != @role4"
    " arp daddr ip @role4 arp daddr ip != @held4 drop\n"
    "add rule arp %1$s from arp saddr ip @role4 arp saddr ip != @held4 drop\n"
    "flush set inet %1$s role4\n"
    "flush set inet %1$s role6\n"
    "flush set inet %1$s role_nd\n"
    "flush set arp %1$s role4\n";

/* Who still talks TCP to this host about an address it does not hold is told so at once (%2$s:
 * `reject with tcp reset`) instead of waiting for an answer that never comes. Such a reset ends the
 * connection of the very packet that was sent here. Mostly that is one to this host, which is lost
 * anyway; but where a router with a stale ARP entry sends here what is meant for the new holder,
 * that packet is answered too, and the reset ends its connection with the new holder.
 *
 * The kernel's lookup can miss a held element while the transaction that renews it is committed.
 * A packet dropped for that is sent again; a reset would be final, so it takes two misses. */
static const char to_rules[] =
    "flush chain inet %1$s to\n"
    "add rule inet %1$s to ip daddr @role4 ip daddr != @held4 meta l4proto tcp"
    " ip daddr != @held4 %2$s\n"
    "add rule inet %1$s to ip daddr @role4 ip daddr != @held4 drop\n"
    "add rule inet %1$s to ip6 daddr @role6 ip6 daddr != @held6 meta l4proto tcp"
    " ip6 daddr != @held6 %2$s\n"
    "add rule inet %1$s to ip6 daddr @role6 ip6 daddr != @held6 drop\n"
    "add rule inet %1$s to icmpv6 type nd-neighbor-solicit"
    " @th,64,128 @role_nd @th,64,128 != @held_nd drop\n";

/* The sets an address stands in. */
static const struct place {
    int family;             /* of the table */
    const char *table_kind; /* the same for nft */
    const char *role, *held;
    int key;
    bool number; /* nft wants the address as a number there */
} places[] = {
    {NFPROTO_INET, "inet", "role4", "held4", AF_INET, false},
    {NFPROTO_ARP, "arp", "role4", "held4", AF_INET, false},
    {NFPROTO_INET, "inet", "role6", "held6", AF_INET6, false},
    {NFPROTO_INET, "inet", "role_nd", "held_nd", AF_INET6, true},
};

static struct nfset held_set(const struct gate *g, const struct place *p)
{
    return (struct nfset){.family = p->family, .table = g->table, .name = p->held, .key = p->key};
}

static void add_role(struct buf *b, const struct gate *g, const struct place *p,
                     const struct ip *ip)
{
    char text[IP_TEXT_MAX];

    if (ip->family != p->key)
        return;
    buf_addf(b, "add element %s %s %s { ", p->table_kind, g->table, p->role);
    if (p->number) {
        buf_addf(b, "0x");
        for (unsigned i = 0; i < ip_len(ip); i++)
            buf_addf(b, "%02x", ip->at[i]);
    } else {
        buf_addf(b, "%s", ip_text(ip, text));
    }
    buf_addf(b, " }\n");
}

/* The first complaint of libnftables. It gives no error numbers, only their words (and leaves errno
 * at random when it finds a mistake before asking the kernel). */
static int gate_error(struct gate *g, const char *what, struct err *e)
{
    static const int known[] = {ENOENT, EPERM, EOPNOTSUPP, EAFNOSUPPORT, EEXIST, EBUSY, ENOMEM};
    const char *words = nft_ctx_get_error_buffer(g->nft), *error = strstr(words, "Error: ");
    int code = -EIO;

    for (unsigned i = 0; i < ARRAY_LEN(known); i++)
        if (strstr(words, strerror(known[i])))
            code = -known[i];
    if (error)
        words = error + strlen("Error: ");
    return err_set(e, code, "gate: %s: %.*s", what, (int)strcspn(words, "\n"), words);
}

/* One transaction: all of it or nothing. */
static int gate_run(struct gate *g, struct buf *b, const char *what, struct err *e)
{
    CHECK(g->nft && !b->full);
    return nft_run_cmd_from_buffer(g->nft, b->at) == 0 ? 0 : gate_error(g, what, e);
}

static int gate_handle(struct gate *g, struct err *e)
{
    /* libnftables ends the process if it cannot have such a socket: so ours comes first. */
    if (nl_open(&g->nl, NETLINK_NETFILTER, e) < 0) {
        e->code = -EOPNOTSUPP;
        return err_wrap(e, "gate");
    }
    g->nft = nft_ctx_new(NFT_CTX_DEFAULT);
    if (!g->nft || nft_ctx_buffer_error(g->nft) != 0) {
        if (g->nft)
            nft_ctx_free(g->nft);
        g->nft = NULL;
        nl_close(&g->nl);
        return err_set(e, -ENOMEM, "gate: libnftables cannot be started");
    }
    return 0;
}

static void add_to_rules(struct buf *b, const struct gate *g)
{
    buf_addf(b, to_rules, g->table, g->quiet ? "drop" : "reject with tcp reset");
}

static void add_rules(struct buf *b, const struct gate *g)
{
    buf_addf(b, rules, g->table);
    add_to_rules(b, g);
    for (size_t i = 0; i < g->role_n; i++)
        for (unsigned p = 0; p < ARRAY_LEN(places); p++)
            add_role(b, g, &places[p], &g->role[i]);
}

static void add_removal(struct buf *b, const struct gate *g)
{
    static const char *const family[] = {"inet", "arp"};

    /* Adding first makes deleting what may not be there no error. */
    for (unsigned i = 0; i < ARRAY_LEN(family); i++)
        buf_addf(b, "add table %s %s\ndelete table %s %s\n", family[i], g->table, family[i],
                 g->table);
}

/* Puts it all into a table of its own and takes it out again, in one transaction. */
static int gate_try(struct nft_ctx *nft, bool quiet, struct err *e)
{
    auto_buf b = BUF(GATE_TEXT_MAX);
    struct gate g = {.nft = nft, .role_n = 2, .quiet = quiet};

    CHECK(ip_parse(&g.role[0], "192.0.2.1") == 0 && ip_parse(&g.role[1], "2001:db8::1") == 0);
    snprintf(g.table, sizeof g.table, "hamm_try_%ld", (long)getpid());
    add_rules(&b, &g);
    add_removal(&b, &g);
    return gate_run(&g, &b, "nf_tables do not work here", e);
}

/* Kernels before 5.9, and those built without nft_reject, can only drop: they don't know the
 * expression or refuse it in this chain. Any other failure says nothing of what the kernel can. */
static bool gate_cannot_reset(struct gate *g)
{
    struct err e = {0};
    int rc = gate_try(g->nft, false, &e);

    return rc == -ENOENT || rc == -EOPNOTSUPP;
}

int gate_probe(struct err *e)
{
    struct gate g = {0};
    int rc;

    if (gate_handle(&g, e) < 0)
        return e->code;
    rc = gate_try(g.nft, true, e);
    gate_close(&g);
    return rc < 0 ? (e->code = -EOPNOTSUPP) : 0;
}

int gate_install(struct gate *g, struct err *e)
{
    auto_buf b = BUF(GATE_TEXT_MAX);

    /* Tables that had vanished hold nothing until they are told: a reset in that moment would end
     * connections that only have to wait for it. */
    g->quiet = true;
    g->quiet_ms = clock_boot_ms();
    add_rules(&b, g);
    return gate_run(g, &b, "install the rules", e);
}

int gate_answer(struct gate *g, int64_t after_ms, struct err *e)
{
    auto_buf b = BUF(GATE_TEXT_MAX);

    if (!g->quiet || g->silent || clock_boot_ms() - g->quiet_ms < after_ms)
        return 0;
    g->quiet = false;
    add_to_rules(&b, g);
    if (gate_run(g, &b, "answer with resets", e) == 0)
        return 0;
    g->quiet = true;
    g->quiet_ms = clock_boot_ms();
    g->silent = gate_cannot_reset(g);
    return e->code;
}

int gate_open(struct gate *g, const char *cluster, const struct ip *role, size_t n, struct err *e)
{
    *g = (struct gate){0};
    if (strspn(cluster, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(cluster))
        return err_set(e, -EINVAL, "gate: '%s' is no cluster name", cluster);
    if (n > GATE_ADDR_MAX)
        return err_set(e, -E2BIG, "gate: %zu role addresses, at most %d", n, GATE_ADDR_MAX);
    snprintf(g->table, sizeof g->table, "hamm_%s", cluster);
    for (char *at = g->table; *at; at++)
        if (*at == '-')
            *at = '_';
    if (n)
        memcpy(g->role, role, n * sizeof *role);
    g->role_n = n;
    if (gate_handle(g, e) < 0)
        return e->code;
    if (gate_install(g, e) < 0) { /* what is held there stays so */
        gate_close(g);
        return e->code;
    }
    g->silent = gate_cannot_reset(g);
    return 0;
}

/* Deletes the elements and, with a timeout, adds them again, in one transaction. The first add
 * makes the delete succeed whether the element is there, has just run out, or never was; until
 * the transaction is committed nothing of it is in force. */
static int gate_set(struct gate *g, const struct ip *at, size_t n, int64_t timeout_ms,
                    struct err *e)
{
    struct nfset_batch b;

    CHECK(g->nft && n <= GATE_ADDR_MAX);
    if (n == 0)
        return 0;
    nfset_begin(&b, &g->nl);
    for (unsigned p = 0; p < ARRAY_LEN(places); p++) {
        struct nfset s = held_set(g, &places[p]);
        size_t wanted = 0;

        for (size_t i = 0; i < n; i++)
            wanted += at[i].family == s.key;
        if (wanted == 0)
            continue;
        nfset_add(&b, &s, at, n, 0);
        nfset_del(&b, &s, at, n);
        if (timeout_ms > 0)
            nfset_add(&b, &s, at, n, timeout_ms);
    }
    if (nfset_commit(&b, &g->nl, e) < 0)
        return err_wrap(e, "gate: %s", timeout_ms > 0 ? "hold" : "drop");
    return 0;
}

int gate_drop(struct gate *g, const struct ip *at, size_t n, struct err *e)
{
    int rc = gate_set(g, at, n, 0, e);

    if (rc != -ENOENT)
        return rc;
    /* One table gone may mean the other is there, with the address held. */
    if (gate_install(g, e) < 0)
        return e->code;
    g->reinstalled++;
    return gate_set(g, at, n, 0, e);
}

int gate_hold(struct gate *g, const struct ip *at, size_t n, int64_t until_ms, struct err *e)
{
    /* Late once is a process that was stopped: the same again. Late twice is a slow host: what it
     * takes at least is taken off beforehand. Between the tries the gate stays open: a slow host is
     * no reason to end the connections of a lease that still runs. */
    int64_t slow_ms = 0, fastest_ms = INT64_MAX;
    struct err trouble = {0};

    for (unsigned i = 0; i < GATE_TRIES; i++) {
        int64_t began_ms = clock_boot_ms(), left_ms = until_ms - began_ms - slow_ms;
        int64_t took_ms;

        if (left_ms <= 0)
            break;
        if (gate_set(g, at, n, left_ms, e) < 0) {
            if (i > 0 && gate_drop(g, at, n, &trouble) < 0) /* what came late must not stay */
                return err_wrap(e, "it cannot be shut (%s)", trouble.msg);
            if (e->code != -ENOENT || i > 0)
                return e->code;
            if (gate_install(g, e) < 0)
                return e->code;
            g->reinstalled++;
            continue;
        }
        /* At worst the kernel counts from just now. */
        took_ms = clock_boot_ms() - began_ms;
        if (took_ms - slow_ms <= GATE_LATE_MS)
            return 0;
        fastest_ms = took_ms < fastest_ms ? took_ms : fastest_ms;
        if (i > 0)
            slow_ms = fastest_ms;
    }
    if (gate_drop(g, at, n, &trouble) < 0)
        return err_set(e, -ETIME, "gate: the lease is over, and it cannot be shut: %s",
                       trouble.msg);
    return err_set(e, -ETIME,
                   clock_boot_ms() >= until_ms ? "gate: the lease is over"
                                               : "gate: this host is too slow to keep a lease");
}

int gate_held_ms(struct gate *g, const struct ip *at, int64_t *ms, struct err *e)
{
    CHECK(g->nft);
    for (unsigned p = 0; p < ARRAY_LEN(places); p++) {
        struct nfset s = held_set(g, &places[p]);

        if (s.key == at->family) /* any of its sets: they are changed together */
            return nfset_left_ms(&g->nl, &s, at, ms, e) < 0 ? err_wrap(e, "gate: look") : 0;
    }
    return err_set(e, -EAFNOSUPPORT, "gate: neither an IPv4 nor an IPv6 address");
}

void gate_close(struct gate *g)
{
    if (!g->nft)
        return;
    nft_ctx_free(g->nft);
    nl_close(&g->nl);
    g->nft = NULL;
}

int gate_remove(struct gate *g, struct err *e)
{
    auto_buf b = BUF(GATE_TEXT_MAX);
    int rc;

    add_removal(&b, g);
    rc = gate_run(g, &b, "remove the tables", e);
    gate_close(g);
    return rc;
}
