/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/render.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CELL = 80, GTID_SHOWN = 30, WHY_SHOWN = 6, INDENT = 6 };

enum column {
    C_HOST,
    C_ADDRESS,
    C_MODE,
    C_STATE,
    C_SINCE,
    C_AGENT,
    C_RO,
    C_LAG,
    C_SOURCE,
    C_GTID,
    C_ROLES,
    C_N
};
static const char *const titles[C_N] = {
    [C_HOST] = "HOST",     [C_ADDRESS] = "ADDRESS", [C_MODE] = "MODE",    [C_STATE] = "STATE",
    [C_SINCE] = "SINCE",   [C_AGENT] = "AGENT",     [C_RO] = "READ-ONLY", [C_LAG] = "LAG",
    [C_SOURCE] = "SOURCE", [C_GTID] = "GTID",       [C_ROLES] = "ROLES",
};

enum paint { PLAIN, GOOD, BAD, DOUBT, STRONG };
static const char *const paints[] = {
    [PLAIN] = "",         [GOOD] = "\033[32m",  [BAD] = "\033[1;31m",
    [DOUBT] = "\033[33m", [STRONG] = "\033[1m",
};

struct page {
    struct buf *out;
    bool colour;
    int64_t now_ms; /* of the monitor's clock */
    const char *cluster, *writer;
    int width[C_N];
};

static void painted(struct page *p, enum paint paint, const char *text)
{
    bool on = p->colour && paint;

    buf_addf(p->out, "%s%s%s", on ? paints[paint] : "", text, on ? "\033[0m" : "");
}

static const char *str(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));

    return text ? text : "";
}

/* --- moments and durations ------------------------------------------------------------------ */

/* ms since 1970 of "2026-03-01T12:00:00.250Z"; 0: it is none. */
static int64_t moment(const char *text)
{
    struct tm tm = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    int64_t ms = 0;

    if (!rest)
        return 0;
    if (*rest == '.')
        ms = (int64_t)(strtod(rest, NULL) * 1000);
    return (int64_t)timegm(&tm) * 1000 + ms;
}

static const char *duration(char to[CELL], int64_t s)
{
    if (s < 0)
        s = 0;
    if (s < 60)
        snprintf(to, CELL, "%llds", (long long)s);
    else if (s < 3600)
        snprintf(to, CELL, "%lldm%02llds", (long long)s / 60, (long long)s % 60);
    else if (s < 86400)
        snprintf(to, CELL, "%lldh%02lldm", (long long)s / 3600, (long long)s / 60 % 60);
    else
        snprintf(to, CELL, "%lldd%02lldh", (long long)s / 86400, (long long)s / 3600 % 24);
    return to;
}

static const char *age(const struct page *p, const json_t *o, char to[CELL])
{
    int64_t since = moment(str(o, "since"));

    return since ? duration(to, (p->now_ms - since) / 1000) : "-";
}

/* --- cells ---------------------------------------------------------------------------------- */

/* Both ends: the beginning says whose it is, the end how far it goes. */
static void shorten(char to[CELL], const char *gtid)
{
    int len = (int)strlen(gtid);
    int head = GTID_SHOWN / 2 - 1, tail = GTID_SHOWN - 2 - head;

    if (len <= GTID_SHOWN)
        snprintf(to, CELL, "%s", gtid);
    else
        snprintf(to, CELL, "%.*s..%s", head, gtid, gtid + len - tail);
}

/* It has a source, and neither receives nor applies. */
static bool stopped(const json_t *host)
{
    return !strcmp(str(host, "receiver"), "no") && json_is_false(json_object_get(host, "applier"));
}

/* Replication of a writer stands still on purpose: then it has no source worth a word. */
static const char *source_of(const struct page *p, const json_t *host)
{
    return stopped(host) && !strcmp(str(host, "name"), p->writer) ? "" : str(host, "source");
}

static void source_cell(char to[CELL], const struct page *p, const json_t *host)
{
    const char *source = source_of(p, host), *receiver = str(host, "receiver");
    const char *how = stopped(host)                                     ? " (stopped)"
                      : !strcmp(receiver, "no")                         ? " (not received)"
                      : json_is_false(json_object_get(host, "applier")) ? " (not applied)"
                      : !strcmp(receiver, "connecting")                 ? " (connecting)"
                                                                        : "";

    snprintf(to, CELL, "%s%s", *source ? source : "-", *source ? how : "");
}

