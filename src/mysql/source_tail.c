/* SPDX-License-Identifier: GPL-2.0-or-later
 * To a replica an event is one payload: a zero, and the event. A payload over 16 MiB goes in parts;
 * a part shorter than that is the last. */
#include "mysql/source_tail.h"

#include "mysql/wire.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define HEADER             19
#define EVENT_ROTATE       4
#define EVENT_FORMAT       15
#define EVENT_BEAT         27
#define EVENT_MARIADB_GTID 162
#define MARIADB_GTID       (HEADER + 12) /* with number and domain */
#define ARTIFICIAL         0x20

/* CRC-32, bit by bit: for the few short events made here. */
static uint32_t tail_crc(const uint8_t *data, size_t len)
{
    uint32_t crc = ~0u;

    while (len--) {
        crc ^= *data++;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

/* An event of our own: a number of 8 bytes if with_pos, and the file's name. */
static void tail_own(struct tail *t, uint8_t type, uint64_t end, unsigned flags, bool with_pos,
                     struct buf *to)
{
    size_t len = HEADER + (with_pos ? 8 : 0) + strlen(TAIL_NAME) + (t->crc ? 4 : 0);
    struct buf p = BUF(4096);

    wire_add_number(&p, 0, 4);
    wire_add_number(&p, type, 1);
    wire_add_number(&p, t->server_id, 4);
    wire_add_number(&p, len, 4);
    wire_add_number(&p, end, 4);
    wire_add_number(&p, flags, 2);
    if (with_pos)
        wire_add_number(&p, TAIL_FIRST, 8);
    buf_addf(&p, "%s", TAIL_NAME);
    if (t->crc)
        wire_add_number(&p, tail_crc((const uint8_t *)p.at, p.len), 4);
    wire_header(to, p.len + 1, &t->sequence);
    wire_add_number(to, 0, 1);
    buf_add(to, p.at, p.len);
    buf_free(&p);
}

void tail_begin(struct tail *t, struct buf *to)
{
    t->at = TAIL_FIRST;
    tail_own(t, EVENT_ROTATE, 0, ARTIFICIAL, true, to);
}

void tail_heartbeat(struct tail *t, struct buf *to)
{
    tail_own(t, EVENT_BEAT, t->at, 0, false, to);
}

/* ---- events of the file ---- */

static bool tail_had(const struct tail *t, const uint8_t *event)
{
    struct gtid_set one = {.flavour = GTID_MARIADB_POS, .n = 1};

    one.range[0].source.domain = (uint32_t)wire_number(event + HEADER + 8, 4);
    one.range[0].lo = one.range[0].hi = wire_number(event + HEADER, 8);
    return gtid_subset(&one, &t->had);
}

static void tail_choose(struct tail *t, const uint8_t *event)
{
    uint8_t type = event[4];

    if (t->by_gtid && type == EVENT_MARIADB_GTID)
        t->group_skipped = tail_had(t, event);
    t->skipped = type != EVENT_FORMAT && (t->group_skipped || t->at < t->from);
}

static void tail_part(struct tail *t, struct buf *to)
{
    size_t part = t->payload < WIRE_PACKET_MAX ? (size_t)t->payload : WIRE_PACKET_MAX;

    wire_header(to, part, &t->sequence);
}

/* How much of an event's beginning must be there to choose. */
static size_t tail_needed(const uint8_t *data, size_t len)
{
    if (len < HEADER)
        return HEADER;
    return data[4] == EVENT_MARIADB_GTID ? MARIADB_GTID : HEADER;
}

static int tail_event(struct tail *t, const uint8_t *event, struct buf *to, struct err *e)
{
    t->left = wire_number(event + 9, 4);
    if (t->left < HEADER + (t->crc ? 4u : 0u) ||
        (event[4] == EVENT_MARIADB_GTID && t->left < MARIADB_GTID))
        return err_set(e, -EBADMSG, "what is to be served is damaged at %" PRIu64, t->at);
    tail_choose(t, event);
    if (t->skipped)
        return 0;
    t->total = t->payload = t->left + 1;
    tail_part(t, to);
    wire_add_number(to, 0, 1);
    t->payload--;
    return 0;
}

/* n bytes of the event that is being sent; sent: of its payload so far. */
static void tail_send(struct tail *t, uint64_t sent, const uint8_t *data, size_t n, struct buf *to)
{
    while (n) {
        size_t room = (size_t)(WIRE_PACKET_MAX - sent % WIRE_PACKET_MAX),
               some = n < room ? n : room;

        buf_add(to, data, some);
        data += some;
        n -= some;
        sent += some;
        t->payload -= some;
        if (sent % WIRE_PACKET_MAX == 0) /* the last part may be an empty one */
            tail_part(t, to);
    }
}

int64_t tail_bytes(struct tail *t, const uint8_t *data, size_t len, struct buf *to, struct err *e)
{
    size_t done = 0;

    while (done < len) {
        size_t n = len - done, some;

        if (t->left == 0) {
            if (n < tail_needed(data + done, n))
                break;
            if (tail_event(t, data + done, to, e) < 0)
                return e->code;
        }
        some = t->left < n ? (size_t)t->left : n;
        if (!t->skipped)
            tail_send(t, t->total - t->payload, data + done, some, to);
        t->left -= some;
        t->at += some;
        done += some;
    }
    return (int64_t)done;
}
