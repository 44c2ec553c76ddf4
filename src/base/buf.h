/* SPDX-License-Identifier: GPL-2.0-or-later
 * Growing text with a ceiling. `at` is always zero-terminated once something was added.
 * Past `max` nothing is added and `full` is set: look at it before using the text. */
#pragma once

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>

struct buf {
    char *at; /* owned; NULL while empty */
    size_t len, cap, max;
    bool full;
};

#define BUF(limit)                                                                                 \
    (struct buf)                                                                                   \
    {                                                                                              \
        .max = (limit)                                                                             \
    }
#define auto_buf __attribute__((cleanup(buf_free))) struct buf

void buf_add(struct buf *b, const void *data, size_t len);
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Forgets the first n bytes. */
void buf_drop(struct buf *b, size_t n);
/* Hands the text over (caller frees); NULL if it was full. The buffer is empty afterwards. */
char *buf_take(struct buf *b) MUST_CHECK;
void buf_free(struct buf *b);
