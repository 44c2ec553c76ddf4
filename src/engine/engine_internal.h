/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the files of the monitor's engine say to each other:
 *   engine.c  events in, journal     reign.c   epochs, who reigns    trap.c    checks
 *   states.c  host states            slots.c   who holds what        choose.c  candidates
 *   gather.c  who has most           orders.c  what agents are told  move.c    moves, commands */
#pragma once

#include "base/check.h"
#include "engine/engine.h"
#include "engine/lease.h"

#include <stdio.h>
#include <string.h>

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

hostset role_candidates(const struct engine *e, int role);
int engine_active_slot(const struct engine *e); /* the writable slot; -1 none configured */
/* Linked, heard under this epoch, and lately. */
bool host_live(const struct engine *e, int h);
const struct report_slot *host_report_slot(const struct engine *e, int h, int slot);
bool engine_rules(const struct engine *e); /* reigning: may order and grant */

/* reign.c */
void reign_begins(struct engine *e, uint64_t epoch, struct plan *p);
void reign_refused(struct engine *e, int h, uint64_t epoch, const char *by, struct plan *p);
void reign_claim(struct engine *e, struct plan *p);

/* trap.c */
void trap_result(struct engine *e, const struct engine_event *ev, struct plan *p);
void trap_restart(struct engine *e, int h, enum check c);
bool check_good(const struct engine *e, int h, enum check c);

/* states.c */
void states_work(struct engine *e, struct plan *p);
void state_set(struct engine *e, int h, enum host_state to, const char *why, struct plan *p);

/* choose.c */
bool slot_clear_for(const struct engine *e, int s, int to, char *why, size_t size);
bool slot_fit(const struct engine *e, int s, int h, bool forced, char *why, size_t size);
int slot_choose(struct engine *e, int s);
bool gtid_text_subset(const struct engine *e, int a, const char *text, int b);
void gtid_text_extra(const struct engine *e, int a, const char *text, int b, char *out,
                     size_t size);

/* gather.c */
bool gather_done(struct engine *e, int s, int to, struct plan *p);
void gather_follow(const struct engine *e, int s, int h, struct msg_order *o);

/* slots.c */
void slots_report(struct engine *e, int h, struct plan *p);
void slots_lease(struct engine *e, int h, const struct msg_lease *l, struct plan *p);
void slots_work(struct engine *e, struct plan *p);
void slot_assign(struct engine *e, int s, int to, struct plan *p);
void slot_release(struct engine *e, int s, bool fence);
int64_t slots_deadline(const struct engine *e);

/* orders.c */
void orders_work(struct engine *e, struct plan *p);

/* move.c */
void move_command(struct engine *e, const struct engine_command *c, struct plan *p);
void move_work(struct engine *e, struct plan *p);
void move_released(struct engine *e, int s, int from, bool silent);
bool move_on(const struct engine *e, int s); /* a planned move of this slot goes on */
void move_step(struct engine *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
