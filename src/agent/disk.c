/* SPDX-License-Identifier: GPL-2.0-or-later
 * Is there room where the server writes its binary log? Without it every commit waits, then every
 * question about GTIDs, and nothing of that says why. Asked once in a while, in a thread: a disk
 * that hangs answers late. */
#include "agent/agentd.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { DISK_MS = 2000, DISK_LEAST = 1 << 20, DISK_AGAIN = 4 << 20 };

/* What is full stays so until there is some room: a server that tries again may take or give back
 * what it could write of one transaction. */
bool disk_is_full(uint64_t bytes_left, bool was)
{
    return bytes_left < (was ? DISK_AGAIN : DISK_LEAST);
}

static void disk_judge(struct agentd *d, const uv_statfs_t *fs)
{
    struct agentd_disk *x = &d->disk;
    uint64_t left = fs->f_bavail * fs->f_bsize;
    bool was = x->full;

    x->full = disk_is_full(left, was);
    if (!x->full) {
        x->problem[0] = '\0';
        if (was)
            log_note(&d->log, "%s has room again", x->dir);
        return;
    }
    (void)snprintf(x->problem, sizeof x->problem,
                   "%.200s is full (%" PRIu64 " bytes free): commits wait; free space on it, the "
                   "server tries again each minute",
                   x->dir, left);
    if (!was)
        log_warn(&d->log, "%s", x->problem);
}

static void disk_answered(uv_fs_t *req)
{
    struct agentd *d = req->data;

    if (req->result == 0)
        disk_judge(d, req->ptr);
    uv_fs_req_cleanup(req);
    d->disk.asked = false;
    closer_sub(&d->closer);
}

void agentd_disk_tick(struct agentd *d)
{
    struct agentd_disk *x = &d->disk;
    const char *index = d->tail.place.index, *end = strrchr(index, '/');
    int64_t now = clock_boot_ms();

    if (x->asked || now < x->next_ms || index[0] != '/')
        return;
    (void)snprintf(x->dir, sizeof x->dir, "%.*s", (int)(end - index), index);
    x->next_ms = now + DISK_MS;
    x->req.data = d;
    x->asked = uv_fs_statfs(&d->loop, &x->req, x->dir, disk_answered) == 0;
    if (x->asked)
        closer_add(&d->closer);
}
