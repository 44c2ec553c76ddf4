/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "monitor/chunk.h"

#include "proto/codec.h"

#include <string.h>

enum { CHUNK_FRAME_MAX = MSG_FRAME_MAX - 256 }; /* room for the rest of the message */

/* What a byte may take in JSON; control characters travel as '?' but for tab and newline. */
static size_t chunk_cost(char c)
{
    return c == '"' || c == '\\' || c == '\n' || c == '\t' ? 2 : 1;
}

size_t chunk_take(char to[ANSWER_LEN], const char *text)
{
    size_t len = 0, cost = 0;

    while (text[len] && len < ANSWER_LEN - 1 && cost + chunk_cost(text[len]) <= CHUNK_FRAME_MAX)
        cost += chunk_cost(text[len++]);
    /* not in the middle of a character; a text that is no UTF-8 at all is cut anywhere */
    for (size_t back = 0; text[len] && back < 4 && back < len; back++)
        if (((unsigned char)text[len - back] & 0xc0) != 0x80) {
            len -= back;
            break;
        }
    memcpy(to, text, len);
    to[len] = 0;
    return len;
}
