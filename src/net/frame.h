/* SPDX-License-Identifier: GPL-2.0-or-later
 * Frames on a byte stream: a 4-byte big-endian length, then that many bytes. Pure. What is in a
 * frame is nobody's business here; an empty one and one over FRAME_MAX are refused. */
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FRAME_HEAD = 4, FRAME_MAX = 65536 }; /* FRAME_MAX: bytes of payload */

struct frame_in {
    struct buf part; /* the frame that is not complete yet; owned */
    bool served;     /* `part` was handed out as a frame and goes with the next call */
};

#define FRAME_IN                                                                                   \
    (struct frame_in)                                                                              \
    {                                                                                              \
        .part = BUF(FRAME_HEAD + FRAME_MAX)                                                        \
    }

/* Takes the next frame out of *data. 1: *frame and *frame_len are set, valid until the next call
 * and as long as *data lives; call again. 0: *data is used up, more is needed. -EMSGSIZE: too long,
 * -EBADMSG: empty, -ENOMEM; nothing more can be read from this stream then. */
int frame_next(struct frame_in *f, const uint8_t **data, size_t *len, const uint8_t **frame,
               size_t *frame_len) MUST_CHECK;
bool frame_partial(const struct frame_in *f); /* the beginning of a frame is waiting for its end */
void frame_head(uint8_t to[FRAME_HEAD], size_t len);
void frame_free(struct frame_in *f);
