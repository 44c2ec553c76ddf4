/* SPDX-License-Identifier: GPL-2.0-or-later
 * One binary log file, event by event. Knows what every event has in common, the format
 * description and the checksums; nothing of transactions. */
#pragma once

#include "base/err.h"
#include "binlog/binlog.h"

#include <stdbool.h>
#include <stddef.h>

#define READER_HEADER 19 /* bytes in front of every event */
#define READER_MAGIC  4
/* The most that can be looked at of one event, header included; more is checked and copied in
 * parts. */
#define READER_HEAD_MAX   (128u * 1024)
#define READER_FORMAT_MAX 512 /* a format description is not longer */

enum {
    EVENT_QUERY = 2,
    EVENT_STOP = 3,
    EVENT_ROTATE = 4,
    EVENT_FORMAT = 15,
    EVENT_XID = 16,
    EVENT_INCIDENT = 26,
    EVENT_GTID = 33,
    EVENT_ANONYMOUS = 34,
    EVENT_PREVIOUS_GTIDS = 35,
    EVENT_XA_PREPARE = 38,
    EVENT_PAYLOAD = 40,
    EVENT_GTID_TAGGED = 42,
    EVENT_MARIADB_FIRST = 160,
    EVENT_MARIADB_GTID = 162,
    EVENT_MARIADB_GTID_LIST = 163,
    EVENT_ENCRYPTION = 164,
    EVENT_QUERY_COMPRESSED = 165,
};

struct event {
    uint8_t type;
    uint16_t flags;
    uint32_t server_id;
    uint32_t len; /* all of it: header and checksum too */
    uint64_t at;  /* in the file */
    /* Its beginning, after the header and without the checksum; until the next call. */
    const uint8_t *body;
    size_t body_len;
    bool whole; /* body is all there is */
};

struct reader {
    int fd; /* -1: closed */
    char path[BINLOG_NAME_MAX];
    uint64_t size, next; /* where the next event begins */
    bool crc;            /* every event ends with four bytes of checksum */
    uint8_t *window;     /* owned */
    uint64_t window_at;
    size_t window_len, window_cap;
    uint8_t format[READER_FORMAT_MAX]; /* the format description as it is there, header included */
    size_t format_len;
    bool mariadb;
};

/* What a file can end with instead of an event. */
enum reader_end { READER_EVENT = 1, READER_END = 0, READER_TORN = 2 };

/* Opens and reads the format description. READER_EVENT: well; READER_TORN: the file ends before
 * the format description does; or an error. Close it in any case. */
int reader_open(struct reader *r, const char *path, struct err *e) MUST_CHECK;
/* The next event, checked with its checksum. READER_END: there is none. READER_TORN: what there is
 * is not a whole one. -EBADMSG: a damaged one, and not at the end of the file. */
int reader_next(struct reader *r, struct event *ev, struct err *e) MUST_CHECK;
/* len bytes of the file, READER_HEAD_MAX at most, until the next call; NULL: an error. */
const uint8_t *reader_bytes(struct reader *r, uint64_t at, size_t len, struct err *e) MUST_CHECK;
void reader_close(struct reader *r); /* repeatable */
