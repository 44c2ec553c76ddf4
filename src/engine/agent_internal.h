/* SPDX-License-Identifier: GPL-2.0-or-later
 * What agent.c (events), agent_lease.c (leases, promises), agent_work.c (jobs) and agent_tail.c (a
 * dead server's binary log), agent_aside.c (what is kept of a living one's) say to each other. */
#pragma once

#include "base/check.h"
#include "engine/agent.h"
#include "engine/lease.h"

#include <string.h>

struct agent_action *agent_plan_add(struct agent_plan *p, enum agent_action_kind kind);
void agent_say(struct agent_plan *p, bool loud, const char *fmt, ...) PRINTF_LIKE(3, 4);

static inline int64_t agent_lease(const struct agent *a)
{
    return lease_on(a->conf.gate, a->conf.lease_ms);
}

static inline int64_t agent_out(const struct agent *a)
{
    return lease_out(a->conf.gate, agent_lease(a));
}

static inline bool agent_lease_runs(const struct agent_slot *s, int64_t now)
{
    return s->lease_until > now;
}

/* The slot that means writes are open, if this host is a candidate of it; -1 none. */
int agent_writable_slot(const struct agent *a);

/* agent_lease.c */
void agent_expire(struct agent *a, int64_t now, struct agent_plan *p);
void agent_on_grant(struct agent *a, int64_t now, const struct msg_grant *g, struct agent_plan *p);
void agent_on_ask(struct agent *a, int64_t now, int host, const struct msg_ask *ask,
                  struct agent_plan *p);
void agent_on_promise(struct agent *a, int64_t now, int host, const struct msg_promise *promise,
                      struct agent_plan *p);
void agent_ask_leases(struct agent *a, int64_t now, struct agent_plan *p);
void agent_ask_promises(struct agent *a, int64_t now, struct agent_plan *p);
int64_t agent_lease_deadline(const struct agent *a);

/* agent_tail.c */
void agent_tail_wanted(struct agent *a, int64_t died_ms);
void agent_tail_mysqld(struct agent *a, int64_t now, struct agent_plan *p); /* it changed */
void agent_tail_work(struct agent *a, struct agent_plan *p);
void agent_on_tail(struct agent *a, const struct agent_event *ev, struct agent_plan *p);
bool agent_gave_up_salvage(const struct agent *a);
void agent_not_salvaged(struct agent *a, bool hopeless); /* a try failed */

/* agent_aside.c */
void agent_aside_order(struct agent *a, const struct msg_order *o); /* a new one */
void agent_aside_work(struct agent *a, int64_t now, struct agent_plan *p);
void agent_on_aside(struct agent *a, const struct agent_event *ev, struct agent_plan *p);
void agent_aside_report(const struct agent *a, struct msg_report *out);
int64_t agent_aside_deadline(const struct agent *a);

/* agent_place.c */
/* May writes be opened, as far as it goes? If not, it is being noted. */
bool agent_place_noted(struct agent *a, struct agent_plan *p);
void agent_place_work(struct agent *a, int w, struct agent_plan *p);
void agent_place_order(struct agent *a, const struct msg_order *o);              /* a new one */
void agent_place_job(struct agent *a, enum agent_job job, const char *own_more); /* well done */
void agent_place_report(const struct agent *a, struct msg_report *out);

/* agent_work.c */
void agent_take(struct agent *a, int64_t now, int slot, struct agent_plan *p);
/* LEAVE_LOST: no right to the address any more, or unsure: the gate first. LEAVE_FENCED: ordered at
 * once; while the lease runs clients may still hear of it. LEAVE_PLANNED: while it runs, writes are
 * blocked before the address goes. */
enum leave { LEAVE_LOST, LEAVE_FENCED, LEAVE_PLANNED };
void agent_leave(struct agent *a, int64_t now, int slot, enum leave how, const char *why,
                 struct agent_plan *p);
void agent_fence(struct agent *a, int64_t now, bool may_kill);
void agent_on_job(struct agent *a, const struct agent_event *ev, struct agent_plan *p);
void agent_work(struct agent *a, int64_t now, struct agent_plan *p);
int64_t agent_work_deadline(const struct agent *a);
