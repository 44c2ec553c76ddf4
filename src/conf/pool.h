/* SPDX-License-Identifier: GPL-2.0-or-later
 * Memory that is given out bit by bit and freed all at once, wiped, because passwords and keys are
 * among it. Running out of memory ends the program: there is nothing to run without a
 * configuration. */
#pragma once

#include <stddef.h>

struct pool;

struct pool *pool_new(void);
/* Zeroed, aligned for anything. */
void *pool_get(struct pool *p, size_t size);
/* A copy with a zero byte after it. */
char *pool_text(struct pool *p, const char *text, size_t len);
/* NULL is fine. */
void pool_free(struct pool *p);
