/* SPDX-License-Identifier: GPL-2.0-or-later
 * Looking whether the gate is still whole. The kernel numbers its rulesets; while the number is the
 * same nothing was changed. Else the parts are counted: that finds tables deleted (`nft flush
 * ruleset`), chains and sets emptied, rules taken out, and takes 0.1 ms beside any other rules. */
#include "net/gate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#define MEND_TYPE(msg) (NFNL_SUBSYS_NFTABLES << 8 | (msg))

static const struct part {
    uint8_t family;
    const char *set; /* NULL: the table's rules */
} parts[GATE_PARTS] = {
    {NFPROTO_INET, NULL},    {NFPROTO_ARP, NULL},       {NFPROTO_INET, "role4"},
    {NFPROTO_INET, "role6"}, {NFPROTO_INET, "role_nd"}, {NFPROTO_ARP, "role4"},
};

static void mend_begin(struct nl_request *q, unsigned type, unsigned flags, uint8_t family)
{
    struct nfgenmsg *head = nl_begin(q, MEND_TYPE(type), flags, sizeof *head);

    head->nfgen_family = family;
}

static void generation_on_answer(void *ctx, const struct nlmsghdr *m)
{
    const void *id = nl_attr(m, sizeof(struct nfgenmsg), NFTA_GEN_ID, sizeof(uint32_t));

    if (m->nlmsg_type == MEND_TYPE(NFT_MSG_NEWGEN) && id)
        memcpy(ctx, id, sizeof(uint32_t));
}

static int generation_of(struct gate *g, uint32_t *generation, struct err *e)
{
    struct nl_request q;
    uint32_t id = 0;

    mend_begin(&q, NFT_MSG_GETGEN, 0, AF_UNSPEC);
    if (nl_ask(&g->nl, &q, generation_on_answer, &id, e) < 0)
        return err_wrap(e, "gate: look");
    *generation = ntohl(id);
    return 0;
}

static unsigned elements_in(const struct nlmsghdr *m)
{
    const char *list = nl_attr(m, sizeof(struct nfgenmsg), NFTA_SET_ELEM_LIST_ELEMENTS, 0);
    struct nlattr head;
    unsigned n = 0;

    if (!list)
        return 0;
    memcpy(&head, list - NLA_HDRLEN, sizeof head); /* nl_attr has seen that it is all there */
    for (size_t at = NLA_HDRLEN; at + NLA_HDRLEN <= head.nla_len; n++) {
        struct nlattr one;

        memcpy(&one, list - NLA_HDRLEN + at, sizeof one);
        if (one.nla_len < NLA_HDRLEN)
            break;
        at += NLA_ALIGN(one.nla_len);
    }
    return n;
}

static void part_on_answer(void *ctx, const struct nlmsghdr *m)
{
    unsigned *n = ctx;

    if (m->nlmsg_type == MEND_TYPE(NFT_MSG_NEWRULE))
        ++*n;
    else if (m->nlmsg_type == MEND_TYPE(NFT_MSG_NEWSETELEM))
        *n += elements_in(m);
}

static int part_count(struct gate *g, const struct part *p, unsigned *n, struct err *e)
{
    struct nl_request q;
    struct err gone = {0};

    mend_begin(&q, p->set ? NFT_MSG_GETSETELEM : NFT_MSG_GETRULE, NLM_F_DUMP, p->family);
    nl_put(&q, p->set ? NFTA_SET_ELEM_LIST_TABLE : NFTA_RULE_TABLE, g->table, strlen(g->table) + 1);
    if (p->set)
        nl_put(&q, NFTA_SET_ELEM_LIST_SET, p->set, strlen(p->set) + 1);
    *n = 0;
    if (nl_ask(&g->nl, &q, part_on_answer, n, &gone) < 0 && gone.code != -ENOENT) {
        *e = gone;
        return err_wrap(e, "gate: look");
    }
    return 0;
}

static int mend_count(struct gate *g, unsigned n[GATE_PARTS], struct err *e)
{
    for (unsigned i = 0; i < GATE_PARTS; i++)
        if (part_count(g, &parts[i], &n[i], e) < 0)
            return e->code;
    return 0;
}

int gate_mend(struct gate *g, struct err *e)
{
    unsigned n[GATE_PARTS];
    uint32_t generation;

    if (generation_of(g, &generation, e) < 0)
        return e->code;
    if (generation == g->generation)
        return 0;
    if (mend_count(g, n, e) < 0)
        return e->code;
    if (!g->generation)
        memcpy(g->whole, n, sizeof n);
    if (memcmp(g->whole, n, sizeof n) == 0) {
        g->generation = generation;
        return 0;
    }
    if (gate_install(g, e) < 0)
        return e->code;
    g->reinstalled++;
    return 1;
}
