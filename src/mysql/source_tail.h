/* SPDX-License-Identifier: GPL-2.0-or-later
 * A binary log file as a stream of packets: from bytes as they lie in the file to bytes as they go
 * to a replica. Pure. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "gtid/gtid.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TAIL_FIRST 4 /* where the first event lies */
#define TAIL_NAME  "tail.000001"

struct tail {
    bool crc;
    uint32_t server_id;
    bool by_gtid; /* MariaDB: leave out what is in `had`, a position */
    struct gtid_set had;
    uint64_t from;      /* else: leave out what lies before this, but for the format */
    uint64_t at;        /* bytes of the file taken */
    uint64_t left;      /* of the event that is being sent */
    uint64_t total;     /* the length of its payload */
    uint64_t payload;   /* still to come of its packet */
    bool skipped;       /* the event: not sent */
    bool group_skipped; /* its transaction: not sent */
    uint8_t sequence;   /* of packets */
};

/* The packet that names the file. */
void tail_begin(struct tail *t, struct buf *to);
/* The next bytes of the file, len of them from t->at; adds packets. Returns how many were taken:
 * fewer than len if the last event's header is not whole. -EBADMSG: no binary log. */
int64_t tail_bytes(struct tail *t, const uint8_t *data, size_t len, struct buf *to,
                   struct err *e) MUST_CHECK;
/* Nothing new. */
void tail_heartbeat(struct tail *t, struct buf *to);
