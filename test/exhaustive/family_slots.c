/* SPDX-License-Identifier: GPL-2.0-or-later
 * The writer's slot: every way in which it may be held or not, and everything that decides who gets
 * it when nobody holds it. */
#include "exhaustive/exhaustive.h"

static void draw_held(struct sit_slot *x)
{
    switch (choice_of(5)) {
    case 0:
        x->adopted = true;
        break;
    case 1:
        break;
    case 2:
        x->arrived = false;
        x->late = true;
        break;
    case 3:
        x->releasing = true;
        break;
    default:
        x->releasing = x->fence = true;
    }
}

/* db1 holds it or nobody does; both may say anything. */
static bool draw_writer(void)
{
    static const enum host_state other[] = {ONLINE, REPLICATION_FAIL, HARD_OFFLINE};
    struct sit_slot *x = &sit.slot[0];

    sit_fine(&sit);
    sit.mode = (enum mode)choice_of(MODE_N);
    x->holder = choice_of(2) ? -1 : 0;
    x->target = (int)choice_of(3) - 1;
    if (x->holder >= 0) {
        draw_held(x);
    } else {
        x->arrived = false;
        x->last = (int)choice_of(2) - 1;
    }
    sit.kill = x->holder >= 0;
    sit_state(&sit.host[0], (enum host_state)choice_of(HOST_STATE_N));
    sit_state(&sit.host[1], other[choice_of(3)]);
    for (int h = 0; h < 2; h++) {
        sit.host[h].agent = choice_of(2) ? A_GONE : A_LIVE;
        sit_draw_slot(&sit.host[h], 0);
    }
    sit.grace = x->holder == 0 && sit.host[0].fate[0] == F_OVER && choice_of(2);
    if (x->holder == 0 && sit.host[0].state == HARD_OFFLINE && choice_of(2))
        sit.host[0].check[CK_MYSQL] = V_FRESH;
    return true;
}

static void run_writer(void)
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

/* Nobody holds it; db1 may have held it. */
static bool draw_choice(void)
{
    static const enum roles_are roles[] = {R_ALL, R_PREFER, R_KEEP};
    static const char *const gtid[][2] = {
        {"0-1-5", "0-1-5"}, {"0-1-5", "0-1-7"}, {"0-1-7", "0-1-5"}, {"0-1-5,1-1-2", "0-1-7"}};
    struct sit_slot *x = &sit.slot[0];
    unsigned most;

    sit_fine(&sit);
    sit.mode = (enum mode)choice_of(MODE_N);
    sit.roles = roles[choice_of(ARRAY_LEN(roles))];
    x->holder = -1;
    x->arrived = false;
    x->last = (int)choice_of(2) - 1;
    for (int h = 0; h < 2; h++) {
        struct sit_host *t = &sit.host[h];

        sit_state(t, (enum host_state)choice_of(HOST_STATE_N));
        t->agent = choice_of(2) == 0 ? A_LIVE : h ? A_UNHEARD : A_GONE;
        t->said[0] = t->agent == A_LIVE ? SAID_ENDED : SAID_NONE;
        t->fate[0] = t->agent == A_LIVE ? F_OUT : (enum fate)choice_of(3);
        t->server = t->agent == A_LIVE && h ? (enum server_is)choice_of(3) : S_UP;
        t->compared = t->agent == A_LIVE && h && choice_of(2) ? C_EXTRA : C_CLEAN;
    }
    if (sit.host[1].agent == A_LIVE) {
        sit.host[1].stale = choice_of(2);
        sit.host[1].promised = choice_of(2);
        x->target = choice_of(2) ? 1 : -1;
        x->forced = x->target == 1 && choice_of(2);
    }
    most = sit.host[0].agent == A_LIVE && sit.host[1].agent == A_LIVE ? ARRAY_LEN(gtid) : 1;
    most = choice_of(most);
    sit.host[0].gtid = gtid[most][0];
    sit.host[1].gtid = gtid[most][1];
    sit.grace = sit.host[0].fate[0] == F_OVER && choice_of(2);
    return true;
}

static void run_choice(void)
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

/* Hosts say that they hold it, of which the engine doesn't know. */
static bool draw_found(void)
{
    sit_fine(&sit);
    sit.mode = (enum mode)choice_of(MODE_N);
    sit.roles = choice_of(2) ? R_KEEP : R_ALL;
    sit.careful = choice_of(2);
    sit.journal = (int)choice_of(3) - 1;
    switch (choice_of(3)) {
    case 1:
        sit.network_down = true;
        break;
    case 2:
        sit.reign = REIGN_DEPOSED;
    }
    for (int s = 0; s < SLOTS; s++) {
        sit.slot[s].holder = s == 2 ? 2 : -1;
        sit.slot[s].arrived = s == 2;
    }
    for (int h = 0; h < 2; h++) {
        sit_state(&sit.host[h], sit.careful ? UNKNOWN : ONLINE);
        sit.host[h].agent = choice_of(2) ? A_GONE : A_LIVE;
        sit_draw_slot(&sit.host[h], 0);
        sit.host[h].said[1] = sit.host[h].agent == A_LIVE && choice_of(2) ? SAID_HELD : SAID_ENDED;
    }
    return true;
}

static void run_found(void)
{
    world_set();
    world_round();
    if (sampled(16))
        judge_words();
    if (sampled(397))
        world_goes_on();
}

const struct family family_writer = {
    "writer", "the writer's slot: held, leaving, free; who says what", draw_writer, run_writer};
const struct family family_choice = {"choice", "nobody holds it: states, agents, leases, GTIDs",
                                     draw_choice, run_choice};
const struct family family_found = {"found", "hosts that hold it, the engine doesn't know",
                                    draw_found, run_found};
