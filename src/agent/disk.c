/* SPDX-License-Identifier: GPL-2.0-or-later
 * Is there room where the server writes its binary log, and in state_dir? Without the first every
 * commit waits, then every question about GTIDs, and nothing of that says why. Asked once in a
 * while, in a thread: a disk that hangs answers late. */
#include "agent/agentd.h"

#include "base/room.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { DISK_MS = 2000 };

static void disk_judge(struct agentd_disk *x, const uv_statfs_t *fs)
{
    struct agentd *d = x->d;
    uint64_t left = fs->f_bavail * fs->f_bsize;
    bool was = x->full;

    x->full = room_is_full(left, was);
    if (!x->full) {
        x->problem[0] = '\0';
        if (was)
            log_note(&d->log, "%s has room again", x->dir);
        return;
    }
    (void)snprintf(x->problem, sizeof x->problem, "%.200s is full (%" PRIu64 " bytes free): %s",
                   x->dir, left, x->so);
    if (!was)
        log_warn(&d->log, "%s", x->problem);
}

static void disk_answered(uv_fs_t *req)
{
    struct agentd_disk *x = req->data;

    if (req->result == 0)
        disk_judge(x, req->ptr);
    uv_fs_req_cleanup(req);
    x->asked = false;
    closer_sub(&x->d->closer);
}

static void disk_ask(struct agentd *d, struct agentd_disk *x)
{
    int64_t now = clock_boot_ms();

    if (x->asked || now < x->next_ms)
        return;
    x->d = d;
    x->next_ms = now + DISK_MS;
    x->req.data = x;
    x->asked = uv_fs_statfs(&d->loop, &x->req, x->dir, disk_answered) == 0;
    if (x->asked)
        closer_add(&d->closer);
}

void agentd_disk_tick(struct agentd *d)
{
    const char *index = d->tail.place.index, *end = strrchr(index, '/');

    if (index[0] == '/' && !d->disk.asked) {
        (void)snprintf(d->disk.dir, sizeof d->disk.dir, "%.*s", (int)(end - index), index);
        d->disk.so = "commits wait; free space on it, the server tries again each minute";
        disk_ask(d, &d->disk);
    }
    if (!d->state_disk.dir[0])
        (void)snprintf(d->state_disk.dir, sizeof d->state_disk.dir, "%s", d->state_dir);
    d->state_disk.so = "it is state_dir: whom this host obeys can perhaps not be kept, nor what no "
                       "other server has; free space on it";
    disk_ask(d, &d->state_disk);
}
