/* SPDX-License-Identifier: GPL-2.0-or-later
 * Everything that decides one host's state, in six situations of the others. */
#include "exhaustive/exhaustive.h"

enum { SUBJECT = 1 };

/* 0 db1 is the writer; 1 it has just become ONLINE; 2 it holds and is not heard; 3 nobody holds;
 * 4 the subject is the writer; 5 the monitor's network is down. */
static void draw_others(void)
{
    unsigned scene = choice_of(6);
    struct sit_host *writer = &sit.host[0];
    struct sit_slot *slot = &sit.slot[0];

    writer->recent = scene == 1;
    sit.network_down = scene == 5;
    if (scene == 2)
        writer->agent = A_GONE;
    if (scene != 3 && scene != 4)
        return;
    sit_state(writer, HARD_OFFLINE);
    writer->agent = A_GONE;
    writer->said[0] = SAID_NONE;
    slot->last = 0;
    slot->holder = scene == 4 ? SUBJECT : -1;
    sit.host[SUBJECT].said[0] = scene == 4 ? SAID_HELD : SAID_ENDED;
    sit.host[SUBJECT].fate[0] = scene == 4 ? F_RUNNING : F_OUT;
    slot->arrived = scene == 4;
}

static void draw_recovery(struct sit_host *h)
{
    if (h->state == AWAITING_RECOVERY) {
        static const int64_t automatic[] = {0, 0, 100000, 100000000, 1};

        sit.auto_set_online_ms = automatic[choice_of(5)];
        h->reboot = choice_of(2);
        h->recent = !h->reboot && choice_of(2);
        h->calm = h->flapping && !h->recent && choice_of(2);
    }
    if (h->state == REPLICATION_DELAY || h->state == REPLICATION_FAIL) {
        h->unsteady = choice_of(2);
        h->behind = h->check[CK_REP_BACKLOG] == V_GOOD && choice_of(2);
    }
}

static bool draw(void)
{
    static const enum verdict alive[][2] = {
        {V_GOOD, V_GOOD}, {V_BAD, V_GOOD}, {V_GOOD, V_BAD}, {V_UNKNOWN, V_GOOD}, {V_GOOD, V_SHAKY}};
    struct sit_host *h = &sit.host[SUBJECT];
    unsigned is = 0;

    sit_fine(&sit);
    h->state = (enum host_state)choice_of(HOST_STATE_N);
    draw_others();
    is = choice_of(ARRAY_LEN(alive));
    h->check[CK_PING] = alive[is][0];
    h->check[CK_MYSQL] = alive[is][1];
    h->check[CK_REP_THREADS] = (enum verdict)choice_of(3);
    h->check[CK_REP_BACKLOG] = (enum verdict)choice_of(3);
    h->agent = (enum agent_is)choice_of(3);
    h->server = (enum server_is)choice_of(3);
    h->compared = (enum compared)choice_of(3);
    h->flapping = choice_of(2);
    h->returning = choice_of(2);
    if (h->agent != A_LIVE)
        h->said[0] = SAID_NONE;
    draw_recovery(h);
    return true;
}

static void run(void)
{
    world_set();
    world_time(50);
    if (sampled(16))
        judge_words();
    if (sit.host[SUBJECT].agent == A_LIVE && sampled(4))
        world_report(SUBJECT);
    if (sampled(997))
        world_goes_on();
}

const struct family family_hosts = {"hosts", "one host's checks, agent, past; six kinds of others",
                                    draw, run};
