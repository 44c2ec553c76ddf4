/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "conf/settings.h"
#include "base/buf.h"

#include <arpa/inet.h>
#include <string.h>

enum { KEYS_MAX = 64 };

static void settings_add(struct reader *r, const struct tree *t, bool key, const char *fmt,
                         va_list ap)
{
    struct tree_path path = tree_path(t);
    char said[800];

    vsnprintf(said, sizeof said, fmt, ap);
    r->n_bad++;
    key = key && t->key;
    errors_add(r->errs, r->file, key ? t->key_line : t->line, key ? t->key_column : t->column,
               "%s%s%s", path.text, *path.text ? ": " : "", said);
}

void settings_bad(struct reader *r, const struct tree *t, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    settings_add(r, t, false, fmt, ap);
    va_end(ap);
}

void settings_bad_key(struct reader *r, const struct tree *t, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    settings_add(r, t, true, fmt, ap);
    va_end(ap);
}

/* ---- kinds of values ---- */

bool settings_is_text(struct reader *r, const struct tree *t)
{
    if (t->kind == TREE_TEXT)
        return true;
    settings_bad(r, t, "must be one value, not a %s", t->kind == TREE_LIST ? "list" : "mapping");
    return false;
}

bool settings_is_list(struct reader *r, const struct tree *t, const char *example)
{
    if (t->kind != TREE_LIST)
        settings_bad(r, t, "must be a list, such as %s", example);
    return t->kind == TREE_LIST;
}

bool settings_is_map(struct reader *r, const struct tree *t)
{
    if (t->kind == TREE_MAP)
        return true;
    if (t->kind == TREE_TEXT && !*t->text)
        settings_bad_key(r, t, "there is nothing below it; fill it in or take the key out");
    else
        settings_bad(r, t, "must be a mapping, such as { key: value }");
    return false;
}

bool settings_is_name(struct reader *r, const struct tree *t, const char *name)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    size_t len = strlen(name);

    if (len && len <= CONF_NAME_MAX && strspn(name, allowed) == len)
        return true;
    settings_bad_key(r, t, "%s is not a name; use 1 to %d letters, digits, - and _", QUOTED(name),
                     CONF_NAME_MAX);
    return false;
}

bool settings_number(const char *text, int64_t max, int64_t *to)
{
    int64_t n = 0;

    if (!*text)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        n = n * 10 + (*text - '0');
        if (n > max)
            return false;
    }
    *to = n;
    return true;
}

struct settings_span settings_span(int64_t ms)
{
    struct settings_span s;
    int64_t n = ms;
    const char *unit = "ms";

    if (ms % 3600000 == 0 && ms)
        n = ms / 3600000, unit = "h";
    else if (ms % 60000 == 0 && ms)
        n = ms / 60000, unit = "m";
    else if (ms % 1000 == 0)
        n = ms / 1000, unit = "s";
    snprintf(s.text, sizeof s.text, "%lld%s", (long long)n, unit);
    return s;
}

static bool settings_ms_text(const char *text, int64_t *to)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
    size_t digits = strspn(text, "0123456789");
    char number[16];
    int64_t n;

    if (!digits || digits >= sizeof number)
        return false;
    memcpy(number, text, digits);
    number[digits] = 0;
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (!strcmp(text + digits, units[i].unit) && settings_number(number, 1000000000000, &n)) {
            *to = n * units[i].ms;
            return true;
        }
    return false;
}

bool settings_ms(struct reader *r, const struct tree *t, int64_t min, int64_t max, int64_t *to)
{
    int64_t ms;

    if (!settings_is_text(r, t))
        return false;
    if (!settings_ms_text(t->text, &ms)) {
        settings_bad(r, t,
                     "%s is not a duration; write a whole number and its unit, such as 200ms, 3s, "
                     "5m or 1h",
                     QUOTED(t->text));
        return false;
    }
    if (ms < min || ms > max) {
        settings_bad(r, t, "%s is too %s; it must be at %s %s", t->text,
                     ms < min ? "short" : "long", ms < min ? "least" : "most",
                     settings_span(ms < min ? min : max).text);
        return false;
    }
    *to = ms;
    return true;
}