static void lag_cell(char to[CELL], const struct page *p, const json_t *host)
{
    const json_t *lag = json_object_get(host, "lag_s");

    if (json_is_number(lag))
        snprintf(to, CELL, json_is_real(lag) ? "%.1fs" : "%.0fs", json_number_value(lag));
    else
        snprintf(to, CELL, "%s", *source_of(p, host) ? "?" : "-");
}

static void roles_cell(char *to, size_t size, const json_t *host)
{
    json_t *role;
    size_t i, len = 0;

    *to = 0;
    json_array_foreach(json_object_get(host, "roles"), i, role)
    {
        len += (size_t)snprintf(to + len, size - len, "%s%s(%s)", i ? ", " : "", str(role, "role"),
                                str(role, "ip"));
        if (len >= size)
            break;
    }
}

static void cells_of(const struct page *p, const json_t *host, char cell[C_N][CELL])
{
    const json_t *ro = json_object_get(host, "read_only");
    char text[CELL];

    snprintf(cell[C_HOST], CELL, "%s", str(host, "name"));
    snprintf(cell[C_ADDRESS], CELL, "%s", str(host, "address"));
    snprintf(cell[C_MODE], CELL, "%s", str(host, "mode"));
    snprintf(cell[C_STATE], CELL, "%s", str(host, "state"));
    snprintf(cell[C_SINCE], CELL, "%s", age(p, host, text));
    snprintf(cell[C_AGENT], CELL, "%s", str(host, "agent"));
    snprintf(cell[C_RO], CELL, "%s", !json_is_boolean(ro) ? "?" : json_is_true(ro) ? "yes" : "no");
    lag_cell(cell[C_LAG], p, host);
    source_cell(cell[C_SOURCE], p, host);
    shorten(cell[C_GTID], *str(host, "gtid") ? str(host, "gtid") : "-");
}

static enum paint paint_of(enum column c, const char *text)
{
    if (c == C_STATE)
        return !strcmp(text, "ONLINE")                                              ? GOOD
               : !strcmp(text, "HARD_OFFLINE") || !strcmp(text, "REPLICATION_FAIL") ? BAD
                                                                                    : DOUBT;
    return c == C_AGENT && strcmp(text, "up") ? BAD : PLAIN;
}

static void row(struct page *p, char cell[C_N][CELL], const char *roles)
{
    char padded[CELL + 2];

    for (int c = 0; c < C_ROLES; c++) {
        painted(p, paint_of((enum column)c, cell[c]), cell[c]);
        snprintf(padded, sizeof padded, "%*s", p->width[c] - (int)strlen(cell[c]) + 2, "");
        buf_addf(p->out, "%s", padded);
    }
    buf_addf(p->out, "%s\n", *roles ? roles : "-");
}

static void header(struct page *p)
{
    for (int c = 0; c < C_ROLES; c++)
        buf_addf(p->out, "%-*s", p->width[c] + 2, titles[c]);
    buf_addf(p->out, "%s\n", titles[C_ROLES]);
}

/* --- below a host --------------------------------------------------------------------------- */

static void note(struct page *p, const char *what, const char *text)
{
    if (!*text)
        return;
    buf_addf(p->out, "%*s", INDENT, "");
    painted(p, DOUBT, what);
    buf_addf(p->out, ": %s\n", text);
}

/* The message of a check says its result once more in front. */
static const char *message_of(const json_t *check)
{
    const char *message = str(check, "message"), *result = str(check, "result");
    size_t len = strlen(result);

    if (len && !strncmp(message, result, len) && !strncmp(message + len, ": ", 2))
        message += len + 2;
    return *message ? message : "no message";
}

static void check_notes(struct page *p, const json_t *host)
{
    const char *name;
    json_t *check;
    char text[CELL], what[2 * CELL];

    json_object_foreach(json_object_get(host, "checks"), name, check)
    {
        const json_t *ok = json_object_get(check, "ok");
        const char *result = str(check, "result");
        if (json_is_false(ok))
            snprintf(what, sizeof what, "%s bad for %s", name, age(p, check, text));
        else if (json_is_true(ok) && *result && strcmp(result, "OK"))
            snprintf(what, sizeof what, "%s now %s", name, result);
        else
            continue;
        note(p, what, message_of(check));
    }
}

