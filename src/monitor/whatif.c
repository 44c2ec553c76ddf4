/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "monitor/whatif.h"

#include "base/clock.h"
#include "proto/codec.h"

#include <errno.h>
#include <jansson.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 256 * 1024, WORK_MS = 10000 };

struct whatif_job {
    uint64_t id;
    bool json;
    atomic_bool stop; /* the loop's word to the thread */
    int64_t until_ms;
    struct engine now;
    struct foresee_conf conf;
    struct faults faults;
    struct foresee world;
    struct tale tale;
    char text[TEXT_MAX];
};

/* Lines are cut at bytes: half a character is no JSON. */
static void whatif_clean(struct tale *t)
{
    msg_clean_text(t->said);
    for (unsigned i = 0; i < t->n; i++)
        msg_clean_text(t->line[i].text);
    msg_clean_text(t->after);
}

static bool whatif_is_over(void *owner)
{
    struct whatif_job *j = owner;

    return atomic_load(&j->stop) || clock_boot_ms() >= j->until_ms;
}

static void whatif_json(struct whatif_job *j)
{
    static const char *const kinds[] = {
        [TELL_FAULT] = "fault",   [TELL_EVENT] = "event",     [TELL_ANSWER] = "answer",
        [TELL_ORDER] = "order",   [TELL_AGENT] = "agent",     [TELL_ADDRESS] = "address",
        [TELL_SERVER] = "server", [TELL_RECEIPT] = "receipt", [TELL_OPEN] = "writes",
        [TELL_BROKEN] = "broken",
    };
    json_t *lines = json_array(), *all;
    char *text;

    for (unsigned i = 0; i < j->tale.n; i++)
        json_array_append_new(
            lines, json_pack("{s:I, s:s, s:s, s:s}", "at_ms", (json_int_t)j->tale.line[i].at_ms,
                             "host", j->tale.line[i].host, "kind", kinds[j->tale.line[i].kind],
                             "text", j->tale.line[i].text));
    all = json_pack("{s:i, s:s, s:o, s:b, s:s, s:s, s:s}", "schema", 1, "what_if", j->tale.said,
                    "story", lines, "cut", j->tale.cut[0] != 0, "cut_why", j->tale.cut, "after",
                    j->tale.after, "assumed", j->tale.assumed);
    text = all ? json_dumps(all, JSON_COMPACT) : NULL;
    json_decref(all);
    if (text && strlen(text) < sizeof j->text)
        strcpy(j->text, text);
    free(text);
}

static void whatif_run(uv_work_t *work)
{
    struct whatif_job *j = ((struct whatif *)work->data)->job;

    j->until_ms = clock_boot_ms() + WORK_MS;
    foresee_what_if(&j->world, &j->conf, &j->now, &j->faults, whatif_is_over, j, &j->tale);
    whatif_clean(&j->tale);
    if (j->json)
        whatif_json(j);
    else if (tale_format(&j->tale, j->text, sizeof j->text) >= sizeof j->text)
        j->text[0] = 0;
}

static void whatif_ran(uv_work_t *work, int status)
{
    struct whatif *w = work->data;
    struct whatif_job *j = w->job;

    w->running = false;
    w->job = NULL;
    w->done(w->owner, j->id, status == 0 && j->text[0] ? j->text : NULL);
    free(j);
}

int whatif_begin(struct whatif *w, uv_loop_t *loop, uint64_t id, const struct engine *now,
                 const struct foresee_conf *conf, const struct faults *faults, bool json,
                 struct err *e)
{
    if (w->running)
        return err_set(e, -EBUSY, "another what-if is being worked out; try again in a moment");
    w->job = calloc(1, sizeof *w->job); /* most of it is never touched */
    if (!w->job)
        return err_set(e, -ENOMEM, "no memory for a what-if");
    w->job->id = id;
    w->job->json = json;
    w->job->now = *now;
    w->job->conf = *conf;
    w->job->faults = *faults;
    w->work.data = w;
    w->running = true;
    CHECK(uv_queue_work(loop, &w->work, whatif_run, whatif_ran) == 0);
    return 0;
}

void whatif_stop(struct whatif *w)
{
    if (!w->running)
        return;
    atomic_store(&w->job->stop, true);
    (void)uv_cancel((uv_req_t *)&w->work); /* if it hasn't begun yet */
}