static const char *settings_addr_flaw(const struct conf_addr *a)
{
    const struct in6_addr *six = (const struct in6_addr *)a->at;

    if (a->family == AF_INET)
        return a->at[0] == 0     ? "means no host"
               : a->at[0] >= 224 ? "is not the address of one host"
                                 : NULL;
    return IN6_IS_ADDR_UNSPECIFIED(six) ? "means no host"
           : IN6_IS_ADDR_MULTICAST(six) ? "is not the address of one host"
           : IN6_IS_ADDR_V4MAPPED(six)  ? "is an IPv4 address in disguise; write it as one"
                                        : NULL;
}

bool settings_addr(struct reader *r, const struct tree *t, const char *text, struct conf_addr *to)
{
    struct conf_addr a = {0};
    const char *flaw;

    a.family = strchr(text, ':') ? AF_INET6 : AF_INET;
    if (inet_pton(a.family, text, a.at) != 1) {
        settings_bad(r, t,
                     "%s is not an IP address; write it in numbers, such as 10.77.0.11 or "
                     "2001:db8::11 (names are not looked up)",
                     QUOTED(text));
        return false;
    }
    CHECK(inet_ntop(a.family, a.at, a.text, sizeof a.text));
    flaw = settings_addr_flaw(&a);
    if (flaw)
        settings_bad(r, t, "%s %s", a.text, flaw);
    else
        *to = a;
    return !flaw;
}

const char *settings_path(struct reader *r, const char *path)
{
    const char *slash = strrchr(r->file, '/');
    size_t folder = slash ? (size_t)(slash - r->file) + 1 : 0;
    size_t len = strlen(path);
    char *whole;

    if (!*path || *path == '/')
        folder = 0;
    whole = pool_get(r->pool, folder + len + 1);
    memcpy(whole, r->file, folder);
    memcpy(whole + folder, path, len);
    return whole;
}

static void settings_text(struct reader *r, const struct setting *s, const struct tree *t,
                          const char **to)
{
    size_t len = strlen(t->text);
    const char *text = t->text;

    if (s->kind == SETTING_PATH && len)
        len = strlen(text = settings_path(r, text));
    if (!len && s->min)
        settings_bad(r, t, "is empty; %s", s->must ? "fill it in" : "fill it in or take it out");
    else if (strpbrk(text, "\r\n"))
        settings_bad(r, t, "contains a line break; write it in one line");
    else if (len > (size_t)s->max)
        settings_bad(r, t, "%s has %zu bytes; at most %d are possible", QUOTED(text), len,
                     (int)s->max);
    else
        *to = text;
}

static void settings_interface(struct reader *r, const struct tree *t, char *to)
{
    size_t len = strlen(t->text);

    if (!len || len >= IFNAMSIZ || strpbrk(t->text, "/: \t\r\n%") || !strcmp(t->text, ".") ||
        !strcmp(t->text, ".."))
        settings_bad(r, t,
                     "%s is not the name of a network interface; they have 1 to %d characters and "
                     "no blank, slash, colon or percent sign (\"ip link\" lists them)",
                     QUOTED(t->text), IFNAMSIZ - 1);
    else
        strcpy(to, strcmp(t->text, "auto") ? t->text : "");
}

static void settings_word(struct reader *r, const struct setting *s, const struct tree *t, void *to)
{
    struct buf all = BUF(400);
    unsigned said = ~0u;

    for (const struct setting_word *w = s->words; w->word; w++)
        if (!strcmp(w->word, t->text)) {
            memcpy(to, &w->value, sizeof w->value);
            return;
        }
    for (const struct setting_word *w = s->words; w->word; w++)
        if (w->value != said) { /* further words for the same thing are understood, not taught */
            buf_addf(&all, "%s%s", all.len ? ", " : "", w->word);
            said = w->value;
        }
    settings_bad(r, t, "%s is not possible here; choose one of: %s", QUOTED(t->text), all.at);
    buf_free(&all);
}

static void settings_bool(struct reader *r, const struct tree *t, bool *to)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (!strcmp(words[i], t->text)) {
            *to = i % 2;
            return;
        }
    settings_bad(r, t, "%s is neither true nor false", QUOTED(t->text));
}

