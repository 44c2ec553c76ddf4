/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/aside.h"

#include "base/check.h"
#include "base/room.h"
#include "binlog/binlog.h"
#include "gtid/gtid.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

enum { STEM_MAX = 104, TRIES = 100 };

/* ---- which transactions ---- */

/* Of MariaDB's servers only the highest number can be said: up to before the first of the set. */
static int aside_mariadb_have(const struct gtid_set *own, const struct gtid_set *set, char *to,
                              size_t size)
{
    struct gtid_set have = {.flavour = GTID_MARIADB_STATE};

    for (unsigned i = 0; i < own->n; i++) {
        struct gtid_range r = own->range[i];

        for (unsigned k = 0; k < set->n; k++)
            if (set->range[k].source.domain == r.source.domain &&
                set->range[k].source.server == r.source.server && set->range[k].lo <= r.hi)
                r.hi = set->range[k].lo - 1;
        if (r.hi)
            gtid_add(&have, r);
    }
    return gtid_format(&have, to, size) < size ? 0 : -E2BIG;
}

int aside_have(bool mysql_flavour, const char *own, const char *set, char *to, size_t size,
               struct err *e)
{
    enum gtid_flavour of_own = mysql_flavour ? GTID_MYSQL : GTID_MARIADB_STATE;
    enum gtid_flavour of_set = mysql_flavour ? GTID_MYSQL : GTID_MARIADB_LIST;
    struct gtid_set x, y, have;
    int rc;

    if (gtid_parse(own, of_own, &x, e) < 0 || gtid_parse(set, of_set, &y, e) < 0)
        return e->code;
    if (mysql_flavour)
        rc = gtid_subtract(&x, &y, &have) < 0 || gtid_format(&have, to, size) >= size ? -E2BIG : 0;
    else
        rc = aside_mariadb_have(&x, &y, to, size);
    return rc < 0 ? err_set(e, rc, "its GTID sets have too many parts") : 0;
}

/* Are all of the set in the file? Of a MariaDB server that the writer never heard of nobody knows
 * where its numbers began. */
static int aside_complete(const struct aside_ask *ask, const struct binlog_slice *slice,
                          struct err *e)
{
    enum gtid_flavour flavour = ask->mysql_flavour ? GTID_MYSQL : GTID_MARIADB_LIST;
    struct gtid_set want, got, lacks;
    char text[128];

    if (gtid_parse(ask->set, flavour, &want, e) < 0 ||
        gtid_parse(slice->gtid, flavour, &got, e) < 0)
        return e->code;
    for (unsigned i = 0; i < want.n && !ask->mysql_flavour; i++)
        if (want.range[i].lo == 1)
            want.range[i].lo = want.range[i].hi;
    if (gtid_subset(&want, &got))
        return 0;
    if (gtid_subtract(&want, &got, &lacks) < 0 || !gtid_format(&lacks, text, sizeof text))
        snprintf(text, sizeof text, "part");
    return err_set(e, -ENODATA, "the binary log of %s has not all of them, it lacks %s", ask->host,
                   text);
}

/* ---- files ---- */

static int aside_folder(const struct aside_ask *ask, char *dir, size_t size, struct err *e)
{
    /* and the longest name in it is a path that can be reported */
    if ((size_t)snprintf(dir, size, "%s/quarantine", ask->state_dir) + STEM_MAX + 8 >=
        ASIDE_PATH_MAX)
        return err_set(e, -ENAMETOOLONG, "state_dir %.60s...: the path is too long",
                       ask->state_dir);
    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        return err_set(e, -errno, "make the directory %s: %s", dir, strerror(errno));
    return 0;
}

static bool aside_says(int at, const char *name, const char *set)
{
    char text[ASIDE_LEN + 2];
    size_t len = strlen(set);
    int fd = openat(at, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);

    if (fd >= 0)
        close(fd);
    return n == (ssize_t)len + 1 && memcmp(text, set, len) == 0 && text[len] == '\n';
}

/* The name, without its ending, that was given to this set; "" none. */
static void aside_find(const struct aside_ask *ask, const char *dir, char stem[STEM_MAX])
{
    DIR *d = opendir(dir);
    struct dirent *entry;
    char prefix[STEM_MAX];

    (void)snprintf(prefix, sizeof prefix, "%s-%s-", ask->cluster, ask->host);
    stem[0] = '\0';
    while (d && !stem[0] && (entry = readdir(d))) {
        size_t len = strlen(entry->d_name);

        if (len < STEM_MAX && len > 5 && strcmp(entry->d_name + len - 5, ".gtid") == 0 &&
            strncmp(entry->d_name, prefix, strlen(prefix)) == 0 &&
            aside_says(dirfd(d), entry->d_name, ask->set)) {
            memcpy(stem, entry->d_name, len - 5);
            stem[len - 5] = '\0';
        }
    }
    if (d)
        closedir(d);
}

static int aside_write(int fd, const char *set, struct err *e)
{
    size_t len = strlen(set);

    if (write(fd, set, len) != (ssize_t)len || write(fd, "\n", 1) != 1 || fsync(fd) < 0)
        return err_set(e, errno ? -errno : -EIO, "write: %s", strerror(errno ? errno : EIO));
    return 0;
}

