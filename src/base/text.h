/* SPDX-License-Identifier: GPL-2.0-or-later
 * Text piece by piece into a buffer of a fixed size; what does not fit is left out, and n counts
 * it, as snprintf does. Always zero-terminated where size > 0. */
#pragma once

#include "base/check.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

struct text {
    char *to;
    size_t n, size;
};

static inline void text_add(struct text *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
static inline void text_add(struct text *t, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(t->n < t->size ? t->to + t->n : NULL, t->n < t->size ? t->size - t->n : 0, fmt,
                  ap);
    va_end(ap);
    t->n += n > 0 ? (size_t)n : 0;
}
