/* SPDX-License-Identifier: GPL-2.0-or-later
 * Little-endian numbers, and taking them one after the other from bytes nobody checked. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline uint64_t bytes_number(const uint8_t *at, unsigned n)
{
    uint64_t v = 0;

    while (n--)
        v = v << 8 | at[n];
    return v;
}

static inline uint32_t bytes_u32(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static inline void bytes_put(uint8_t *to, uint64_t v, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        to[i] = (uint8_t)(v >> 8 * i);
}

/* Once more was asked for than there is, `bad` stays set and everything taken is 0 or NULL. */
struct bytes {
    const uint8_t *at;
    size_t left;
    bool bad;
};

static inline const uint8_t *bytes_take(struct bytes *b, size_t n)
{
    const uint8_t *at = b->at;

    if (b->bad || n > b->left) {
        b->bad = true;
        return NULL;
    }
    b->at += n;
    b->left -= n;
    return at;
}

static inline uint64_t bytes_take_number(struct bytes *b, unsigned n)
{
    const uint8_t *at = bytes_take(b, n);

    return at ? bytes_number(at, n) : 0;
}
