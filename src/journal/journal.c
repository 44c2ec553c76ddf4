/* SPDX-License-Identifier: GPL-2.0-or-later
 * The queue in front of the disk. At most one job is under way; what is appended meanwhile waits,
 * and because each record is the whole state only the newest of the waiting ones is written.
 * A job goes to the end of the file, or, when the file has grown past its size, into a new file
 * that takes the old one's place. After any failure the next job does that as well: what a failed
 * sync left in the old file is unknown, and a second sync of it would succeed without meaning
 * anything. */
#include "journal/journal.h"

#include "base/clock.h"
#include "journal/disk.h"
#include "journal/records.h"
#include "journal/store.h"
#include "loop/closer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __SANITIZE_ADDRESS__
const struct journal_opts journal_daemon = {.no_uring = true};
#else
const struct journal_opts journal_daemon = {.no_uring = false};
#endif

struct waiter {
    struct waiter *next;
    uint64_t seq;
    int64_t since_ms;
    int err; /* known before it was even tried */
    void *owner;
    journal_done_fn done;
};

struct journal {
    struct store store;
    uint64_t seq;
    struct disk *thread, *uring; /* uring: NULL if not to be had */
    bool uring_off;              /* it was, but has failed */
    char backend[160];
    bool afresh; /* the next record goes into a new file */
    struct waiter *waiting, **waiting_end;
    uint8_t *newest; /* the record to write for all who wait; NULL: none of them has one */
    size_t newest_len;
    struct waiter *flying; /* those the running job is for */
    bool busy;             /* a job is under way, or its callbacks are */
    struct disk_job job;
    uint8_t *written;
    struct closer closer;
    bool closing;
    void *close_owner;
    journal_closed_fn closed;
};

static void journal_submit(struct journal *j)
{
    bool plain = j->job.fresh || !j->job.len || !j->uring || j->uring_off;
    struct disk *d = plain ? j->thread : j->uring;

    d->ops->submit(d, &j->job);
}

static void journal_go(struct journal *j)
{
    struct store *s = &j->store;

    CHECK(!j->busy && j->waiting && !j->flying);
    j->busy = true;
    j->flying = j->waiting;
    j->waiting = NULL;
    j->waiting_end = &j->waiting;
    j->written = j->newest;
    j->job = (struct disk_job){
        .data = j->newest,
        .len = j->newest ? j->newest_len : 0,
        .fd = s->fd,
        .at = s->size,
        .fresh = j->afresh || s->size + (off_t)j->newest_len > JOURNAL_FILE_MAX,
        .dir = s->dir,
        .name = s->name,
        .name_new = s->name_new,
    };
    j->newest = NULL;
    j->newest_len = 0;
    journal_submit(j);
}

static void journal_on_closed(struct closer *c)
{
    struct journal *j = c->owner;
    journal_closed_fn closed = j->closed;
    void *owner = j->close_owner;

    store_close(&j->store);
    free(j);
    closed(owner);
}

static void journal_end(struct journal *j)
{
    j->thread->ops->stop(j->thread, &j->closer);
    if (j->uring)
        j->uring->ops->stop(j->uring, &j->closer);
    closer_end(&j->closer, journal_on_closed);
}

static void journal_took(struct journal *j)
{
    const struct disk_job *job = &j->job;

    j->store.fd = job->fd;
    if (job->err)
        j->afresh = true;
    else if (job->len && job->fresh)
        j->afresh = false;
    if (!job->err)
        j->store.size = (job->fresh && job->len ? 0 : j->store.size) + (off_t)job->len;
    free(j->written);
    j->written = NULL;
}

/* A failure of io_uring itself (forbidden after the start, out of its resources), not the disk's.
 */
static bool journal_uring_failed(int err)
{
    return err && err != -ENOSPC && err != -EIO && err != -EDQUOT && err != -EROFS;
}

static void journal_on_job(struct disk *d, struct disk_job *job)
{
    struct journal *j = d->owner;

    if (d == j->uring && journal_uring_failed(job->err)) {
        j->uring_off = true;
        snprintf(j->backend, sizeof j->backend, "own thread (io_uring: %s)", strerror(-job->err));
        journal_submit(j);
        return;
    }
    journal_took(j);
    while (j->flying) {
        struct waiter *w = j->flying;

        j->flying = w->next;
        w->done(w->owner, w->seq, w->err ? w->err : job->err);
        free(w);
    }
    j->busy = false;
    if (j->waiting)
        journal_go(j);
    else if (j->closing)
        journal_end(j);
}

uint64_t journal_append(struct journal *j, const void *data, size_t len, void *owner,
                        journal_done_fn done)
{
    struct waiter *w = calloc(1, sizeof *w);

    CHECK(w && !j->closing);
    *w =
        (struct waiter){.seq = ++j->seq, .since_ms = clock_boot_ms(), .owner = owner, .done = done};
    if (len == 0 || len > JOURNAL_PAYLOAD_MAX) {
        w->err = -EMSGSIZE;
    } else {
        free(j->newest);
        j->newest = records_encode(w->seq, data, len);
        CHECK(j->newest);
        j->newest_len = RECORDS_HEAD + len;
    }
    *j->waiting_end = w;
    j->waiting_end = &w->next;
    if (!j->busy)
        journal_go(j);
    return j->seq;
}

int64_t journal_waiting_since(const struct journal *j)
{
    const struct waiter *oldest = j->flying ? j->flying : j->waiting;

    return oldest ? oldest->since_ms : CLOCK_NEVER;
}

const char *journal_backend(const struct journal *j)
{
    return j->backend;
}

static int journal_disks(struct journal *j, uv_loop_t *loop, bool no_uring, struct err *e)
{
    struct err why = {0};

    if (disk_thread_start(loop, &j->thread, e) < 0)
        return e->code;
    j->thread->owner = j;
    j->thread->done = journal_on_job;
    if (no_uring) {
        snprintf(j->backend, sizeof j->backend, "own thread");
        return 0;
    }
    if (disk_uring_start(loop, &j->uring, &why) < 0) {
        snprintf(j->backend, sizeof j->backend, "own thread (%.*s)", 140, why.msg);
        return 0;
    }
    j->uring->owner = j;
    j->uring->done = journal_on_job;
    snprintf(j->backend, sizeof j->backend, "io_uring");
    return 0;
}

int journal_open(uv_loop_t *loop, const char *path, const struct journal_opts *opts, void *owner,
                 journal_last_fn on_last, struct journal **out, struct err *e)
{
    struct journal *j = calloc(1, sizeof *j);
    struct journal_last last;

    if (!j)
        return err_set(e, -ENOMEM, "journal %s: out of memory", path);
    j->waiting_end = &j->waiting;
    j->closer.owner = j;
    if (store_open(&j->store, path, e) < 0) {
        free(j);
        return e->code;
    }
    if (journal_disks(j, loop, opts && opts->no_uring, e) < 0) {
        store_close(&j->store);
        free(j);
        return err_wrap(e, "journal %s", path);
    }
    j->seq = j->store.seq;
    /* The first record of a file comes with the file, by rename: see records.h. */
    j->afresh = j->store.size == 0;
    *out = j;
    last = (struct journal_last){
        .data = j->store.last,
        .len = j->store.last_len,
        .seq = j->seq,
        .note = j->store.note[0] ? j->store.note : NULL,
    };
    on_last(owner, &last);
    store_forget(&j->store);
    return 0;
}

void journal_close(struct journal *j, void *owner, journal_closed_fn done)
{
    CHECK(!j->closing);
    j->closing = true;
    j->close_owner = owner;
    j->closed = done;
    if (!j->busy)
        journal_end(j);
}
