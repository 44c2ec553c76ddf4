/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/gate.h"

#include "base/buf.h"
#include "base/clock.h"

#include <errno.h>
#include <linux/netlink.h>
#include <nftables/libnftables.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define GATE_TEXT_MAX 65536
#define GATE_LATE_MS  10 /* of the 50 ms of slack that others wait beyond a lease */
#define GATE_TRIES    3

/* A held address stands in two sets: one per table for IPv4; for IPv6 one of addresses and one of
 * ND targets, which nft 1.0.6 can only match as a raw field and therefore as a type of its own.
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
    "flush chain inet %1$s to\n"
    "flush chain inet %1$s from\n"
    "add rule inet %1$s to ip daddr @role4 ip daddr != @held4 drop\n"
    "add rule inet %1$s to ip6 daddr @role6 ip6 daddr != @held6 drop\n"
    "add rule inet %1$s to icmpv6 type nd-neighbor-solicit"
    " @th,64,128 @role_nd @th,64,128 != @held_nd drop\n"
    "add rule inet %1$s from ip saddr @role4 ip saddr != @held4 drop\n"
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

/* Which sets an address stands in. */
struct place {
    const char *family, *set;
    bool target; /* written as a number */
};
static const struct place places4[] = {{"inet", "4", false}, {"arp", "4", false}};
static const struct place places6[] = {{"inet", "6", false}, {"inet", "_nd", true}};

static const struct place *places_of(const struct ip *ip)
{
    return ip->family == AF_INET ? places4 : places6;
}

static void add_element(struct buf *b, const char *verb, const struct gate *g,
                        const struct place *p, const char *kind, const struct ip *ip,
                        int64_t timeout_ms)
{
    char text[IP_TEXT_MAX];

    buf_addf(b, "%s element %s %s %s%s { ", verb, p->family, g->table, kind, p->set);
    if (p->target) {
        buf_addf(b, "0x");
        for (unsigned i = 0; i < ip_len(ip); i++)
            buf_addf(b, "%02x", ip->at[i]);
    } else {
        buf_addf(b, "%s", ip_text(ip, text));
    }
    if (timeout_ms > 0)
        buf_addf(b, " timeout %lldms", (long long)timeout_ms);
    buf_addf(b, " }\n");
}

/* The first complaint of libnftables. It gives no error numbers, only their words (and leaves errno
 * at random when it finds a mistake before asking the kernel). */
static int gate_error(struct gate *g, const char *what, struct err *e)
{
    static const int known[] = {ENOENT, EPERM, EOPNOTSUPP, EAFNOSUPPORT, EEXIST, EBUSY};
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
    if (nft_run_cmd_from_buffer(g->nft, b->at) != 0) {
        gate_error(g, what, e);
        (void)nft_ctx_get_output_buffer(g->nft);
        return e->code;
    }
    return 0;
}

static int gate_handle(struct gate *g, struct err *e)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

    /* libnftables ends the process if it cannot have this socket: so it is tried first. */
    if (fd < 0)
        return err_set(e, -EOPNOTSUPP, "gate: netfilter's netlink: %s", strerror(errno));
    close(fd);
    g->nft = nft_ctx_new(NFT_CTX_DEFAULT);
    if (!g->nft || nft_ctx_buffer_error(g->nft) != 0 || nft_ctx_buffer_output(g->nft) != 0) {
        gate_close(g);
        return err_set(e, -ENOMEM, "gate: libnftables cannot be started");
    }
    return 0;
}

static void add_rules(struct buf *b, const struct gate *g)
{
    buf_addf(b, rules, g->table);
    for (size_t i = 0; i < g->role_n; i++)
        for (unsigned p = 0; p < 2; p++)
            add_element(b, "add", g, &places_of(&g->role[i])[p], "role", &g->role[i], 0);
}

static void add_removal(struct buf *b, const struct gate *g)
{
    static const char *const family[] = {"inet", "arp"};

    /* Adding first makes deleting what may not be there no error. */
    for (unsigned i = 0; i < ARRAY_LEN(family); i++)
        buf_addf(b, "add table %s %s\ndelete table %s %s\n", family[i], g->table, family[i],
                 g->table);
}

