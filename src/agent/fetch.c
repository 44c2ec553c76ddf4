/* SPDX-License-Identifier: GPL-2.0-or-later
 * Fetches from another host's agent what its dead server's binary log holds and this host lacks,
 * and serves it to this host's own server as a replication source on 127.0.0.1 (mysql/source.h).
 *
 *   asked piece by piece, written to a file -> served -> the job JOB_SALVAGE runs -> all is gone
 *
 * The file is in state_dir; where that has no room it begins anew in memory (run_dir). */
#include "agent/agentd.h"

#include "agent/aside.h"
#include "agent/base64.h"
#include "mysql/source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { FETCH_AGAIN_MS = 1000 };
#define FETCH_BYTES_MAX (1ll << 30)

static void fetch_path(const struct agentd *d, bool in_memory, char *to, size_t size)
{
    (void)snprintf(to, size, "%.300s/%s.%s.fetched", in_memory ? d->run_dir : d->state_dir,
                   d->conf->cluster, d->conf->hosts[d->self].name);
}

/* Of either place. */
static void fetch_unlink(const struct agentd *d)
{
    char path[512];

    for (int in_memory = 0; in_memory < 2; in_memory++) {
        fetch_path(d, in_memory, path, sizeof path);
        (void)unlink(path);
    }
}

static void fetch_on_source_closed(void *owner)
{
    struct agentd *d = owner;

    closer_sub(&d->closer);
}

void agentd_fetch_end(struct agentd *d)
{
    struct agentd_fetch *f = &d->fetch;

    if (f->source) {
        closer_add(&d->closer);
        source_stop(f->source, fetch_on_source_closed);
        f->source = NULL;
    }
    if (f->writing) { /* it ends, then the rest goes */
        f->on = false;
        return;
    }
    if (f->fd > 0)
        close(f->fd);
    fetch_unlink(d);
    explicit_bzero(f->password, sizeof f->password);
    memset(f, 0, sizeof *f);
}

static void fetch_ends(struct agentd *d, bool hopeless, const char *why)
{
    char text[WHY_LEN];

    (void)snprintf(text, sizeof text, "%.128s: %.110s", d->conf->hosts[d->fetch.host].name, why);
    agentd_fetch_end(d);
    agentd_job_fetched(d, text, hopeless);
}

static void fetch_failed(struct agentd *d, const char *why)
{
    fetch_ends(d, false, why);
}

static void fetch_ask(struct agentd *d)
{
    struct agentd_fetch *f = &d->fetch;
    struct msg_slice *q = &d->out.slice;

    f->asked_ms = 0;
    if (d->ask[f->host].state != ASK_UP)
        return; /* with a later tick */
    f->asked_ms = clock_boot_ms();
    d->out.kind = MSG_SLICE;
    memset(q, 0, sizeof *q);
    q->id = f->id;
    q->offset = f->offset;
    (void)snprintf(q->have, sizeof q->have, "%s", d->server.facts.gtid);
    agentd_asks_send(d, f->host);
}

static uint64_t fetch_number(void)
{
    uint64_t n = 0;

    while (!n) {
        CHECK(getrandom(&n, sizeof n, 0) == (ssize_t)sizeof n);
        n &= INT64_MAX;
    }
    return n;
}

/* The file, empty. */
static void fetch_begin(struct agentd *d)
{
    struct agentd_fetch *f = &d->fetch;
    char path[512], why[WHY_LEN];

    fetch_unlink(d);
    fetch_path(d, f->in_memory, path, sizeof path);
    f->offset = 0;
    f->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (f->fd >= 0) {
        fetch_ask(d);
        return;
    }
    f->fd = 0;
    if (!f->in_memory && aside_no_room(-errno)) {
        f->in_memory = true;
        fetch_begin(d);
        return;
    }
    (void)snprintf(why, sizeof why, "create %.180s: %s", path, strerror(errno));
    fetch_failed(d, why);
}

void agentd_fetch(struct agentd *d, int host, int64_t limit_ms)
{
    struct agentd_fetch *f = &d->fetch;

    CHECK(!f->on);
    if (f->writing) {
        agentd_job_fetched(d, "the one before has not ended yet", false);
        return;
    }
    memset(f, 0, sizeof *f);
    f->on = true;
    f->host = host;
    f->id = fetch_number();
    f->until_ms = clock_boot_ms() + limit_ms;
    fetch_begin(d);
}

/* ---- served to our own server ---- */

