/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/text.h"

#include <stdint.h>

/* Bytes of the UTF-8 character at p (RFC 3629), 0 if it is none. */
static size_t text_utf8(const uint8_t *p, size_t left)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    uint32_t c = len == 1 ? p[0] : len == 2 ? p[0] & 0x1f : len == 3 ? p[0] & 0x0f : p[0] & 0x07;

    if (!len || len > left || p[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    if (len > 1 && (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)))
        return 0;
    return len;
}

/* C0 but tab and newline, DEL, and C1, which terminals take for escapes as well. */
static bool text_control(const uint8_t *p, size_t len)
{
    if (len == 1)
        return (p[0] < 0x20 && p[0] != '\t' && p[0] != '\n') || p[0] == 0x7f;
    return len == 2 && p[0] == 0xc2 && p[1] < 0xa0;
}

bool text_clean(char *text, size_t len)
{
    uint8_t *p = (uint8_t *)text;
    bool changed = false;

    for (size_t i = 0; i < len;) {
        size_t n = text_utf8(p + i, len - i);
        if (n && !text_control(p + i, n)) {
            i += n;
            continue;
        }
        for (n = n ? n : 1; n; n--)
            p[i++] = '?';
        changed = true;
    }
    return changed;
}
