/* SPDX-License-Identifier: GPL-2.0-or-later
 * The files of a recording: a row of blocks, each whole or not there. Blocking; belongs into a
 * thread of its own.
 *
 *   magic, kind, length, CRC-32 of what follows, CRC-32 of these four   (little endian, 32 bits)
 *
 *   BLOCK_FILE     text: who wrote it; first, once
 *   BLOCK_SECTION  deflated; begins anew, with a whole engine: can be read without what is before
 *   BLOCK_MORE     deflated, goes on
 *
 * A file grows by sections, so that a monitor that is started again and again overwrites nothing;
 * when it is full it becomes PATH.1, that one PATH.2 and so on, and the last one goes. What another
 * build wrote, or what doesn't end with a whole block, is put aside in the same way. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>
#include <sys/types.h>
#include <zlib.h>

#define RECORD_FILE_MAX  ((uint64_t)16 << 20) /* bytes of one file */
#define RECORD_BLOCK_MAX ((size_t)8 << 20)    /* of one block, before deflating and after */
#define RECORD_DISK_LEFT ((uint64_t)32 << 20) /* so much of the disk is left to the journal */

enum { RECORD_FILES = 3 /* besides the one that grows */, RECORD_HEAD = 20 };
enum record_block { BLOCK_FILE = 1, BLOCK_SECTION, BLOCK_MORE };

extern const uint32_t record_magic;

struct record_file_opts {
    uint64_t file_max, disk_left;
    ssize_t (*pwrite)(int fd, const void *data, size_t len, off_t at); /* NULL: the system's */
};

struct record_file {
    char path[4096];
    char who[512]; /* what BLOCK_FILE says */
    struct record_file_opts opts;
    int fd; /* -1: closed, by a failure or not opened yet */
    uint64_t size;
    bool deflating;
    z_stream z;
    uint8_t *out; /* head and deflated data */
    size_t room;
};

/* Touches no disk. */
void record_file_init(struct record_file *f, const char *path, const char *who,
                      const struct record_file_opts *opts);
/* One block. After a failure only a section helps: until then nothing is written. 0 or an error in
 * words: -ENOSPC, -EFBIG the file is full, others as from the system. */
int record_file_add(struct record_file *f, bool section, const void *data, size_t len,
                    struct err *e) MUST_CHECK;
/* The next section belongs into a new file. */
bool record_file_full(const struct record_file *f);
void record_file_close(struct record_file *f); /* repeatable */

/* ---- the other side ---- */

struct record_reader {
    int fd;
    uint64_t at, size;
    z_stream z;
    bool inflating;
    uint8_t *block;
    struct buf raw; /* what the block holds, inflated */
    char who[512];
    char note[256]; /* how it ends, if not with a whole block */
};

/* 0, or an error in words; `who` is read. */
int record_reader_open(struct record_reader *r, const char *path, struct err *e) MUST_CHECK;
/* The next block's content is r->raw: 1, 0 at the end (r->note), or an error. */
int record_reader_next(struct record_reader *r, enum record_block *kind, struct err *e) MUST_CHECK;
void record_reader_close(struct record_reader *r); /* repeatable, also after a failed open */
