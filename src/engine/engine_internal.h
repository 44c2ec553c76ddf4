/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the files of the monitor's engine say to each other:
 *   engine.c  events in, journal     reign.c   epochs, who reigns    trap.c    checks
 *   states.c  host states            slots.c   who holds what        choose.c  candidates
 *   slot_rules.c  when slots change  role_rules.c  balance, prefer   gather.c  who has most
 *   tail.c    what a dead writer left                              place.c   file and position
 *   orders.c  what agents are told   move.c    planned moves         fit.c     who is barred
 *   story.c   how a change of writer goes                      receipt.c what it cost
 *   command.c what operators order      news.c    what must be judged at once
 *   kill.c, explain.c */
#pragma once

#include "base/check.h"
#include "engine/engine.h"
#include "engine/lease.h"

#include <stdio.h>
#include <string.h>

struct gtid_set;

struct action *plan_add(struct plan *p, enum action_kind kind);
void plan_event(struct engine *e, struct plan *p, enum event_level level, int host, const char *fmt,
                ...) PRINTF_LIKE(5, 6);

static inline const char *host_name(const struct engine *e, int h)
{
    return h < 0 ? "nobody" : e->conf.names.host[h];
}
static inline const char *slot_name(const struct engine *e, int s)
{
    return e->conf.names.slot[s];
}
static inline bool slot_writable(const struct engine *e, int s)
{
    return e->conf.role[e->conf.slot_role[s]].writable;
}
/* Reports come each lease/12; longer apart than that, something held them up. */
static inline int64_t report_gap(const struct engine *e)
{
    return e->conf.lease_ms / 12 + 1000;
}
static inline int64_t host_lease(const struct engine *e, int h)
{
    const struct host *x = &e->host[h];

    return lease_on(x->report.start_id ? x->report.gate : e->conf.gate_unheard, e->conf.lease_ms);
}
static inline int64_t host_out(const struct engine *e, int h)
{
    const struct host *x = &e->host[h];

    return lease_out(x->report.start_id ? x->report.gate : e->conf.gate_unheard, host_lease(e, h));
}

/* There is nothing to catch up with there, and it could not take a role back. */
static inline bool host_dead(const struct engine *e, int h)
{
    return e->host[h].dead_since || e->host[h].state == HARD_OFFLINE;
}

/* Most are empty. */
static inline bool text_same(const char *a, const char *b)
{
    return a[0] == b[0] && (!a[0] || strcmp(a, b) == 0);
}

/* A reason is put into words only for whoever reads it. */
#define SAY(why, size, ...) ((why) ? (void)snprintf(why, size, __VA_ARGS__) : (void)0)

int role_slot(const struct engine *e, int role);      /* its first; -1 none */
hostset role_hosts(const struct engine *e, int role); /* as configured */
/* Those, and who stands in for them when none is fit (last_resort: writer). */
hostset role_candidates(const struct engine *e, int role);
int engine_active_slot(const struct engine *e); /* the writable slot; -1 none configured */
/* Linked, heard under this epoch, and lately. */
bool host_live(const struct engine *e, int h);
const struct report_slot *host_report_slot(const struct engine *e, int h, int slot);
bool engine_reigns(const struct engine *e); /* reigning: may order and grant */

/* Silence decides nothing before that. */
void engine_grace(struct engine *e, int64_t until);

/* reign.c */
void reign_begins(struct engine *e, uint64_t epoch, struct plan *p);
void reign_refused(struct engine *e, int h, uint64_t epoch, const char *by, struct plan *p);
void reign_claim(struct engine *e, struct plan *p);

/* news.c */
/* Must it be judged at once, or is it soon enough with the next beat? Before it is taken in. */
bool news_in_report(const struct engine *e, int h, const struct msg_report *r);

/* trap.c */
/* False: it says what the one before said. */
bool trap_result(struct engine *e, const struct engine_event *ev, struct plan *p);
void trap_restart(struct engine *e, int h, enum check c);
void trap_network(struct engine *e, const struct engine_event *ev, struct plan *p);
bool check_good(const struct engine *e, int h, enum check c);
/* It reported: is its disk said to be full, and for how long? */
void trap_disk(struct engine *e, int h);
int64_t trap_disk_left(const struct engine *e, int h); /* until that counts; <= 0 it does */

/* states.c */
void states_work(struct engine *e, struct plan *p);
void state_set(struct engine *e, int h, enum host_state to, const char *why, struct plan *p);

