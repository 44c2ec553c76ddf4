/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/record.h"

#include "journal/crc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* One slot of the file; native byte order, since it never leaves this machine. A slot whose first
 * byte is zero was never written. */
struct record_slot {
    char magic[8];
    uint32_t crc; /* crc32c of everything behind it, len bytes of data included */
    uint32_t len;
    uint64_t seq; /* the higher one is the record */
    char boot_id[RECORD_BOOT_LEN + 4];
    char data[RECORD_MAX];
};

#define SLOT_HEAD     offsetof(struct record_slot, data)
#define SLOT_CRC_FROM offsetof(struct record_slot, len)

static const char record_magic[8] = "hammrec1";

static uint32_t record_crc(const struct record_slot *s)
{
    return crc32c(0, (const char *)s + SLOT_CRC_FROM, SLOT_HEAD - SLOT_CRC_FROM + s->len);
}

static bool record_whole(const struct record_slot *s)
{
    return memcmp(s->magic, record_magic, sizeof record_magic) == 0 && s->len <= RECORD_MAX &&
           record_crc(s) == s->crc;
}

/* The newer whole slot, or NULL; *blank: neither was ever written. Caller frees *both. */
static const struct record_slot *record_newest(int fd, struct record_slot **both, bool *blank)
{
    struct record_slot *s = calloc(2, sizeof *s);
    const struct record_slot *best = NULL;

    CHECK(s);
    *both = s;
    *blank = true;
    for (unsigned i = 0; i < 2; i++) {
        ssize_t n = pread(fd, &s[i], sizeof *s, (off_t)(i * sizeof *s));

        if (n < 0 || s[i].magic[0])
            *blank = false;
        if (record_whole(&s[i]) && (!best || s[i].seq > best->seq))
            best = &s[i];
    }
    return best;
}

int record_boot_id(char *to, struct err *e)
{
    static const char path[] = "/proc/sys/kernel/random/boot_id";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, to, RECORD_BOOT_LEN);

    if (n != RECORD_BOOT_LEN)
        err_set(e, fd < 0 ? -errno : -EIO, "read %s: %s", path, fd < 0 ? strerror(errno) : "short");
    if (fd >= 0)
        close(fd);
    return n == RECORD_BOOT_LEN ? 0 : e->code;
}

static void record_warn(struct record *r, const char *dir)
{
    struct statfs fs;

    if (fstatfs(r->fd, &fs) == 0 && fs.f_type != TMPFS_MAGIC && fs.f_type != RAMFS_MAGIC)
        snprintf(r->warning, sizeof r->warning,
                 "%s is not in memory (tmpfs): a slow disk can stop the agent while it writes its "
                 "lease record there",
                 dir);
}

static int record_prepare(struct record *r, const char *dir, struct err *e)
{
    struct record_slot *both;
    const struct record_slot *newest;
    bool blank;
    int err;

    if (flock(r->fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK
                   ? err_set(e, -EBUSY, "in use: another agent of this host is running; stop it")
                   : err_set(e, -errno, "lock: %s", strerror(errno));
    /* All the room now, so that a full tmpfs can't refuse a release later. */
    err = posix_fallocate(r->fd, 0, 2 * sizeof(struct record_slot));
    if (err)
        return err_set(e, -err,
                       "reserve %zu bytes: %s; make room there: an agent that can't keep "
                       "what it holds must not hold anything",
                       2 * sizeof(struct record_slot), strerror(err));
    newest = record_newest(r->fd, &both, &blank);
    r->seq = newest ? newest->seq : 0;
    free(both);
    record_warn(r, dir);
    return record_boot_id(r->boot_id, e);
}

int record_open(struct record *r, const char *dir, const char *cluster, const char *host,
                struct err *e)
{
    *r = (struct record){.fd = -1};
    if ((size_t)snprintf(r->path, sizeof r->path, "%s/%s.%s.lease", dir, cluster, host) >=
        sizeof r->path)
        return err_set(e, -ENAMETOOLONG, "lease record in %s: the path is too long", dir);
    if (mkdir(dir, 0755) < 0 && errno != EEXIST)
        return err_set(e, -errno, "make the directory %s: %s", dir, strerror(errno));
    r->fd = open(r->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (r->fd < 0)
        return err_set(e, -errno, "open %s: %s", r->path, strerror(errno));
    if (record_prepare(r, dir, e) < 0) {
        record_close(r);
        return err_wrap(e, "lease record %s", r->path);
    }
    return 0;
}

enum record_found record_read(const struct record *r, void *data, size_t *len)
{
    struct record_slot *both;
    const struct record_slot *s;
    enum record_found found;
    bool blank;

    s = record_newest(r->fd, &both, &blank);
    if (!s) {
        found = blank ? RECORD_NONE : RECORD_DAMAGED;
    } else if (memcmp(s->boot_id, r->boot_id, RECORD_BOOT_LEN) != 0) {
        found = RECORD_OTHER_BOOT;
    } else {
        found = RECORD_VALID;
        memcpy(data, s->data, s->len);
        *len = s->len;
    }
    free(both);
    return found;
}

int record_write(struct record *r, const void *data, size_t len, struct err *e)
{
    struct record_slot s = {.len = (uint32_t)len, .seq = r->seq + 1};
    size_t n = SLOT_HEAD + len;
    ssize_t put;

    CHECK(len <= RECORD_MAX);
    memcpy(s.magic, record_magic, sizeof s.magic);
    memcpy(s.boot_id, r->boot_id, RECORD_BOOT_LEN);
    if (len)
        memcpy(s.data, data, len);
    s.crc = record_crc(&s);
    put = pwrite(r->fd, &s, n, (off_t)(s.seq % 2 * sizeof s));
    if (put != (ssize_t)n)
        return err_set(e, put < 0 ? -errno : -EIO, "write %s: %s", r->path,
                       put < 0 ? strerror(errno) : "cut short");
    r->seq = s.seq;
    return 0;
}

void record_close(struct record *r)
{
    if (r->fd >= 0)
        close(r->fd);
    r->fd = -1;
}
