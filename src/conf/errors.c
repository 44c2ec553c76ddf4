/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "conf/errors.h"
#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 2000 };

static bool errors_before(const struct conf_error *a, unsigned line, unsigned column)
{
    return a->line != line ? a->line < line : a->column <= column;
}

/* The list stays sorted, so that what falls off its end is what comes last in the file. */
static struct conf_error *errors_room(struct conf_errors *errs, unsigned line, unsigned column)
{
    size_t i = errs->n;

    if (errs->n == CONF_ERRORS_MAX) {
        errs->more++;
        if (errors_before(&errs->at[errs->n - 1], line, column))
            return NULL;
        free(errs->at[--errs->n].text);
        i--;
    }
    for (; i && !errors_before(&errs->at[i - 1], line, column); i--)
        errs->at[i] = errs->at[i - 1];
    errs->n++;
    return &errs->at[i];
}

void errors_add(struct conf_errors *errs, const char *file, unsigned line, unsigned column,
                const char *fmt, ...)
{
    struct buf b = BUF(TEXT_MAX);
    char said[TEXT_MAX / 2];
    struct conf_error *e;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(said, sizeof said, fmt, ap);
    va_end(ap);
    if (line)
        buf_addf(&b, "%.800s:%u:%u: %s", file, line, column, said);
    else
        buf_addf(&b, "%.800s: %s", file, said);
    e = errors_room(errs, line, column);
    if (e)
        *e = (struct conf_error){.line = line, .column = column, .text = buf_take(&b)};
    buf_free(&b);
}

struct errors_quoted errors_quote(const char *text)
{
    struct errors_quoted q;
    size_t room = sizeof q.text - sizeof "\"...\"", n = 0;

    q.text[n++] = '"';
    for (; *text && n < room; text++)
        q.text[n++] = (unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text;
    if ((*text & 0xc0) == 0x80) { /* don't end in the middle of a character */
        while (n > 2 && (q.text[n - 1] & 0xc0) == 0x80)
            n--;
        n--;
    }
    snprintf(q.text + n, sizeof q.text - n, "%s\"", *text ? "..." : "");
    return q;
}

void conf_errors_write(const struct conf_errors *errs, FILE *to)
{
    for (size_t i = 0; i < errs->n; i++)
        fprintf(to, "%s\n", errs->at[i].text);
    if (errs->more)
        fprintf(to, "and %zu more after these\n", errs->more);
}

void conf_errors_free(struct conf_errors *errs)
{
    for (size_t i = 0; i < errs->n; i++)
        free(errs->at[i].text);
    *errs = (struct conf_errors){0};
}
