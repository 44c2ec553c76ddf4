/* SPDX-License-Identifier: GPL-2.0-or-later
 * The journal's own thread. uv_fs_* would do the same with less code, but shares its four threads
 * with uv_getaddrinfo: a dead DNS server then delays a sync by seconds (2 s were measured). */
#include "journal/disk.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#define THREAD_STACK (256 * 1024)

struct disk_thread {
    struct disk disk;
    uv_thread_t thread;
    uv_mutex_t lock;
    uv_cond_t wake;
    uv_async_t news;
    struct disk_job *job; /* under lock: to be done */
    struct disk_job *did; /* under lock: done, not yet told */
    bool quit;            /* under lock */
    struct closer *closer;
};

static void thread_main(void *arg)
{
    struct disk_thread *t = arg;
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL); /* signals belong to the loop's thread */
    uv_mutex_lock(&t->lock);
    for (;;) {
        struct disk_job *job = t->job;

        if (job) {
            uv_mutex_unlock(&t->lock);
            disk_run(job);
            uv_mutex_lock(&t->lock);
            t->job = NULL;
            t->did = job;
            uv_async_send(&t->news);
        } else if (t->quit) {
            break;
        } else {
            uv_cond_wait(&t->wake, &t->lock);
        }
    }
    uv_mutex_unlock(&t->lock);
}

static void thread_on_news(uv_async_t *news)
{
    struct disk_thread *t = news->data;
    struct disk_job *did;

    uv_mutex_lock(&t->lock);
    did = t->did;
    t->did = NULL;
    uv_mutex_unlock(&t->lock);
    if (did)
        t->disk.done(&t->disk, did);
}

static void thread_submit(struct disk *d, struct disk_job *job)
{
    struct disk_thread *t = (struct disk_thread *)d;

    uv_mutex_lock(&t->lock);
    CHECK(!t->job && !t->did);
    t->job = job;
    uv_cond_signal(&t->wake);
    uv_mutex_unlock(&t->lock);
}

static void thread_quit(struct disk_thread *t)
{
    uv_mutex_lock(&t->lock);
    CHECK(!t->job && !t->did);
    t->quit = true;
    uv_cond_signal(&t->wake);
    uv_mutex_unlock(&t->lock);
    uv_thread_join(&t->thread); /* it is idle, so this waits for no disk */
}

static void thread_free(struct disk_thread *t)
{
    uv_cond_destroy(&t->wake);
    uv_mutex_destroy(&t->lock);
    free(t);
}

static void thread_on_closed(uv_handle_t *h)
{
    struct disk_thread *t = h->data;
    struct closer *c = t->closer;

    thread_free(t);
    closer_sub(c);
}

static void thread_stop(struct disk *d, struct closer *c)
{
    struct disk_thread *t = (struct disk_thread *)d;

    thread_quit(t);
    closer_add(c);
    t->closer = c;
    uv_close((uv_handle_t *)&t->news, thread_on_closed);
}

int disk_thread_start(uv_loop_t *loop, struct disk **out, struct err *e)
{
    static const struct disk_ops ops = {.submit = thread_submit, .stop = thread_stop};
    static const uv_thread_options_t small = {.flags = UV_THREAD_HAS_STACK_SIZE,
                                              .stack_size = THREAD_STACK};
    struct disk_thread *t = calloc(1, sizeof *t);
    int err;

    if (!t)
        return err_set(e, -ENOMEM, "out of memory");
    t->disk.ops = &ops;
    CHECK(uv_mutex_init(&t->lock) == 0 && uv_cond_init(&t->wake) == 0);
    /* The thread first: without it there is no handle on the loop yet, and nothing to close. It
     * touches the handle only after the first job. */
    err = uv_thread_create_ex(&t->thread, &small, thread_main, t);
    if (err < 0)
        goto no_thread;
    err = uv_async_init(loop, &t->news, thread_on_news);
    if (err < 0)
        goto no_news;
    t->news.data = t;
    *out = &t->disk;
    return 0;

no_news:
    thread_quit(t);
no_thread:
    thread_free(t);
    return err_set(e, err, "start the journal's thread: %s", uv_strerror(err));
}
