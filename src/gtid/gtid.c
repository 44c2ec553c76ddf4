/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gtid/gtid.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- sources and ranges ---- */

static int gtid_order(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static bool gtid_same_family(const struct gtid_set *a, const struct gtid_set *b)
{
    return (a->flavour == GTID_MYSQL) == (b->flavour == GTID_MYSQL);
}

/* How sources of two sets of one family compare. In positions the server only tells who wrote the
 * last transaction of the domain, so it does not separate anything. */
enum gtid_key { KEY_UUID, KEY_DOMAIN, KEY_DOMAIN_SERVER };

static enum gtid_key gtid_key(enum gtid_flavour a, enum gtid_flavour b)
{
    if (a == GTID_MYSQL)
        return KEY_UUID;
    return a == GTID_MARIADB_POS && b == GTID_MARIADB_POS ? KEY_DOMAIN : KEY_DOMAIN_SERVER;
}

static int gtid_source_order(enum gtid_key key, const struct gtid_source *a,
                             const struct gtid_source *b)
{
    int order;

    if (key == KEY_UUID) {
        order = memcmp(a->uuid, b->uuid, sizeof a->uuid);
        return order ? order : strcmp(a->tag, b->tag);
    }
    order = gtid_order(a->domain, b->domain);
    return order || key == KEY_DOMAIN ? order : gtid_order(a->server, b->server);
}

/* Does r lie before lo, with a gap between them? */
static bool gtid_is_before(enum gtid_key key, const struct gtid_range *r,
                           const struct gtid_source *source, uint64_t lo)
{
    int order = gtid_source_order(key, &r->source, source);

    return order < 0 || (order == 0 && r->hi < lo && r->hi + 1 != lo);
}

static bool gtid_touches(enum gtid_key key, const struct gtid_range *r, const struct gtid_range *of)
{
    return gtid_source_order(key, &r->source, &of->source) == 0 &&
           (r->lo <= of->hi || r->lo - 1 == of->hi);
}

/* Adds a range, joined with those it meets, so that the set stays sorted and without touching
 * ranges. Looks from the end: texts come sorted. */
void gtid_add(struct gtid_set *set, struct gtid_range add)
{
    enum gtid_key key = gtid_key(set->flavour, set->flavour);
    unsigned from = set->n, to;

    while (from > 0 && !gtid_is_before(key, &set->range[from - 1], &add.source, add.lo))
        from--;
    for (to = from; to < set->n && gtid_touches(key, &set->range[to], &add); to++) {
        const struct gtid_range *r = &set->range[to];

        if (r->lo < add.lo)
            add.lo = r->lo;
        if (r->hi > add.hi) {
            add.hi = r->hi;
            add.source = r->source; /* of a position: who wrote the highest */
        }
    }
    if (to == from && set->n == GTID_RANGES_MAX) {
        set->full = true;
        return;
    }
    memmove(&set->range[from + 1], &set->range[to], (set->n - to) * sizeof set->range[0]);
    set->range[from] = add;
    set->n = set->n - (to - from) + 1;
}

/* ---- text to set ---- */

struct gtid_text {
    const char *start, *at;
    struct err *e;
};

static void gtid_blank(struct gtid_text *t)
{
    while (*t->at == ' ' || (*t->at >= '\t' && *t->at <= '\r'))
        t->at++;
}

static int gtid_bad(struct gtid_text *t, const char *wanted)
{
    return err_set(t->e, -EINVAL, "GTID set: character %zu: %s expected", t->at - t->start + 1,
                   wanted);
}

static bool gtid_take(struct gtid_text *t, char c)
{
    gtid_blank(t);
    if (*t->at != c)
        return false;
    t->at++;
    gtid_blank(t);
    return true;
}

static int gtid_number(struct gtid_text *t, uint64_t max, uint64_t *number)
{
    uint64_t v = 0;

    if (*t->at < '0' || *t->at > '9')
        return gtid_bad(t, "a number");
    for (; *t->at >= '0' && *t->at <= '9'; t->at++) {
        uint64_t digit = (uint64_t)(*t->at - '0');

        if (v > (max - digit) / 10)
            return gtid_bad(t, "a smaller number");
        v = v * 10 + digit;
    }
    *number = v;
    return 0;
}

static int gtid_hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int gtid_uuid(struct gtid_text *t, uint8_t uuid[16])
{
    for (unsigned i = 0; i < 16; i++) {
        int high, low;

        if ((i == 4 || i == 6 || i == 8 || i == 10) && *t->at++ != '-') {
            t->at--;
            return gtid_bad(t, "'-' of a UUID");
        }
        high = gtid_hex(t->at[0]);
        low = high < 0 ? -1 : gtid_hex(t->at[1]);
        if (low < 0)
            return gtid_bad(t, "a UUID");
        uuid[i] = (uint8_t)(high << 4 | low);
        t->at += 2;
    }
    return 0;
}

static char gtid_tag_char(char c, bool first)
{
    if (c >= 'A' && c <= 'Z')
        c |= 0x20;
    return c == '_' || (c >= 'a' && c <= 'z') || (!first && c >= '0' && c <= '9') ? c : 0;
}

static int gtid_tag(struct gtid_text *t, char tag[GTID_LOG_MAX + 2])
{
    unsigned n = 0;
    char c;

    memset(tag, 0, GTID_LOG_MAX + 2);
    while ((c = gtid_tag_char(*t->at, n == 0))) {
        if (n == GTID_TAG_MAX)
            return gtid_bad(t, "a shorter tag");
        tag[n++] = c;
        t->at++;
    }
    return 0;
}

static bool gtid_log_char(char c)
{
    return c > ' ' && c < 127 && c != ':' && c != ',' && c != '/';
}

/* mysql-bin.000005:900 of uuid/mysql-bin.000005:900 */
static int gtid_place(struct gtid_text *t, char log[GTID_LOG_MAX + 2], uint64_t *number)
{
    const char *end = t->at, *dot;
    uint64_t file, pos;

    while (gtid_log_char(*end))
        end++;
    dot = memrchr(t->at, '.', (size_t)(end - t->at));
    if (!dot || dot == t->at || dot - t->at > GTID_LOG_MAX)
        return gtid_bad(t, "the name of a binary log's file, 63 characters and its number,");
    memset(log, 0, GTID_LOG_MAX + 2);
    log[0] = '/';
    memcpy(log + 1, t->at, (size_t)(dot - t->at));
    t->at = dot + 1;
    if (gtid_number(t, INT64_MAX, &file) < 0)
        return t->e->code;
    if (*t->at != ':')
        return gtid_bad(t, "':' and a position");
    t->at++;
    if (gtid_number(t, INT64_MAX, &pos) < 0)
        return t->e->code;
    *number = gtid_place_number(file, pos);
    return *number ? 0 : gtid_bad(t, "a smaller place than the one before this");
}

/* A place, or in a difference from one to another of the same log. */
static int gtid_places(struct gtid_text *t, struct gtid_range *r)
{
    char log[GTID_LOG_MAX + 2];

    r->lo = 1;
    if (gtid_place(t, r->source.tag, &r->hi) < 0)
        return t->e->code;
    if (t->at[0] != '.' || t->at[1] != '.')
        return 0;
    t->at += 2;
    r->lo = r->hi + 1;
    if (gtid_place(t, log, &r->hi) < 0)
        return t->e->code;
    return strcmp(log, r->source.tag) == 0 && r->lo <= r->hi
               ? 0
               : gtid_bad(t, "a later place in the same log before this");
}

/* uuid:1-5:7:tag:1-3:9 */
static int gtid_mysql_item(struct gtid_text *t, struct gtid_set *set)
{
    struct gtid_range r = {0};
    bool wanted = true; /* numbers must follow: after the UUID and after a tag */

    if (gtid_uuid(t, r.source.uuid) < 0)
        return t->e->code;
    if (gtid_take(t, '/')) {
        if (gtid_places(t, &r) < 0)
            return t->e->code;
        gtid_add(set, r);
        return 0;
    }
    while (gtid_take(t, ':')) {
        if (gtid_tag_char(*t->at, true)) {
            if (wanted && r.source.tag[0])
                return gtid_bad(t, "a number");
            if (gtid_tag(t, r.source.tag) < 0)
                return t->e->code;
            wanted = true;
            continue;
        }
        if (gtid_number(t, INT64_MAX, &r.lo) < 0)
            return t->e->code;
        r.hi = r.lo;
        if (gtid_take(t, '-') && gtid_number(t, INT64_MAX, &r.hi) < 0)
            return t->e->code;
        if (r.lo == 0 || r.hi < r.lo)
            return gtid_bad(t, "a range from at least 1 upwards before this");
        gtid_add(set, r);
        wanted = false;
    }
    return wanted ? gtid_bad(t, "':' and a number") : 0;
}

static bool gtid_has_domain(const struct gtid_set *set, uint32_t domain)
{
    for (unsigned i = 0; i < set->n; i++)
        if (set->range[i].source.domain == domain)
            return true;
    return false;
}

/* 0-1-105, and in a list 0-1-101..105 */
static int gtid_mariadb_item(struct gtid_text *t, struct gtid_set *set)
{
    struct gtid_range r = {0};
    uint64_t domain, server;

    if (gtid_number(t, UINT32_MAX, &domain) < 0)
        return t->e->code;
    if (!gtid_take(t, '-'))
        return gtid_bad(t, "'-' and the server's number");
    if (gtid_number(t, UINT32_MAX, &server) < 0)
        return t->e->code;
    if (!gtid_take(t, '-'))
        return gtid_bad(t, "'-' and the sequence number");
    if (gtid_number(t, UINT64_MAX, &r.hi) < 0)
        return t->e->code;
    r.source.domain = (uint32_t)domain;
    r.source.server = (uint32_t)server;
    r.lo = 1;
    if (set->flavour == GTID_MARIADB_LIST) {
        r.lo = r.hi;
        if (t->at[0] == '.' && t->at[1] == '.') {
            t->at += 2;
            if (gtid_number(t, UINT64_MAX, &r.hi) < 0)
                return t->e->code;
        }
        if (r.lo == 0 || r.hi < r.lo)
            return gtid_bad(t, "a range from at least 1 upwards before this");
    }
    if (set->flavour == GTID_MARIADB_POS && gtid_has_domain(set, r.source.domain))
        return gtid_bad(t, "one entry per domain");
    if (r.hi > 0) /* 0-1-0: nothing yet */
        gtid_add(set, r);
    return 0;
}

int gtid_parse(const char *text, enum gtid_flavour flavour, struct gtid_set *set, struct err *e)
{
    struct gtid_text t = {.start = text, .at = text, .e = e};
    struct gtid_set got = {.flavour = flavour};

    for (;;) {
        while (gtid_take(&t, ','))
            ;
        if (!*t.at)
            break;
        if ((flavour == GTID_MYSQL ? gtid_mysql_item(&t, &got) : gtid_mariadb_item(&t, &got)) < 0)
            return e->code;
        gtid_blank(&t);
        if (*t.at && *t.at != ',')
            return gtid_bad(&t, "',' or the end");
        if (got.full)
            return err_set(e, -E2BIG, "GTID set: too many ranges, %u at most", GTID_RANGES_MAX);
    }
    *set = got;
    return 0;
}

/* ---- set to text ---- */

static void gtid_uuid_text(const uint8_t uuid[16], char *to)
{
    for (unsigned i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *to++ = '-';
        *to++ = "0123456789abcdef"[uuid[i] >> 4];
        *to++ = "0123456789abcdef"[uuid[i] & 15];
    }
    *to = 0;
}

enum { ITEM_LEN = 256 };

static size_t gtid_place_text(const struct gtid_range *r, char *to, size_t size)
{
    const char *log = r->source.tag + 1;
    uint64_t from = r->lo - 1, mask = (1ull << 40) - 1;
    size_t len = 1;

    to[0] = '/';
    if (from)
        len +=
            (size_t)snprintf(to + len, size - len, "%s.%06llu:%llu..", log,
                             (unsigned long long)(from >> 40), (unsigned long long)(from & mask));
    return len + (size_t)snprintf(to + len, size - len, "%s.%06llu:%llu", log,
                                  (unsigned long long)(r->hi >> 40),
                                  (unsigned long long)(r->hi & mask));
}

/* The i-th range as it follows what was written before it. */
static size_t gtid_item(const struct gtid_set *set, unsigned i, char to[ITEM_LEN])
{
    const struct gtid_range *r = &set->range[i];
    const struct gtid_source *s = &r->source, *was = i ? &set->range[i - 1].source : NULL;
    const char *comma = i ? "," : "";
    size_t len = 0;

    if (set->flavour == GTID_MYSQL) {
        bool place = s->tag[0] == '/';
        bool same =
            was && !place && was->tag[0] != '/' && memcmp(was->uuid, s->uuid, sizeof s->uuid) == 0;

        if (!same) {
            len = strlen(comma);
            memcpy(to, comma, len);
            gtid_uuid_text(s->uuid, to + len);
            len += 36;
        }
        if (place)
            return len + gtid_place_text(r, to + len, ITEM_LEN - len);
        if (s->tag[0] && !(same && strcmp(was->tag, s->tag) == 0))
            len += (size_t)snprintf(to + len, ITEM_LEN - len, ":%s", s->tag);
        len += (size_t)snprintf(to + len, ITEM_LEN - len, ":%llu", (unsigned long long)r->lo);
        if (r->hi != r->lo)
            len += (size_t)snprintf(to + len, ITEM_LEN - len, "-%llu", (unsigned long long)r->hi);
        return len;
    }
    if (set->flavour != GTID_MARIADB_LIST || r->lo == r->hi)
        return (size_t)snprintf(to, ITEM_LEN, "%s%u-%u-%llu", comma, s->domain, s->server,
                                (unsigned long long)r->hi);
    return (size_t)snprintf(to, ITEM_LEN, "%s%u-%u-%llu..%llu", comma, s->domain, s->server,
                            (unsigned long long)r->lo, (unsigned long long)r->hi);
}

size_t gtid_format(const struct gtid_set *set, char *to, size_t size)
{
    size_t whole = 0, len = 0, left, item;
    char text[ITEM_LEN];

    for (unsigned i = 0; i < set->n; i++)
        whole += gtid_item(set, i, text);
    if (size == 0)
        return whole;
    left = whole < size ? 0 : 3; /* room kept for "..." */
    for (unsigned i = 0; i < set->n; i++) {
        item = gtid_item(set, i, text);
        if (len + item + left >= size)
            break;
        memcpy(to + len, text, item);
        len += item;
    }
    if (left && len + left < size) {
        memcpy(to + len, "...", left);
        len += left;
    }
    to[len] = 0;
    return whole;
}

/* ---- sets with sets ---- */

bool gtid_subset(const struct gtid_set *a, const struct gtid_set *b)
{
    enum gtid_key key = gtid_key(a->flavour, b->flavour);

    if (a->full || b->full || (a->n && !gtid_same_family(a, b)))
        return false;
    for (unsigned i = 0, k = 0; i < a->n;
         i++) { /* each range of a lies in one of b, or is not in it */
        const struct gtid_range *r = &a->range[i];

        while (k < b->n && (gtid_source_order(key, &b->range[k].source, &r->source) < 0 ||
                            (gtid_source_order(key, &b->range[k].source, &r->source) == 0 &&
                             b->range[k].hi < r->hi)))
            k++;
        if (k == b->n || gtid_source_order(key, &b->range[k].source, &r->source) != 0 ||
            b->range[k].lo > r->lo)
            return false;
    }
    return true;
}

bool gtid_equal(const struct gtid_set *a, const struct gtid_set *b)
{
    return gtid_subset(a, b) && gtid_subset(b, a);
}

/* Adds to out what is left of r without b. */
static void gtid_rest(struct gtid_range r, enum gtid_key key, const struct gtid_set *b,
                      struct gtid_set *out)
{
    for (unsigned k = 0; k < b->n; k++) {
        const struct gtid_range *cut = &b->range[k];

        if (gtid_source_order(key, &cut->source, &r.source) != 0 || cut->hi < r.lo ||
            cut->lo > r.hi)
            continue;
        if (cut->lo > r.lo) {
            struct gtid_range head = r;

            head.hi = cut->lo - 1;
            gtid_add(out, head);
        }
        if (cut->hi >= r.hi)
            return;
        r.lo = cut->hi + 1;
    }
    gtid_add(out, r);
}

int gtid_subtract(const struct gtid_set *a, const struct gtid_set *b, struct gtid_set *out)
{
    enum gtid_key key = gtid_key(a->flavour, b->flavour);
    static const struct gtid_set none;

    CHECK(out != a && out != b);
    memset(out, 0, sizeof *out);
    out->flavour = a->flavour == GTID_MYSQL ? GTID_MYSQL : GTID_MARIADB_LIST;
    out->full = a->full || b->full;
    if (!gtid_same_family(a, b))
        b = &none;
    for (unsigned i = 0; i < a->n; i++)
        gtid_rest(a->range[i], key, b, out);
    return out->full ? -E2BIG : 0;
}

int gtid_merge(const struct gtid_set *a, const struct gtid_set *b, struct gtid_set *out)
{
    struct gtid_set sum = *a;
    bool mixed = !gtid_same_family(a, b);

    if (mixed && a->n == 0 && !a->full) {
        *out = *b;
        return b->full ? -E2BIG : 0;
    }
    sum.full = a->full || b->full;
    if (mixed && !gtid_empty(b)) {
        sum.full = true;
        *out = sum;
        return -EINVAL;
    }
    if (!mixed && a->flavour != b->flavour)
        sum.flavour = GTID_MARIADB_LIST;
    for (unsigned i = 0; i < b->n; i++)
        gtid_add(&sum, b->range[i]);
    *out = sum;
    return sum.full ? -E2BIG : 0;
}

uint64_t gtid_count(const struct gtid_set *set)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < set->n; i++) {
        uint64_t n = set->range[i].hi - set->range[i].lo;

        if (n == UINT64_MAX || sum > UINT64_MAX - (n + 1))
            return UINT64_MAX;
        sum += n + 1;
    }
    return sum;
}
