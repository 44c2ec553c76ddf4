/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "conf/pool.h"
#include "base/check.h"

#include <stdlib.h>
#include <string.h>

enum { POOL_BLOCK = 32 * 1024 };

struct block {
    struct block *next;
    size_t size, used;
    max_align_t at[];
};

struct pool {
    struct block *blocks; /* the one being filled comes first */
};

struct pool *pool_new(void)
{
    struct pool *p = calloc(1, sizeof *p);

    CHECK(p);
    return p;
}

void *pool_get(struct pool *p, size_t size)
{
    struct block *b = p->blocks;

    size = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    if (!b || b->size - b->used < size) {
        size_t room = size > POOL_BLOCK ? size : POOL_BLOCK;

        b = calloc(1, sizeof *b + room);
        CHECK(b);
        b->size = room;
        b->next = p->blocks;
        p->blocks = b;
    }
    b->used += size;
    return (char *)b->at + b->used - size;
}

char *pool_text(struct pool *p, const char *text, size_t len)
{
    char *copy = pool_get(p, len + 1);

    if (len)
        memcpy(copy, text, len);
    return copy;
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    for (struct block *b = p->blocks, *next; b; b = next) {
        next = b->next;
        explicit_bzero(b->at, b->size);
        free(b);
    }
    free(p);
}
