/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "preflight/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What `from(ctx, row, column)` says; row 0 are the names. */
static void answer_fill(struct answer *a, unsigned columns, unsigned rows,
                        const char *(*from)(const void *ctx, unsigned row, unsigned column),
                        const void *ctx)
{
    a->asked = true;
    a->columns = columns;
    a->rows = rows;
    a->cell = calloc((size_t)(rows + 1) * columns + 1, sizeof *a->cell);
    CHECK(a->cell);
    for (unsigned row = 0; row <= rows; row++)
        for (unsigned i = 0; i < columns; i++) {
            const char *text = from(ctx, row, i);

            a->cell[row * columns + i] = text ? strdup(text) : NULL;
            CHECK(!text || a->cell[row * columns + i]);
        }
}

static const char *answer_from_result(const void *ctx, unsigned row, unsigned column)
{
    return row ? db_value(ctx, row - 1, column) : db_column_name(ctx, column);
}

void answer_take(struct answer *a, const struct db_result *r)
{
    a->asked = true;
    a->error = r->error;
    a->number = r->number;
    snprintf(a->text, sizeof a->text, "%s", r->text);
    if (r->error == DB_OK)
        answer_fill(a, r->columns, r->rows, answer_from_result, r);
}

struct cells {
    unsigned columns;
    const char *const *at;
};

static const char *answer_from_cells(const void *ctx, unsigned row, unsigned column)
{
    const struct cells *c = ctx;

    return c->at[row * c->columns + column];
}

void answer_make(struct answer *a, unsigned columns, unsigned rows, const char *const *cells)
{
    struct cells c = {columns, cells};

    answer_fill(a, columns, rows, answer_from_cells, &c);
}

void answer_free(struct answer *a)
{
    for (size_t i = 0; a->cell && i < (size_t)(a->rows + 1) * a->columns; i++)
        free(a->cell[i]);
    free(a->cell);
    memset(a, 0, sizeof *a);
}

bool answer_is(const struct answer *a)
{
    return a && a->asked && a->error == DB_OK;
}

const char *answer_at(const struct answer *a, unsigned row, unsigned column)
{
    if (!answer_is(a) || row >= a->rows || column >= a->columns)
        return NULL;
    return a->cell[(row + 1) * a->columns + column];
}

const char *answer_named(const struct answer *a, unsigned row, const char *column)
{
    for (unsigned i = 0; answer_is(a) && i < a->columns; i++)
        if (!strcasecmp(a->cell[i], column))
            return answer_at(a, row, i);
    return NULL;
}

const char *answer_variable(const struct answer *a, const char *name)
{
    for (unsigned row = 0; answer_is(a) && row < a->rows; row++) {
        const char *is = answer_at(a, row, 0);

        if (is && !strcasecmp(is, name))
            return answer_at(a, row, 1);
    }
    return NULL;
}
