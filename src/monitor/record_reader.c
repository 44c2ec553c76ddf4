/* SPDX-License-Identifier: GPL-2.0-or-later
 * The reading side of record_file.h. Trusts nothing: what a crash left undone at the end is noted,
 * anything else that is not as it was written is an error. */
#include "monitor/record_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static uint32_t get32(const uint8_t *from)
{
    return from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

static bool all_zero(int fd, uint64_t at, uint64_t size)
{
    uint8_t some[4096];

    while (at < size) {
        ssize_t n = pread(fd, some, sizeof some, (off_t)at);

        if (n <= 0)
            return false;
        for (ssize_t i = 0; i < n; i++)
            if (some[i])
                return false;
        at += (uint64_t)n;
    }
    return true;
}

static int reader_ends(struct record_reader *r)
{
    snprintf(r->note, sizeof r->note,
             "the last block is not complete, as after a crash: its %" PRIu64 " bytes are left out",
             r->size - r->at);
    r->at = r->size;
    return 0;
}

static int reader_damaged(const struct record_reader *r, const char *what, struct err *e)
{
    return err_set(e, -EUCLEAN, "it is damaged at byte %" PRIu64 ": %s", r->at, what);
}

/* One block into r->block: 1, 0 the end, or an error. */
static int reader_block(struct record_reader *r, enum record_block *kind, size_t *len,
                        struct err *e)
{
    uint8_t head[RECORD_HEAD];
    uint64_t left = r->size - r->at;
    uint32_t n;

    if (!left)
        return 0;
    if (left < RECORD_HEAD)
        return reader_ends(r);
    if (pread(r->fd, head, sizeof head, (off_t)r->at) != (ssize_t)sizeof head)
        return err_set(e, -EIO, "it cannot be read");
    if (get32(head) != record_magic || get32(head + 16) != (uint32_t)crc32(0, head, 16))
        return all_zero(r->fd, r->at, r->size) ? reader_ends(r)
                                               : reader_damaged(r, "no block begins here", e);
    n = get32(head + 8);
    if (n > RECORD_BLOCK_MAX)
        return reader_damaged(r, "a block of impossible length", e);
    if (n > left - RECORD_HEAD)
        return reader_ends(r);
    if (pread(r->fd, r->block, n, (off_t)(r->at + RECORD_HEAD)) != (ssize_t)n)
        return err_set(e, -EIO, "it cannot be read");
    if (get32(head + 12) != (uint32_t)crc32(0, r->block, n))
        return n == left - RECORD_HEAD ? reader_ends(r)
                                       : reader_damaged(r, "a block's checksum is wrong", e);
    *kind = (enum record_block)get32(head + 4);
    *len = n;
    r->at += RECORD_HEAD + n;
    return 1;
}

static int reader_inflate(struct record_reader *r, bool section, size_t len, struct err *e)
{
    uint8_t some[16384];
    int rc = Z_OK;

    if (!r->inflating) {
        memset(&r->z, 0, sizeof r->z);
        if (inflateInit2(&r->z, -15) != Z_OK)
            return err_set(e, -ENOMEM, "out of memory");
        r->inflating = true;
    } else if (section) {
        CHECK(inflateReset(&r->z) == Z_OK);
    }
    r->z.next_in = r->block;
    r->z.avail_in = (uInt)len;
    r->raw.len = 0;
    do {
        r->z.next_out = some;
        r->z.avail_out = sizeof some;
        rc = inflate(&r->z, Z_SYNC_FLUSH);
        if (rc == Z_BUF_ERROR)
            break; /* nothing left */
        if (rc != Z_OK)
            return reader_damaged(r, "what a block holds cannot be inflated", e);
        buf_add(&r->raw, some, sizeof some - r->z.avail_out);
        if (r->raw.full)
            return reader_damaged(r, "a block holds more than was ever written", e);
    } while (r->z.avail_in || !r->z.avail_out);
    return 0;
}

int record_reader_next(struct record_reader *r, enum record_block *kind, struct err *e)
{
    size_t len = 0;
    int rc = reader_block(r, kind, &len, e);

    if (rc <= 0)
        return rc;
    if ((*kind != BLOCK_SECTION && *kind != BLOCK_MORE) || (*kind == BLOCK_MORE && !r->inflating))
        return reader_damaged(r, "a block that doesn't belong here", e);
    rc = reader_inflate(r, *kind == BLOCK_SECTION, len, e);
    return rc < 0 ? rc : 1;
}

static int reader_who(struct record_reader *r, struct err *e)
{
    enum record_block kind = BLOCK_MORE;
    struct err why = {0};
    size_t len = 0;

    if (reader_block(r, &kind, &len, &why) != 1 || kind != BLOCK_FILE || len >= sizeof r->who)
        return err_set(e, -EINVAL, "no monitor recorded this");
    memcpy(r->who, r->block, len);
    r->who[len] = 0;
    return 0;
}

int record_reader_open(struct record_reader *r, const char *path, struct err *e)
{
    struct stat st;

    *r = (struct record_reader){.fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
    r->raw = BUF(RECORD_BLOCK_MAX);
    if (r->fd < 0 || fstat(r->fd, &st) < 0)
        return err_set(e, -errno, "%s", strerror(errno));
    if (!S_ISREG(st.st_mode))
        return err_set(e, -EINVAL, "it is not a file");
    r->size = (uint64_t)st.st_size;
    r->block = malloc(RECORD_BLOCK_MAX);
    if (!r->block)
        return err_set(e, -ENOMEM, "out of memory");
    return reader_who(r, e);
}

void record_reader_close(struct record_reader *r)
{
    if (r->fd >= 0)
        close(r->fd);
    r->fd = -1;
    if (r->inflating)
        inflateEnd(&r->z);
    r->inflating = false;
    free(r->block);
    r->block = NULL;
    buf_free(&r->raw);
}
