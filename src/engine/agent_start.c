/* SPDX-License-Identifier: GPL-2.0-or-later
 * Whether this host's server may be started, as the start gate is told (hamm agent --may-start). */
#include "engine/agent_internal.h"

/* A monitor that is heard says when. One that is not heard holds nobody back for long, nor does a
 * binary log that takes long to read: by then data_loss has decided. */
static int64_t start_held_until(const struct agent *a)
{
    int64_t heard = a->heard_ms < 0 ? a->tail.died_ms : a->heard_ms;
    bool reading = a->tail.state == TAIL_READING && a->tail.died_ms < heard;

    return (reading ? a->tail.died_ms : heard) + a->conf.salvage_ms;
}

void agent_start_of(const struct agent *a, int64_t now, struct agent_start *out)
{
    int w = agent_writable_slot(a);

    *out = (struct agent_start){.state = START_FREE};
    if (!a->tail.died_ms) {
        if (w >= 0 && a->slot[w].hold != HOLD_NONE && a->mysqld != MYSQLD_DEAD)
            out->state = START_WRITER;
        else
            out->why = "it did not die as the writer";
    } else if (!agent_start_held(a)) {
        out->why = "the monitor lets it start";
    } else if (a->passive) {
        out->why = "the monitor is passive and orders nothing";
    } else if (a->tail.state == TAIL_FAILED) {
        out->why = "it died as the writer, but its binary log cannot be read";
    } else if (now >= start_held_until(a)) {
        out->why = a->tail.state == TAIL_READING
                       ? "it died as the writer, but nothing came of it in salvage_timeout"
                       : "it died as the writer, but no monitor was heard for salvage_timeout";
    } else {
        out->state = START_HELD;
        out->until_ms = start_held_until(a);
        out->why = a->tail.state == TAIL_READING
                       ? "it died as the writer: its binary log is being read"
                       : "it died as the writer: until the monitor says that the others have what "
                         "only its binary log holds";
    }
}
