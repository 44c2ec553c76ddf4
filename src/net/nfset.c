/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/nfset.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#define NFSET_BATCH_MAX 131072
#define NFSET_TYPE(msg) (NFNL_SUBSYS_NFTABLES << 8 | (msg))

/* Attributes end on a multiple of four, messages too. */
static void pad(struct buf *b)
{
    static const char zero[NLMSG_ALIGNTO];

    if (b->len % NLMSG_ALIGNTO)
        buf_add(b, zero, NLMSG_ALIGNTO - b->len % NLMSG_ALIGNTO);
}

static void put(struct buf *b, unsigned type, const void *data, size_t len)
{
    struct nlattr attr = {.nla_len = (uint16_t)(NLA_HDRLEN + len), .nla_type = (uint16_t)type};

    buf_add(b, &attr, sizeof attr);
    if (len > 0)
        buf_add(b, data, len);
    pad(b);
}

static size_t nest(struct buf *b, unsigned type)
{
    size_t at = b->len;

    put(b, NLA_F_NESTED | type, NULL, 0);
    return at;
}

/* Lengths are known at the end only, and are the first field of attributes and messages. */
static void nest_end(struct buf *b, size_t at)
{
    uint16_t len = (uint16_t)(b->len - at);

    CHECK(!b->full && b->len - at <= UINT16_MAX);
    memcpy(b->at + at, &len, sizeof len);
}

static size_t message(struct nfset_batch *b, unsigned type, unsigned flags, int family,
                      unsigned res_id)
{
    struct nlmsghdr head = {.nlmsg_type = (uint16_t)type,
                            .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
                            .nlmsg_seq = ++b->seq};
    struct nfgenmsg gen = {.nfgen_family = (uint8_t)family, .res_id = htons((uint16_t)res_id)};

    b->last_at = b->bytes.len;
    buf_add(&b->bytes, &head, sizeof head);
    buf_add(&b->bytes, &gen, sizeof gen);
    return b->last_at;
}

static void message_end(struct nfset_batch *b, size_t at)
{
    uint32_t len = (uint32_t)(b->bytes.len - at);

    CHECK(!b->bytes.full);
    memcpy(b->bytes.at + at, &len, sizeof len);
}

static void put_element(struct buf *b, const struct ip *ip, int64_t timeout_ms)
{
    uint64_t timeout = htobe64((uint64_t)timeout_ms);
    size_t element = nest(b, NFTA_LIST_ELEM), key = nest(b, NFTA_SET_ELEM_KEY);

    put(b, NFTA_DATA_VALUE, ip->at, ip_len(ip));
    nest_end(b, key);
    if (timeout_ms > 0)
        put(b, NFTA_SET_ELEM_TIMEOUT, &timeout, sizeof timeout);
    nest_end(b, element);
}

static void elements(struct nfset_batch *b, unsigned type, unsigned flags, const struct nfset *s,
                     const struct ip *at, size_t n, int64_t timeout_ms)
{
    size_t start = message(b, NFSET_TYPE(type), flags, s->family, 0), list;

    put(&b->bytes, NFTA_SET_ELEM_LIST_TABLE, s->table, strlen(s->table) + 1);
    put(&b->bytes, NFTA_SET_ELEM_LIST_SET, s->name, strlen(s->name) + 1);
    list = nest(&b->bytes, NFTA_SET_ELEM_LIST_ELEMENTS);
    for (size_t i = 0; i < n; i++)
        if (at[i].family == s->key)
            put_element(&b->bytes, &at[i], timeout_ms);
    nest_end(&b->bytes, list);
    message_end(b, start);
}

