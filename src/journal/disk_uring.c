/* SPDX-License-Identifier: GPL-2.0-or-later
 * Appends through io_uring: a write and the fdatasync linked to it, one system call, completion by
 * eventfd. Containers and hardened hosts forbid io_uring, some of them only after the set-up, so
 * the start tries a real round trip, and -EPERM and the like from a job mean: use the thread. */
#include "journal/disk.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define URING_ENTRIES 4

enum uring_step { URING_WRITE = 1, URING_SYNC };

struct disk_uring {
    struct disk disk;
    struct io_uring ring;
    int event;
    uv_poll_t poll;
    struct disk_job *job;
    size_t written;
    unsigned pending; /* answers to come */
    int write_res, sync_res;
    struct closer *closer;
};

static void uring_go(struct disk_uring *u)
{
    struct disk_job *job = u->job;
    struct io_uring_sqe *write = io_uring_get_sqe(&u->ring);
    struct io_uring_sqe *sync = io_uring_get_sqe(&u->ring);
    int n;

    CHECK(write && sync);
    io_uring_prep_write(write, job->fd, (const char *)job->data + u->written,
                        (unsigned)(job->len - u->written), (uint64_t)job->at + u->written);
    write->flags |= IOSQE_IO_LINK;
    write->user_data = URING_WRITE;
    io_uring_prep_fsync(sync, job->fd, IORING_FSYNC_DATASYNC);
    sync->user_data = URING_SYNC;
    n = io_uring_submit(&u->ring);
    u->write_res = u->sync_res = n < 0 ? n : -ENOSYS; /* unless answered */
    u->pending = n > 0 ? (unsigned)n : 0;
    if (!u->pending)
        eventfd_write(u->event, 1); /* refused: say so from the loop */
}

/* The kernel ends a chain after a short write; then the rest is tried, which tells the cause. */
static bool uring_more(struct disk_uring *u)
{
    if (u->write_res == -EINTR || u->sync_res == -EINTR)
        return true;
    if (u->write_res <= 0 || (size_t)u->write_res >= u->job->len - u->written)
        return false;
    u->written += (size_t)u->write_res;
    return true;
}

static void uring_on_event(uv_poll_t *poll, int status, int events)
{
    struct disk_uring *u = poll->data;
    struct io_uring_cqe *cqe;
    struct disk_job *job;
    eventfd_t count;

    (void)status; /* an eventfd has no errors of its own */
    (void)events;
    (void)eventfd_read(u->event, &count); /* EAGAIN: nothing new, the ring says the same */
    while (u->pending && io_uring_peek_cqe(&u->ring, &cqe) == 0) {
        if (cqe->user_data == URING_WRITE)
            u->write_res = cqe->res;
        else
            u->sync_res = cqe->res;
        io_uring_cqe_seen(&u->ring, cqe);
        u->pending--;
    }
    if (!u->job || u->pending)
        return;
    if (uring_more(u)) {
        uring_go(u);
        return;
    }
    job = u->job;
    u->job = NULL;
    job->err = u->write_res < 0 ? u->write_res : u->write_res == 0 ? -EIO : u->sync_res;
    u->disk.done(&u->disk, job);
}

static void uring_submit(struct disk *d, struct disk_job *job)
{
    struct disk_uring *u = (struct disk_uring *)d;

    CHECK(!u->job && !job->fresh && job->len);
    u->job = job;
    u->written = 0;
    uring_go(u);
}

static void uring_on_closed(uv_handle_t *h)
{
    struct disk_uring *u = h->data;
    struct closer *c = u->closer;

    io_uring_queue_exit(&u->ring);
    close(u->event);
    free(u);
    closer_sub(c);
}

static void uring_stop(struct disk *d, struct closer *c)
{
    struct disk_uring *u = (struct disk_uring *)d;

    CHECK(!u->job);
    closer_add(c);
    u->closer = c;
    uv_close((uv_handle_t *)&u->poll, uring_on_closed);
}

/* Both operations known, and one answer received (a no-op completes at once). */
static int uring_probe(struct io_uring *ring)
{
    struct io_uring_probe *probe = io_uring_get_probe_ring(ring);
    struct io_uring_cqe *cqe;
    struct io_uring_sqe *sqe;
    bool known;
    int n;

    if (!probe)
        return -ENOSYS;
    known = io_uring_opcode_supported(probe, IORING_OP_WRITE) &&
            io_uring_opcode_supported(probe, IORING_OP_FSYNC);
    io_uring_free_probe(probe);
    sqe = io_uring_get_sqe(ring);
    if (!known || !sqe)
        return -ENOSYS;
    io_uring_prep_nop(sqe);
    n = io_uring_submit(ring);
    if (n < 0)
        return n;
    if (n != 1 || io_uring_peek_cqe(ring, &cqe) != 0)
        return -ENOSYS;
    n = cqe->res;
    io_uring_cqe_seen(ring, cqe);
    return n;
}

int disk_uring_start(uv_loop_t *loop, struct disk **out, struct err *e)
{
    static const struct disk_ops ops = {.submit = uring_submit, .stop = uring_stop};
    struct disk_uring *u = calloc(1, sizeof *u);
    int err;

    if (!u)
        return err_set(e, -ENOMEM, "out of memory");
    u->disk.ops = &ops;
    u->event = -1;
    err = io_uring_queue_init(URING_ENTRIES, &u->ring, 0);
    if (err < 0)
        goto no_ring;
    err = uring_probe(&u->ring);
    if (err < 0)
        goto no_use;
    u->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    err = u->event < 0 ? -errno : io_uring_register_eventfd(&u->ring, u->event);
    if (err < 0)
        goto no_use;
    err = uv_poll_init(loop, &u->poll, u->event);
    if (err < 0)
        goto no_use;
    CHECK(uv_poll_start(&u->poll, UV_READABLE, uring_on_event) == 0);
    u->poll.data = u;
    *out = &u->disk;
    return 0;

no_use:
    io_uring_queue_exit(&u->ring);
    if (u->event >= 0)
        close(u->event);
no_ring:
    free(u);
    return err_set(e, err, "io_uring: %s", strerror(-err));
}
