/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/talk.h"

#include "base/clock.h"
#include "loop/closer.h"
#include "loop/timer.h"
#include "net/peer.h"
#include "proto/codec.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/*   NEXT -> CONNECT -> HELLO -> ANSWERS -> END      not reached: CONNECT, HELLO -> NEXT */
enum talk_state { TALK_NEXT, TALK_CONNECT, TALK_HELLO, TALK_ANSWERS, TALK_END, TALK_N };

struct talk {
    const struct talk_with *with;
    enum talk_state state;
    uv_loop_t loop;
    uv_timer_t limit;
    uv_signal_t interrupt;
    struct closer closer;
    struct peer *peer; /* NULL: none, or its on_down has come */
    unsigned place;
    int64_t deadline; /* for being reached */
    struct err tried; /* what every place said */
    struct err *e;
};

static void talk_next(struct talk *t);

static void talk_move(struct talk *t, enum talk_state to)
{
    static const unsigned allowed[TALK_N] = {
        [TALK_NEXT] = 1u << TALK_CONNECT | 1u << TALK_NEXT | 1u << TALK_END,
        [TALK_CONNECT] = 1u << TALK_HELLO | 1u << TALK_NEXT | 1u << TALK_END,
        [TALK_HELLO] = 1u << TALK_ANSWERS | 1u << TALK_NEXT | 1u << TALK_END,
        [TALK_ANSWERS] = 1u << TALK_END,
    };
    CHECK(allowed[t->state] & 1u << to);
    t->state = to;
}

static void talk_nothing(struct closer *c)
{
    (void)c;
}

/* The one way out: what follows is closing, and the loop ends by itself. */
static void talk_end(struct talk *t)
{
    if (t->state == TALK_END)
        return;
    talk_move(t, TALK_END);
    if (t->peer)
        peer_close(t->peer, "done");
    closer_handle(&t->closer, (uv_handle_t *)&t->limit);
    closer_handle(&t->closer, (uv_handle_t *)&t->interrupt);
    closer_end(&t->closer, talk_nothing);
}

/* After the command has left, a failure says that nobody knows what became of it. */
static void talk_lost(struct talk *t, const char *why)
{
    if (t->with->endless)
        err_set(t->e, -EIO, "%s: the connection ended: %s", t->with->place[t->place].name, why);
    else
        err_set(t->e, -EIO, "%s: no answer to the command: %s; see hamm ctl status",
                t->with->place[t->place].name, why);
    talk_end(t);
}

static void talk_refused(struct talk *t, const char *why)
{
    struct err before = t->tried;

    err_set(&t->tried, -EHOSTUNREACH, "%s%s%s: %s", before.msg, *before.msg ? "\n  " : "",
            t->with->place[t->place].name, why);
}

static bool talk_send(struct talk *t, const struct msg *m, struct err *e)
{
    static const struct names none;
    char frame[MSG_FRAME_MAX];
    size_t len = 0;

    if (msg_encode(m, &none, frame, sizeof frame, &len, e))
        return false;
    if (peer_send(t->peer, frame, len))
        return err_set(e, -EIO, "the connection is gone") == 0;
    return true;
}

static int64_t talk_patience(const struct talk *t)
{
    return t->with->patience_ms ? t->with->patience_ms : TALK_FIRST_MS;
}

static void talk_on_limit(uv_timer_t *timer)
{
    struct talk *t = timer->data;
    char why[64];

    if (t->state == TALK_ANSWERS) {
        snprintf(why, sizeof why, "waited %lld ms", (long long)talk_patience(t));
        talk_lost(t, why);
    } else {
        peer_close(t->peer, "connected, but the monitor does not answer; is it stopped or hung?");
    }
}

static void talk_on_interrupt(uv_signal_t *s, int number)
{
    (void)number;
    talk_end(s->data);
}

/* --- the conversation ----------------------------------------------------------------------- */

