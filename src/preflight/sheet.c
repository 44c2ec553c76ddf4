/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "preflight/sheet.h"

#include "base/buf.h"

#include <ctype.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 4096

static const struct {
    const char *word, *colour;
} verdicts[VERDICT_N] = {
    [VERDICT_OK] = {"ok", "\033[32m"},
    [VERDICT_WARN] = {"warn", "\033[33m"},
    [VERDICT_FAIL] = {"fail", "\033[1;31m"},
};

static char *sheet_text(const char *fmt, va_list ap)
{
    char text[TEXT_MAX], *own;

    vsnprintf(text, sizeof text, fmt, ap);
    for (char *at = text; *at; at++)
        if (!isascii(*at) || iscntrl(*at))
            *at = *at == '\n' || *at == '\t' ? ' ' : '?'; /* a server's words may be anything */
    own = strdup(text);
    CHECK(own);
    return own;
}

static char *sheet_copy(const char *text)
{
    char *own = strdup(text);

    CHECK(own);
    return own;
}

void sheet_add(struct sheet *s, const char *host, const char *check, enum verdict verdict,
               const char *why, ...)
{
    struct finding *f;
    va_list ap;

    if (s->n == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 64;
        s->at = reallocarray(s->at, s->cap, sizeof *s->at);
        CHECK(s->at);
    }
    f = &s->at[s->n++];
    f->host = sheet_copy(host);
    f->check = sheet_copy(check);
    f->verdict = verdict;
    va_start(ap, why);
    f->why = sheet_text(why, ap);
    va_end(ap);
    f->fix = sheet_copy("");
}

void sheet_fix(struct sheet *s, const char *fix, ...)
{
    struct finding *f = &s->at[s->n - 1];
    va_list ap;

    CHECK(s->n);
    free(f->fix);
    va_start(ap, fix);
    f->fix = sheet_text(fix, ap);
    va_end(ap);
}

size_t sheet_count(const struct sheet *s, enum verdict verdict)
{
    size_t n = 0;

    for (size_t i = 0; i < s->n; i++)
        n += s->at[i].verdict == verdict;
    return n;
}

void sheet_free(struct sheet *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->at[i].host);
        free(s->at[i].check);
        free(s->at[i].why);
        free(s->at[i].fix);
    }
    free(s->at);
    memset(s, 0, sizeof *s);
}

/* ---- for people ---- */

static bool sheet_same(const struct finding *a, const struct finding *b)
{
    return a->verdict == b->verdict && !strcmp(a->check, b->check) && !strcmp(a->why, b->why) &&
           !strcmp(a->fix, b->fix);
}

static bool sheet_said(const struct sheet *s, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (sheet_same(&s->at[i], &s->at[at]))
            return true;
    return false;
}

/* The hosts this was found on, from `at` on. */
static void sheet_hosts(const struct sheet *s, size_t at, size_t hosts, struct buf *to)
{
    size_t n = 0;

    for (size_t i = at; i < s->n; i++)
        n += sheet_same(&s->at[i], &s->at[at]);
    if (n == hosts && n > 1) {
        buf_addf(to, "all hosts");
        return;
    }
    for (size_t i = at; i < s->n; i++)
        if (sheet_same(&s->at[i], &s->at[at]))
            buf_addf(to, "%s%s", to->len ? " " : "",
                     *s->at[i].host ? s->at[i].host : "this machine");
}

/* The width of the first two columns. */
struct widths {
    int hosts, check;
};

static void sheet_measure(const struct sheet *s, size_t at, size_t hosts, struct widths *w)
{
    auto_buf names = BUF(TEXT_MAX);

    sheet_hosts(s, at, hosts, &names);
    if ((int)names.len > w->hosts)
        w->hosts = (int)names.len;
    if ((int)strlen(s->at[at].check) > w->check)
        w->check = (int)strlen(s->at[at].check);
}

static void sheet_line(const struct sheet *s, size_t at, size_t hosts, const struct widths *w,
                       bool terminal, FILE *to)
{
    const struct finding *f = &s->at[at];
    auto_buf names = BUF(TEXT_MAX);

    sheet_hosts(s, at, hosts, &names);
    fprintf(to, "%s%-4s%s  %-*s  %-*s  %s", terminal ? verdicts[f->verdict].colour : "",
            verdicts[f->verdict].word, terminal ? "\033[0m" : "", w->hosts,
            names.at ? names.at : "", w->check, f->check, f->why);
    if (*f->fix)
        fprintf(to, terminal ? "\n      -> %s" : "  ->  %s", f->fix);
    fputc('\n', to);
}

void sheet_print(const struct sheet *s, const char *cluster, size_t hosts, bool terminal,
                 const char *const *elsewhere, size_t n, FILE *to)
{
    size_t warn = sheet_count(s, VERDICT_WARN), fail = sheet_count(s, VERDICT_FAIL);
    struct widths w = {0};

    for (size_t i = 0; i < s->n; i++)
        sheet_measure(s, i, hosts, &w);
    for (int verdict = VERDICT_OK; verdict < VERDICT_N; verdict++)
        for (size_t i = 0; i < s->n; i++)
            if (s->at[i].verdict == (enum verdict)verdict && !sheet_said(s, i))
                sheet_line(s, i, hosts, &w, terminal, to);
    fprintf(to, "%s: %zu host%s, %zu ok, %zu warning%s, %zu failure%s\n", cluster, hosts,
            hosts == 1 ? "" : "s", sheet_count(s, VERDICT_OK), warn, warn == 1 ? "" : "s", fail,
            fail == 1 ? "" : "s");
    for (size_t i = 0; i < n; i++)
        fprintf(to, "%s%s%s", i ? " " : "not looked at: disks, role addresses and kernel of ",
                elsewhere[i], i + 1 == n ? "; run it there, too\n" : "");
}

/* ---- for programs ---- */

void sheet_print_json(const struct sheet *s, const char *cluster, const char *const *elsewhere,
                      size_t n, FILE *to)
{
    json_t *results = json_array(), *hosts = json_array(), *all;

    for (size_t i = 0; i < s->n; i++) {
        const struct finding *f = &s->at[i];
        json_t *o = json_pack("{s:s?,s:s,s:s,s:s,s:s?}", "host", *f->host ? f->host : NULL, "check",
                              f->check, "verdict", verdicts[f->verdict].word, "why", f->why, "fix",
                              *f->fix ? f->fix : NULL);
        CHECK(o && json_array_append_new(results, o) == 0);
    }
    for (size_t i = 0; i < n; i++)
        json_array_append_new(hosts, json_string(elsewhere[i]));
    all = json_pack("{s:i,s:s,s:o,s:o}", "schema", 1, "cluster", cluster, "results", results,
                    "not_looked_at", hosts);
    CHECK(all && json_dumpf(all, to, JSON_INDENT(1)) == 0);
    fputc('\n', to);
    json_decref(all);
}
