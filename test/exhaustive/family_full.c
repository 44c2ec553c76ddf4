/* SPDX-License-Identifier: GPL-2.0-or-later
 * db1 is the writer, or was it, and its disk is full: whether db2 gets the role depends on db2. */
#include "exhaustive/exhaustive.h"

static void draw_writer(struct sit_host *was, struct sit_slot *x)
{
    static const enum host_state states[] = {ONLINE, HARD_OFFLINE, ADMIN_OFFLINE};

    sit_state(was, states[choice_of(3)]);
    was->disk = choice_of(2) ? D_FULL : D_FULL_LATELY;
    was->agent = choice_of(2) ? A_GONE : A_LIVE;
    was->server = was->agent == A_LIVE ? (enum server_is)choice_of(3) : S_UP;
    x->holder = choice_of(2) ? -1 : 0;
    if (x->holder < 0) {
        x->last = 0;
        x->arrived = false;
        was->said[0] = was->agent == A_LIVE ? SAID_ENDED : SAID_NONE;
        was->fate[0] = was->agent == A_LIVE ? F_OUT : F_OVER;
    } else {
        x->adopted = choice_of(2);
        x->arrived = x->adopted || choice_of(2);
        x->late = !x->arrived && choice_of(2);
        x->target = choice_of(2) ? 1 : -1;
        was->fate[0] = choice_of(2) ? F_OVER : F_RUNNING;
    }
}

static bool draw_full(void)
{
    static const enum host_state states[] = {ONLINE, REPLICATION_DELAY, HARD_OFFLINE};
    struct sit_host *next = &sit.host[1];

    sit_fine(&sit);
    sit.mode = (enum mode)choice_of(MODE_N);
    sit.network_down = choice_of(2);
    draw_writer(&sit.host[0], &sit.slot[0]);
    sit_state(next, states[choice_of(3)]);
    next->disk = choice_of(2) ? D_FULL : D_ROOM;
    next->agent = choice_of(2) ? A_GONE : A_LIVE;
    next->server = next->agent == A_LIVE ? (enum server_is)choice_of(3) : S_UP;
    next->compared = choice_of(2) ? C_EXTRA : C_CLEAN;
    next->promised = next->agent == A_LIVE && choice_of(2);
    return true;
}

static void run_full(void)
{
    world_set();
    world_time(50);
    if (sampled(8))
        judge_words();
    world_round();
    if (sampled(397))
        world_goes_on();
}

const struct family family_full = {"full", "a writer whose disk is full", draw_full, run_full};
