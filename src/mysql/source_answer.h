/* SPDX-License-Identifier: GPL-2.0-or-later
 * The statements with which receivers of both flavours introduce themselves. Pure. */
#pragma once

#include "base/buf.h"
#include "mysql/source.h"

#define SOURCE_STATE_MAX 16384

/* What a replica has said about itself. Zeroed: nothing. */
struct source_guest {
    bool by_gtid;                 /* MariaDB: it told where it is */
    char state[SOURCE_STATE_MAX]; /* MariaDB: and this is where */
    int64_t heartbeat_ms;         /* 0: it wants none */
};

/* Adds the answer's packets. sql is zero-terminated. An unknown question is answered with an
 * error, an unknown SET is fine. */
void source_answer(const struct source_params *params, bool crc, const char *sql,
                   struct source_guest *guest, struct buf *to, uint8_t *sequence);
