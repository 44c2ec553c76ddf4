/* SPDX-License-Identifier: GPL-2.0-or-later
 * Runs scenario files and compares the story told with the story expected, line by line.
 *   test_scenario [--bless] FILE...     --bless writes what is told into the files
 *   test_scenario --coverage FILE...    also fails if a rule of the engine decides in none of them;
 *                                       --but RULE: one that a unit test shows instead
 */
#include "base/buf.h"
#include "scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STORY_MS = 600000, LINES = 2000 };

struct run {
    struct scene *s;
    struct buf story;
};

static uint64_t rules_hit[2];

static void run_on_line(void *owner, const struct foresee_line *line)
{
    struct run *r = owner;

    if (r->s->hidden[line->kind])
        return;
    buf_addf(&r->story, "%6lld.%03d  ", (long long)(line->at_ms / 1000), (int)(line->at_ms % 1000));
    for (const char *at = line->text; *at; at++) {
        buf_add(&r->story, at, 1);
        if (*at == '\n')
            buf_add(&r->story, "            ", 12);
    }
    buf_add(&r->story, "\n", 1);
}

static void run_after(struct run *r, const struct foresee *f)
{
    char after[2048];

    (void)foresee_after(f, after, sizeof after);
    buf_addf(&r->story, "     after  ");
    for (const char *at = after; *at; at++) {
        buf_add(&r->story, at, 1);
        if (*at == '\n')
            buf_add(&r->story, "          ", 10);
    }
    buf_add(&r->story, "\n", 1);
}

static bool run_scene(struct run *r, struct foresee *f)
{
    struct scene *s = r->s;
    bool ok = true;

    (s->state == STATE_FRESH    ? foresee_begin
     : s->state == STATE_STORED ? foresee_stored
                                : foresee_settled)(f, &s->conf, s->source, run_on_line, r);
    for (unsigned i = 0; i < s->n && ok; i++) {
        ok = foresee_run(f, s->event[i].at_ms);
        foresee_fault(f, &s->event[i].fault);
    }
    if (ok)
        ok = s->end_ms >= 0 ? foresee_run(f, s->end_ms) : foresee_run_out(f, STORY_MS);
    run_after(r, f);
    for (unsigned i = 0; i < ARRAY_LEN(rules_hit); i++)
        rules_hit[i] |= f->rules_hit[i];
    if (!ok)
        printf("%s: more happens than there is room for\n", s->path);
    if (f->broken)
        printf("%s: two hosts held one address at once\n", s->path);
    return ok && !f->broken;
}

/* ---- comparing ---- */

struct lines {
    unsigned n;
    const char *at[LINES];
    size_t len[LINES];
};

/* Blanks at both ends of a line don't count, nor do empty lines. */
static void lines_of(struct lines *l, const char *text)
{
    l->n = 0;
    while (*text && l->n < LINES) {
        size_t len;

        text += strspn(text, " \t\n");
        len = strcspn(text, "\n");
        l->at[l->n] = text;
        text += len;
        while (len && (text[-1] == ' ' || text[-1] == '\t')) {
            text--;
            len--;
        }
        l->len[l->n] = len;
        l->n += len > 0;
        text += strcspn(text, "\n");
    }
}

static bool lines_same(const struct lines *a, unsigned i, const struct lines *b, unsigned k)
{
    return a->len[i] == b->len[k] && memcmp(a->at[i], b->at[k], a->len[i]) == 0;
}

