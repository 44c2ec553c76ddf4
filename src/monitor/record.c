/* SPDX-License-Identifier: GPL-2.0-or-later
 * The loop's side, which encodes, and the thread, which writes one job at a time. Only what stands
 * under `lock` is shared.
 *
 *   ON: steps are recorded -> OFF: the disk failed or was too slow -> ON, after a while, by a new
 *   section */
#include "monitor/record.h"

#include "base/clock.h"
#include "monitor/record_code.h"
#include "monitor/record_hash.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREAD_STACK = 256 * 1024, HAND_OVER = 64 * 1024, KEEP_MAX = 256 * 1024 };

const struct record_opts record_daemon = {
    .file = {.file_max = RECORD_FILE_MAX, .disk_left = RECORD_DISK_LEFT},
    .memory_max = (size_t)4 << 20,
    .flush_ms = 1000,
    .retry_ms = 60000,
};

struct job {
    struct buf data;
    bool section;
};

struct record {
    struct record_opts opts;
    record_say_fn say;
    void *owner;
    struct record_code code;
    struct job fill;
    bool on, complained;
    int64_t handed_ms, retry_at;

    uv_thread_t thread;
    uv_mutex_t lock;
    uv_cond_t wake;
    uv_async_t ended;
    struct closer *closer;
    struct record_file file; /* the thread's */

    /* under lock */
    struct job job;  /* to be written, while `busy` */
    struct job last; /* written after it, at the end */
    bool busy, quit;
    bool full;         /* the file is */
    struct err failed; /* of the last job */
};

/* ---- the thread ---- */

static void job_write(struct record *r, struct job *job)
{
    struct err e = {0};
    bool full;

    if (job->data.len && record_file_add(&r->file, job->section, job->data.at, job->data.len, &e))
        CHECK(e.code < 0);
    full = record_file_full(&r->file);
    job->data.len = 0;
    if (job->data.cap > KEEP_MAX)
        buf_free(&job->data);
    uv_mutex_lock(&r->lock);
    r->full = full;
    r->failed = e;
    uv_mutex_unlock(&r->lock);
}

static void record_thread(void *arg)
{
    struct record *r = arg;
    sigset_t all;
    bool quit;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL); /* signals belong to the loop's thread */
    do {
        uv_mutex_lock(&r->lock);
        while (!r->busy && !r->quit)
            uv_cond_wait(&r->wake, &r->lock);
        quit = !r->busy;
        uv_mutex_unlock(&r->lock);
        job_write(r, quit ? &r->last : &r->job);
        uv_mutex_lock(&r->lock);
        r->busy = false;
        uv_mutex_unlock(&r->lock);
    } while (!quit);
    record_file_close(&r->file);
    uv_async_send(&r->ended);
}

/* ---- the loop ---- */

static void record_off(struct record *r, int64_t now, const char *why)
{
    char text[640];

    r->on = false;
    r->retry_at = now + r->opts.retry_ms;
    buf_free(&r->fill.data);
    r->fill.data = BUF(r->opts.memory_max);
    if (r->complained)
        return;
    r->complained = true;
    snprintf(text, sizeof text,
             "inputs are not recorded for `hamm replay`: %s; it is tried again each %" PRId64 " s",
             why, r->opts.retry_ms / 1000);
    r->say(r->owner, true, text);
}

static void record_section(struct record *r, enum record_why why, const struct engine *e)
{
    r->code.out = &r->fill.data;
    r->fill.section = true;
    record_code_begin(&r->code, why, e->wall ? e->wall : clock_wall_ms(), e);
    r->on = !r->fill.data.full;
    if (!r->on)
        record_off(r, e->now, "the whole engine has no room in memory");
}

/* Gives the thread what was gathered, if it is idle. */
static void record_hand_over(struct record *r, const struct engine *e)
{
    struct err failed;
    struct buf empty;
    bool busy, full, section = r->fill.section;

    uv_mutex_lock(&r->lock);
    busy = r->busy;
    failed = r->failed;
    full = r->full;
    if (!busy && !failed.code) {
        empty = r->job.data;
        r->job = r->fill;
        r->fill = (struct job){.data = empty};
        r->busy = true;
        uv_cond_signal(&r->wake);
    }
    if (!busy)
        r->failed = (struct err){0};
    uv_mutex_unlock(&r->lock);
    if (busy)
        return;
    if (failed.code) {
        record_off(r, e->now, failed.msg);
        return;
    }
    r->handed_ms = e->now;
    if (r->complained && !section) { /* what was written after the complaint is on the disk */
        r->complained = false;
        r->say(r->owner, false, "inputs are recorded again for `hamm replay`");
    }
    if (full && !section)
        record_section(r, RECORD_ROTATED, e);
}

