/* SPDX-License-Identifier: GPL-2.0-or-later
 * Inputs and decisions in words, each a line for `hamm replay`. Pure. */
#pragma once

#include "base/buf.h"
#include "monitor/record_code.h"

/* One line with its newline for an event; actions that are no news (beats, grants) and, unless
 * `verbose`, all but the events for people add nothing. */
void replay_words_action(struct buf *to, const struct engine *e, const struct action *a,
                         bool verbose);
/* "a report of db2"; for `verbose` stories and for differences. */
void replay_words_input(struct buf *to, const struct engine *e, const struct engine_event *ev);
/* "1 h 2 min 3.456 s" */
void replay_words_time(struct buf *to, int64_t ms);
