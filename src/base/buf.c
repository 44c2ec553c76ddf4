/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool buf_room(struct buf *b, size_t more)
{
    size_t cap = b->cap ? b->cap : 64;

    if (b->full || more > b->max || b->len > b->max - more) {
        b->full = true;
        return false;
    }
    while (cap < b->len + more + 1)
        cap *= 2;
    if (cap != b->cap) {
        char *at = realloc(b->at, cap);
        if (!at) {
            b->full = true;
            return false;
        }
        b->at = at;
        b->cap = cap;
    }
    return true;
}

void buf_add(struct buf *b, const void *data, size_t len)
{
    if (!buf_room(b, len))
        return;
    if (len)
        memcpy(b->at + b->len, data, len);
    b->len += len;
    b->at[b->len] = 0;
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    int len;

    va_start(ap, fmt);
    len = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (len < 0 || !buf_room(b, (size_t)len))
        return;
    va_start(ap, fmt);
    vsnprintf(b->at + b->len, (size_t)len + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)len;
}

void buf_drop(struct buf *b, size_t n)
{
    CHECK(n <= b->len);
    if (!n)
        return;
    memmove(b->at, b->at + n, b->len - n);
    b->len -= n;
    b->at[b->len] = 0;
}

char *buf_take(struct buf *b)
{
    char *at = b->full ? NULL : b->at;

    if (b->full)
        free(b->at);
    b->at = NULL;
    b->len = b->cap = 0;
    b->full = false;
    return at;
}

void buf_free(struct buf *b)
{
    free(b->at);
    b->at = NULL;
    b->len = b->cap = 0;
    b->full = false;
}
