/* SPDX-License-Identifier: GPL-2.0-or-later
 * What a server leaves out when it replicates or logs, as one number: which kinds of filters there
 * are, and a checksum of what they name, so that the filters of two servers can be compared without
 * being carried along. 0: none. In whatever order the names stand, the number is the same. Pure. */
#pragma once

#include "mysql/db.h"

#include <stdint.h>

enum { FILTER_KINDS = 11, FILTER_KIND_SHIFT = 52 };

/* MariaDB shows those of tables and databases as variables too, while it follows nobody. */
enum {
    FILTERS_TABLES = 0x3f,
    FILTERS_CHANNEL = 0x1c0, /* rewriting, domains */
    FILTERS_BINLOG = 0x600
};

/* Of the filters of these kinds that this row has columns for: replica status, binary log status,
 * variables. */
uint64_t filters_of(const struct db_result *r, unsigned row, unsigned kinds);
/* Of two sets of filters together. */
uint64_t filters_add(uint64_t a, uint64_t b);
