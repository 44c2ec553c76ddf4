/* SPDX-License-Identifier: GPL-2.0-or-later
 * `hamm ctl what-if`: a copy of the engine lives through the faults in virtual time, in a thread of
 * the pool, so that the loop doesn't wait. One at a time, and for 10 s of real time at most: what
 * was told until then is the answer. */
#pragma once

#include "base/err.h"
#include "foresee/foresee.h"

#include <uv.h>

struct whatif {
    uv_work_t work;
    bool running;
    struct whatif_job *job; /* the thread's alone while it runs, but for `stop` */
    void *owner;
    void (*done)(void *owner, uint64_t id, const char *text);
};

/* `done` gets the answer, or NULL if it didn't fit; it is called from the loop exactly once if this
 * returns 0. -EBUSY: one is running; -ENOMEM. */
int whatif_begin(struct whatif *w, uv_loop_t *loop, uint64_t id, const struct engine *now,
                 const struct foresee_conf *conf, const struct faults *faults, bool json,
                 struct err *e) MUST_CHECK;
/* `done` is called soon, with nothing of use; without one that runs this does nothing. */
void whatif_stop(struct whatif *w);