static bool record_idle(struct record *r)
{
    bool idle;

    uv_mutex_lock(&r->lock);
    idle = !r->busy;
    if (idle)
        r->failed = (struct err){0};
    uv_mutex_unlock(&r->lock);
    return idle;
}

void record_step(struct record *r, const struct engine_event *ev, const struct engine *e,
                 const struct plan *p)
{
    size_t enough = HAND_OVER;

    if (!r)
        return;
    if (!r->on) {
        if (e->now >= r->retry_at && record_idle(r))
            record_section(r, RECORD_RESUMED, e);
        return;
    }
    record_code_step(&r->code, ev, e, p);
    if (r->fill.data.full) {
        record_off(r, e->now, "the disk is too slow for it");
        return;
    }
    if (enough > r->opts.file.file_max / 32)
        enough = (size_t)r->opts.file.file_max / 32;
    if (e->now - r->handed_ms >= r->opts.flush_ms || r->fill.data.len >= enough)
        record_hand_over(r, e);
}

static void record_free(struct record *r)
{
    record_file_close(&r->file);
    record_code_free(&r->code);
    buf_free(&r->fill.data);
    buf_free(&r->job.data);
    buf_free(&r->last.data);
    uv_cond_destroy(&r->wake);
    uv_mutex_destroy(&r->lock);
    free(r);
}

static void record_on_closed(uv_handle_t *h)
{
    struct record *r = h->data;
    struct closer *c = r->closer;

    record_free(r);
    closer_sub(c);
}

static void record_on_ended(uv_async_t *ended)
{
    struct record *r = ended->data;

    uv_thread_join(&r->thread); /* it has nothing left to do */
    uv_close((uv_handle_t *)ended, record_on_closed);
}

struct record *record_start(uv_loop_t *loop, const char *path, const char *cluster,
                            const char *monitor, const struct record_opts *opts,
                            const struct engine *e, record_say_fn say, void *owner)
{
    static const uv_thread_options_t small = {.flags = UV_THREAD_HAS_STACK_SIZE,
                                              .stack_size = THREAD_STACK};
    struct record *r = calloc(1, sizeof *r);
    char who[512];

    CHECK(r);
    r->opts = *opts;
    r->say = say;
    r->owner = owner;
    r->fill.data = r->job.data = r->last.data = BUF(opts->memory_max);
    CHECK(record_code_init(&r->code) == 0);
    CHECK(uv_mutex_init(&r->lock) == 0 && uv_cond_init(&r->wake) == 0);
    snprintf(who, sizeof who,
             "hamm inputs 1\nversion %s\nengine %016" PRIx64 "\ncluster %s\nmonitor %s\n",
             HAMM_VERSION, record_hash_layout(), cluster, monitor);
    record_file_init(&r->file, path, who, &opts->file);
    record_section(r, RECORD_STARTED, e);
    if (uv_thread_create_ex(&r->thread, &small, record_thread, r) < 0) {
        say(owner, true, "inputs are not recorded for `hamm replay`: there is no thread to be had");
        record_free(r);
        return NULL;
    }
    /* After the thread, which does not touch it before record_stop: else there were one to close */
    CHECK(uv_async_init(loop, &r->ended, record_on_ended) == 0);
    r->ended.data = r;
    return r;
}

void record_stop(struct record *r, struct closer *c)
{
    if (!r)
        return;
    closer_add(c);
    r->closer = c;
    uv_mutex_lock(&r->lock);
    if (r->on && !r->failed.code) {
        struct buf empty = r->last.data;

        r->last = r->fill;
        r->fill = (struct job){.data = empty};
    }
    r->quit = true;
    uv_cond_signal(&r->wake);
    uv_mutex_unlock(&r->lock);
}
