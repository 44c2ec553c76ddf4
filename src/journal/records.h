/* SPDX-License-Identifier: GPL-2.0-or-later
 * The bytes of a journal file, pure: records one after the other, each
 *   0 "HMJ1"   4 crc32c of bytes 8..end   8 seq   16 len   20 zero   24 payload       (little
 * endian) Only the last record of a file can be unfinished after a crash, and never the first: a
 * file comes into being by rename, with its first record synced. Whatever else doesn't fit is
 * damage. */
#pragma once

#include "base/check.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define RECORDS_HEAD 24

struct records_last {
    const uint8_t *data; /* into the scanned bytes; NULL: no record */
    size_t len;
    uint64_t seq;
    size_t end; /* where the good records end; behind it lies an unfinished one, or nothing */
};

/* The record in owned memory (caller frees), RECORDS_HEAD + len bytes; NULL: out of memory. */
uint8_t *records_encode(uint64_t seq, const void *data, size_t len) MUST_CHECK;

/* 0, or -EUCLEAN: damaged; e says at which byte. */
int records_scan(const uint8_t *bytes, size_t n, struct records_last *last,
                 struct err *e) MUST_CHECK;
