/* SPDX-License-Identifier: GPL-2.0-or-later
 * Every state of small clusters through the engines. A family (family_*.c) draws a situation from
 * choice_of(), choice by choice until all were seen; world.c makes an engine of it and steps it,
 * judge.c says after each step whether what must hold does. Three hosts: db1 and db2 may be the
 * writer (slot 0), db3 is a replica; slots 1 and 2 are addresses of the readers. */
#pragma once

#include "base/check.h"
#include "engine/agent.h"
#include "engine/engine.h"

enum { HOSTS = 3, SLOTS = 3, LEASE = 2000, NOW = 10000000, WALL = 900000000, EPOCH = 5 };

/* ---- choices: all of them, one after the other ---- */

unsigned choice_of(unsigned n); /* 0 .. n-1 */
void choice_begin(void);
bool choice_more(void);
const char *choice_trail(void); /* the choices taken, as "0.3.1" */
void choice_fix(const char *trail);

/* ---- a situation ---- */

enum verdict {
    V_GOOD,
    V_BAD,
    V_UNKNOWN,
    V_SHAKY, /* good, though the last answer was not */
    V_FRESH, /* bad, but the agent has not been heard since the errors began */
};
enum agent_is { A_LIVE, A_UNHEARD /* linked */, A_GONE };
enum server_is { S_UP, S_DEAD, S_UNASKED /* up, its agent has not asked it yet */ };
enum disk_is { D_ROOM, D_FULL_LATELY, D_FULL };
enum compared { C_CLEAN, C_NOT, C_EXTRA };
enum said {
    SAID_ENDED,
    SAID_NONE /* and names no ended serial */,
    SAID_WANTED,
    SAID_HELD,
    SAID_HELD_BARE /* without lease */,
    SAID_LEAVING,
    SAID_N
};
enum fate { F_OUT /* surely holds nothing */, F_RUNNING /* may hold it */, F_OVER };

struct sit_host {
    enum host_state state;
    enum agent_is agent;
    enum verdict check[CK_N];
    enum server_is server;
    enum compared compared;
    bool flapping, returning, recent, calm, unsteady, behind, reboot;
    bool promised, stale; /* stale: outside of what the others need promises of */
    enum said said[SLOTS];
    enum fate fate[SLOTS];
    const char *gtid;
    enum tail tail; /* of a dead server */
    bool unsalvaged;
    enum disk_is disk;
};
struct sit_slot {
    int holder, target, last;
    unsigned accepted; /* 1 + host whose loss the operator accepted; 0 nobody */
    bool adopted, releasing, fence, forced, arrived, pinned, late;
};
enum roles_are { R_ALL, R_TWO, R_PREFER, R_RESORT_KEEP, R_RESORT_NONE, R_KEEP, R_N };
/* How long everybody has been applying: not at all, so that the dead is still waited for, longer
 * than anybody is. */
enum gathered { GATHERED_NOT, GATHERED_LIVE, GATHERED_ALL, GATHERED_N };
struct sit {
    enum roles_are roles;
    enum data_loss data_loss;
    enum gathered gathered;
    enum mode mode;
    bool network_down, grace, careful, kill;
    int64_t auto_set_online_ms;
    int journal;
    enum reign reign;
    struct sit_host host[HOSTS];
    struct sit_slot slot[SLOTS];
    enum move_phase phase;
    int move_slot, move_from, move_to;
    bool move_late;
};

/* All is well: db1 is the writer, db2 and db3 follow it and have the readers' addresses. */
void sit_fine(struct sit *t);
/* The checks that a host in this state has failed. */
void sit_state(struct sit_host *h, enum host_state state);
/* Draws what an agent may say of a slot, with what follows from it. */
void sit_draw_slot(struct sit_host *h, int slot);
void sit_print(const struct sit *t);

/* ---- the engine in it ---- */

extern struct engine engine;
extern struct sit sit; /* the one drawn */

void world_start(void);
void world_set(void); /* the engine as `sit` says */
void world_time(int64_t ms_later);
void world_report(int h);
void world_lease(int h);
void world_command(const struct engine_command *c);
void world_obey(int h); /* the agent did as it was last ordered, and says so */
/* EV_TIME, then what each live agent says, asks for, EV_TIME: all judged. */
void world_round(void);

/* ---- judging ---- */

struct before {
    enum mode mode;
    enum host_state state[HOSTS];
    bool returning[HOSTS], extra[HOSTS], bad[HOSTS][CK_N];
    uint64_t serial[HOSTS], persisted;
    struct msg_order order[HOSTS];
    struct slot slot[SLOTS];
    enum move_phase phase;
};

#define MUST(x, ...) ((x) ? (void)0 : broken(#x, __VA_ARGS__))
_Noreturn void broken(const char *what, const char *fmt, ...) PRINTF_LIKE(2, 3);

void judge_start(void); /* of a situation */
void judge_before(struct before *b);
void judge_step(const struct before *b, const struct engine_event *ev, const struct plan *p);
void judge_states(const struct before *b, const struct engine_event *ev);
void judge_orders_start(void);
void judge_orders(const struct before *b, const struct plan *p);
void judge_words(void);
void judge_kind(enum action_kind kind);

/* ---- families ---- */

struct family {
    const char *name, *what;
    bool (*draw)(void); /* the next situation; false: makes no sense */
    void (*run)(void);  /* steps and judges it */
};
extern const struct family family_hosts, family_tail, family_writer, family_choice, family_readers,
    family_moves, family_commands, family_found, family_orders, family_full;
/* Shapes of orders seen, for family_orders. */
void shape_seen(const struct msg_order *o);
bool shape_is(unsigned i);
enum { SHAPES = 8 * 3 * 4 * 2 * 2 * 2 };
void shape_of(unsigned i, struct msg_order *o);
extern uint64_t world_steps;
void rules_seen(void); /* those of the last step */
/* One of n, by number of situation: what is too slow to do for each. */
bool sampled(unsigned n);
/* All agents obey for four seconds; then whoever can be served is. */
void world_goes_on(void);