/* choose.c */
bool slot_clear_for(const struct engine *e, int s, int to, char *why, size_t size);
bool slot_fit(const struct engine *e, int s, int h, bool forced, char *why, size_t size);
/* The best of those that are fit, though perhaps not yet clear to take it; -1 nobody, and why. */
int slot_choose(const struct engine *e, int s, char *why, size_t size);
/* Who could take the writable slot at once from a holder that lives, and has all it was seen to
 * have; -1 nobody, and why. */
int slot_heir(const struct engine *e, int s, char *why, size_t size);
/* The regular host of the role with fewest of its addresses that can take this one now; -1. */
int balance_least(const struct engine *e, int role, int s, unsigned *n);
/* When the host is surely out of the slot if nothing more is heard; CLOCK_NEVER with keep. */
int64_t slot_out_at(const struct engine *e, int s, int h);
bool gtid_text_subset(const struct engine *e, int a, const char *text, int b);
void gtid_text_aside(const struct engine *e, int a, const char *text, int b, char *out,
                     size_t size);
void gtid_text_extra(const struct engine *e, int a, const char *text, int b, char *out,
                     size_t size);
/* The same as a set. False: they can't be compared. */
bool gtid_text_less(const struct engine *e, int a, const char *text, int b, struct gtid_set *diff);
/* A difference for people; changes it where MariaDB doesn't say where it begins. */
void gtid_tell_extra(struct gtid_set *diff, char *out, size_t size);

/* fit.c */
void hands_note(struct engine *e, int h, struct plan *p); /* hands.c: it reported */
void fit_note(struct engine *e, int h);                   /* it reported */
/* Never the writer by itself: `why` says why. The operator may force it. */
bool fit_barred(const struct engine *e, int s, int h, char *why, size_t size);
/* Not the writer while its disk is full. */
bool fit_full(const struct engine *e, int h, char *why, size_t size);
/* Can `to` fetch from `from` what it lacks? */
bool fit_lends(const struct engine *e, int from, int to);
/* By its last report what it had acknowledged to clients was held by a replica too. */
bool fit_acknowledged(const struct engine *e, int h);

/* place.c */
enum place_verdict {
    PLACE_UNSURE, /* not all is known yet */
    PLACE_CLEAN,  /* it may follow */
    PLACE_NEVER,  /* it can't, as things are: why */
};
/* Does the host replicate by file and position? */
bool place_used(const struct engine *e, int h);
/* Everything it has, as far as places say it. False: they can't be read. */
bool place_add(const struct engine *e, int h, struct gtid_set *set);
/* For people: uuid/mysql-bin.000005:900 becomes db1 mysql-bin.000005:900. */
void place_tell(const struct engine *e, const char *text, char *out, size_t size);
/* Behind which place of its own log h must look for transactions that w can't have; "" none. */
const char *place_look(const struct engine *e, int h, int w);
/* h, stopped, can still get to where w became the writer. */
bool place_waits(const struct engine *e, int h, int w);
/* May h, stopped, follow the writer w? */
enum place_verdict place_compare(const struct engine *e, int h, int w, char *why, size_t size);
/* Fills in where h has to begin when it follows w. */
void place_follow(const struct engine *e, int h, int w, struct msg_order *o);
/* Could `to` fetch from there, as far as places go? */
bool place_lends(const struct engine *e, int from, int to);

/* gather.c */
enum {
    GATHER_MS = 500,
    FETCH_MS = 5000,            /* nobody alive is waited for longer */
    CLOSING_MS = OBEY_MS + 500, /* by then an agent has killed its server, and said so */
};
/* What is still to be done before `to` may open: nothing, all stop and apply, a dead writer's
 * binary log is being read, fetch from somebody, wait for who does not answer, ask the operator. */
enum gather { GATHER_DONE, GATHER_STOP, GATHER_TAIL, GATHER_FETCH, GATHER_WAIT, GATHER_ASK };
enum gather gather_state(const struct engine *e, int s, int to);
bool gather_open(const struct engine *e, int s, int to);
void gather_go(struct engine *e, int s, int to, struct plan *p);
void gather_end(struct engine *e, int s, int to, struct plan *p);
void gather_waits(const struct engine *e, int s, int to, char *out, size_t size);
void gather_follow(const struct engine *e, int s, int h, struct msg_order *o);