static void fetch_on_news(struct source *s, enum source_news news, const char *text)
{
    struct agentd *d = source_owner(s);

    if (news == SOURCE_FAILED)
        log_warn(&d->log, "fetching from a dead server's binary log: %s", text);
    else
        log_debug(&d->log, "fetching from a dead server's binary log: %s", text);
}

static void fetch_serve(struct agentd *d)
{
    struct agentd_fetch *f = &d->fetch;
    struct err e = {0};
    char path[512];
    bool mariadb = !d->server.facts.mysql_flavour;
    struct source_params p = {.mariadb = mariadb,
                              .version = f->version,
                              .server_id = (uint32_t)f->server_id,
                              .server_uuid = mariadb ? NULL : f->server_uuid,
                              .user = "hamm-tail",
                              .password = f->password,
                              .path = path,
                              .on_news = fetch_on_news,
                              .owner = d};

    fetch_path(d, f->in_memory, path, sizeof path);
    (void)snprintf(f->password, sizeof f->password, "%016" PRIx64 "%016" PRIx64, fetch_number(),
                   fetch_number());
    if (source_start(&d->loop, &p, &f->source, &e) < 0) {
        f->source = NULL;
        fetch_failed(d, e.msg);
        return;
    }
    agentd_job_fetched(d, NULL, false);
}

/* ---- piece by piece ---- */

static void fetch_written(uv_fs_t *w)
{
    struct agentd *d = w->data;
    struct agentd_fetch *f = &d->fetch;
    ssize_t n = w->result;

    uv_fs_req_cleanup(w);
    closer_sub(&d->closer);
    f->writing = false;
    if (!f->on || d->stopping) {
        agentd_fetch_end(d);
        return;
    }
    if (n != f->piece_len && !f->in_memory && (n >= 0 || aside_no_room((int)n))) {
        log_warn(&d->log, "%s has no room for it: it is fetched anew to %s", d->state_dir,
                 d->run_dir);
        close(f->fd);
        f->in_memory = true;
        fetch_begin(d);
        return;
    }
    if (n != f->piece_len) {
        fetch_failed(d, n < 0 ? uv_strerror((int)n) : "the disk is full");
        return;
    }
    f->offset += n;
    if (f->offset >= f->size)
        fetch_serve(d);
    else
        fetch_ask(d);
}

/* Not ours, or said again: false. */
static bool fetch_expects(struct agentd *d, int host, const struct msg_chunk *c)
{
    const struct agentd_fetch *f = &d->fetch;

    return f->on && !f->writing && !f->source && host == f->host && c->id == f->id &&
           (c->why[0] || c->offset == f->offset);
}

void agentd_fetch_chunk(struct agentd *d, int host, const struct msg_chunk *c)
{
    struct agentd_fetch *f = &d->fetch;
    uv_buf_t buf;

    if (!fetch_expects(d, host, c))
        return;
    if (c->why[0]) {
        fetch_ends(d, c->hopeless, c->why);
        return;
    }
    f->piece_len = base64_decode(f->piece, sizeof f->piece, c->data);
    if (f->piece_len <= 0 || c->size > FETCH_BYTES_MAX || f->offset + f->piece_len > c->size ||
        (f->offset && c->size != f->size)) {
        fetch_failed(d, "it sends what it should not");
        return;
    }
    if (f->in_memory && !f->offset &&
        (uint64_t)c->size > aside_memory(d->run_dir, FETCH_BYTES_MAX)) {
        fetch_failed(d, "neither state_dir nor memory has room for it");
        return;
    }
    f->size = c->size;
    f->server_id = c->server_id;
    memcpy(f->version, c->version, sizeof f->version);
    memcpy(f->server_uuid, c->server_uuid, sizeof f->server_uuid);
    memcpy(f->reach, c->reach, sizeof f->reach);
    buf = uv_buf_init((char *)f->piece, (unsigned)f->piece_len);
    f->writing = true;
    f->write.data = d;
    closer_add(&d->closer);
    CHECK(uv_fs_write(&d->loop, &f->write, f->fd, &buf, 1, f->offset, fetch_written) == 0);
}

void agentd_fetch_tick(struct agentd *d)
{
    struct agentd_fetch *f = &d->fetch;
    int64_t now = clock_boot_ms();

    if (!f->on || f->writing || f->source)
        return;
    if (now >= f->until_ms)
        fetch_failed(d, "its agent did not hand it over in time");
    else if (!f->asked_ms ||
             (d->ask[f->host].state != ASK_UP && now - f->asked_ms > FETCH_AGAIN_MS))
        fetch_ask(d);
}
