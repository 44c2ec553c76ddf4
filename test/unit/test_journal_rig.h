/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the journal's tests share: a directory of their own, a loop, and a journal on it whose
 * callbacks are written down. */
#pragma once

#include "journal/journal.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char rig_dir[64], rig_path[128]; /* rig_path: in a directory that does not exist yet */

struct rig {
    uv_loop_t loop;
    struct journal *j;
    struct journal_opts opts;
    char *last; /* what the file held, zero-terminated; NULL: nothing */
    size_t last_len;
    uint64_t last_seq;
    char note[256];
    unsigned n_last, n_done, n_bad, n_closed;
    uint64_t done_seq; /* of the last done callback; they must come in order */
    int done_err;
};

static inline int rig_setup(void **state)
{
    (void)state;
    strcpy(rig_dir, "/tmp/hamm-journal-XXXXXX");
    if (!mkdtemp(rig_dir))
        return -1;
    snprintf(rig_path, sizeof rig_path, "%s/state/shop.journal", rig_dir);
    return 0;
}

static inline int rig_teardown(void **state)
{
    static const char *names[] = {"", ".new", ".lock"};
    char path[160];

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s%s", rig_path, names[i]);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/state", rig_dir);
    rmdir(path);
    return rmdir(rig_dir);
}

static inline void rig_on_last(void *owner, const struct journal_last *last)
{
    struct rig *r = owner;

    r->n_last++;
    if (last->data) {
        r->last = malloc(last->len + 1);
        memcpy(r->last, last->data, last->len);
        r->last[last->len] = 0;
    }
    r->last_len = last->len;
    r->last_seq = last->seq;
    snprintf(r->note, sizeof r->note, "%s", last->note ? last->note : "");
}

static inline void rig_on_done(void *owner, uint64_t seq, int err)
{
    struct rig *r = owner;

    assert_true(seq > r->done_seq);
    r->done_seq = seq;
    r->done_err = err;
    r->n_done++;
    r->n_bad += err != 0;
}

static inline void rig_on_closed(void *owner)
{
    ((struct rig *)owner)->n_closed++;
}

static inline int rig_open(struct rig *r, bool no_uring, struct err *e)
{
    *r = (struct rig){.opts.no_uring = no_uring};
    assert_int_equal(uv_loop_init(&r->loop), 0);
    return journal_open(&r->loop, rig_path, &r->opts, r, rig_on_last, &r->j, e);
}

static inline void rig_up(struct rig *r, bool no_uring)
{
    struct err e = {0};

    if (rig_open(r, no_uring, &e) < 0)
        fail_msg("%s", e.msg);
    assert_int_equal(r->n_last, 1);
}

static inline void rig_wait(struct rig *r, unsigned n_done)
{
    while (r->n_done < n_done)
        uv_run(&r->loop, UV_RUN_ONCE);
}

/* Appends and waits; returns the error. */
static inline int rig_put(struct rig *r, const void *data, size_t len)
{
    unsigned n = r->n_done;

    journal_append(r->j, data, len, r, rig_on_done);
    assert_int_equal(r->n_done, n); /* never from inside */
    rig_wait(r, n + 1);
    return r->done_err;
}

static inline int rig_puts(struct rig *r, const char *text)
{
    return rig_put(r, text, strlen(text));
}

static inline void rig_down(struct rig *r)
{
    if (r->j) {
        journal_close(r->j, r, rig_on_closed);
        uv_run(&r->loop, UV_RUN_DEFAULT);
        assert_int_equal(r->n_closed, 1);
    }
    assert_int_equal(uv_loop_close(&r->loop), 0);
    free(r->last);
}

/* Opens, compares what is found, closes. */
static inline void rig_expect(const char *text, bool noted)
{
    struct rig r;

    rig_up(&r, true);
    if (text)
        assert_string_equal(r.last, text);
    else
        assert_null(r.last);
    assert_int_equal(r.note[0] != 0, noted);
    rig_down(&r);
}

static inline size_t rig_slurp(const char *path, uint8_t *to, size_t max)
{
    int fd = open(path, O_RDONLY);
    ssize_t n;

    assert_true(fd >= 0);
    n = read(fd, to, max);
    close(fd);
    return (size_t)n;
}

static inline void rig_spit(const char *path, const uint8_t *data, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, len), len);
    close(fd);
}