/* What to do; nothing where hamm does it. */
static void next_step(char *to, size_t size, const struct page *p, const json_t *host)
{
    const char *state = str(host, "state"), *name = str(host, "name");

    *to = 0;
    if (strcmp(str(host, "agent"), "up"))
        snprintf(to, size, "is the host up? There: systemctl status hamm-agent@%s", p->cluster);
    else if (!strcmp(str(host, "mysqld"), "dead"))
        snprintf(to, size, "start mysqld there; hamm makes it read-only and lets it back");
    else if (!strcmp(state, "ADMIN_OFFLINE"))
        snprintf(to, size, "when the maintenance is over: hamm ctl set-online %s", name);
    else if (!strcmp(state, "AWAITING_RECOVERY") && !*str(host, "problem"))
        snprintf(to, size, "hamm ctl set-online %s", name);
    else if (*str(host, "cannot_follow"))
        snprintf(to, size,
                 "without GTID nobody can say where it is in the writer's binary log: set %s up "
                 "anew as a copy of the writer",
                 name);
    else if (*str(host, "extra_gtid"))
        snprintf(to, size, "hamm ctl explain %s: the commands to look, bring in or discard", name);
    else if (!strcmp(state, "REPLICATION_FAIL") || !strcmp(state, "AWAITING_RECOVERY"))
        snprintf(to, size,
                 "mend its replication (SHOW SLAVE STATUS there) or set it up anew; it is "
                 "back by itself when it replicates");
}

static void host_notes(struct page *p, const json_t *host)
{
    char next[256];

    check_notes(p, host);
    if (!strcmp(str(host, "mysqld"), "dead"))
        note(p, "mysqld",
             *str(host, "mysqld_why") ? str(host, "mysqld_why") : "its agent saw it end");
    note(p, "its binary log cannot be read", str(json_object_get(host, "tail"), "why"));
    note(p, "problem", str(host, "problem"));
    note(p, "transactions nobody else has", str(host, "extra_gtid"));
    note(p, "they are kept there in", str(json_object_get(host, "quarantine"), "file"));
    note(p, "they are not kept", str(json_object_get(host, "quarantine"), "why"));
    note(p, "cannot follow the writer", str(host, "cannot_follow"));
    if (!strcmp(str(host, "gate"), "lifetime"))
        note(p, "gate", "no nf_tables there, the kernel ends leases by whole seconds");
    if (json_is_true(json_object_get(host, "flapping")))
        note(p, "flapping", "it failed too often and stays out until it is set online");
    note(p, "never the writer by itself", str(host, "barred"));
    note(p, "semi-sync", str(json_object_get(host, "semi_sync"), "warning"));
    next_step(next, sizeof next, p, host);
    note(p, "next", next);
}

/* --- the page ------------------------------------------------------------------------------- */

static void hosts(struct page *p, const json_t *root)
{
    const json_t *list = json_object_get(root, "hosts");
    char cell[C_N][CELL], roles[2048];
    json_t *host;
    size_t i;

    for (int c = 0; c < C_N; c++)
        p->width[c] = (int)strlen(titles[c]);
    json_array_foreach(list, i, host)
    {
        cells_of(p, host, cell);
        for (int c = 0; c < C_ROLES; c++)
            if (p->width[c] < (int)strlen(cell[c]))
                p->width[c] = (int)strlen(cell[c]);
    }
    header(p);
    json_array_foreach(list, i, host)
    {
        cells_of(p, host, cell);
        roles_cell(roles, sizeof roles, host);
        row(p, cell, roles);
        host_notes(p, host);
    }
}

static void waiting(struct page *p, const json_t *root)
{
    bool first = true;
    json_t *role;
    size_t i;

    json_array_foreach(json_object_get(root, "roles"), i, role)
    {
        bool nobody = json_is_null(json_object_get(role, "host"));
        if (!nobody && !json_is_false(json_object_get(role, "held")))
            continue;
        buf_addf(p->out, "%s", first ? "\n" : "");
        first = false;
        painted(p, nobody ? BAD : DOUBT, nobody ? "nobody has " : "not confirmed: ");
        buf_addf(p->out, "%s %s", str(role, "name"), str(role, "ip"));
        if (nobody)
            buf_addf(p->out, "%s%s\n", *str(role, "waiting") ? ": " : "", str(role, "waiting"));
        else
            buf_addf(p->out, " at %s\n", str(role, "host"));
    }
}

