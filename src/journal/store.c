/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "journal/store.h"

#include "journal/journal.h"
#include "journal/records.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define STORE_FLAGS     (O_RDWR | O_CLOEXEC | O_NOFOLLOW)
#define STORE_BYTES_MAX (JOURNAL_FILE_MAX + RECORDS_HEAD + JOURNAL_PAYLOAD_MAX)

/* A directory that was just made is lost in a crash unless its parent is synced. */
static void store_sync_parent(const char *dir)
{
    char copy[PATH_MAX];
    int fd;

    snprintf(copy, sizeof copy, "%s", dir);
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return; /* may be unreadable to us; the directory itself is what counts */
    (void)fsync(fd);
    close(fd);
}

static int store_dir(struct store *s, const char *path, struct err *e)
{
    char copy[PATH_MAX], base[PATH_MAX];
    const char *dir, *name;

    if ((size_t)snprintf(copy, sizeof copy, "%s", path) >= sizeof copy)
        return err_set(e, -ENAMETOOLONG, "the path is too long");
    memcpy(base, copy, sizeof base);
    dir = dirname(copy);
    name = basename(base);
    if (strlen(name) + strlen(".lock") > NAME_MAX)
        return err_set(e, -ENAMETOOLONG, "the file name is too long");
    snprintf(s->name, sizeof s->name, "%s", name);
    snprintf(s->name_new, sizeof s->name_new, "%.*s.new", NAME_MAX - 4, name);
    if (mkdir(dir, 0700) == 0)
        store_sync_parent(dir);
    else if (errno != EEXIST)
        return err_set(e, -errno, "make the directory %s: %s", dir, strerror(errno));
    s->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->dir < 0)
        return err_set(e, -errno, "open the directory %s: %s", dir, strerror(errno));
    return 0;
}

/* The lock is a file of its own, because the journal's file is replaced from time to time. It is
 * never removed: whoever waits to lock a removed file would lock nothing. */
static int store_lock(struct store *s, struct err *e)
{
    char name[NAME_MAX + 1], holder[32] = "";
    ssize_t n;

    snprintf(name, sizeof name, "%.*s.lock", NAME_MAX - 5, s->name);
    s->lock = openat(s->dir, name, STORE_FLAGS | O_CREAT, 0600);
    if (s->lock < 0)
        return err_set(e, -errno, "open %s: %s", name, strerror(errno));
    if (flock(s->lock, LOCK_EX | LOCK_NB) < 0) {
        int code = errno == EWOULDBLOCK ? -EBUSY : -errno;

        n = pread(s->lock, holder, sizeof holder - 1, 0);
        holder[n > 0 ? strcspn(holder, "\n") : 0] = 0;
        if (code != -EBUSY)
            return err_set(e, code, "lock %s: %s", name, strerror(-code));
        return err_set(e, code, "in use by another process (pid %s); stop that one first",
                       holder[0] ? holder : "unknown");
    }
    n = snprintf(holder, sizeof holder, "%ld\n", (long)getpid());
    if (ftruncate(s->lock, 0) < 0 || pwrite(s->lock, holder, (size_t)n, 0) < 0)
        return 0; /* a full disk: the lock holds all the same, only its pid isn't told */
    return 0;
}

static int store_read(struct store *s, size_t *n, struct err *e)
{
    struct stat st;

    if (fstat(s->fd, &st) < 0)
        return err_set(e, -errno, "stat: %s", strerror(errno));
    if (!S_ISREG(st.st_mode) || st.st_size > STORE_BYTES_MAX)
        return err_set(e, -EUCLEAN, "this is not a journal (%lld bytes); look at the path",
                       (long long)st.st_size);
    s->bytes = malloc((size_t)st.st_size + 1);
    if (!s->bytes)
        return err_set(e, -ENOMEM, "out of memory");
    for (*n = 0; *n < (size_t)st.st_size;) {
        ssize_t got = pread(s->fd, s->bytes + *n, (size_t)st.st_size - *n, (off_t)*n);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return err_set(e, got < 0 ? -errno : -EIO, "read: %s",
                           got < 0 ? strerror(errno) : "it became shorter");
        *n += (size_t)got;
    }
    return 0;
}

static int store_recover(struct store *s, struct err *e)
{
    struct records_last last;
    size_t n = 0;

    (void)unlinkat(s->dir, s->name_new, 0); /* never finished, so never reported durable */
    s->fd = openat(s->dir, s->name, STORE_FLAGS);
    if (s->fd < 0 && errno == ENOENT)
        return 0;
    if (s->fd < 0)
        return err_set(e, -errno, "open: %s", strerror(errno));
    if (store_read(s, &n, e) < 0)
        return e->code;
    if (records_scan(s->bytes, n, &last, e) < 0) {
        size_t len = strlen(e->msg);

        snprintf(e->msg + len, sizeof e->msg - len,
                 ". Restore the file from a copy, or move it away and start again: what it "
                 "remembered is then forgotten");
        return e->code;
    }
    if (last.end < n) {
        snprintf(s->note, sizeof s->note,
                 "cut %zu bytes off the end: a last record that was unfinished (a crash during its "
                 "write) or damaged since",
                 n - last.end);
        if (ftruncate(s->fd, (off_t)last.end) < 0)
            return err_set(e, -errno, "cut the end off: %s", strerror(errno));
    }
    /* What was read may sit in the page cache alone, left by a process killed before its sync;
     * others will be told what it says, so it has to be durable from here on. */
    if (fdatasync(s->fd) < 0 || fsync(s->dir) < 0)
        return err_set(e, -errno, "sync: %s", strerror(errno));
    s->last = last.data;
    s->last_len = last.len;
    s->seq = last.seq;
    s->size = (off_t)last.end;
    return 0;
}

int store_open(struct store *s, const char *path, struct err *e)
{
    *s = (struct store){.dir = -1, .lock = -1, .fd = -1};
    if (store_dir(s, path, e) < 0 || store_lock(s, e) < 0 || store_recover(s, e) < 0) {
        store_close(s);
        return err_wrap(e, "journal %s", path);
    }
    return 0;
}

void store_forget(struct store *s)
{
    free(s->bytes);
    s->bytes = NULL;
    s->last = NULL;
}

void store_close(struct store *s)
{
    store_forget(s);
    if (s->fd >= 0)
        close(s->fd);
    if (s->lock >= 0)
        close(s->lock);
    if (s->dir >= 0)
        close(s->dir);
    s->fd = s->lock = s->dir = -1;
}