static void settings_count(struct reader *r, const struct setting *s, const struct tree *t,
                           void *to)
{
    bool port = s->kind == SETTING_PORT;
    int64_t min = port ? 1 : s->min, max = port ? 65535 : s->max, n;

    if (!settings_number(t->text, max, &n) || n < min)
        settings_bad(r, t, "%s is not %s; write a whole number from %d to %d", QUOTED(t->text),
                     port ? "a port" : "possible here", (int)min, (int)max);
    else if (port)
        *(uint16_t *)to = (uint16_t)n;
    else
        *(unsigned *)to = (unsigned)n;
}

static void settings_value(struct reader *r, const struct setting *s, const struct tree *t,
                           void *into)
{
    void *to = (char *)into + s->at;

    if (s->kind == SETTING_LATER)
        return;
    if (s->kind == SETTING_CALL)
        return s->call(r, t, to);
    if (s->kind == SETTING_MAP)
        return settings_fill(r, s->sub, t, to);
    if (!settings_is_text(r, t))
        return;
    switch (s->kind) {
    case SETTING_TEXT:
    case SETTING_PATH:
        return settings_text(r, s, t, to);
    case SETTING_MS:
        (void)settings_ms(r, t, s->min, s->max, to); /* the error is in the list */
        return;
    case SETTING_COUNT:
    case SETTING_PORT:
        return settings_count(r, s, t, to);
    case SETTING_BOOL:
        return settings_bool(r, t, to);
    case SETTING_WORD:
        return settings_word(r, s, t, to);
    case SETTING_ADDR:
        (void)settings_addr(r, t, t->text, to);
        return;
    case SETTING_INTERFACE:
        return settings_interface(r, t, to);
    default:
        CHECK(!"every kind is handled");
    }
}

/* ---- mappings ---- */

/* How many letters must change to make b out of a; 3 stands for "more than two". */
static unsigned settings_distance(const char *a, const char *b)
{
    unsigned row[KEYS_MAX + 1], n = (unsigned)strlen(b);

    if (n > KEYS_MAX)
        return 3;
    for (unsigned j = 0; j <= n; j++)
        row[j] = j;
    for (unsigned i = 1; a[i - 1]; i++) {
        unsigned corner = row[0];

        row[0] = i;
        for (unsigned j = 1; j <= n; j++) {
            unsigned best = corner + (a[i - 1] != b[j - 1]);

            corner = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[n] > 2 ? 3 : row[n];
}

static void settings_unknown(struct reader *r, const struct setting *table, const struct tree *t)
{
    struct buf all = BUF(600);
    const char *near = NULL;
    unsigned least = 3;

    for (const struct setting *s = table; s->key; s++) {
        unsigned d = settings_distance(t->key, s->key);

        if (d < least && d < strlen(t->key))
            least = d, near = s->key;
        buf_addf(&all, "%s%s", all.len ? ", " : "", s->key);
    }
    if (near)
        settings_bad_key(r, t, "unknown key; did you mean %s?", near);
    else
        settings_bad_key(r, t, "unknown key; known here: %s", all.at);
    buf_free(&all);
}

void settings_fill(struct reader *r, const struct setting *table, const struct tree *map,
                   void *into)
{
    if (!settings_is_map(r, map))
        return;
    for (const struct tree *t = map->first; t; t = t->next) {
        const struct setting *s = table;

        while (s->key && strcmp(s->key, t->key))
            s++;
        if (s->key)
            settings_value(r, s, t, into);
        else
            settings_unknown(r, table, t);
    }
    for (const struct setting *s = table; s->key; s++)
        if (s->must && !tree_get(map, s->key))
            settings_bad_key(r, map, "%s is missing; add one, such as %s", s->key, s->must);
}

void settings_preset(struct reader *r, const struct setting *table, void *into)
{
    for (const struct setting *s = table; s->key; s++) {
        struct tree t = {.kind = TREE_TEXT, .text = s->preset};
        size_t before = r->n_bad;

        if (s->kind == SETTING_MAP)
            settings_preset(r, s->sub, (char *)into + s->at);
        else if (s->preset)
            settings_value(r, s, &t, into);
        else if (s->kind == SETTING_TEXT || s->kind == SETTING_PATH)
            *(const char **)((char *)into + s->at) = "";
        CHECK(r->n_bad == before);
    }
}
