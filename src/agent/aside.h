/* SPDX-License-Identifier: GPL-2.0-or-later
 * Keeps transactions of the local server in a file of their own, a small valid binary log:
 *
 *   STATE_DIR/quarantine/CLUSTER-HOST-20261128T194839Z.binlog     the transactions
 *   STATE_DIR/quarantine/CLUSTER-HOST-20261128T194839Z.gtid       which ones: the set, one line
 *
 * Nothing is overwritten or deleted here. What was kept for the same set is found again; the
 * .binlog has its name only when it is whole and on disk, with its .gtid beside it. */
#pragma once

#include "base/err.h"
#include "proto/msg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aside_ask {
    const char *state_dir, *cluster, *host;
    const char *index; /* @@log_bin_index; "" none */
    bool mysql_flavour;
    const char *set;    /* these: a MySQL set, or a list of MariaDB */
    const char *own;    /* everything the server has, as it is reported */
    uint64_t bytes_max; /* of the file */
};
enum { ASIDE_PATH_MAX = WHY_LEN };
/* Blocks: in a thread. 0 and the path; else why there is no file and what to do. Errors as of
 * binlog_slice, -ENAMETOOLONG, -ENODATA: the binary log has not all of them. *found: it was there
 * already. */
int aside_keep(const struct aside_ask *ask, char path[ASIDE_PATH_MAX], bool *found,
               struct err *e) MUST_CHECK;
/* Bytes that a file in that folder may have, `most` at most: 64 MiB of the disk stay free. */
uint64_t aside_room(const char *dir, uint64_t most);
/* The same of a folder in memory: half of what is free stays so. */
uint64_t aside_memory(const char *dir, uint64_t most);
/* No file can be written there (an error of the disk, not of what is read): somewhere else then? */
bool aside_no_room(int code);
/* What a server has that has everything of `own` but the set: a text for binlog_slice. */
int aside_have(bool mysql_flavour, const char *own, const char *set, char *to, size_t size,
               struct err *e) MUST_CHECK;
