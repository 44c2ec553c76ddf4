/* SPDX-License-Identifier: GPL-2.0-or-later
 * Format description: header, version (2 bytes), server's version (50), time (4), length of a
 * header (1), one byte per kind of event, kind of checksum (1), checksum (4, always there). */
#include "binlog/reader.h"

#include "binlog/bytes.h"
#include "binlog/crc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WINDOW       (1024u * 1024)
#define FORMAT_LENS  (READER_HEADER + 2 + 50 + 4 + 1) /* where the lengths per kind begin */
#define IN_USE       0x1 /* flag of a format description; its checksum is made without */
#define HEADER_FLAGS 17  /* where in the header */

/* ---- bytes ---- */

static int reader_bad(const struct reader *r, uint64_t at, const char *what, struct err *e)
{
    return err_set(e, -EBADMSG, "binary log %s is damaged at %" PRIu64 ": %s", r->path, at, what);
}

static int reader_fill(struct reader *r, uint64_t at, struct err *e)
{
    size_t got = 0;

    r->window_len = 0;
    while (got < r->window_cap) {
        ssize_t n = pread(r->fd, r->window + got, r->window_cap - got, (off_t)(at + got));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(e, -errno, "read binary log %s: %s", r->path, strerror(errno));
        if (n == 0)
            break;
        got += (size_t)n;
    }
    r->window_at = at;
    r->window_len = got;
    return 0;
}

const uint8_t *reader_bytes(struct reader *r, uint64_t at, size_t len, struct err *e)
{
    CHECK(len <= READER_HEAD_MAX);
    if (at < r->window_at || at + len > r->window_at + r->window_len) {
        if (reader_fill(r, at, e) < 0)
            return NULL;
        if (r->window_len < len) {
            (void)err_set(e, -EIO, "binary log %s became shorter while it was read", r->path);
            return NULL;
        }
    }
    return r->window + (at - r->window_at);
}

/* ---- events ---- */

/* 1 its checksum is right, 0 wrong. */
static int reader_checksum(struct reader *r, const struct event *ev, struct err *e)
{
    uint64_t at = ev->at, end = ev->at + ev->len - 4;
    uint32_t crc = 0;
    const uint8_t *from;

    while (at < end) {
        size_t n = end - at < READER_HEAD_MAX ? (size_t)(end - at) : READER_HEAD_MAX;

        from = reader_bytes(r, at, n, e);
        if (!from)
            return e->code;
        if (at == ev->at && ev->type == EVENT_FORMAT) {
            uint8_t header[READER_HEADER];

            memcpy(header, from, sizeof header);
            header[HEADER_FLAGS] &= (uint8_t)~IN_USE;
            crc = crc_update(crc_update(0, header, sizeof header), from + sizeof header,
                             n - sizeof header);
        } else {
            crc = crc_update(crc, from, n);
        }
        at += n;
    }
    from = reader_bytes(r, end, 4, e);
    return from ? bytes_u32(from) == crc : e->code;
}

static bool reader_zeros(const uint8_t *at, size_t n)
{
    while (n--)
        if (*at++)
            return false;
    return true;
}

/* The header at r->next. */
static int reader_header(struct reader *r, struct event *ev, struct err *e)
{
    uint64_t left = r->size - r->next;
    uint32_t least = READER_HEADER + (r->crc ? 4 : 0);
    const uint8_t *h;

    if (left == 0)
        return READER_END;
    if (left < READER_HEADER)
        return READER_TORN;
    h = reader_bytes(r, r->next, READER_HEADER, e);
    if (!h)
        return e->code;
    *ev = (struct event){
        .type = h[4],
        .server_id = bytes_u32(h + 5),
        .len = bytes_u32(h + 9),
        .flags = (uint16_t)bytes_number(h + HEADER_FLAGS, 2),
        .at = r->next,
    };
    if (ev->len < least && reader_zeros(h, READER_HEADER))
        return READER_TORN;
    if (ev->len < least)
        return reader_bad(r, r->next, "an event shorter than its own header", e);
    return ev->len > left ? READER_TORN : READER_EVENT;
}

