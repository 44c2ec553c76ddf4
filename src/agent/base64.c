/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base64.h"

#include <stdint.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(char *to, const unsigned char *from, size_t n)
{
    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i < 3 ? n - i : 3;
        uint32_t bits = (uint32_t)from[i] << 16 | (left > 1 ? (uint32_t)from[i + 1] << 8 : 0) |
                        (left > 2 ? from[i + 2] : 0);

        for (size_t k = 0; k < 4; k++)
            *to++ = k <= left ? digits[bits >> (18 - 6 * k) & 63] : '=';
    }
    *to = '\0';
}

static int base64_value(char c)
{
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) : -1;
}

long base64_decode(unsigned char *to, size_t room, const char *from)
{
    size_t len = strlen(from), n = 0;

    if (len % 4)
        return -1;
    for (size_t i = 0; i < len; i += 4) {
        size_t pad = i + 4 < len ? 0 : (from[i + 3] == '=') + (size_t)(from[i + 2] == '=');
        uint32_t bits = 0;

        for (size_t k = 0; k < 4; k++) {
            int v = k >= 4 - pad ? 0 : base64_value(from[i + k]);

            if (v < 0)
                return -1;
            bits = bits << 6 | (uint32_t)v;
        }
        for (size_t k = 0; k < 3 - pad; k++) {
            if (n == room)
                return -1;
            to[n++] = (unsigned char)(bits >> (16 - 8 * k));
        }
    }
    return (long)n;
}
