/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mysql/filters.h"

#include <string.h>

#define FILTER_SUM_MASK ((1ull << FILTER_KIND_SHIFT) - 1)

/* In the order of the bits; the words for them are in engine/fit.c. */
static const char *const filters_columns[FILTER_KINDS] = {
    "Replicate_Do_DB",        "Replicate_Ignore_DB",     "Replicate_Do_Table",
    "Replicate_Ignore_Table", "Replicate_Wild_Do_Table", "Replicate_Wild_Ignore_Table",
    "Replicate_Rewrite_DB",   "Replicate_Do_Domain_Ids", "Replicate_Ignore_Domain_Ids",
    "Binlog_Do_DB",           "Binlog_Ignore_DB",
};

/* FNV-1a. */
static uint64_t filters_checksum(unsigned kind, const char *text, size_t len)
{
    uint64_t h = 0xcbf29ce484222325 ^ kind;

    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)text[i]) * 0x100000001b3;
    return h;
}

/* Names between commas; a table's name with a comma in it only makes the sum another one. */
static uint64_t filters_sum(unsigned kind, const char *list)
{
    uint64_t sum = 0;

    while (*list) {
        size_t skip = strspn(list, ", "), len;

        list += skip;
        len = strcspn(list, ",");
        list += len;
        if (len)
            sum += filters_checksum(kind, list - len, len);
    }
    return sum;
}

uint64_t filters_add(uint64_t a, uint64_t b)
{
    return (a | b) >> FILTER_KIND_SHIFT << FILTER_KIND_SHIFT | ((a + b) & FILTER_SUM_MASK);
}

uint64_t filters_of(const struct db_result *r, unsigned row, unsigned kinds)
{
    uint64_t all = 0;

    for (unsigned kind = 0; kind < FILTER_KINDS; kind++) {
        const char *list = kinds >> kind & 1 ? db_named(r, row, filters_columns[kind]) : NULL;

        if (list && list[0])
            all = filters_add(all, 1ull << (FILTER_KIND_SHIFT + kind) |
                                       (filters_sum(kind, list) & FILTER_SUM_MASK));
    }
    return all;
}
