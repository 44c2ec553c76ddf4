/* SPDX-License-Identifier: GPL-2.0-or-later
 * Binary logs as they lie on disk: MariaDB 10.6 to 11.8, MySQL 8.0 to 9.x. What does a server have,
 * to its last complete transaction, and a small file with what somebody else lacks of it.
 *
 * Everything here blocks (it reads files): call it in a thread. Memory is bounded (2 MiB), whatever
 * the files say. A server that runs may be read too; what it has not finished writing is left out.
 *
 * flavour: GTID_MYSQL; of MariaDB either GTID_MARIADB_POS (a position: in each domain, whoever
 * wrote them, all up to that number; what to give for a replica that shall get the rest) or
 * GTID_MARIADB_STATE (per domain and server; what to give to find extra transactions).
 *
 * Errors: -ENOTSUP encrypted, -ENODATA part of what is missing is purged, -EFBIG over bytes_max,
 * -ENOENT no index or a file of it gone, -EBADMSG damaged (or no binary log of that flavour), or
 * the binary log itself says that events were lost; -E2BIG a GTID set of too many ranges; else what
 * the system said. The sentence names file and place. */
#pragma once

#include "base/err.h"
#include "gtid/gtid.h"

#include <stdint.h>

#define BINLOG_NAME_MAX 512

struct binlog_scan {
    char gtid[GTID_TEXT_MAX]; /* everything up to `pos`, a text of `flavour` */
    /* Where the last complete transaction ends: name without folders, and position. Without GTID
     * these are what tells how far the server was. */
    char file[BINLOG_NAME_MAX];
    uint64_t pos;
    uint64_t left_out; /* bytes after it that are no complete transaction; 0: it ended well */
};
/* index_path: @@log_bin_index. Names in it that are not absolute are looked for beside it. */
int binlog_scan(const char *index_path, enum gtid_flavour flavour, struct binlog_scan *out,
                struct err *e) MUST_CHECK;

struct binlog_slice {
    char gtid[GTID_TEXT_MAX];  /* what is in it: a MySQL set, of MariaDB a list (0-1-101..105) */
    char reach[GTID_TEXT_MAX]; /* what a replica has reached when it has applied it all: MySQL the
                                  same set, MariaDB a position */
    uint64_t transactions;
    uint64_t bytes; /* of the file */
};
/* Writes to_path, a valid binary log without rotation at its end: exactly the complete transactions
 * that are not in `have`, in their order. Nothing missing: a file without transactions. On failure
 * there is no such file. bytes_max: of the file, below 4 GiB. */
int binlog_slice(const char *index_path, enum gtid_flavour flavour, const char *have,
                 const char *to_path, uint64_t bytes_max, struct binlog_slice *out,
                 struct err *e) MUST_CHECK;
/* The same for a MySQL without GTID: everything from these coordinates on. -ENODATA: there is no
 * such file any more. */
int binlog_slice_from(const char *index_path, const char *file, uint64_t pos, const char *to_path,
                      uint64_t bytes_max, struct binlog_slice *out, struct err *e) MUST_CHECK;