void nfset_begin(struct nfset_batch *b, struct nl *n)
{
    *b = (struct nfset_batch){.bytes = BUF(NFSET_BATCH_MAX), .seq = n->seq, .first = n->seq + 1};
    message_end(b, message(b, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
}

void nfset_add(struct nfset_batch *b, const struct nfset *s, const struct ip *at, size_t n,
               int64_t timeout_ms)
{
    elements(b, NFT_MSG_NEWSETELEM, NLM_F_CREATE, s, at, n, timeout_ms);
}

void nfset_del(struct nfset_batch *b, const struct nfset *s, const struct ip *at, size_t n)
{
    elements(b, NFT_MSG_DELSETELEM, 0, s, at, n, 0);
}

int nfset_commit(struct nfset_batch *b, struct nl *n, struct err *e)
{
    struct nlmsghdr last;
    int rc;

    /* The last element message asks for the verdict; the end of the batch has none of its own. */
    memcpy(&last, b->bytes.at + b->last_at, sizeof last);
    last.nlmsg_flags |= NLM_F_ACK;
    memcpy(b->bytes.at + b->last_at, &last, sizeof last);
    message_end(b, message(b, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
    n->seq = b->seq;
    rc = nl_batch(n, b->bytes.at, b->bytes.len, b->first, last.nlmsg_seq, e);
    buf_free(&b->bytes);
    return rc;
}

/* --- reading --- */

/* The attribute `type` within the `len` bytes at `at`; NULL if there is none as long as least. */
static const char *inner(const char *at, size_t len, unsigned type, size_t least, size_t *inner_len)
{
    struct nlattr attr;

    while (len >= sizeof attr) {
        memcpy(&attr, at, sizeof attr);
        if (attr.nla_len < sizeof attr || attr.nla_len > len)
            return NULL;
        *inner_len = attr.nla_len - sizeof attr;
        if ((attr.nla_type & NLA_TYPE_MASK) == type)
            return *inner_len >= least ? at + sizeof attr : NULL;
        if ((size_t)NLA_ALIGN(attr.nla_len) >= len)
            return NULL;
        at += NLA_ALIGN(attr.nla_len);
        len -= NLA_ALIGN(attr.nla_len);
    }
    return NULL;
}

static void left_on_answer(void *ctx, const struct nlmsghdr *m)
{
    const size_t head = NLMSG_SPACE(sizeof(struct nfgenmsg));
    const char *at = (const char *)m + head;
    size_t len = m->nlmsg_len;
    uint64_t ms;

    if (m->nlmsg_type != NFSET_TYPE(NFT_MSG_NEWSETELEM) || len < head)
        return;
    len -= head;
    if ((at = inner(at, len, NFTA_SET_ELEM_LIST_ELEMENTS, 0, &len)) &&
        (at = inner(at, len, NFTA_LIST_ELEM, 0, &len)) &&
        (at = inner(at, len, NFTA_SET_ELEM_EXPIRATION, sizeof ms, &len))) {
        memcpy(&ms, at, sizeof ms);
        *(int64_t *)ctx = (int64_t)be64toh(ms);
    }
}

int nfset_left_ms(struct nl *n, const struct nfset *s, const struct ip *at, int64_t *ms,
                  struct err *e)
{
    struct nl_request q;
    struct nfgenmsg *gen = nl_begin(&q, NFSET_TYPE(NFT_MSG_GETSETELEM), 0, sizeof *gen);
    auto_buf list = BUF(NL_REQUEST_MAX);
    int64_t left_ms = 0;

    gen->nfgen_family = (uint8_t)s->family;
    nl_put(&q, NFTA_SET_ELEM_LIST_TABLE, s->table, strlen(s->table) + 1);
    nl_put(&q, NFTA_SET_ELEM_LIST_SET, s->name, strlen(s->name) + 1);
    put_element(&list, at, 0);
    nl_put(&q, NLA_F_NESTED | NFTA_SET_ELEM_LIST_ELEMENTS, list.at, list.len);
    if (nl_ask(n, &q, left_on_answer, &left_ms, e) < 0 && e->code != -ENOENT)
        return e->code;
    e->code = 0; /* not being there is an answer */
    *ms = left_ms;
    return 0;
}
