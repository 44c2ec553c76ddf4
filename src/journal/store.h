/* SPDX-License-Identifier: GPL-2.0-or-later
 * The files of a journal: directory, lock, recovery at the start. Everything here blocks, and
 * happens before the loop runs. */
#pragma once

#include "base/check.h"
#include "base/err.h"

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

struct store {
    int dir, lock;
    int fd;     /* -1: no file yet */
    off_t size; /* the next record goes here */
    char name[NAME_MAX + 1], name_new[NAME_MAX + 1];
    uint8_t *bytes; /* what the file held; the last record lies in here */
    const uint8_t *last;
    size_t last_len;
    uint64_t seq;
    char note[256]; /* "" or what was cut off */
};

/* On failure nothing is left open. */
int store_open(struct store *s, const char *path, struct err *e) MUST_CHECK;
void store_forget(struct store *s); /* frees what was read */
void store_close(struct store *s);
