/* SPDX-License-Identifier: GPL-2.0-or-later
 * One netlink socket for questions to this kernel, answered before the call returns; NL_BOUND_MS
 * bounds the wait should the kernel ever be silent. Used by rtnl.c and diag.c. */
#pragma once

#include "base/err.h"

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NL_BOUND_MS    200
#define NL_REQUEST_MAX 512

struct nl {
    int fd; /* -1: closed */
    uint32_t seq;
};

/* A request under construction: header, the family's own header, attributes. */
struct nl_request {
    union {
        struct nlmsghdr head;
        char room[NL_REQUEST_MAX];
    };
};

typedef void (*nl_fn)(void *ctx, const struct nlmsghdr *m);

int nl_open(struct nl *n, int protocol, struct err *e) MUST_CHECK;
void nl_close(struct nl *n); /* may be repeated */

/* Starts a request with a zeroed family header of `len` bytes and returns that header. */
void *nl_begin(struct nl_request *r, unsigned type, unsigned flags, size_t len);
void nl_put(struct nl_request *r, unsigned type, const void *data, size_t len);

/* Sends and hands every answer to `each` (may be NULL) until the kernel says it was all. The
 * kernel's own words are in e. A dump that changed meanwhile is asked again, so `each` may see
 * things twice. */
int nl_ask(struct nl *n, struct nl_request *r, nl_fn each, void *ctx, struct err *e) MUST_CHECK;

/* Sends several messages at once, a batch of nfnetlink numbered from `first` on, of which `last`
 * asked for an acknowledgement. 0 if none of them was refused, else the first refusal. */
int nl_batch(struct nl *n, const void *messages, size_t len, uint32_t first, uint32_t last,
             struct err *e) MUST_CHECK;

/* Walks attributes behind a family header of `head` bytes: the payload of `type` if it has at
 * least `least` bytes, else NULL. */
const void *nl_attr(const struct nlmsghdr *m, size_t head, unsigned type, size_t least);