static int reader_body(struct reader *r, struct event *ev, struct err *e)
{
    size_t tail = r->crc ? 4 : 0, all = ev->len - READER_HEADER - tail;

    ev->whole = all <= READER_HEAD_MAX - READER_HEADER;
    ev->body_len = ev->whole ? all : READER_HEAD_MAX - READER_HEADER;
    ev->body = reader_bytes(r, ev->at, READER_HEADER + ev->body_len, e);
    if (!ev->body)
        return e->code;
    ev->body += READER_HEADER;
    return READER_EVENT;
}

int reader_next(struct reader *r, struct event *ev, struct err *e)
{
    int rc = reader_header(r, ev, e);

    if (rc != READER_EVENT)
        return rc;
    if (r->crc) {
        rc = reader_checksum(r, ev, e);
        if (rc < 0)
            return rc;
        if (rc == 0 && ev->at + ev->len == r->size)
            return READER_TORN;
        if (rc == 0)
            return reader_bad(r, ev->at, "wrong checksum of an event", e);
    }
    if (ev->type == EVENT_ENCRYPTION)
        return err_set(e, -ENOTSUP, "binary log %s is encrypted", r->path);
    r->next += ev->len;
    return reader_body(r, ev, e);
}

/* ---- the beginning of a file ---- */

static int reader_magic(struct reader *r, struct err *e)
{
    const uint8_t *m;

    if (r->size < READER_MAGIC)
        return READER_TORN;
    m = reader_bytes(r, 0, READER_MAGIC, e);
    if (!m)
        return e->code;
    if (memcmp(m,
               "\xfd"
               "bin",
               READER_MAGIC) == 0)
        return err_set(e, -ENOTSUP, "binary log %s is encrypted", r->path);
    if (memcmp(m,
               "\xfe"
               "bin",
               READER_MAGIC) != 0)
        return reader_bad(r, 0, "this is no binary log", e);
    r->next = READER_MAGIC;
    return READER_EVENT;
}

static int reader_format(struct reader *r, struct err *e)
{
    struct event ev;
    int rc = reader_header(r, &ev, e);
    const uint8_t *f;
    unsigned kinds;

    if (rc != READER_EVENT)
        return rc == READER_END ? READER_TORN : rc;
    if (ev.type != EVENT_FORMAT || ev.len < FORMAT_LENS + EVENT_PREVIOUS_GTIDS + 5 ||
        ev.len > READER_FORMAT_MAX)
        return reader_bad(r, ev.at, "it does not begin with a format description", e);
    f = reader_bytes(r, ev.at, ev.len, e);
    if (!f)
        return e->code;
    if (bytes_number(f + READER_HEADER, 2) != 4 || f[FORMAT_LENS - 1] != READER_HEADER)
        return reader_bad(r, ev.at, "a format that is not known", e);
    if (f[ev.len - 5] > 1)
        return reader_bad(r, ev.at, "a kind of checksum that is not known", e);
    memcpy(r->format, f, ev.len);
    r->format_len = ev.len;
    kinds = ev.len - FORMAT_LENS - 5;
    r->mariadb = kinds >= EVENT_MARIADB_GTID_LIST;
    r->crc = f[ev.len - 5] == 1;
    if (r->crc) {
        rc = reader_checksum(r, &ev, e);
        if (rc <= 0)
            return rc < 0 ? rc : reader_bad(r, ev.at, "wrong checksum of the format", e);
    }
    r->next += ev.len;
    return READER_EVENT;
}

int reader_open(struct reader *r, const char *path, struct err *e)
{
    struct stat st;
    int rc;

    *r = (struct reader){.fd = open(path, O_RDONLY | O_CLOEXEC)};
    snprintf(r->path, sizeof r->path, "%s", path);
    if (r->fd < 0 || fstat(r->fd, &st) < 0)
        return err_set(e, -errno, "open binary log %s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return reader_bad(r, 0, "this is no file", e);
    r->size = (uint64_t)st.st_size;
    r->window_cap = r->size < WINDOW ? (size_t)r->size + 1 : WINDOW;
    r->window = malloc(r->window_cap);
    CHECK(r->window);
    rc = reader_magic(r, e);
    return rc == READER_EVENT ? reader_format(r, e) : rc;
}

void reader_close(struct reader *r)
{
    if (r->fd >= 0)
        close(r->fd);
    free(r->window);
    r->window = NULL;
    r->fd = -1;
}
