/* SPDX-License-Identifier: GPL-2.0-or-later
 * YAML as a tree in which every value and every key knows its line and column. Knows nothing of
 * what the values mean. Refused here: anchors and aliases, tags, several documents, a key given
 * twice, values with a zero byte, and more of anything than a configuration needs. */
#pragma once

#include "conf/errors.h"
#include "conf/pool.h"

enum tree_kind { TREE_TEXT, TREE_LIST, TREE_MAP };

struct tree {
    enum tree_kind kind;
    unsigned line, column; /* of the value */
    const char *text;      /* TREE_TEXT */
    const char *key;       /* its key in the mapping `up`; NULL in a list and at the root */
    unsigned key_line, key_column;
    struct tree *up, *first, *last, *next;
    size_t n; /* how many there are below */
};

/* 0 with the root, which is a mapping; or -EINVAL and errors added. Keys given twice and the like
 * are errors, too, but the tree is complete without them: *root is then set all the same, so that
 * the rest of the file can be looked at. */
int tree_read(struct tree **root, const char *text, size_t len, const char *file, struct pool *pool,
              struct conf_errors *errs) MUST_CHECK;

/* NULL if it isn't there (or `map` is none). */
const struct tree *tree_get(const struct tree *map, const char *key);
/* "roles.writer.prefer"; "" for the root. Positions in lists are left out. */
struct tree_path {
    char text[160];
};
struct tree_path tree_path(const struct tree *t);
