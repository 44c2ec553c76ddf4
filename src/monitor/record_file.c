/* SPDX-License-Identifier: GPL-2.0-or-later
 * The writing side. */
#include "monitor/record_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

const uint32_t record_magic = 0x6d6d6168; /* "hamm" */

enum { WINDOW_BITS = 14, MEM_LEVEL = 6 /* 96 KiB instead of 256 */ };

void record_file_init(struct record_file *f, const char *path, const char *who,
                      const struct record_file_opts *opts)
{
    memset(f, 0, sizeof *f);
    snprintf(f->path, sizeof f->path, "%s", path);
    snprintf(f->who, sizeof f->who, "%s", who);
    f->opts = *opts;
    if (!f->opts.pwrite)
        f->opts.pwrite = pwrite;
    f->fd = -1;
}

void record_file_close(struct record_file *f)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
    if (f->deflating)
        deflateEnd(&f->z);
    f->deflating = false;
    free(f->out);
    f->out = NULL;
    f->room = 0;
}

bool record_file_full(const struct record_file *f)
{
    return f->size >= f->opts.file_max / 16 * 15;
}

/* Written byte by byte, so that a recording can be read on any machine. */
static void put32(uint8_t *to, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(v >> 8 * i);
}

static uint32_t get32(const uint8_t *from)
{
    return from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

static int file_failed(struct record_file *f, struct err *e, const char *what)
{
    int err = errno ? errno : EIO;

    return err_set(e, -err, "%s %s: %s", what, f->path, strerror(err));
}

/* f->out[RECORD_HEAD ...] goes to the end of the file; what got there of a block that failed is
 * taken back. */
static int file_put(struct record_file *f, enum record_block kind, size_t len, struct err *e)
{
    size_t all = RECORD_HEAD + len, done = 0;

    put32(f->out, record_magic);
    put32(f->out + 4, kind);
    put32(f->out + 8, (uint32_t)len);
    put32(f->out + 12, (uint32_t)crc32(0, f->out + RECORD_HEAD, (uInt)len));
    put32(f->out + 16, (uint32_t)crc32(0, f->out, 16));
    while (done < all) {
        ssize_t n = f->opts.pwrite(f->fd, f->out + done, all - done, (off_t)(f->size + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            int rc = file_failed(f, e, "write");

            if (ftruncate(f->fd, (off_t)f->size) < 0)
                return rc; /* the next to open it finds that it doesn't end well */
            return rc;
        }
        done += (size_t)n;
    }
    f->size += all;
    return 0;
}

static bool file_room(struct record_file *f, size_t len)
{
    uint8_t *out;

    if (f->room >= len)
        return true;
    out = realloc(f->out, len);
    if (!out)
        return false;
    f->out = out;
    f->room = len;
    return true;
}

static void file_rotate(const struct record_file *f)
{
    char from[sizeof f->path + 8], to[sizeof f->path + 8];

    for (int i = RECORD_FILES; i > 0; i--) {
        snprintf(to, sizeof to, "%s.%d", f->path, i);
        if (i > 1)
            snprintf(from, sizeof from, "%s.%d", f->path, i - 1);
        else
            snprintf(from, sizeof from, "%s", f->path);
        (void)rename(from, to); /* most often one that is not there */
    }
}

/* Whether it is whole blocks from end to end, written by this build. */
static bool file_goes_on(const struct record_file *f, uint64_t size)
{
    uint8_t head[RECORD_HEAD], who[sizeof f->who];
    uint64_t at = 0;

    while (at < size) {
        uint32_t len;

        if (pread(f->fd, head, sizeof head, (off_t)at) != (ssize_t)sizeof head ||
            get32(head) != record_magic || get32(head + 16) != (uint32_t)crc32(0, head, 16))
            return false;
        len = get32(head + 8);
        if (!at &&
            (len != strlen(f->who) || len > sizeof who || get32(head + 4) != BLOCK_FILE ||
             pread(f->fd, who, len, RECORD_HEAD) != (ssize_t)len || memcmp(who, f->who, len) != 0))
            return false;
        at += RECORD_HEAD + len;
    }
    return at == size;
}

static int file_open(struct record_file *f, struct err *e)
{
    struct stat st;

    f->fd = open(f->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (f->fd < 0 || fstat(f->fd, &st) < 0)
        return file_failed(f, e, "open");
    f->size = (uint64_t)st.st_size;
    if (!S_ISREG(st.st_mode))
        return err_set(e, -EINVAL, "%s is not a file", f->path);
    return 0;
}

static int file_begin(struct record_file *f, struct err *e)
{
    size_t len = strlen(f->who);
    int rc = f->fd < 0 ? file_open(f, e) : 0;

    if (rc < 0)
        return rc;
    if (f->size && (record_file_full(f) || !file_goes_on(f, f->size))) {
        close(f->fd);
        f->fd = -1;
        file_rotate(f);
        rc = file_open(f, e);
        if (rc < 0)
            return rc;
    }
    if (f->size)
        return 0;
    if (!file_room(f, RECORD_HEAD + len))
        return err_set(e, -ENOMEM, "out of memory");
    memcpy(f->out + RECORD_HEAD, f->who, len);
    return file_put(f, BLOCK_FILE, len, e);
}

static int file_disk(const struct record_file *f, struct err *e)
{
    struct statvfs fs;

    if (!f->opts.disk_left || fstatvfs(f->fd, &fs) < 0 ||
        (uint64_t)fs.f_bavail * fs.f_frsize >= f->opts.disk_left)
        return 0;
    return err_set(e, -ENOSPC, "the last %" PRIu64 " MiB of the disk are left to the journal",
                   f->opts.disk_left >> 20);
}

static int file_deflate(struct record_file *f, bool section, const void *data, size_t len,
                        size_t *out, struct err *e)
{
    if (!f->deflating) {
        memset(&f->z, 0, sizeof f->z);
        if (deflateInit2(&f->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -WINDOW_BITS, MEM_LEVEL,
                         Z_DEFAULT_STRATEGY) != Z_OK)
            return err_set(e, -ENOMEM, "out of memory");
        f->deflating = true;
    } else if (section) {
        CHECK(deflateReset(&f->z) == Z_OK);
    }
    if (!file_room(f, RECORD_HEAD + deflateBound(&f->z, (uLong)len) + 64))
        return err_set(e, -ENOMEM, "out of memory");
    f->z.next_in = (void *)data;
    f->z.avail_in = (uInt)len;
    f->z.next_out = f->out + RECORD_HEAD;
    f->z.avail_out = (uInt)(f->room - RECORD_HEAD);
    CHECK(deflate(&f->z, Z_SYNC_FLUSH) == Z_OK && !f->z.avail_in && f->z.avail_out);
    *out = f->room - RECORD_HEAD - f->z.avail_out;
    return 0;
}

static int file_add(struct record_file *f, bool section, const void *data, size_t len,
                    struct err *e)
{
    size_t out = 0;
    bool fresh;
    int rc = section ? file_begin(f, e) : 0;

    if (rc < 0)
        return rc;
    fresh = f->size == RECORD_HEAD + strlen(f->who);
    rc = file_disk(f, e);
    if (!rc)
        rc = file_deflate(f, section, data, len, &out, e);
    if (rc < 0)
        return rc;
    if (!fresh && f->size + RECORD_HEAD + out > f->opts.file_max) {
        f->size = f->opts.file_max; /* so that the next section begins a new one */
        return err_set(e, -EFBIG, "%s is full", f->path);
    }
    return file_put(f, section ? BLOCK_SECTION : BLOCK_MORE, out, e);
}

int record_file_add(struct record_file *f, bool section, const void *data, size_t len,
                    struct err *e)
{
    int rc;

    if (!section && f->fd < 0)
        return err_set(e, -EBADF, "%s is not open", f->path);
    rc = file_add(f, section, data, len, e);
    if (rc == 0)
        return 0;
    if (f->fd >= 0 && rc != -EFBIG) {
        close(f->fd);
        f->fd = -1;
    }
    return rc;
}
