/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "binlog/writer.h"

#include "binlog/bytes.h"
#include "binlog/crc.h"
#include "binlog/event.h"
#include "binlog/tagged.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AT_LEN     9 /* in an event's header */
#define AT_END     13
#define AT_FLAGS   17
#define AT_CREATED (READER_HEADER + 2 + 50)
/* in a MySQL GTID event's body: flags 1, UUID 16, number 8, kind of clock 1, the clock's two
 * numbers */
#define CLOCK_AT       26
#define CLOCK_LEN      16
#define GTID_EVENT_MAX 1024
#define IGNORABLE      0x80
#define START_MAX      (READER_HEADER + 16 + GTID_RANGES_MAX * (16 + 1 + GTID_TAG_MAX + 24) + 4)

static int writer_put(struct writer *w, const uint8_t *data, size_t len, struct err *e)
{
    if (len > w->max - w->len)
        return err_set(e, -EFBIG, "what is missing is more than the %llu bytes allowed",
                       (unsigned long long)w->max);
    w->len += len;
    if (w->file && fwrite(data, 1, len, w->file) != len)
        return err_set(e, -errno, "write %s: %s", w->path, strerror(errno));
    return 0;
}

/* ---- the beginning ---- */

static int writer_format(struct writer *w, const struct reader *like, struct err *e)
{
    uint8_t f[READER_FORMAT_MAX];
    size_t len = like->format_len;

    memcpy(f, like->format, len);
    bytes_put(f + AT_END, READER_MAGIC + len, 4);
    bytes_put(f + AT_FLAGS, 0, 2);   /* not in use */
    bytes_put(f + AT_CREATED, 0, 4); /* goes on: a replica keeps its temporary tables */
    bytes_put(f + len - 4, crc_update(0, f, len - 4), 4);
    return writer_put(w, f, len, e);
}

static size_t writer_gtid_list(uint8_t *to, const struct gtid_set *before,
                               const struct gtid_set *last)
{
    size_t len = 4;
    unsigned n = 0;

    for (unsigned d = 0; d < last->n; d++) { /* who wrote last in a domain stands last in it */
        const struct gtid_source *who = &last->range[d].source;

        for (unsigned pass = 0; pass < 2; pass++) {
            for (unsigned i = 0; i < before->n; i++) {
                const struct gtid_range *r = &before->range[i];

                if (r->source.domain != who->domain ||
                    (r->source.server == who->server) != (pass == 1))
                    continue;
                bytes_put(to + len, r->source.domain, 4);
                bytes_put(to + len + 4, r->source.server, 4);
                bytes_put(to + len + 8, r->hi, 8);
                len += 16;
                n++;
            }
        }
    }
    bytes_put(to, n, 4);
    if (n == 0) { /* MariaDB pads an empty list so */
        bytes_put(to + len, 0, 2);
        len += 2;
    }
    return len;
}

static bool writer_same_source(const struct gtid_range *a, const struct gtid_range *b)
{
    return memcmp(&a->source, &b->source, sizeof a->source) == 0;
}

static size_t writer_previous_gtids(uint8_t *to, const struct gtid_set *before)
{
    size_t len = 8;
    uint64_t sources = 0;
    bool tagged = false;

    for (unsigned i = 0; i < before->n; i++)
        tagged |= before->range[i].source.tag[0] != 0;
    for (unsigned i = 0, next; i < before->n; i = next) {
        const struct gtid_range *r = &before->range[i];
        size_t tag = strlen(r->source.tag);

        for (next = i; next < before->n && writer_same_source(r, &before->range[next]);)
            next++;
        memcpy(to + len, r->source.uuid, 16);
        len += 16;
        if (tagged) {
            to[len++] = (uint8_t)(tag << 1);
            memcpy(to + len, r->source.tag, tag);
            len += tag;
        }
        bytes_put(to + len, next - i, 8);
        len += 8;
        for (unsigned k = i; k < next; k++, len += 16) {
            bytes_put(to + len, before->range[k].lo, 8);
            bytes_put(to + len + 8, before->range[k].hi + 1, 8);
        }
        sources++;
    }
    bytes_put(to, tagged ? 1ull << 56 | sources << 8 | 1 : sources, 8);
    return len;
}

