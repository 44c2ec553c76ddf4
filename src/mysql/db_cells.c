/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mysql/db_cells.h"

#include <stdlib.h>
#include <string.h>

struct db_cells *db_cells_new(unsigned columns)
{
    struct db_cells *c = calloc(1, sizeof *c);

    CHECK(c && columns > 0);
    c->columns = columns;
    c->text = BUF(DB_RESULT_BYTES_MAX);
    return c;
}

void db_cells_free(struct db_cells *c)
{
    if (!c)
        return;
    buf_free(&c->text);
    free(c->at);
    free(c);
}

bool db_cells_add(struct db_cells *c, const char *value, size_t len)
{
    if (c->n == c->cap) {
        size_t cap = c->cap ? 2 * c->cap : 128;
        size_t *at = realloc(c->at, cap * sizeof *at);

        CHECK(at);
        c->at = at;
        c->cap = cap;
    }
    c->at[c->n++] = value ? c->text.len : SIZE_MAX;
    if (value) {
        buf_add(&c->text, value, len);
        buf_add(&c->text, "", 1);
    }
    return !c->text.full && c->n <= (size_t)c->columns * (DB_RESULT_ROWS_MAX + 1);
}

unsigned db_cells_rows(const struct db_cells *c)
{
    return c->n < c->columns ? 0 : (unsigned)(c->n / c->columns - 1);
}

static const char *db_cell(const struct db_cells *c, size_t i)
{
    return c->at[i] == SIZE_MAX ? NULL : c->text.at + c->at[i];
}

const char *db_value(const struct db_result *r, unsigned row, unsigned column)
{
    if (row >= r->rows || column >= r->columns)
        return NULL;
    return db_cell(r->cells, ((size_t)row + 1) * r->columns + column);
}

const char *db_column_name(const struct db_result *r, unsigned column)
{
    return column < r->columns ? db_cell(r->cells, column) : NULL;
}

int db_column(const struct db_result *r, const char *column)
{
    for (unsigned i = 0; i < r->columns; i++)
        if (strcasecmp(db_cell(r->cells, i), column) == 0)
            return (int)i;
    return -1;
}

const char *db_named(const struct db_result *r, unsigned row, const char *column)
{
    int i = db_column(r, column);

    return i < 0 ? NULL : db_value(r, row, (unsigned)i);
}

size_t db_quote(char *to, size_t size, const char *text)
{
    size_t len = 0;

#define PUT(c)                                                                                     \
    do {                                                                                           \
        if (len + 1 < size)                                                                        \
            to[len] = (c);                                                                         \
        len++;                                                                                     \
    } while (0)
    PUT('\'');
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\')
            PUT('\\');
        PUT(*text);
    }
    PUT('\'');
#undef PUT
    if (size)
        to[len < size ? len : size - 1] = 0;
    return len;
}
