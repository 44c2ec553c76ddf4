/* SPDX-License-Identifier: GPL-2.0-or-later
 * Sets of transactions, as both flavours write them: text <-> set, compare, subset, difference.
 * Pure: no allocation (a set is a value of about 26 KiB), no clock, no globals.
 *
 *   MySQL             uuid:1-5:7,uuid2:1-3        and with tags (8.3+)  uuid:tag:1-3
 *   MariaDB state     0-1-105,0-2-99              @@gtid_binlog_state: the highest number each
 * server has written in a domain; 0-1-105 counts as 1..105 MariaDB position  0-1-105,1-2-7
 * @@gtid_slave_pos and its kin: one entry per domain, whoever wrote it; 0-1-105 counts as 1..105 of
 * domain 0 MariaDB list      0-1-101..105,0-2-7          exactly these; what a difference is, for
 * people too
 *
 * A MySQL without GTID is told by places in binary logs: uuid/mysql-bin.000005:900 means everything
 * in the log of the server with that uuid up to byte 900 of its fifth file, and counts as one long
 * row of numbers (gtid_place_number), so that places compare like sets do. A difference is written
 * uuid/mysql-bin.000005:900..mysql-bin.000006:120. What is behind it: engine/place.c.
 *
 * Sets of MySQL and of MariaDB have no transaction in common. A position compares with a position;
 * compared with a state or a list, the server in it counts like in those. */
#pragma once

#include "base/check.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GTID_RANGES_MAX 256
#define GTID_TAG_MAX    32
#define GTID_LOG_MAX    63 /* characters of a binary log's name without its number */
/* The longest text of a set, with its zero. */
#define GTID_TEXT_MAX (GTID_RANGES_MAX * 256 + 1)

enum gtid_flavour { GTID_MYSQL, GTID_MARIADB_STATE, GTID_MARIADB_POS, GTID_MARIADB_LIST, GTID_N };

struct gtid_source {
    union {
        uint8_t uuid[16]; /* MySQL */
        struct {
            uint32_t domain, server; /* MariaDB */
        };
    };
    /* MySQL; "" is none; zero-filled to its end. Of a place "/" and the log's name. */
    char tag[GTID_LOG_MAX + 2];
};

struct gtid_range {
    struct gtid_source source;
    uint64_t lo, hi; /* both included, 1 <= lo <= hi */
};

/* Zeroed: the empty MySQL set. Ranges are sorted by source, then number, and never touch. */
struct gtid_set {
    enum gtid_flavour flavour;
    bool full;  /* needed more than GTID_RANGES_MAX ranges: contents are incomplete */
    unsigned n; /* ranges in use */
    struct gtid_range range[GTID_RANGES_MAX];
};

/* Text of `flavour` to a set. White space and empty items are tolerated, "" is the empty set.
 * -EINVAL: not such a text, with the place; -E2BIG: too many ranges. `set` is untouched then. */
int gtid_parse(const char *text, enum gtid_flavour flavour, struct gtid_set *set,
               struct err *e) MUST_CHECK;
/* A place as a number: the file's above, the position in the lower 40 bits; 0: they are too big. */
static inline uint64_t gtid_place_number(uint64_t file, uint64_t pos)
{
    return file < 1u << 23 && pos < 1ull << 40 ? file << 40 | pos : 0;
}

/* Writes the text of the set, zero-terminated, and returns its whole length as snprintf does.
 * If that is size or more, the text ends after a whole item with "..." (for people only). */
size_t gtid_format(const struct gtid_set *set, char *to, size_t size);

/* Adds one range (1 <= lo <= hi), joined with what it meets; past GTID_RANGES_MAX: set->full. */
void gtid_add(struct gtid_set *set, struct gtid_range add);

static inline bool gtid_empty(const struct gtid_set *set)
{
    return set->n == 0 && !set->full;
}

/* Is all of a in b, or are both the same? False if either is full: unsure is no. */
bool gtid_subset(const struct gtid_set *a, const struct gtid_set *b);
bool gtid_equal(const struct gtid_set *a, const struct gtid_set *b);
/* out = what is in a and not in b; a MariaDB difference is a list. out may be neither a nor b.
 * -E2BIG and out->full: too many ranges, or a or b was full. */
int gtid_subtract(const struct gtid_set *a, const struct gtid_set *b,
                  struct gtid_set *out) MUST_CHECK;
/* out = a and b together. Of two positions that is, per domain, the entry with the higher number
 * (and its server). out may be a or b. -E2BIG and out->full as above; -EINVAL and out->full: one is
 * of MySQL and the other of MariaDB. */
int gtid_merge(const struct gtid_set *a, const struct gtid_set *b, struct gtid_set *out) MUST_CHECK;
/* How many transactions that is (UINT64_MAX at most; of states: as far as numbers tell). */
uint64_t gtid_count(const struct gtid_set *set);