static int writer_start_set(struct writer *w, const struct reader *like,
                            const struct gtid_set *before, const struct gtid_set *last,
                            struct err *e)
{
    uint8_t *ev = calloc(1, START_MAX);
    size_t len;
    int rc;

    CHECK(ev);
    memcpy(ev, like->format, AT_LEN); /* time and server */
    ev[4] = like->mariadb ? EVENT_MARIADB_GTID_LIST : EVENT_PREVIOUS_GTIDS;
    len = READER_HEADER + (like->mariadb ? writer_gtid_list(ev + READER_HEADER, before, last)
                                         : writer_previous_gtids(ev + READER_HEADER, before));
    len += w->crc ? 4 : 0;
    bytes_put(ev + AT_LEN, len, 4);
    bytes_put(ev + AT_END, w->len + len, 4);
    bytes_put(ev + AT_FLAGS, like->mariadb ? 0 : IGNORABLE, 2);
    if (w->crc)
        bytes_put(ev + len - 4, crc_update(0, ev, len - 4), 4);
    rc = writer_put(w, ev, len, e);
    free(ev);
    return rc;
}

int writer_begin(struct writer *w, const struct reader *like, const struct gtid_set *before,
                 const struct gtid_set *last, struct err *e)
{
    static const uint8_t magic[READER_MAGIC] = {0xfe, 'b', 'i', 'n'};

    w->crc = like->crc;
    w->len = 0;
    if (writer_put(w, magic, sizeof magic, e) < 0 || writer_format(w, like, e) < 0)
        return e->code;
    return writer_start_set(w, like, before, last, e);
}

/* ---- events ---- */

/* A GTID event without numbers of the logical clock; to: GTID_EVENT_MAX bytes. */
static const uint8_t *writer_serial(uint8_t *to, const uint8_t *from, size_t n, uint8_t type)
{
    memcpy(to, from, n);
    if (type == EVENT_GTID_TAGGED)
        tagged_forget_clock(to, n);
    else if (n >= CLOCK_AT + CLOCK_LEN)
        memset(to + CLOCK_AT, 0, CLOCK_LEN);
    return to;
}

int writer_copy(struct writer *w, struct reader *r, const struct event *ev, struct err *e)
{
    uint64_t at = ev->at, end = ev->at + ev->len - (r->crc ? 4 : 0);
    uint64_t len = end - at + (w->crc ? 4 : 0);
    uint8_t header[READER_HEADER], sum[4], gtid[GTID_EVENT_MAX];
    bool changed = w->serial && event_is_mysql_gtid(ev) && len <= GTID_EVENT_MAX;
    const uint8_t *from = reader_bytes(r, at, READER_HEADER, e);
    uint32_t crc;

    if (!from)
        return e->code;
    memcpy(header, from, sizeof header);
    bytes_put(header + AT_LEN, len, 4);
    bytes_put(header + AT_END, w->len + len, 4);
    crc = crc_update(0, header, sizeof header);
    if (writer_put(w, header, sizeof header, e) < 0)
        return e->code;
    for (at += sizeof header; at < end;) {
        size_t n = end - at < READER_HEAD_MAX ? (size_t)(end - at) : READER_HEAD_MAX;

        from = reader_bytes(r, at, n, e);
        if (from && changed)
            from = writer_serial(gtid, from, n, ev->type);
        if (!from || writer_put(w, from, n, e) < 0)
            return e->code;
        crc = crc_update(crc, from, n);
        at += n;
    }
    bytes_put(sum, crc, 4);
    return w->crc ? writer_put(w, sum, sizeof sum, e) : 0;
}

int writer_cut(struct writer *w, uint64_t len, struct err *e)
{
    w->len = len;
    if (w->file && (fflush(w->file) != 0 || ftruncate(fileno(w->file), (off_t)len) < 0 ||
                    fseek(w->file, (long)len, SEEK_SET) < 0))
        return err_set(e, -errno, "cut %s: %s", w->path, strerror(errno));
    return 0;
}
