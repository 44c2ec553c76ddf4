/* SPDX-License-Identifier: GPL-2.0-or-later
 * Writes a binary log file: a beginning, then copies of events, each with its new place in the file
 * and a new checksum. */
#pragma once

#include "binlog/reader.h"

#include <stdio.h>

struct writer {
    FILE *file; /* NULL: only counts */
    const char *path;
    bool crc;
    bool serial; /* MySQL: take out what lets a replica apply transactions at the same time. It
                    counts per file of the source, and here several become one. */
    uint64_t len, max;
};

/* Format description (as of one that was read) and the set of what came before: of MySQL `before`,
 * of MariaDB a state, and `last` a position that tells who wrote last in each domain. -EFBIG. */
int writer_begin(struct writer *w, const struct reader *like, const struct gtid_set *before,
                 const struct gtid_set *last, struct err *e) MUST_CHECK;
/* A copy of the event. -EFBIG; else as reader_bytes, or what the system said. */
int writer_copy(struct writer *w, struct reader *r, const struct event *ev,
                struct err *e) MUST_CHECK;
/* Forgets what was written after the first len bytes. */
int writer_cut(struct writer *w, uint64_t len, struct err *e) MUST_CHECK;
