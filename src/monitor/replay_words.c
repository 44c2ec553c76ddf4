/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "monitor/replay_words.h"

#include "monitor/ring.h"
#include "monitor/status.h"
#include "proto/codec.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *host_of(const struct engine *e, int host)
{
    return host < 0 || (unsigned)host >= e->conf.names.hosts ? "nobody" : e->conf.names.host[host];
}

/* What others said must not reach a terminal as an escape sequence. */
static void add_clean(struct buf *to, const char *text)
{
    char copy[RECORD_TEXT_MAX];

    snprintf(copy, sizeof copy, "%s", text);
    copy[strcspn(copy, "\n")] = 0;
    msg_clean_text(copy);
    buf_addf(to, "%s", copy);
}

static void words_begin(struct buf *to, const struct engine *e, const char *what)
{
    char when[RFC3339_LEN];

    buf_addf(to, "%s  %s  ", status_time(when, e->wall), what);
}

static void words_event(struct buf *to, const struct engine *e, const struct action *a)
{
    struct ring_event ev = {.wall_ms = e->wall, .level = a->level, .host = a->host};

    snprintf(ev.text, sizeof ev.text, "%s", a->text);
    msg_clean_text(ev.text);
    status_event(to, e, &ev, false);
}

static void words_order(struct buf *to, const struct engine *e, const struct action *a)
{
    const struct msg_order *o = engine_order_of(e, a->host);
    const char *comma = "";

    words_begin(to, e, "order");
    buf_addf(to, "%s: hold ", host_of(e, a->host));
    for (unsigned s = 0; s < e->conf.names.slots; s++)
        if (o->hold >> s & 1) {
            buf_addf(to, "%s%s", comma, e->conf.names.slot[s]);
            comma = ", ";
        }
    if (!*comma)
        buf_addf(to, "nothing");
    if (o->follow == FOLLOW_SOURCE)
        buf_addf(to, "; %s %s", o->tail ? "fetch from the binary log of" : "follow",
                 host_of(e, o->source));
    else if (o->follow == FOLLOW_NONE)
        buf_addf(to, "; follow nobody");
    if (o->reach[0]) {
        buf_addf(to, "; have applied ");
        add_clean(to, o->reach);
    }
    if (o->aside[0]) {
        buf_addf(to, "; keep in a file ");
        add_clean(to, o->aside);
    }
    if (o->may_start)
        buf_addf(to, "; the server may be started");
    if (o->as_is)
        buf_addf(to, "; give up what can't be applied");
    if (o->hear)
        buf_addf(to, "; hear the source to the end");
    if (o->fence)
        buf_addf(to, "; let go at once");
    if (o->probe)
        buf_addf(to, "; ask the network first");
    if (o->look)
        buf_addf(to, "; look what is in the way, %" PRIu64, o->look & UINT32_MAX);
    buf_addf(to, " (serial %" PRIu64 ".%" PRIu64 ")\n", o->serial >> 32, o->serial & UINT32_MAX);
}

void replay_words_action(struct buf *to, const struct engine *e, const struct action *a,
                         bool verbose)
{
    if (a->kind == ACT_EVENT) {
        words_event(to, e, a);
        return;
    }
    if (!verbose || a->kind == ACT_BEAT || a->kind == ACT_GRANT)
        return;
    if (a->kind == ACT_ORDER) {
        words_order(to, e, a);
        return;
    }
    words_begin(to, e, record_action_name(a->kind));
    switch (a->kind) {
    case ACT_PERSIST:
        buf_addf(to, "state %" PRIu64 " of epoch %" PRIu64 "\n", a->after, e->epoch);
        return;
    case ACT_ANSWER:
        buf_addf(to, "exit %d: ", a->code);
        break;
    case ACT_RECEIPT:
        buf_addf(to, "%" PRIu64 "%s\n", a->receipt->number, a->receipt->later ? ", completed" : "");
        return;
    default:
        buf_addf(to, "%s", a->host < 0 ? "" : host_of(e, a->host));
        break;
    }
    add_clean(to, a->text);
    buf_addf(to, "\n");
}

static void words_command(struct buf *to, const struct engine *e, const struct engine_command *c)
{
    static const char *const verb[] = {
        [VERB_MODE] = "mode",
        [VERB_SET_ONLINE] = "set-online",
        [VERB_SET_OFFLINE] = "set-offline",
        [VERB_MOVE_ROLE] = "move-role",
        [VERB_SET_IP] = "set-ip",
    };

    buf_addf(to, "ctl %s", verb[c->verb]);
    if (c->force)
        buf_addf(to, " --force");
    if (c->lost >= 0 && c->verb == VERB_MOVE_ROLE)
        buf_addf(to, " --lost %s", host_of(e, c->lost));
    for (int h = 0; h < (int)e->conf.names.hosts; h++)
        if (c->accept_loss >> h & 1 && c->verb == VERB_MOVE_ROLE)
            buf_addf(to, " --accept-loss %s", host_of(e, h));
    if (c->verb == VERB_MODE)
        buf_addf(to, " %s", mode_names[c->mode]);
    if (c->verb == VERB_MOVE_ROLE)
        buf_addf(to, " %s", e->conf.role[c->role].name);
    if (c->verb == VERB_SET_IP)
        buf_addf(to, " %s", e->conf.names.slot[c->slot]);
    if (c->verb != VERB_MODE)
        buf_addf(to, " %s", host_of(e, c->host));
}

void replay_words_input(struct buf *to, const struct engine *e, const struct engine_event *ev)
{
    switch (ev->kind) {
    case EV_START:
        buf_addf(to, "the start%s%s",
                 ev->start.durable ? ", with its journal" : ", without a journal",
                 ev->start.take_over ? ", told to take over" : "");
        return;
    case EV_TIME:
        buf_addf(to, "time");
        return;
    case EV_CHECK:
        buf_addf(to, "check %s of %s: ", check_names[ev->check.check], host_of(e, ev->check.host));
        add_clean(to, ev->check.message);
        return;
    case EV_LINK:
        buf_addf(to, "a connection to the agent of %s", host_of(e, ev->agent.host));
        return;
    case EV_UNLINK:
        buf_addf(to, "the end of the connection to the agent of %s", host_of(e, ev->agent.host));
        return;
    case EV_REPORT:
        buf_addf(to, "a report of %s", host_of(e, ev->agent.host));
        return;
    case EV_LEASE:
        buf_addf(to, "a request for leases of %s", host_of(e, ev->agent.host));
        return;
    case EV_REFUSED:
        buf_addf(to, "a refusal of %s", host_of(e, ev->agent.host));
        return;
    case EV_COMMAND:
        words_command(to, e, &ev->command);
        return;
    case EV_NETWORK:
        buf_addf(to, "the monitor's network is %s: ", ev->network.up ? "up" : "down");
        add_clean(to, ev->network.message ? ev->network.message : "");
        return;
    case EV_KILLED:
        buf_addf(to, "kill_host %s of %s: ", ev->killed.ok ? "has done it" : "failed",
                 host_of(e, ev->killed.host));
        add_clean(to, ev->killed.message ? ev->killed.message : "");
        return;
    }
}

void replay_words_time(struct buf *to, int64_t ms)
{
    int64_t minutes = ms / 60000;

    if (minutes >= 60)
        buf_addf(to, "%" PRId64 " h ", minutes / 60);
    if (minutes)
        buf_addf(to, "%" PRId64 " min ", minutes % 60);
    buf_addf(to, "%" PRId64 ".%03" PRId64 " s", ms / 1000 % 60, ms % 1000);
}
