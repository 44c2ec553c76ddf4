/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/diag.h"

#include "net/nl.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#ifndef SOCK_DESTROY
#define SOCK_DESTROY 21
#endif

/* Everything that carries or may carry data: not listeners, not what is over anyway. */
#define DIAG_STATES (~(1u << TCP_LISTEN | 1u << TCP_TIME_WAIT | 1u << TCP_CLOSE))

struct found {
    struct inet_diag_msg *at; /* DIAG_ONCE_MAX of them */
    size_t n;
};

static void found_on_answer(void *ctx, const struct nlmsghdr *m)
{
    struct found *f = ctx;

    if (m->nlmsg_type == SOCK_DIAG_BY_FAMILY && f->n < DIAG_ONCE_MAX &&
        m->nlmsg_len >= NLMSG_LENGTH(sizeof *f->at))
        memcpy(&f->at[f->n++], NLMSG_DATA(m), sizeof *f->at);
}

/* All of one socket family. The kernel compares the address itself (a v4 condition matches the
 * v4-mapped addresses of IPv6 sockets too), so that a busy server's list is not copied. */
static int diag_list(struct nl *n, int family, const struct ip *local, struct found *f,
                     struct err *e)
{
    struct {
        struct inet_diag_bc_op op;
        struct inet_diag_hostcond cond;
        uint8_t addr[16];
    } filter = {0};
    size_t len = sizeof filter.op + sizeof filter.cond + ip_len(local);
    struct inet_diag_req_v2 *want;
    struct nl_request q;

    filter.op.code = INET_DIAG_BC_S_COND;
    filter.op.yes = (uint8_t)len;
    filter.op.no = (uint16_t)(len + sizeof filter.op); /* past the end: no match */
    filter.cond.family = (uint8_t)local->family;
    filter.cond.prefix_len = (uint8_t)(ip_len(local) * 8);
    filter.cond.port = -1; /* any */
    memcpy(filter.addr, local->at, ip_len(local));

    want = nl_begin(&q, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, sizeof *want);
    want->sdiag_family = (uint8_t)family;
    want->sdiag_protocol = IPPROTO_TCP;
    want->idiag_states = DIAG_STATES;
    nl_put(&q, INET_DIAG_REQ_BYTECODE, &filter, len);
    return nl_ask(n, &q, found_on_answer, f, e);
}

/* 1: destroyed, 0: was gone already. */
static int diag_destroy(struct nl *n, const struct inet_diag_msg *m, struct err *e)
{
    struct nl_request q;
    struct inet_diag_req_v2 *want = nl_begin(&q, SOCK_DESTROY, 0, sizeof *want);

    want->sdiag_family = m->idiag_family;
    want->sdiag_protocol = IPPROTO_TCP;
    want->idiag_states = DIAG_STATES;
    want->id = m->id;
    if (nl_ask(n, &q, NULL, NULL, e) == 0)
        return 1;
    if (e->code == -ENOENT)
        return 0;
    if (e->code == -EOPNOTSUPP)
        return err_set(e, -EOPNOTSUPP,
                       "this kernel cannot destroy connections "
                       "(it lacks CONFIG_INET_DIAG_DESTROY)");
    return e->code;
}

int diag_kill(const struct ip *local, struct err *e)
{
    struct found f = {.at = calloc(DIAG_ONCE_MAX, sizeof *f.at)};
    struct nl n;
    int rc, killed = 0;

    if (!f.at)
        return err_set(e, -ENOMEM, "destroy connections: out of memory");
    rc = nl_open(&n, NETLINK_SOCK_DIAG, e);
    if (rc < 0)
        goto out;
    rc = diag_list(&n, AF_INET6, local, &f, e);
    if (rc == 0 && local->family == AF_INET)
        rc = diag_list(&n, AF_INET, local, &f, e);
    for (size_t i = 0; i < f.n && rc >= 0; i++) {
        rc = diag_destroy(&n, &f.at[i], e);
        killed += rc > 0;
    }
    nl_close(&n);
out:
    free(f.at);
    if (rc < 0) {
        char text[IP_TEXT_MAX];
        return err_wrap(e, "destroy connections of %s", ip_text(local, text));
    }
    return killed;
}