/* tail.c */
bool tail_ready(const struct engine *e, int h);   /* dead, and all its binary log holds is known */
bool tail_coming(const struct engine *e, int h);  /* dead, and its agent is reading it */
bool tail_closing(const struct engine *e, int s); /* the last writer's server is, at the moment */
bool tail_away(const struct engine *e, int h);    /* the same, but its agent is silent now */
bool tail_returned(const struct engine *e, int s, int to); /* the last writer is up, not asked */
bool tail_never(const struct engine *e); /* nothing may be lost but by the operator's word */
/* With data_loss never: the last writer may have what `to` lacks, and nobody accepted that. */
bool tail_unaccepted(const struct engine *e, int s, int to);
void tail_asks(const struct engine *e, int s, int to, char *out, size_t size);
/* A report of h is here, not taken in yet: what can't be had is told once. */
void tail_note(struct engine *e, int h, const struct msg_report *r, struct plan *p);
bool tail_unsalvaged(const struct engine *e, int s, int to); /* it gave up fetching that */
/* Why `to` can't have what h's binary log holds. */
void tail_why(const struct engine *e, int h, int to, char *out, size_t size);
int64_t tail_may_start(const struct engine *e, int h);

/* slots.c */
void slots_report(struct engine *e, int h, struct plan *p);
void slots_lease(struct engine *e, int h, const struct msg_lease *l, struct plan *p);
void slot_assign(struct engine *e, int s, int to, struct plan *p);
void slot_release(struct engine *e, int s, bool fence);
void slot_free(struct engine *e, int s, const char *how, bool silent, struct plan *p);
void electorate_work(struct engine *e, int s);
int64_t slots_deadline(const struct engine *e);

/* slot_rules.c */
void slots_work(struct engine *e, struct plan *p);

/* role_rules.c */
void roles_work(struct engine *e, struct plan *p);

/* story.c */
/* From now on somebody else is wanted in place of `from`; silent: because nothing is heard. */
void story_begins(struct engine *e, int s, int from, bool silent);
void story_moves(struct engine *e); /* a planned move blocks writes */
void story_unplanned(struct engine *e);
/* in_order: what it reports now is all it had. */
void story_released(struct engine *e, int s, int from, bool in_order);
void story_fetches(struct engine *e, int s, int to, int from);
void story_assigned(struct engine *e, int s);
void story_told(struct engine *e, struct plan *p);

/* receipt.c */
void receipt_since(const struct engine *e, int to, char out[SINCE_LEN]);
/* What `to` has more than `before`. */
void receipt_salvaged(const struct engine *e, int to, const char *before, struct receipt_set *out);
/* Of e->story, by what the old writer was last seen to have; *out is zeroed. */
void receipt_known_lost(const struct engine *e, int w, struct receipt_set *out);
void receipt_write(struct engine *e, int w, struct plan *p); /* of e->story; w opened */
void receipt_compared(struct engine *e, int h, int w, struct plan *p);
void receipt_reopened(struct engine *e, int w, struct plan *p); /* w is the writer */

/* kill.c */
void kill_work(struct engine *e, struct plan *p);
void kill_ended(struct engine *e, const struct engine_event *ev, struct plan *p);

/* orders.c */
void orders_work(struct engine *e, struct plan *p);

/* look.c: what would hold up the planned move. Both hosts of the move are asked anew; by force
 * nobody is. */
void look_anew(struct engine *e);
/* The look in this host's next order; one that was ordered stays there and is carried out once. */
uint64_t look_ordered(const struct engine *e, int h);
/* True: nothing is left to look at. Else `error` may say why the move has to end. */
bool look_over(struct engine *e, bool caught_up, char *error, size_t size);
/* Why a host does not do as it was told, as far as is known: ": ..." or "". */
const char *host_trouble(const struct engine *e, int h, char *to, size_t size);
int64_t look_deadline(const struct engine *e, int64_t at); /* not later than at */

/* command.c */
void command_work(struct engine *e, const struct engine_command *c, struct plan *p);
void command_answer(struct plan *p, uint64_t id, int code, const char *fmt, ...) PRINTF_LIKE(4, 5);

/* move.c */
void move_work(struct engine *e, struct plan *p);
int64_t move_deadline(const struct engine *e);
void move_released(struct engine *e, int s, int from, bool silent);
void move_given_up(struct engine *e, const char *why, struct plan *p); /* if one goes on */
bool move_on(const struct engine *e, int s); /* a planned move of this slot goes on */
void move_begin(struct engine *e, uint64_t id, int slot, int to);
void move_go(struct engine *e); /* LAG is over, however far the new one is */
void move_step(struct engine *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
