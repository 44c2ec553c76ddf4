/* SPDX-License-Identifier: GPL-2.0-or-later
 * The recorder: what engine_step is given and what comes out goes to a file, so that `hamm replay`
 * can run it again. For people who want to know afterwards; nothing waits for it. Steps gather in
 * memory and go to a thread of their own each second, which deflates and writes them. Where it
 * can't keep up or the disk is full, recording stops with one complaint, and goes on later with a
 * new section that says so.
 *
 * The files: record_file.h. Their content: record_code.h. */
#pragma once

#include "base/check.h"
#include "engine/engine.h"
#include "loop/closer.h"
#include "monitor/record_file.h"

#include <uv.h>

struct record;

struct record_opts {
    struct record_file_opts file;
    size_t memory_max; /* bytes that wait for the disk */
    int64_t flush_ms;  /* no step waits longer, as long as there are others */
    int64_t retry_ms;  /* so long after a failure it is tried again */
};
extern const struct record_opts record_daemon;

/* What the recorder has to say: bad or good news, for the log. */
typedef void (*record_say_fn)(void *owner, bool bad, const char *text);

/* Before the engine's first step. NULL: said so; all functions below take it. */
struct record *record_start(uv_loop_t *loop, const char *path, const char *cluster,
                            const char *monitor, const struct record_opts *opts,
                            const struct engine *e, record_say_fn say, void *owner);
/* After each step, before the plan is performed. */
void record_step(struct record *r, const struct engine_event *ev, const struct engine *e,
                 const struct plan *p);
/* What is recorded goes to the disk, then the closer counts down (it was counted up by this call).
 * Waits as long as the disk does, like the journal. */
void record_stop(struct record *r, struct closer *c);
