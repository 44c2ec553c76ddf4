/* SPDX-License-Identifier: GPL-2.0-or-later
 * A receipt in words. Pure. */
#include "engine/receipt.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *const receipt_phase_names[PHASE_N] = {
    [PHASE_DECIDED] = "decided", [PHASE_OUT] = "out",         [PHASE_GATHERED] = "gathered",
    [PHASE_FETCHES] = "fetches", [PHASE_ORDERED] = "ordered", [PHASE_OPEN] = "open",
};

static void add_set(struct text *t, const struct receipt_set *s)
{
    size_t len = strlen(s->text);
    bool cut = len >= 3 && strcmp(s->text + len - 3, "...") == 0;

    text_add(t, "%s", s->text);
    if (s->count)
        text_add(t, " (%" PRIu64 " transaction%s%s)", s->count, s->count == 1 ? "" : "s",
                 cut ? " in all, more than can be listed" : "");
    else if (cut)
        text_add(t, " (more than can be listed)");
}

static void add_phases(struct text *t, const struct receipt *r)
{
    const char *const words[PHASE_N] = {
        [PHASE_DECIDED] = r->planned ? "told to let go" : "decided",
        [PHASE_OUT] = "out",
        [PHASE_GATHERED] = "known who has most",
        [PHASE_FETCHES] = "fetches the rest",
        [PHASE_ORDERED] = "ordered to open",
        [PHASE_OPEN] = "open",
    };
    bool any = false;

    text_add(t, "  phases    ");
    for (unsigned i = 0; i < PHASE_N; i++) {
        bool old = i == PHASE_OUT || (i == PHASE_DECIDED && r->planned);
        bool fresh = i == PHASE_FETCHES || i == PHASE_ORDERED || i == PHASE_OPEN;

        if (r->phase_ms[i] < 0)
            continue;
        text_add(t, "%s%s%s%s %" PRId64 " ms", any ? ", " : "",
                 old     ? r->from
                 : fresh ? r->to
                         : "",
                 old || fresh ? " " : "", words[i], r->phase_ms[i]);
        any = true;
    }
    text_add(t, "\n");
}

static void add_lost(struct text *t, const struct receipt *r)
{
    text_add(t, "  lost      ");
    if (r->lost == LOST_KNOWN)
        add_set(t, &r->gone);
    else
        text_add(t, "%s", r->lost == LOST_NONE ? "none" : "unknown");
    text_add(t, ": %s", r->why);
    if (r->lost == LOST_UNKNOWN && r->gone.text[0]) {
        text_add(t, "; at least ");
        add_set(t, &r->gone);
    }
}

void engine_tell_receipt(const struct receipt *r, char *out, size_t size)
{
    struct text t = {out, 0, size};

    out[0] = 0;
    if (r->later) {
        text_add(&t, "receipt %" PRIu64 ", completed by %s\n", r->number, r->from);
        add_lost(&t, r);
        return;
    }
    text_add(&t, "receipt %" PRIu64 ": %s %s -> %s", r->number, r->role, r->from, r->to);
    if (r->planned)
        text_add(&t, ", writes were blocked for %" PRId64 " ms\n",
                 r->phase_ms[PHASE_OPEN] - r->phase_ms[PHASE_DECIDED]);
    else
        text_add(&t, " in %" PRId64 " ms\n", r->phase_ms[PHASE_OPEN]);
    text_add(&t, "  trigger   %s [%s]\n", r->trigger, evidence_names[r->evidence]);
    add_phases(&t, r);
    text_add(&t, "  salvaged  ");
    if (r->salvaged.text[0])
        add_set(&t, &r->salvaged);
    else
        text_add(&t, "none");
    text_add(&t, "\n");
    add_lost(&t, r);
}
