/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "journal/records.h"

#include "journal/crc.h"
#include "journal/journal.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char magic[4] = {'H', 'M', 'J', '1'};

struct head {
    char magic[4];
    uint32_t crc;
    uint64_t seq;
    uint32_t len;
    uint32_t zero;
};
_Static_assert(sizeof(struct head) == RECORDS_HEAD, "no padding");

#define CRC_FROM offsetof(struct head, seq)

uint8_t *records_encode(uint64_t seq, const void *data, size_t len)
{
    struct head h = {.seq = htole64(seq), .len = htole32((uint32_t)len)};
    uint8_t *to = malloc(RECORDS_HEAD + len);

    CHECK(len <= JOURNAL_PAYLOAD_MAX);
    if (!to)
        return NULL;
    memcpy(h.magic, magic, sizeof magic);
    h.crc = crc32c(0, (const char *)&h + CRC_FROM, sizeof h - CRC_FROM);
    h.crc = htole32(crc32c(h.crc, data, len));
    memcpy(to, &h, sizeof h);
    memcpy(to + sizeof h, data, len);
    return to;
}

/* Fills last and returns true if a whole record newer than last begins at `at`. */
static bool records_one(const uint8_t *bytes, size_t n, size_t at, struct records_last *last)
{
    struct head h;
    size_t len;

    if (n - at < sizeof h)
        return false;
    memcpy(&h, bytes + at, sizeof h);
    len = le32toh(h.len);
    if (memcmp(h.magic, magic, sizeof magic) != 0 || h.zero != 0 || len > JOURNAL_PAYLOAD_MAX ||
        len > n - at - sizeof h || le64toh(h.seq) <= last->seq ||
        crc32c(0, bytes + at + CRC_FROM, sizeof h - CRC_FROM + len) != le32toh(h.crc))
        return false;
    last->data = bytes + at + sizeof h;
    last->len = len;
    last->seq = le64toh(h.seq);
    last->end = at + sizeof h + len;
    return true;
}

/* Where the first whole record at or behind `from` begins; n: nowhere. */
static size_t records_find(const uint8_t *bytes, size_t n, size_t from, struct records_last last)
{
    while (from < n) {
        const uint8_t *hit = memmem(bytes + from, n - from, magic, sizeof magic);

        if (!hit)
            break;
        from = (size_t)(hit - bytes);
        if (records_one(bytes, n, from, &last))
            return from;
        from++;
    }
    return n;
}

int records_scan(const uint8_t *bytes, size_t n, struct records_last *last, struct err *e)
{
    struct records_last found = {0};
    size_t next;

    while (found.end < n && records_one(bytes, n, found.end, &found))
        ;
    if (n && !found.data)
        return err_set(e, -EUCLEAN, "damaged at byte 0: no record of this version begins there");
    next = records_find(bytes, n, found.end, found);
    if (next < n)
        return err_set(e, -EUCLEAN, "damaged at byte %zu, but a newer record follows at byte %zu",
                       found.end, next);
    *last = found;
    return 0;
}
