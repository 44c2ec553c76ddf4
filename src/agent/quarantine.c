/* SPDX-License-Identifier: GPL-2.0-or-later
 * Keeps what only this server has in a file, in a thread: aside.h. */
#include "agent/agentd.h"

#include "agent/aside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUARANTINE_BYTES_MAX (1ull << 30)

struct quarantine {
    uv_work_t work;
    struct agentd *d;
    uint64_t round;
    struct tail_place place;
    char set[ASIDE_LEN], own[GTID_LEN];
    int rc;
    bool found;
    char path[ASIDE_PATH_MAX];
    struct err e;
};

static void quarantine_work(uv_work_t *w)
{
    struct quarantine *q = w->data;
    const struct conf *c = q->d->conf;
    struct aside_ask ask = {
        .state_dir = q->d->state_dir,
        .cluster = c->cluster,
        .host = c->hosts[q->d->self].name,
        .index = q->place.index,
        .mysql_flavour = q->place.mysql_flavour,
        .set = q->set,
        .own = q->own,
        .bytes_max = QUARANTINE_BYTES_MAX,
    };

    q->rc = aside_keep(&ask, q->path, &q->found, &q->e);
}

static void quarantine_begin(struct agentd *d);

static void quarantine_done(uv_work_t *w, int status)
{
    struct quarantine *q = w->data;
    struct agentd *d = q->d;
    struct agent_event ev = {.kind = AE_ASIDE, .aside = {.round = q->round}};

    ev.aside.ok = status == 0 && q->rc == 0;
    ev.aside.text = ev.aside.ok ? q->path : status == 0 ? q->e.msg : "no thread for it";
    closer_sub(&d->closer);
    d->quarantine.busy = false;
    if (d->quarantine.again && d->agent.aside.set[0] && !d->stopping)
        quarantine_begin(d);
    else if (!d->stopping)
        agentd_feed(d, &ev);
    free(q);
}

/* What the agent wants by now. */
static void quarantine_begin(struct agentd *d)
{
    struct quarantine *q = calloc(1, sizeof *q);

    CHECK(q);
    d->quarantine = (struct agentd_quarantine){.busy = true};
    q->d = d;
    q->round = d->agent.aside.round;
    q->place = d->tail.place;
    q->work.data = q;
    memcpy(q->set, d->agent.aside.set, sizeof q->set);
    memcpy(q->own, d->agent.facts.gtid, sizeof q->own);
    closer_add(&d->closer);
    CHECK(uv_queue_work(&d->loop, &q->work, quarantine_work, quarantine_done) == 0);
}

void agentd_quarantine(struct agentd *d, const struct agent_action *a)
{
    (void)a;
    if (d->quarantine.busy)
        d->quarantine.again = true; /* two threads would be in each other's way */
    else
        quarantine_begin(d);
}