/* A new name, and its .gtid. */
static int aside_name(const struct aside_ask *ask, const char *dir, char stem[STEM_MAX],
                      struct err *e)
{
    time_t now = time(NULL);
    char path[512], when[32] = "", more[8] = "";
    struct tm tm;
    int fd = -1, rc;

    if (gmtime_r(&now, &tm))
        (void)strftime(when, sizeof when, "%Y%m%dT%H%M%SZ", &tm);
    for (int i = 1; i <= TRIES && fd < 0; i++) {
        if (i > 1)
            (void)snprintf(more, sizeof more, "-%d", i);
        (void)snprintf(stem, STEM_MAX, "%s-%s-%s%s", ask->cluster, ask->host, when, more);
        (void)snprintf(path, sizeof path, "%.300s/%.100s.gtid", dir, stem);
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0 && errno != EEXIST)
            break;
    }
    if (fd < 0)
        return err_set(e, -errno, "make %s: %s", path, strerror(errno));
    errno = 0;
    rc = aside_write(fd, ask->set, e);
    close(fd);
    if (rc < 0)
        (void)unlink(path);
    return rc < 0 ? err_wrap(e, "%s", path) : 0;
}

static int aside_sync(const char *path, int flags, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | flags), rc = 0;

    if (fd < 0 || fsync(fd) < 0)
        rc = err_set(e, -errno, "sync %s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return rc;
}

/* ---- all of it ---- */

static uint64_t aside_free(const char *dir)
{
    struct statvfs fs;

    return statvfs(dir, &fs) < 0 ? UINT64_MAX : (uint64_t)fs.f_bavail * fs.f_frsize;
}

uint64_t aside_room(const char *dir, uint64_t most)
{
    uint64_t room = aside_free(dir);

    room = room > ROOM_SPARE ? room - ROOM_SPARE : 0;
    return room < most ? room : most;
}

uint64_t aside_memory(const char *dir, uint64_t most)
{
    uint64_t room = aside_free(dir) / 2;

    return room < most ? room : most;
}

bool aside_no_room(int code)
{
    return code == -EFBIG || code == -ENOSPC || code == -EDQUOT || code == -EROFS || code == -EIO;
}

static int aside_slice(const struct aside_ask *ask, const char *dir, const char *part,
                       struct err *e)
{
    struct binlog_slice *slice = calloc(1, sizeof *slice);
    uint64_t room = aside_room(dir, ask->bytes_max);
    char *have = malloc(GTID_TEXT_MAX);
    int rc;

    CHECK(slice && have);
    rc = aside_have(ask->mysql_flavour, ask->own, ask->set, have, GTID_TEXT_MAX, e);
    if (rc == 0)
        rc = binlog_slice(ask->index, ask->mysql_flavour ? GTID_MYSQL : GTID_MARIADB_STATE, have,
                          part, room, slice, e);
    if (rc == -EFBIG)
        (void)err_wrap(e, room < ask->bytes_max ? "%s has not enough room" : "%s: too big", dir);
    if (rc == 0)
        rc = aside_complete(ask, slice, e);
    free(have);
    free(slice);
    return rc;
}

static int aside_make(const struct aside_ask *ask, const char *dir, const char *stem,
                      const char *path, struct err *e)
{
    char part[512];
    int rc;

    (void)snprintf(part, sizeof part, "%.300s/%.100s.part", dir, stem);
    (void)unlink(part); /* of a life that ended in the middle */
    rc = aside_slice(ask, dir, part, e);
    if (rc == 0 && chmod(part, 0600) < 0)
        rc = err_set(e, -errno, "chmod %s: %s", part, strerror(errno));
    if (rc == 0)
        rc = aside_sync(part, 0, e);
    if (rc == 0 && renameat2(AT_FDCWD, part, AT_FDCWD, path, RENAME_NOREPLACE) < 0)
        rc = err_set(e, -errno, "rename %s to %s: %s", part, path, strerror(errno));
    if (rc == 0)
        rc = aside_sync(dir, O_DIRECTORY, e);
    if (rc < 0)
        (void)unlink(part);
    return rc;
}

int aside_keep(const struct aside_ask *ask, char path[ASIDE_PATH_MAX], bool *found, struct err *e)
{
    char dir[512], stem[STEM_MAX];
    bool named;
    int rc;

    *found = false;
    if (!ask->index[0])
        return err_set(e, -ENOENT, "the server has no binary log (log_bin)");
    if (aside_folder(ask, dir, sizeof dir, e) < 0)
        return e->code;
    aside_find(ask, dir, stem);
    named = stem[0];
    if (!named && aside_name(ask, dir, stem, e) < 0)
        return e->code;
    (void)snprintf(path, ASIDE_PATH_MAX, "%.143s/%.100s.binlog", dir, stem);
    *found = access(path, F_OK) == 0;
    rc = *found ? 0 : aside_make(ask, dir, stem, path, e);
    if (rc < 0 && !named) { /* nobody was told that name */
        char gtid[512];

        (void)snprintf(gtid, sizeof gtid, "%.300s/%.100s.gtid", dir, stem);
        (void)unlink(gtid);
    }
    return rc;
}
