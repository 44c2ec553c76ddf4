/* SPDX-License-Identifier: GPL-2.0-or-later
 * The two ways to get bytes onto the disk without the loop waiting for it, behind one table.
 * One job at a time; the journal knows which and why. */
#pragma once

#include "base/check.h"
#include "base/err.h"
#include "loop/closer.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <uv.h>

struct disk_job {
    const void *data; /* stays where it is until done */
    size_t len;       /* 0: nothing to write, come back through the loop */
    int fd;     /* of the file; after a fresh job that of the new file, the old one is closed */
    off_t at;   /* append here; unused if fresh */
    bool fresh; /* write a new file and put it in the place of the old one */
    int dir;    /* fresh: the directory and the two names in it */
    const char *name, *name_new;
    int err; /* result: 0 or a negative errno */
};

struct disk {
    const struct disk_ops *ops;
    void (*done)(struct disk *d, struct disk_job *job); /* from the loop */
    void *owner;
};

struct disk_ops {
    void (*submit)(struct disk *d, struct disk_job *job); /* never calls done from inside */
    void (*stop)(struct disk *d, struct closer *c);       /* no job may be under way; frees d */
};

/* *out owned by the caller until ops->stop. */
int disk_thread_start(uv_loop_t *loop, struct disk **out, struct err *e) MUST_CHECK;
/* Can only append. */
int disk_uring_start(uv_loop_t *loop, struct disk **out, struct err *e) MUST_CHECK;

/* Does the job here and now, on the calling thread; sets job->err. */
void disk_run(struct disk_job *job);