/* Prints both with - and +, by the longest common row of lines. */
static void lines_diff(const struct lines *a, const struct lines *b)
{
    static unsigned short common[LINES + 1][LINES + 1];
    unsigned i = 0, k = 0;

    for (unsigned x = 0; x <= a->n; x++)
        common[x][b->n] = 0;
    for (unsigned y = 0; y <= b->n; y++)
        common[a->n][y] = 0;
    for (i = a->n; i-- > 0;)
        for (k = b->n; k-- > 0;)
            common[i][k] = lines_same(a, i, b, k)                ? common[i + 1][k + 1] + 1
                           : common[i + 1][k] > common[i][k + 1] ? common[i + 1][k]
                                                                 : common[i][k + 1];
    for (i = k = 0; i < a->n || k < b->n;) {
        if (i < a->n && k < b->n && lines_same(a, i, b, k)) {
            printf("    %.*s\n", (int)a->len[i], a->at[i]);
            i++;
            k++;
        } else if (k == b->n || (i < a->n && common[i + 1][k] >= common[i][k + 1])) {
            printf("  - %.*s\n", (int)a->len[i], a->at[i]);
            i++;
        } else {
            printf("  + %.*s\n", (int)b->len[k], b->at[k]);
            k++;
        }
    }
}

static bool compare(const struct scene *s, const char *story)
{
    static struct lines want, got;
    bool same;

    lines_of(&want, s->expect);
    lines_of(&got, story);
    same = want.n == got.n;
    for (unsigned i = 0; same && i < want.n; i++)
        same = lines_same(&want, i, &got, i);
    if (same)
        return true;
    printf("%s: another story is told (- expected, + told; --bless writes it down):\n", s->path);
    lines_diff(&want, &got);
    return false;
}

static bool bless(const struct scene *s, const char *story)
{
    FILE *out = fopen(s->path, "w");

    if (!out || fwrite(s->text, 1, s->head, out) != s->head) {
        perror(s->path);
        if (out)
            fclose(out);
        return false;
    }
    fprintf(out, "%s%s", s->has_expect ? "" : "expect\n", story);
    return fclose(out) == 0;
}

enum { BUT_MAX = 8 };

static bool is_but(const char *name, const char *const *but, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (strcmp(name, but[i]) == 0)
            return true;
    return false;
}

/* A rule that is excepted and decides all the same is wrong, too. */
static bool coverage(const char *const *but, unsigned buts)
{
    unsigned n = engine_rule_count(), decided = 0;
    bool ok = true;

    for (unsigned i = 0; i < n; i++) {
        bool hit = rules_hit[i / 64] >> i % 64 & 1;
        const char *name = engine_rule_name(i);

        decided += hit;
        if (hit == !is_but(name, but, buts))
            continue;
        printf(hit ? "there is a scenario for the rule, no exception is due: %s\n"
                   : "no scenario for the rule: %s\n",
               name);
        ok = false;
    }
    printf("%u of %u rules decide in a scenario\n", decided, n);
    return ok;
}

int main(int argc, char **argv)
{
    struct foresee *f = calloc(1, sizeof *f);
    struct scene *s = calloc(1, sizeof *s);
    bool write = false, cover = false, ok = true;
    const char *but[BUT_MAX];
    unsigned buts = 0;
    int i = 1, n = 0;

    CHECK(f && s);
    for (; i < argc && argv[i][0] == '-'; i++) {
        write = write || strcmp(argv[i], "--bless") == 0;
        cover = cover || strcmp(argv[i], "--coverage") == 0;
        if (strcmp(argv[i], "--but") == 0 && i + 1 < argc && buts < BUT_MAX)
            but[buts++] = argv[++i];
    }
    for (; i < argc; i++, n++) {
        struct run r = {.s = s, .story = BUF(SCENE_TEXT)};
        struct err e = {0};
        bool good = false;

        if (scene_read(s, argv[i], &e) < 0) {
            printf("%s\n", e.msg);
        } else {
            good = run_scene(&r, f);
            good = r.story.at && (write ? bless(s, r.story.at) : compare(s, r.story.at)) && good;
        }
        ok = ok && good;
        buf_free(&r.story);
        scene_free(s);
    }
    if (cover)
        ok = coverage(but, buts) && ok;
    printf("%d scenario%s: %s\n", n, n == 1 ? "" : "s", ok ? "as expected" : "FAILED");
    free(f);
    free(s);
    return ok && n ? 0 : 1;
}
