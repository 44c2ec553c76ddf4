/* SPDX-License-Identifier: GPL-2.0-or-later
 * A job in plain blocking calls. */
#include "journal/disk.h"

#include "journal/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int disk_write(int fd, const char *data, size_t len, off_t at)
{
    while (len) {
        ssize_t n = pwrite(fd, data, len, at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        data += n;
        len -= (size_t)n;
        at += n;
    }
    return 0;
}

static int disk_fill(int fd, const struct disk_job *job)
{
    int err;

    /* Room kept for the appends to come, so that a disk filled by others stops no decision.
     * Ignored result: where that can't be had, the appends take their chance. */
    (void)fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, JOURNAL_FILE_MAX);
    err = disk_write(fd, job->data, job->len, 0);
    if (!err && fsync(fd) < 0)
        err = -errno;
    return err;
}

static int disk_fresh(struct disk_job *job)
{
    int fd, err;

    fd = openat(job->dir, job->name_new, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    err = disk_fill(fd, job);
    if (!err && renameat(job->dir, job->name_new, job->dir, job->name) < 0)
        err = -errno;
    if (err) {
        close(fd);
        (void)unlinkat(job->dir, job->name_new, 0); /* only to give its room back */
        return err;
    }
    if (job->fd >= 0)
        close(job->fd);
    job->fd = fd;
    return fsync(job->dir) < 0 ? -errno : 0;
}

static int disk_append(const struct disk_job *job)
{
    int err = disk_write(job->fd, job->data, job->len, job->at);

    if (!err && fdatasync(job->fd) < 0)
        err = -errno;
    return err;
}

void disk_run(struct disk_job *job)
{
    if (!job->len)
        job->err = 0;
    else
        job->err = job->fresh ? disk_fresh(job) : disk_append(job);
}
