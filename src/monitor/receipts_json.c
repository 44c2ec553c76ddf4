/* SPDX-License-Identifier: GPL-2.0-or-later
 * Receipts as JSON: for people's programs, and with moments as numbers for the journal. */
#include "monitor/receipts.h"

#include "monitor/status.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- written ---- */

static void put_time(json_t *o, const char *key, int64_t wall_ms, bool disk)
{
    char text[RFC3339_LEN];

    json_object_set_new(o, key,
                        disk ? json_integer(wall_ms) : json_string(status_time(text, wall_ms)));
}

/* NAME: the set or `none`; NAME_count: how many transactions, where they can be counted. */
static void put_set(json_t *o, const char *name, const struct receipt_set *s, json_t *none)
{
    char count[32];

    snprintf(count, sizeof count, "%s_count", name);
    json_object_set_new(o, name, s->text[0] ? json_string(s->text) : json_incref(none));
    if (s->text[0])
        json_object_set_new(o, count, s->count ? json_integer((json_int_t)s->count) : json_null());
    json_decref(none);
}

static void put_lost(json_t *o, const struct receipt *r)
{
    static const struct receipt_set none;

    put_set(o, "lost", r->lost == LOST_KNOWN ? &r->gone : &none,
            r->lost == LOST_NONE ? json_string("none") : json_null());
    if (r->lost == LOST_UNKNOWN && r->gone.text[0])
        put_set(o, "lost_at_least", &r->gone, json_null());
    json_object_set_new(o, "lost_why", json_string(r->why));
}

static json_t *put_receipt(const struct receipt *r, bool disk)
{
    json_t *phases = json_object(), *o;

    for (unsigned i = 0; i < PHASE_N; i++)
        json_object_set_new(phases, receipt_phase_names[i],
                            r->phase_ms[i] < 0 ? json_null() : json_integer(r->phase_ms[i]));
    o = json_pack("{s:I, s:s, s:s, s:s, s:b, s:s, s:s, s:o}", "number", (json_int_t)r->number,
                  "role", r->role, "from", r->from, "to", r->to, "planned", r->planned, "trigger",
                  r->trigger, "evidence", evidence_names[r->evidence], "phases", phases);
    if (!o)
        return NULL;
    put_time(o, "began", r->began_wall_ms, disk);
    json_object_set_new(o, "blocked_ms",
                        r->planned
                            ? json_integer(r->phase_ms[PHASE_OPEN] - r->phase_ms[PHASE_DECIDED])
                            : json_null());
    put_set(o, "salvaged", &r->salvaged, json_string("none"));
    put_lost(o, r);
    put_time(o, "lost_known_at", r->said_wall_ms, disk);
    return o;
}

static json_t *put_last(const struct receipts *r, unsigned last, bool disk)
{
    json_t *list = json_array();

    for (unsigned i = last < r->n ? r->n - last : 0; i < r->n; i++)
        json_array_append_new(list, put_receipt(&r->at[i], disk));
    return list;
}

static char *text_of(json_t *all)
{
    char *text = all ? json_dumps(all, JSON_COMPACT) : NULL;

    json_decref(all);
    return text;
}

char *receipts_json(const struct receipts *r, const char *cluster, unsigned last)
{
    return text_of(json_pack("{s:i, s:s, s:o}", "schema", 1, "cluster", cluster, "receipts",
                             put_last(r, last, false)));
}

char *receipts_encode(const struct receipts *r)
{
    return text_of(
        json_pack("{s:i, s:o}", "version", 1, "receipts", put_last(r, RECEIPTS_MAX, true)));
}

/* ---- read ---- */

static void get_text(const json_t *o, const char *key, char *to, size_t size)
{
    const char *text = json_string_value(json_object_get(o, key));

    snprintf(to, size, "%s", text ? text : "");
}

static void get_set(const json_t *o, const char *name, struct receipt_set *s)
{
    char count[32];

    snprintf(count, sizeof count, "%s_count", name);
    s->count = (uint64_t)json_integer_value(json_object_get(o, count));
    get_text(o, name, s->text, sizeof s->text);
    if (strcmp(s->text, "none") == 0)
        *s = (struct receipt_set){0};
}

static void get_lost(const json_t *o, struct receipt *r)
{
    const char *lost = json_string_value(json_object_get(o, "lost"));

    r->lost = !lost ? LOST_UNKNOWN : strcmp(lost, "none") == 0 ? LOST_NONE : LOST_KNOWN;
    get_set(o, r->lost == LOST_UNKNOWN ? "lost_at_least" : "lost", &r->gone);
    get_text(o, "lost_why", r->why, sizeof r->why);
    r->said_wall_ms = json_integer_value(json_object_get(o, "lost_known_at"));
}

static void get_receipt(const json_t *o, struct receipt *r)
{
    const char *evidence = json_string_value(json_object_get(o, "evidence"));

    *r = (struct receipt){.number = (uint64_t)json_integer_value(json_object_get(o, "number")),
                          .planned = json_is_true(json_object_get(o, "planned"))};
    for (unsigned i = 0; evidence && i < EVIDENCE_N; i++)
        if (strcmp(evidence, evidence_names[i]) == 0)
            r->evidence = (enum evidence)i;
    get_text(o, "role", r->role, sizeof r->role);
    get_text(o, "from", r->from, sizeof r->from);
    get_text(o, "to", r->to, sizeof r->to);
    get_text(o, "trigger", r->trigger, sizeof r->trigger);
    r->began_wall_ms = json_integer_value(json_object_get(o, "began"));
    for (unsigned i = 0; i < PHASE_N; i++) {
        json_t *ms = json_object_get(json_object_get(o, "phases"), receipt_phase_names[i]);

        r->phase_ms[i] = json_is_integer(ms) ? json_integer_value(ms) : -1;
    }
    get_set(o, "salvaged", &r->salvaged);
    get_lost(o, r);
}

int receipts_decode(struct receipts *r, const char *text, size_t len)
{
    json_error_t why;
    json_t *all = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
    json_t *list = json_object_get(all, "receipts");
    size_t n = json_array_size(list), first = n > RECEIPTS_MAX ? n - RECEIPTS_MAX : 0;
    int rc = json_is_array(list) ? 0 : -EINVAL;

    r->n = 0;
    for (size_t i = first; i < n; i++)
        get_receipt(json_array_get(list, i), &r->at[r->n++]);
    json_decref(all);
    return rc;
}
