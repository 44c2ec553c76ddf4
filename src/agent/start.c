/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/start.h"

#include "journal/crc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char start_magic[8] = "hammgo1";

static uint32_t start_crc(const struct start_word *w)
{
    size_t from = offsetof(struct start_word, state);

    return crc32c(0, (const char *)w + from, sizeof *w - from);
}

int start_path(char *to, size_t size, const char *dir, const char *cluster, const char *host,
               struct err *e)
{
    if ((size_t)snprintf(to, size, "%s/%s.%s.start", dir, cluster, host) >= size)
        return err_set(e, -ENAMETOOLONG, "start gate in %s: the path is too long", dir);
    return 0;
}

int start_say(const char *path, const char *boot_id, uint64_t start_id, int64_t now_ms,
              const struct agent_start *s, struct err *e)
{
    struct start_word w;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), failed;

    if (fd < 0)
        return err_set(e, -errno, "open %s: %s", path, strerror(errno));
    memset(&w, 0, sizeof w);
    memcpy(w.magic, start_magic, sizeof w.magic);
    w.state = s->state;
    snprintf(w.boot_id, sizeof w.boot_id, "%s", boot_id);
    w.start_id = start_id;
    w.said_ms = now_ms;
    w.until_ms = s->until_ms;
    snprintf(w.why, sizeof w.why, "%s", s->why ? s->why : "");
    w.crc = start_crc(&w);
    errno = 0;
    failed = pwrite(fd, &w, sizeof w, 0) == (ssize_t)sizeof w ? 0 : errno ? errno : EIO;
    close(fd);
    return failed ? err_set(e, -failed, "write %s: %s", path, strerror(failed)) : 0;
}

bool start_read(const char *path, struct start_word *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd < 0 ? -1 : pread(fd, out, sizeof *out, 0);

    if (fd >= 0)
        close(fd);
    return n == (ssize_t)sizeof *out && memcmp(out->magic, start_magic, sizeof out->magic) == 0 &&
           out->crc == start_crc(out) && out->state < START_STATE_N &&
           memchr(out->why, 0, sizeof out->why) && memchr(out->boot_id, 0, sizeof out->boot_id);
}

static void start_free(struct start_verdict *v, const char *why)
{
    *v = (struct start_verdict){.why = why};
}

static void start_hold(struct start_verdict *v, int64_t until, const char *why)
{
    *v = (struct start_verdict){.wait = true, .until_ms = until, .why = why};
}

void start_judge(const struct start_word *w, const char *boot_id, int64_t now, int64_t began,
                 struct start_verdict *out)
{
    bool fresh = w && now - w->said_ms < START_FRESH_MS;
    int64_t since = w && w->said_ms > began ? w->said_ms : began;

    if (!w)
        start_free(out, "no agent has run here");
    else if (strcmp(w->boot_id, boot_id) != 0 || w->said_ms > now)
        start_free(out, "no agent has run since this machine was started");
    else if (w->state == START_FREE)
        start_free(out, w->why);
    else if (!fresh && now < since + START_RETURNS_MS)
        start_hold(out, since + START_RETURNS_MS, "it was the writer; the agent does not run");
    else if (!fresh)
        start_free(out, "the agent does not run");
    else if (w->state == START_WRITER && now < began + START_NOTICES_MS)
        start_hold(out, began + START_NOTICES_MS,
                   "it was the writer; the agent has not seen yet that it is dead");
    else if (w->state == START_WRITER)
        start_free(out, "the agent does not see that it is dead");
    else if (now < w->until_ms)
        start_hold(out, w->until_ms, w->why);
    else
        start_free(out, "nothing was heard for salvage_timeout");
    out->silence = out->wait && fresh && w->state == START_HELD;
}
