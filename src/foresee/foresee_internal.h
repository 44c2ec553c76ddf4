/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the files of foresee/ say to each other:
 *   foresee.c  time, the story       wires.c    links, mail, cuts   servers.c  mysqld, jobs
 *   hosts.c    the agents' shell     monitors.c the monitor's shell, checks
 *   happen.c   faults                copy.c     from a running engine   tale.c  what-if */
#pragma once

#include "base/check.h"
#include "engine/lease.h"
#include "foresee/foresee.h"

#include <stdio.h>
#include <string.h>

enum due {
    DUE_MAIL,             /* n: which */
    DUE_CHECK,            /* a: host, b: check */
    DUE_NOANSWER,         /* a: host, mysql was asked and did not answer in time */
    DUE_FACTS,            /* a: host, n: life; each 250 ms */
    DUE_FACTS_ANEW,       /* a: host */
    DUE_JOB,              /* a: host, n: job's id */
    DUE_JOURNAL,          /* n: number */
    DUE_DURABLE,          /* a: host, n: life */
    DUE_MYSQLD,           /* a: host: its agent looks */
    DUE_TAIL,             /* a: host, n: life; its agent has read the dead server's binary log */
    DUE_ASIDE,            /* a: host, b: round, n: life; it has set transactions aside */
    DUE_PROBED,           /* a: host, b: slot, n: life */
    DUE_CONNECT,          /* a: host */
    DUE_LINKED,           /* a: host, n: link */
    DUE_SILENT,           /* a: host */
    DUE_UNLINKED_MONITOR, /* a: host */
    DUE_UNLINKED_AGENT,   /* a: host, n: link */
    DUE_REACHED,          /* a: host: its receiver connects again */
    DUE_FAULT,            /* n: which */
};

/* foresee.c */
void foresee_text(char *to, size_t size, const char *from); /* cut at size */
void foresee_push(struct foresee *f, int64_t in_ms, enum due what, int a, int b, int32_t n);
void foresee_say(struct foresee *f, enum foresee_kind kind, int host, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
void foresee_clear(struct foresee *f, const struct foresee_conf *c, foresee_tell_fn tell,
                   void *owner);
static inline const char *foresee_host(const struct foresee *f, int h)
{
    return h < 0 ? "nobody" : f->conf.engine.names.host[h];
}
static inline unsigned foresee_hosts(const struct foresee *f)
{
    return f->conf.engine.names.hosts;
}
static inline bool node_runs(const struct foresee_node *x)
{
    return x->on && x->alive && !x->frozen;
}

/* wires.c */
bool wire_path(const struct foresee *f, int a, int b); /* -1: the monitor */
struct foresee_mail *mail_new(struct foresee *f, enum msg_kind kind, int from, int to);
void mail_send(struct foresee *f, struct foresee_mail *m);
void wire_on_due(struct foresee *f, const struct foresee_due *d);
void wire_connect_soon(struct foresee *f, int h);
void wire_ended(struct foresee *f, int h, bool told); /* the process at one end is gone */

/* servers.c */
bool server_answers(const struct foresee *f, int h);
bool server_works(const struct foresee *f, int h); /* and its disk has room */
int64_t server_lag(const struct foresee *f, int h);
void server_facts(const struct foresee *f, int h, struct agent_facts *out);
bool server_merge(const struct foresee_server *v, char *to, const char *from);
void servers_replicate(struct foresee *f);
void server_start(struct foresee *f, int h);
void server_kill(struct foresee *f, int h, const char *how);
void server_job_start(struct foresee *f, int h, const struct agent_action *act);
void server_job_cancel(struct foresee *f, int h);
void server_job_on_due(struct foresee *f, int h, int32_t id);

/* hosts.c */
void host_conf(const struct foresee *f, int h, struct agent_conf *out);
void host_feed(struct foresee *f, int h, struct agent_event *ev);
void host_start_agent(struct foresee *f, int h);
void host_on_mail(struct foresee *f, struct foresee_mail *m);
void host_on_due(struct foresee *f, const struct foresee_due *d);
bool host_shows(const struct foresee *f, int h, int slot);
void host_saw_mysqld(struct foresee *f, int h);
void hosts_look(struct foresee *f); /* tells what changed about addresses and writes */
int64_t hosts_gate_ends(const struct foresee *f);

/* monitors.c */
void monitor_start(struct foresee *f);
void monitor_feed(struct foresee *f, struct engine_event *ev);
void monitor_on_mail(struct foresee *f, struct foresee_mail *m);
void monitor_on_due(struct foresee *f, const struct foresee_due *d);
void monitor_send(struct foresee *f, struct foresee_mail *m);
void monitor_check(struct foresee *f, int h, enum check c);
void monitor_checks(struct foresee *f);
