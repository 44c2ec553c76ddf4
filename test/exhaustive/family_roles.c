/* SPDX-License-Identifier: GPL-2.0-or-later
 * Readers, planned moves, the operator's commands. */
#include "exhaustive/exhaustive.h"

#include <stdio.h>

/* ---- two readers' addresses anywhere ---- */

static bool draw_readers(void)
{
    static const enum host_state state[] = {ONLINE, REPLICATION_FAIL, HARD_OFFLINE, ADMIN_OFFLINE};
    static const enum roles_are roles[] = {R_ALL, R_TWO, R_RESORT_KEEP, R_RESORT_NONE, R_PREFER};

    sit_fine(&sit);
    sit.mode = (enum mode)choice_of(MODE_N);
    sit.roles = roles[choice_of(ARRAY_LEN(roles))];
    for (int h = 0; h < HOSTS; h++) {
        struct sit_host *t = &sit.host[h];

        sit_state(t, state[choice_of(h ? 4 : 3)]);
        t->agent = choice_of(2) ? A_GONE : A_LIVE;
        for (int s = 1; s < SLOTS; s++) {
            t->said[s] = t->agent == A_LIVE ? SAID_ENDED : SAID_NONE;
            t->fate[s] = F_OUT;
        }
    }
    if (sit.roles == R_PREFER) { /* db1 is preferred, db2 has it */
        sit.slot[0].holder = 1;
        sit.slot[0].pinned = choice_of(2);
        sit.host[0].said[0] = SAID_ENDED;
        sit.host[0].fate[0] = F_OUT;
        sit.host[1].said[0] = SAID_HELD;
        sit.host[1].fate[0] = F_RUNNING;
    }
    for (int s = 1; s < SLOTS; s++) {
        struct sit_slot *x = &sit.slot[s];

        *x = (struct sit_slot){(int)choice_of(4) - 1, -1, 2, .arrived = true};
        if (x->holder < 0)
            continue;
        sit.host[x->holder].said[s] = sit.host[x->holder].agent == A_LIVE ? SAID_HELD : SAID_NONE;
        sit.host[x->holder].fate[s] =
            sit.host[x->holder].agent != A_LIVE && choice_of(2) ? F_OVER : F_RUNNING;
    }
    return true;
}

static void run_readers(void)
{
    world_set();
    world_time(50);
    if (sampled(16))
        judge_words();
    if (sampled(8))
        world_round();
    if (sampled(197))
        world_goes_on();
}

/* ---- a planned move, in each phase ---- */

static bool draw_moves(void)
{
    static const enum host_state state[] = {ONLINE, HARD_OFFLINE, ADMIN_OFFLINE, REPLICATION_DELAY};
    int s, from;
    struct sit_slot *x;

    sit_fine(&sit);
    s = sit.move_slot = (int)choice_of(2);
    x = &sit.slot[s];
    from = sit.move_from = (int)choice_of(2);
    sit.move_to = 1 - from;
    sit.mode = (enum mode)choice_of(MODE_N);
    sit.phase = (enum move_phase)(MOVE_LAG + choice_of(4));
    sit.move_late = choice_of(2);
    x->arrived = false;
    switch (sit.phase) {
    case MOVE_LAG:
        x->holder = from;
        x->arrived = true;
        x->adopted = choice_of(2);
        break;
    case MOVE_RELEASE:
        x->holder = from;
        x->target = sit.move_to;
        x->releasing = x->arrived = true;
        break;
    case MOVE_PROMOTE:
        x->holder = choice_of(2) ? sit.move_to : -1;
        x->target = x->holder < 0 ? sit.move_to : -1;
        x->last = from;
        break;
    default:
        x->holder = choice_of(2) ? from : choice_of(2) ? sit.move_to : -1;
        x->releasing = x->holder == sit.move_to;
        x->target = x->holder == from ? -1 : from;
    }
    x->forced = s == 0 && choice_of(2);
    for (int h = 0; h < 2; h++) {
        sit_state(&sit.host[h], state[choice_of(h == from ? 2 : 4)]);
        sit.host[h].agent = choice_of(2) ? A_GONE : A_LIVE;
        sit_draw_slot(&sit.host[h], s);
    }
    return true;
}

static void run_moves(void)
{
    world_set();
    world_time(50);
    if (sampled(16))
        judge_words();
    if (sampled(8))
        world_round();
    if (sampled(397))
        world_goes_on();
}

/* ---- commands ---- */

static struct engine_command command;

static void draw_command(void)
{
    command = (struct engine_command){.id = 77, .verb = (enum verb)choice_of(5), .lost = -1};
    switch (command.verb) {
    case VERB_MODE:
        command.mode = (enum mode)choice_of(MODE_N);
        return;
    case VERB_SET_ONLINE:
    case VERB_SET_OFFLINE:
        command.host = (int)choice_of(HOSTS);
        return;
    case VERB_MOVE_ROLE:
        command.role = (int)choice_of(2);
        command.host = (int)choice_of(HOSTS);
        command.force = choice_of(2);
        command.lost = command.force ? (int)choice_of(HOSTS + 1) - 1 : -1;
        return;
    case VERB_SET_IP:
        command.slot = (int)choice_of(SLOTS);
        command.host = (int)choice_of(HOSTS);
        return;
    }
}

static bool draw_commands(void)
{
    sit_fine(&sit);
    draw_command();
    sit.mode = (enum mode)choice_of(MODE_N);
    sit.reign = choice_of(2) ? REIGN_DEPOSED : REIGN_YES;
    if (sit.reign == REIGN_DEPOSED)
        return true;
    sit.slot[0].holder = choice_of(2) ? -1 : 0;
    sit.slot[0].arrived = sit.slot[0].holder == 0;
    sit.slot[0].last = 0;
    sit.phase = sit.slot[0].holder == 0 && choice_of(2) ? MOVE_LAG : MOVE_NONE;
    sit.move_to = 1;
    for (int h = 0; h < 2; h++) {
        struct sit_host *t = &sit.host[h];

        sit_state(t, (enum host_state)choice_of(HOST_STATE_N));
        t->agent = choice_of(2) ? A_GONE : A_LIVE;
        t->compared = t->state == REPLICATION_FAIL && choice_of(2) ? C_EXTRA : C_CLEAN;
        if (t->agent == A_GONE) {
            t->said[0] = SAID_NONE;
            t->fate[0] = h == 0 && choice_of(2) ? F_OVER : F_RUNNING;
        } else if (h != sit.slot[0].holder) {
            t->said[0] = SAID_ENDED;
            t->fate[0] = F_OUT;
        }
    }
    return true;
}

static void run_commands(void)
{
    world_set();
    world_command(&command);
    world_time(0);
    if (sampled(16))
        judge_words();
    if (sampled(8))
        world_round();
    if (sampled(197))
        world_goes_on();
}

const struct family family_readers = {"readers", "two addresses of the readers, anywhere",
                                      draw_readers, run_readers};
const struct family family_moves = {"moves", "a planned move in each phase", draw_moves, run_moves};
const struct family family_commands = {"commands", "every command", draw_commands, run_commands};
