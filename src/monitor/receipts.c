/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "monitor/receipts.h"

#include "base/buf.h"
#include "loop/timer.h"
#include "monitor/status.h"
#include "proto/codec.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RETRY_MS = 1000, TEXT_MAX = RECEIPTS_MAX * 3 * RECEIPT_GTIDS };

/* ---- the journal ---- */

static void receipts_say(struct receipts *r, bool bad, const char *what, const char *why)
{
    char text[1024];

    snprintf(text, sizeof text, "receipts: %s%s", what, why);
    r->say(r->owner, bad, text);
}

static void receipts_on_last(void *owner, const struct journal_last *last)
{
    struct receipts *r = owner;

    if (last->note)
        receipts_say(r, true, last->note, "");
    if (last->data && receipts_decode(r, last->data, last->len) < 0)
        r->unreadable = true;
}

static void receipts_keep(struct receipts *r);

static void receipts_on_retry(uv_timer_t *t)
{
    receipts_keep(t->data);
}

static void receipts_on_done(void *owner, uint64_t seq, int err)
{
    struct receipts *r = owner;

    if (err && seq == r->seq && !r->closer) {
        if (!r->failing)
            receipts_say(r, true, "not on disk yet: ", strerror(-err));
        timer_in(&r->retry, RETRY_MS, receipts_on_retry);
    }
    r->failing = err != 0;
}

static void receipts_keep(struct receipts *r)
{
    char *text = r->journal ? receipts_encode(r) : NULL;

    if (text)
        r->seq = journal_append(r->journal, text, strlen(text), r, receipts_on_done);
    free(text);
}

int receipts_start(struct receipts *r, uv_loop_t *loop, const char *path,
                   void (*say)(void *owner, bool bad, const char *text), void *owner)
{
    struct err e = {0};

    *r = (struct receipts){.say = say, .owner = owner};
    r->at = calloc(RECEIPTS_MAX, sizeof *r->at);
    if (!r->at)
        return -ENOMEM;
    CHECK(uv_timer_init(loop, &r->retry) == 0);
    r->retry.data = r;
    if (journal_open(loop, path, &journal_daemon, r, receipts_on_last, &r->journal, &e) < 0)
        receipts_say(r, true, "in memory only, until this monitor is started again: ", e.msg);
    else if (r->unreadable)
        receipts_say(r, true, "the next one replaces what is no list of receipts: ", path);
    return 0;
}

static void receipts_on_closed(void *owner)
{
    closer_sub(((struct receipts *)owner)->closer);
}

void receipts_stop(struct receipts *r, struct closer *closer)
{
    if (!r->at)
        return;
    r->closer = closer;
    uv_timer_stop(&r->retry);
    closer_add(closer);
    closer_handle(closer, (uv_handle_t *)&r->retry);
    if (!r->journal)
        return;
    closer_add(closer);
    journal_close(r->journal, r, receipts_on_closed);
}

void receipts_free(struct receipts *r)
{
    free(r->at);
    r->at = NULL;
    r->n = 0;
}

/* ---- the list ---- */

/* The last of that number: a monitor that lost its state counts anew. */
static struct receipt *receipts_find(struct receipts *r, const struct receipt *later)
{
    for (unsigned i = r->n; i-- > 0;)
        if (r->at[i].number == later->number && strcmp(r->at[i].from, later->from) == 0)
            return &r->at[i];
    return NULL;
}

static void receipts_complete(struct receipts *r, const struct receipt *later)
{
    struct receipt *one = receipts_find(r, later);

    if (!one)
        return;
    one->lost = later->lost;
    if (later->lost != LOST_UNKNOWN)
        one->gone = later->gone; /* else what is known at least is still all that is known */
    memcpy(one->why, later->why, sizeof one->why);
    one->said_wall_ms = later->said_wall_ms;
    msg_clean_text(one->why);
}

void receipts_add(struct receipts *r, const struct receipt *one)
{
    if (one->later) {
        receipts_complete(r, one);
    } else {
        if (r->n == RECEIPTS_MAX)
            memmove(r->at, r->at + 1, --r->n * sizeof *r->at);
        r->at[r->n] = *one;
        msg_clean_text(r->at[r->n].trigger);
        msg_clean_text(r->at[r->n].why);
        r->n++;
    }
    receipts_keep(r);
}

char *receipts_text(const struct receipts *r, unsigned last)
{
    auto_buf all = BUF(TEXT_MAX);
    char text[3 * RECEIPT_GTIDS], at[RFC3339_LEN], said[RFC3339_LEN];

    for (unsigned i = last < r->n ? r->n - last : 0; i < r->n; i++) {
        engine_tell_receipt(&r->at[i], text, sizeof text);
        buf_addf(&all, "%s%s  %s\n            known since %s", all.len ? "\n\n" : "",
                 status_time(at, r->at[i].began_wall_ms), text,
                 status_time(said, r->at[i].said_wall_ms));
    }
    if (!r->n || !last)
        buf_addf(&all, "no change of writer is known");
    return all.full ? NULL : strdup(all.at);
}