/* The reasons stand one below the other. */
static void verdict(struct page *p, const json_t *root, enum render_health health)
{
    const char *word = health == RENDER_WELL       ? "all well"
                       : health == RENDER_DEGRADED ? "DEGRADED"
                                                   : "NO WRITER";
    const json_t *why = json_object_get(root, "why");
    json_t *sentence;
    size_t i;

    painted(p, health == RENDER_WELL ? GOOD : health == RENDER_DEGRADED ? DOUBT : BAD, word);
    json_array_foreach(why, i, sentence)
    {
        buf_addf(p->out, "%s%*s", i ? "\n" : ": ", i ? (int)strlen(word) + 2 : 0, "");
        if (i == WHY_SHOWN) {
            buf_addf(p->out, "and %zu more", json_array_size(why) - i);
            break;
        }
        buf_addf(p->out, "%s", json_string_value(sentence));
    }
    buf_addf(p->out, "\n");
}

/* Of a writer whose commits wait for replicas, and nothing speaks against it. */
static void acknowledged(struct page *p, const json_t *host)
{
    const json_t *semi = json_object_get(host, "semi_sync");
    long long n = (long long)json_integer_value(json_object_get(semi, "clients"));

    if (json_is_true(json_object_get(semi, "active")) && !*str(semi, "warning"))
        buf_addf(p->out, ", semi-sync: %lld replica%s", n,
                 n == 1 ? " acknowledges" : "s acknowledge");
}

/* The host open for writes, and where applications find it. */
static void writer(struct page *p, const json_t *root)
{
    const char *name = str(root, "writer"), *active = str(root, "active_master_role");
    const json_t *host = NULL;
    json_t *item;
    size_t i;

    if (!*name)
        return;
    buf_addf(p->out, "writer ");
    painted(p, STRONG, name);
    json_array_foreach(json_object_get(root, "hosts"), i, item)
    {
        if (strcmp(str(item, "name"), name))
            continue;
        host = item;
        buf_addf(p->out, " (%s) at", str(item, "address"));
    }
    json_array_foreach(json_object_get(root, "roles"), i, item)
    {
        if (!strcmp(str(item, "name"), active) && !strcmp(str(item, "host"), name))
            buf_addf(p->out, " %s", str(item, "ip"));
    }
    acknowledged(p, host);
    buf_addf(p->out, "\n");
}

static void monitor(struct page *p, const json_t *root)
{
    bool reigning = json_is_true(json_object_get(root, "reigning"));

    buf_addf(p->out, "cluster ");
    painted(p, STRONG, str(root, "cluster"));
    buf_addf(p->out, "   mode ");
    painted(p, strcmp(str(root, "mode"), "active") ? DOUBT : PLAIN, str(root, "mode"));
    buf_addf(p->out, "   monitor %s ", str(root, "monitor"));
    painted(p, reigning ? PLAIN : DOUBT, reigning ? "(reigning)" : "(does not reign)");
    buf_addf(p->out, "   epoch %lld\n",
             (long long)json_integer_value(json_object_get(root, "epoch")));
}

static void moving(struct page *p, const json_t *root)
{
    const json_t *m = json_object_get(root, "move");
    char text[CELL];

    if (!json_is_object(m))
        return;
    painted(p, STRONG, "moving");
    duration(text, json_integer_value(json_object_get(m, "for_ms")) / 1000);
    buf_addf(p->out, " %s from %s to %s for %s: %s\n", str(m, "role"), str(m, "from"), str(m, "to"),
             text, str(m, "phase"));
}

int render_status(struct buf *out, const char *json, size_t len, bool colour,
                  enum render_health *health, struct err *e)
{
    json_error_t why;
    json_t *root = json_loadb(json, len, 0, &why);
    struct page p = {.out = out, .colour = colour};
    const char *word;

    if (!root || json_integer_value(json_object_get(root, "schema")) != 1) {
        json_decref(root);
        return err_set(e, -EPROTO,
                       "the monitor's status cannot be read: is hamm the same version there?");
    }
    word = str(root, "health");
    *health = !strcmp(word, "ok")         ? RENDER_WELL
              : !strcmp(word, "degraded") ? RENDER_DEGRADED
                                          : RENDER_NO_WRITER;
    p.now_ms = moment(str(root, "time"));
    p.cluster = str(root, "cluster");
    p.writer = str(root, "writer");
    monitor(&p, root);
    verdict(&p, root, *health);
    writer(&p, root);
    moving(&p, root);
    buf_addf(out, "\n");
    hosts(&p, root);
    waiting(&p, root);
    json_decref(root);
    return 0;
}
