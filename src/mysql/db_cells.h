/* SPDX-License-Identifier: GPL-2.0-or-later
 * The rows of one answer, in memory of our own, with a ceiling. */
#pragma once

#include "base/buf.h"
#include "mysql/db.h"

struct db_cells {
    unsigned columns;
    size_t n; /* cells filled: first the columns' names, then the rows */
    size_t cap;
    size_t *at; /* where each begins in text; SIZE_MAX: SQL NULL */
    struct buf text;
};

struct db_cells *db_cells_new(unsigned columns); /* CHECK: out of memory */
void db_cells_free(struct db_cells *c);          /* accepts NULL */
/* The next name or value; NULL is SQL NULL. False: over the limit. */
bool db_cells_add(struct db_cells *c, const char *value, size_t len) MUST_CHECK;
unsigned db_cells_rows(const struct db_cells *c); /* whole ones */
