/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/nl.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define NL_ANSWER_MAX 32768 /* what the kernel puts into one datagram of a dump */
#define NL_TRIES      4     /* dumps interrupted by changes */

int nl_open(struct nl *n, int protocol, struct err *e)
{
    const struct timeval bound = {.tv_usec = NL_BOUND_MS * 1000};
    const int on = 1;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

    if (fd < 0)
        return err_set(e, -errno, "netlink socket: %s", strerror(errno));
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof bound) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &bound, sizeof bound) < 0) {
        err_set(e, -errno, "netlink socket: %s", strerror(errno));
        close(fd);
        return e->code;
    }
    /* Sentences for refusals; kernels before 4.12 go without. */
    (void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
    (void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
    *n = (struct nl){.fd = fd};
    return 0;
}

void nl_close(struct nl *n)
{
    if (n->fd >= 0)
        close(n->fd);
    n->fd = -1;
}

void *nl_begin(struct nl_request *r, unsigned type, unsigned flags, size_t len)
{
    memset(r, 0, sizeof *r);
    r->head.nlmsg_type = (uint16_t)type;
    r->head.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    r->head.nlmsg_len = (uint32_t)NLMSG_LENGTH(len);
    CHECK(r->head.nlmsg_len <= sizeof *r);
    return r->room + NLMSG_HDRLEN;
}

void nl_put(struct nl_request *r, unsigned type, const void *data, size_t len)
{
    size_t at = NLMSG_ALIGN(r->head.nlmsg_len);
    struct nlattr attr = {.nla_len = (uint16_t)(NLA_HDRLEN + len), .nla_type = (uint16_t)type};

    CHECK(at + NLA_HDRLEN + len <= sizeof *r);
    memcpy(r->room + at, &attr, sizeof attr);
    memcpy(r->room + at + NLA_HDRLEN, data, len);
    r->head.nlmsg_len = (uint32_t)(at + NLA_HDRLEN + len);
}

const void *nl_attr(const struct nlmsghdr *m, size_t head, unsigned type, size_t least)
{
    size_t at = NLMSG_SPACE(head), end = m->nlmsg_len;

    while (at + NLA_HDRLEN <= end) {
        struct nlattr attr;

        memcpy(&attr, (const char *)m + at, sizeof attr);
        if (attr.nla_len < NLA_HDRLEN || attr.nla_len > end - at)
            return NULL;
        if ((attr.nla_type & NLA_TYPE_MASK) == type)
            return attr.nla_len >= NLA_HDRLEN + least ? (const char *)m + at + NLA_HDRLEN : NULL;
        at += NLA_ALIGN(attr.nla_len);
    }
    return NULL;
}

/* The answer that ends a request: 0, or the errno and, if the kernel gave one, its sentence. */
static int nl_verdict(const struct nlmsghdr *m, struct err *e)
{
    const struct nlmsgerr *answer = NLMSG_DATA(m);
    const char *words = NULL;

    if (m->nlmsg_type == NLMSG_DONE) {
        /* A dump that fails halfway says so in its last message. */
        int code = 0;
        if (m->nlmsg_len >= NLMSG_LENGTH(sizeof code))
            memcpy(&code, NLMSG_DATA(m), sizeof code);
        return code < 0 ? err_set(e, code, "%s", strerror(-code)) : 0;
    }
    if (m->nlmsg_len < NLMSG_LENGTH(sizeof *answer))
        return err_set(e, -EBADMSG, "short answer from the kernel");
    if (answer->error == 0)
        return 0;
    if (m->nlmsg_flags & NLM_F_ACK_TLVS && m->nlmsg_flags & NLM_F_CAPPED)
        words = nl_attr(m, sizeof *answer, NLMSGERR_ATTR_MSG, 1);
    return words ? err_set(e, answer->error, "%s (%.200s)", strerror(-answer->error), words)
                 : err_set(e, answer->error, "%s", strerror(-answer->error));
}

static int nl_send(struct nl *n, const void *data, size_t len, struct err *e)
{
    const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

    if (sendto(n->fd, data, len, 0, (const struct sockaddr *)&kernel, sizeof kernel) < 0)
        return err_set(e, -errno, "netlink: %s", strerror(errno));
    return 0;
}

/* One datagram of answers; its length, or a negative errno. */
static ssize_t nl_recv(struct nl *n, void *room, size_t size, struct err *e)
{
    ssize_t got;

    do
        got = recv(n->fd, room, size, MSG_TRUNC);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return errno == EAGAIN ? err_set(e, -ETIMEDOUT, "no answer from the kernel")
                               : err_set(e, -errno, "netlink: %s", strerror(errno));
    if ((size_t)got > size)
        return err_set(e, -EMSGSIZE, "netlink answer of %zd bytes", got);
    return got;
}

/* 1: go on reading; 0: all said. */
static int nl_read(struct nl *n, nl_fn each, void *ctx, bool *interrupted, struct err *e)
{
    _Alignas(struct nlmsghdr) char room[NL_ANSWER_MAX];
    ssize_t got = nl_recv(n, room, sizeof room, e);

    if (got < 0)
        return (int)got;
    for (struct nlmsghdr *m = (struct nlmsghdr *)room; NLMSG_OK(m, (size_t)got);) {
        if (m->nlmsg_seq == n->seq) { /* else the rest of a request that was given up */
            *interrupted |= m->nlmsg_flags & NLM_F_DUMP_INTR;
            if (m->nlmsg_type == NLMSG_ERROR || m->nlmsg_type == NLMSG_DONE)
                return nl_verdict(m, e);
            if (each)
                each(ctx, m);
        }
        got -= (ssize_t)NLMSG_ALIGN(m->nlmsg_len);
        m = (struct nlmsghdr *)((char *)m + NLMSG_ALIGN(m->nlmsg_len));
    }
    return 1;
}

int nl_batch(struct nl *n, const void *messages, size_t len, uint32_t first, uint32_t last,
             struct err *e)
{
    _Alignas(struct nlmsghdr) char room[NL_ANSWER_MAX];
    struct err refused = {0}, later = {0};

    if (nl_send(n, messages, len, e) < 0)
        return e->code;
    for (;;) {
        ssize_t got = nl_recv(n, room, sizeof room, e);

        if (got < 0)
            return (int)got;
        for (struct nlmsghdr *m = (struct nlmsghdr *)room; NLMSG_OK(m, (size_t)got);) {
            /* Refusals come in order, and those of the batch itself under its first number. */
            if (m->nlmsg_type == NLMSG_ERROR && m->nlmsg_seq - first <= last - first) {
                int rc = nl_verdict(m, refused.code ? &later : &refused);

                if (m->nlmsg_seq == last || (rc < 0 && m->nlmsg_seq == first)) {
                    if (refused.code)
                        *e = refused;
                    return refused.code;
                }
            }
            got -= (ssize_t)NLMSG_ALIGN(m->nlmsg_len);
            m = (struct nlmsghdr *)((char *)m + NLMSG_ALIGN(m->nlmsg_len));
        }
    }
}

int nl_ask(struct nl *n, struct nl_request *r, nl_fn each, void *ctx, struct err *e)
{
    bool dump = (r->head.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;

    if (!dump)
        r->head.nlmsg_flags |= NLM_F_ACK;
    for (unsigned i = 0; i < NL_TRIES; i++) {
        bool interrupted = false;
        int rc;

        r->head.nlmsg_seq = ++n->seq;
        if (nl_send(n, r, r->head.nlmsg_len, e) < 0)
            return e->code;
        while ((rc = nl_read(n, each, ctx, &interrupted, e)) > 0)
            ;
        if (rc < 0 || !interrupted)
            return rc;
    }
    return err_set(e, -EAGAIN, "the kernel's table changes too fast to be read");
}
