/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/frame.h"

#include <errno.h>

enum { FRAME_KEEP = 16384 }; /* a buffer that grew past this is given back when it is empty */

static int frame_size(const uint8_t *head, size_t *size)
{
    uint32_t n =
        (uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 | head[3];

    if (n == 0)
        return -EBADMSG;
    if (n > FRAME_MAX)
        return -EMSGSIZE;
    *size = n;
    return 0;
}

static void frame_take(const uint8_t **data, size_t *len, size_t n)
{
    *data += n;
    *len -= n;
}

static void frame_clear(struct frame_in *f)
{
    f->served = false;
    if (f->part.cap > FRAME_KEEP)
        buf_free(&f->part);
    else
        buf_drop(&f->part, f->part.len);
}

/* The usual case: the whole frame is in what was just read, and needs no copy. */
static int frame_whole(const uint8_t **data, size_t *len, const uint8_t **frame, size_t *frame_len)
{
    size_t size;
    int rc;

    if (*len < FRAME_HEAD)
        return 0;
    rc = frame_size(*data, &size);
    if (rc < 0)
        return rc;
    if (*len - FRAME_HEAD < size)
        return 0;
    *frame = *data + FRAME_HEAD;
    *frame_len = size;
    frame_take(data, len, FRAME_HEAD + size);
    return 1;
}

int frame_next(struct frame_in *f, const uint8_t **data, size_t *len, const uint8_t **frame,
               size_t *frame_len)
{
    if (f->served)
        frame_clear(f);
    if (!f->part.len) {
        int rc = frame_whole(data, len, frame, frame_len);
        if (rc != 0)
            return rc;
    }
    for (;;) {
        size_t want = FRAME_HEAD, take;

        if (f->part.len >= FRAME_HEAD) {
            int rc = frame_size((const uint8_t *)f->part.at, &want);
            if (rc < 0)
                return rc;
            if (f->part.len == FRAME_HEAD + want) {
                *frame = (const uint8_t *)f->part.at + FRAME_HEAD;
                *frame_len = want;
                f->served = true;
                return 1;
            }
            want += FRAME_HEAD;
        }
        if (!*len)
            return 0;
        take = want - f->part.len < *len ? want - f->part.len : *len;
        buf_add(&f->part, *data, take);
        if (f->part.full)
            return -ENOMEM;
        frame_take(data, len, take);
    }
}

bool frame_partial(const struct frame_in *f)
{
    return f->part.len > 0 && !f->served;
}

void frame_head(uint8_t to[FRAME_HEAD], size_t len)
{
    CHECK(len >= 1 && len <= FRAME_MAX);
    to[0] = (uint8_t)(len >> 24);
    to[1] = (uint8_t)(len >> 16);
    to[2] = (uint8_t)(len >> 8);
    to[3] = (uint8_t)len;
}

void frame_free(struct frame_in *f)
{
    buf_free(&f->part);
    f->served = false;
}