static void talk_on_up(struct peer *p, void *owner)
{
    struct talk *t = owner;
    struct msg m = {.kind = MSG_HELLO,
                    .hello = {.version = PROTOCOL_VERSION, .speaker = SPEAKER_CTL, .heard_ms = -1}};
    struct err e = {0};

    (void)p;
    snprintf(m.hello.cluster, sizeof m.hello.cluster, "%s", t->with->cluster);
    snprintf(m.hello.name, sizeof m.hello.name, "ctl");
    talk_move(t, TALK_HELLO);
    if (!talk_send(t, &m, &e))
        peer_close(t->peer, e.msg);
}

static void talk_hello(struct talk *t)
{
    struct msg m = {.kind = MSG_COMMAND, .command = *t->with->command};
    struct err e = {0};

    m.command.id = 1;
    talk_move(t, TALK_ANSWERS);
    if (talk_send(t, &m, &e))
        timer_in(&t->limit, talk_patience(t), talk_on_limit);
    else
        talk_lost(t, e.msg);
}

static void talk_answer(struct talk *t, const struct msg_answer *a)
{
    if (!t->with->on_answer(t->with->owner, a) || !a->more) {
        talk_end(t);
        return;
    }
    if (t->with->endless)
        uv_timer_stop(&t->limit);
    else if (!t->with->patience_ms)
        timer_in(&t->limit, TALK_FIRST_MS, talk_on_limit);
}

static void talk_on_frame(struct peer *p, void *owner, const void *data, size_t len)
{
    static const struct names none;
    struct talk *t = owner;
    struct msg m;
    struct err e = {0};

    if (t->state == TALK_END)
        return;
    if (msg_decode(&m, &none, data, len, &e))
        peer_close(p, e.msg);
    else if (m.kind == MSG_ANSWER && !m.answer.id) /* not our turn at all: refused at the door */
        talk_answer(t, &m.answer);
    else if (m.kind == MSG_HELLO && t->state == TALK_HELLO)
        talk_hello(t);
    else if (m.kind == MSG_ANSWER && t->state == TALK_ANSWERS)
        talk_answer(t, &m.answer);
    else
        peer_close(p, "it does not talk like a monitor; is that port hamm's?");
}

static void talk_on_down(struct peer *p, void *owner, const char *why)
{
    struct talk *t = owner;

    (void)p;
    t->peer = NULL;
    closer_sub(&t->closer);
    if (t->state == TALK_ANSWERS) {
        talk_lost(t, why);
    } else if (t->state != TALK_END) {
        talk_refused(t, why);
        talk_move(t, TALK_NEXT);
        t->place++;
        talk_next(t);
    }
}

static const struct peer_ops talk_ops = {
    .on_up = talk_on_up, .on_frame = talk_on_frame, .on_down = talk_on_down};

static void talk_next(struct talk *t)
{
    const struct talk_with *w = t->with;
    int64_t left = t->deadline - clock_boot_ms();
    struct err e = {0};

    for (; t->place < w->places; t->place++) {
        int64_t part = left / (w->places - t->place);
        t->peer = peer_connect(&t->loop, w->place[t->place].tls,
                               (const struct sockaddr *)&w->place[t->place].at,
                               clock_boot_ms() + part, &talk_ops, t, &e);
        if (t->peer) {
            closer_add(&t->closer);
            talk_move(t, TALK_CONNECT);
            /* a little later than the connection's own deadline, whose sentence is better */
            timer_in(&t->limit, part + 50, talk_on_limit);
            return;
        }
        talk_refused(t, e.msg);
    }
    err_set(t->e, -EHOSTUNREACH, "%s", t->tried.msg);
    talk_end(t);
}

int talk(const struct talk_with *with, struct err *e)
{
    struct talk t = {.with = with, .e = e, .deadline = clock_boot_ms() + TALK_FIRST_MS};

    *e = (struct err){0};
    CHECK(uv_loop_init(&t.loop) == 0);
    CHECK(uv_timer_init(&t.loop, &t.limit) == 0);
    CHECK(uv_signal_init(&t.loop, &t.interrupt) == 0);
    t.limit.data = t.interrupt.data = &t;
    closer_add(&t.closer);
    closer_add(&t.closer);
    if (with->endless)
        (void)uv_signal_start(&t.interrupt, talk_on_interrupt, SIGINT); /* else it ends as usual */
    talk_next(&t);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&t.loop) == 0);
    return e->code;
}
