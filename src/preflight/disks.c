/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "preflight/disks.h"

#include "base/room.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <uv.h>

enum { PATIENCE_MS = 3000 };

static const struct {
    const char *check;
    uint64_t low;
    const char *full_so, *low_so;
} disks[DISK_N] = {
    [DISK_BINLOG] = {"disk of the binary log", ROOM_LOW,
                     "commits wait, and this host never becomes the writer by itself",
                     "less than one more binary log file of the usual size"},
    [DISK_DATA] = {"disk of the data", ROOM_LOW, "what is written waits or fails",
                   "less than 1 GiB"},
    [DISK_STATE] = {"disk of state_dir", ROOM_SPARE,
                    "whom a host obeys and what a monitor decides can't be kept",
                    "nothing of a binary log is kept in it"},
};

/* ---- judging ---- */

static void disk_text(uint64_t bytes, char *to, size_t size)
{
    if (bytes >= 1ull << 30)
        snprintf(to, size, "%.1f GiB", (double)bytes / (double)(1ull << 30));
    else
        snprintf(to, size, "%.1f MiB", (double)bytes / (double)(1ull << 20));
}

void disk_judge(struct sheet *out, const char *host, enum disk_of of, const char *dir,
                uint64_t bytes_left)
{
    bool full = bytes_left < ROOM_FULL, low = bytes_left < disks[of].low;
    char left[32];

    disk_text(bytes_left, left, sizeof left);
    sheet_add(out, host, disks[of].check,
              full  ? VERDICT_FAIL
              : low ? VERDICT_WARN
                    : VERDICT_OK,
              "%s, %s free%s%s%s", dir, left, full ? ", it is full" : "", low ? ": " : "",
              full  ? disks[of].full_so
              : low ? disks[of].low_so
                    : "");
    if (low)
        sheet_fix(out, "on %s: free space on the disk with %s (df -h %s), or make it bigger",
                  *host ? host : "this machine", dir, dir);
}

/* ---- looking, in a thread that nobody waits for any longer than it is worth ---- */

struct disk_look {
    uv_mutex_t lock;
    uv_cond_t done;
    bool answered, alone; /* alone: nobody waits any more, the thread frees it */
    char dir[512];
    int err;
    uint64_t left;
    dev_t dev;
};

static void disk_free(struct disk_look *l)
{
    uv_cond_destroy(&l->done);
    uv_mutex_destroy(&l->lock);
    free(l);
}

/* A folder that is not made yet will be on the disk of the nearest that is there. */
static int disk_ask(struct disk_look *l, struct statvfs *fs, struct stat *st)
{
    char at[sizeof l->dir];

    memcpy(at, l->dir, sizeof at);
    while (statvfs(at, fs) < 0) {
        char *end = strrchr(at, '/');

        if (errno != ENOENT || !end)
            return errno;
        end[end == at] = '\0';
    }
    return stat(at, st) < 0 ? errno : 0;
}

static void disk_thread(void *arg)
{
    struct disk_look *l = arg;
    struct statvfs fs = {0};
    struct stat st = {0};
    int err = disk_ask(l, &fs, &st);
    bool alone;

    uv_mutex_lock(&l->lock);
    l->err = err;
    l->left = (uint64_t)fs.f_bavail * fs.f_frsize;
    l->dev = st.st_dev;
    l->answered = true;
    alone = l->alone;
    uv_cond_signal(&l->done);
    uv_mutex_unlock(&l->lock);
    if (alone)
        disk_free(l);
}

/* False: it did not answer. */
static bool disk_wait(struct disk_look *l, struct disk_look *out)
{
    uint64_t until = uv_hrtime() + PATIENCE_MS * 1000000ull;
    bool answered;

    uv_mutex_lock(&l->lock);
    while (!l->answered && uv_hrtime() < until)
        (void)uv_cond_timedwait(&l->done, &l->lock, until - uv_hrtime());
    answered = l->answered;
    l->alone = !answered;
    out->err = l->err;
    out->left = l->left;
    out->dev = l->dev;
    uv_mutex_unlock(&l->lock);
    return answered;
}

static bool disk_find(const char *dir, struct disk_look *out)
{
    struct disk_look *l = calloc(1, sizeof *l);
    uv_thread_t thread;
    bool answered;

    CHECK(l && uv_mutex_init(&l->lock) == 0 && uv_cond_init(&l->done) == 0);
    snprintf(l->dir, sizeof l->dir, "%s", dir);
    if (uv_thread_create(&thread, disk_thread, l) < 0) {
        disk_free(l);
        out->err = EAGAIN;
        return true;
    }
    answered = disk_wait(l, out);
    if (answered) {
        uv_thread_join(&thread);
        disk_free(l);
    }
    return answered;
}

/* *seen: file systems that were judged already; each once. */
static void disk_one(struct sheet *out, const char *host, enum disk_of of, const char *dir,
                     dev_t seen[DISK_N], unsigned *n)
{
    struct disk_look l = {0};

    if (!disk_find(dir, &l)) {
        sheet_add(out, host, disks[of].check, VERDICT_FAIL, "%s does not answer within %d s", dir,
                  PATIENCE_MS / 1000);
        sheet_fix(out, "on %s: dmesg says what is wrong with the disk",
                  *host ? host : "this machine");
        return;
    }
    if (l.err) {
        sheet_add(out, host, disks[of].check, VERDICT_WARN, "%s is not looked at: %s", dir,
                  strerror(l.err));
        sheet_fix(out, "run it as root: sudo hamm preflight");
        return;
    }
    for (unsigned i = 0; i < *n; i++)
        if (seen[i] == l.dev)
            return;
    seen[(*n)++] = l.dev;
    disk_judge(out, host, of, dir, l.left);
}

/* ---- which ---- */

/* "" if there is none; false: it isn't known. */
static bool disk_binlog(const struct looked *h, char *to, size_t size)
{
    const char *base = survey_variable(h, "log_bin_basename"), *end;

    if (!survey_variable(h, "datadir"))
        return false;
    end = base ? strrchr(base, '/') : NULL;
    snprintf(to, size, "%.*s", end ? (int)(end - base) : 0, base ? base : "");
    return true;
}

void disks_look(const struct conf *c, const struct looked *h, struct sheet *out)
{
    const char *host = h ? h->conf->name : "";
    char dir[512] = "";
    dev_t seen[DISK_N];
    unsigned n = 0;

    if (h && !disk_binlog(h, dir, sizeof dir)) {
        sheet_add(out, host, disks[DISK_BINLOG].check, VERDICT_WARN,
                  "not looked at: the server could not be asked where it is");
        sheet_fix(out, "when an account gets in, run it again");
    } else if (h) {
        if (dir[0])
            disk_one(out, host, DISK_BINLOG, dir, seen, &n);
        disk_one(out, host, DISK_DATA, survey_variable(h, "datadir"), seen, &n);
    }
    disk_one(out, host, DISK_STATE, c->state_dir, seen, &n);
}
