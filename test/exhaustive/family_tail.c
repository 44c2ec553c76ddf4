/* SPDX-License-Identifier: GPL-2.0-or-later
 * db1 wrote last and has let go; db2 shall follow: what db1 may have that db2 lacks, what becomes
 * of reading its binary log, and what data_loss says. */
#include "exhaustive/exhaustive.h"

static bool draw_tail(void)
{
    static const char *const gtid[] = {"0-1-5", "0-1-7"};
    static const enum host_state states[] = {HARD_OFFLINE, AWAITING_RECOVERY, ONLINE};
    struct sit_host *was = &sit.host[0], *next = &sit.host[1];
    struct sit_slot *x = &sit.slot[0];

    sit_fine(&sit);
    sit.mode = choice_of(2) ? MODE_MANUAL : MODE_ACTIVE;
    sit.data_loss = (enum data_loss)choice_of(3);
    sit.gathered = (enum gathered)choice_of(GATHERED_N);
    x->holder = -1;
    x->arrived = false;
    x->last = 0;
    x->accepted = choice_of(3); /* nobody, db1, db2 */
    x->target = choice_of(2) ? 1 : -1;
    x->forced = x->target == 1 && choice_of(2);
    sit_state(was, states[choice_of(3)]);
    was->agent = choice_of(2) ? A_GONE : A_LIVE;
    was->server = was->agent == A_LIVE ? (enum server_is)choice_of(3) : S_UP;
    was->tail = was->server == S_DEAD ? (enum tail)choice_of(TAIL_N) : TAIL_NONE;
    was->said[0] = was->agent == A_LIVE ? SAID_ENDED : SAID_NONE;
    was->fate[0] = was->agent == A_LIVE ? F_OUT : F_OVER;
    was->gtid = gtid[choice_of(2)];
    next->said[0] = SAID_ENDED;
    next->fate[0] = F_OUT;
    next->gtid = gtid[choice_of(2)];
    next->unsalvaged = was->tail == TAIL_READY && choice_of(2);
    sit.host[2].gtid = gtid[choice_of(2)];
    return true;
}

static void run_tail(void)
{
    world_set();
    world_time(50);
    judge_words();
    world_round();
}

const struct family family_tail = {"tail", "what the last writer alone may have", draw_tail,
                                   run_tail};
