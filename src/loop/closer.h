/* SPDX-License-Identifier: GPL-2.0-or-later
 * Counts handles down to zero. A uv handle's memory may go only in or after its close callback
 * (libuv, handle.rst); an object with several handles says `done` once, when the last is closed. */
#pragma once

#include <stdbool.h>
#include <uv.h>

struct closer {
    unsigned open; /* handles and requests still in flight */
    bool closing;
    void (*done)(struct closer *c); /* memory may go now; called once */
    void *owner;
};

/* Every handle given to a closer uses handle->data for its own purposes as before;
 * closer keeps its pointer in the close callback's own record. */
void closer_add(struct closer *c); /* one more to wait for */
void closer_sub(struct closer *c); /* one fewer; calls done at zero if closing */
void closer_handle(struct closer *c,
                   uv_handle_t *h); /* closes h, then closer_sub; h->data is overwritten */
void closer_end(struct closer *c, void (*done)(struct closer *c)); /* from now on zero means done */
