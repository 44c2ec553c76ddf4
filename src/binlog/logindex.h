/* SPDX-License-Identifier: GPL-2.0-or-later
 * The index of binary log files: one name per line, oldest first. */
#pragma once

#include "base/err.h"

#include <stddef.h>

#define LOGINDEX_FILES_MAX 65536

struct logindex {
    char **path; /* owned; absolute or as index_path is; oldest first */
    size_t n;
};

/* -ENOENT: no such index; -EBADMSG: no file in it, or not an index. Free it in any case. */
int logindex_read(struct logindex *x, const char *index_path, struct err *e) MUST_CHECK;
void logindex_free(struct logindex *x); /* repeatable */
/* Without folders. */
const char *logindex_name(const char *path);
