/* SPDX-License-Identifier: GPL-2.0-or-later
 * A server's answer to one statement, kept: an error, or rows by column name. */
#pragma once

#include "mysql/db.h"

struct answer {
    bool asked;
    enum db_error error;
    unsigned number; /* the server's or libmariadb's */
    char text[512];  /* "" without an error */
    unsigned rows, columns;
    char **cell; /* names, then row after row; owned; NULL is SQL NULL */
};

void answer_take(struct answer *a, const struct db_result *r);
/* columns names, then rows * columns values; copied. */
void answer_make(struct answer *a, unsigned columns, unsigned rows, const char *const *cells);
void answer_free(struct answer *a);
/* Asked and answered without an error. */
bool answer_is(const struct answer *a);
const char *answer_at(const struct answer *a, unsigned row, unsigned column); /* or NULL */
const char *answer_named(const struct answer *a, unsigned row, const char *column);
/* The second column of the row whose first is that name (case does not matter): SHOW VARIABLES. */
const char *answer_variable(const struct answer *a, const char *name);