int gate_probe(struct err *e)
{
    struct gate g = {0};
    auto_buf b = BUF(GATE_TEXT_MAX);
    struct ip v4, v6;
    int rc;

    CHECK(ip_parse(&v4, "192.0.2.1") == 0 && ip_parse(&v6, "2001:db8::1") == 0);
    if (gate_handle(&g, e) < 0)
        return e->code;
    snprintf(g.table, sizeof g.table, "hamm_try_%ld", (long)getpid());
    g.role[0] = v4;
    g.role[1] = v6;
    g.role_n = 2;
    add_rules(&b, &g);
    for (size_t i = 0; i < g.role_n; i++)
        for (unsigned p = 0; p < 2; p++)
            add_element(&b, "add", &g, &places_of(&g.role[i])[p], "held", &g.role[i], 1000);
    add_removal(&b, &g);
    rc = gate_run(&g, &b, "nf_tables do not work here", e);
    gate_close(&g);
    return rc < 0 ? (e->code = -EOPNOTSUPP) : 0;
}

int gate_install(struct gate *g, struct err *e)
{
    auto_buf b = BUF(GATE_TEXT_MAX * 4);

    add_rules(&b, g);
    return gate_run(g, &b, "install the rules", e);
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
    memcpy(g->role, role, n * sizeof *role);
    g->role_n = n;
    if (gate_handle(g, e) < 0)
        return e->code;
    if (gate_install(g, e) < 0) {
        gate_close(g);
        return e->code;
    }
    return 0;
}

/* Deletes the elements and, with a timeout, adds them again, in one transaction. The first add
 * makes the delete succeed whether the element is there, has just run out, or never was; until
 * the transaction is committed nothing of it is in force. */
static int gate_set(struct gate *g, const struct ip *at, size_t n, int64_t timeout_ms,
                    bool install_first, struct err *e)
{
    auto_buf b = BUF(GATE_TEXT_MAX * 4);

    CHECK(n <= GATE_ADDR_MAX);
    if (install_first)
        add_rules(&b, g);
    for (size_t i = 0; i < n; i++) {
        for (unsigned p = 0; p < 2; p++) {
            const struct place *place = &places_of(&at[i])[p];

            add_element(&b, "add", g, place, "held", &at[i], 0);
            add_element(&b, "delete", g, place, "held", &at[i], 0);
            if (timeout_ms > 0)
                add_element(&b, "add", g, place, "held", &at[i], timeout_ms);
        }
    }
    return gate_run(g, &b, timeout_ms > 0 ? "hold" : "drop", e);
}

int gate_drop(struct gate *g, const struct ip *at, size_t n, struct err *e)
{
    return gate_set(g, at, n, 0, false, e);
}

int gate_hold(struct gate *g, const struct ip *at, size_t n, int64_t until_ms, struct err *e)
{
    struct err ignored = {0};

    for (unsigned i = 0; i < GATE_TRIES; i++) {
        int64_t began_ms = clock_boot_ms();

        if (began_ms >= until_ms)
            break;
        if (gate_set(g, at, n, until_ms - began_ms, false, e) < 0) {
            if (e->code != -ENOENT)
                return e->code;
            if (gate_set(g, at, n, until_ms - began_ms, true, e) < 0)
                return e->code;
            g->reinstalled++;
        }
        /* The elements end as much after until_ms as we were late in telling the kernel. */
        if (clock_boot_ms() - began_ms <= GATE_LATE_MS)
            return 0;
    }
    if (gate_drop(g, at, n, &ignored) < 0)
        return err_set(e, -ETIME, "gate: the lease is over, and it cannot be closed: %s",
                       ignored.msg);
    return err_set(e, -ETIME, "gate: the lease is over");
}

/* "1h2m3s456ms" as nft writes it; 0 if it is none. */
static int64_t read_duration(const char *text)
{
    int64_t ms = 0;

    for (;;) {
        char *end;
        unsigned long long value = strtoull(text, &end, 10);

        if (end == text)
            return ms;
        if (strncmp(end, "ms", 2) == 0)
            return ms + (int64_t)value;
        switch (*end) {
        case 'd':
            ms += (int64_t)value * 86400000;
            break;
        case 'h':
            ms += (int64_t)value * 3600000;
            break;
        case 'm':
            ms += (int64_t)value * 60000;
            break;
        case 's':
            ms += (int64_t)value * 1000;
            break;
        default:
            return ms;
        }
        text = end + 1;
    }
}

int gate_held_ms(struct gate *g, const struct ip *at, int64_t *ms, struct err *e)
{
    auto_buf b = BUF(GATE_TEXT_MAX);
    const char *out, *expires;

    add_element(&b, "get", g, &places_of(at)[0], "held", at, 0);
    if (gate_run(g, &b, "look", e) < 0) {
        if (e->code != -ENOENT)
            return e->code;
        *ms = 0;
        return 0;
    }
    out = nft_ctx_get_output_buffer(g->nft);
    expires = strstr(out, " expires ");
    *ms = expires ? read_duration(expires + strlen(" expires ")) : 0;
    return 0;
}

void gate_close(struct gate *g)
{
    if (g->nft)
        nft_ctx_free(g->nft);
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
