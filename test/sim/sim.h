/* SPDX-License-Identifier: GPL-2.0-or-later
 * The simulator: the very engines of monitor and agent on a fake network, fake kernels, fake
 * servers and fake clocks, all of it decided by one seed. True time is in microseconds; every
 * machine has a clock of its own. Nothing here decides for the engines; the shells' duties
 * (persist first, send orders late, time before messages after a freeze) are done as the real
 * shells do them.
 *
 *   sim.c  queue, clocks, luck, story      net.c      links, cuts        server.c  mysqld, jobs
 *   agents.c  shell of agents, kernel      monitors.c shell of monitors  judge.c   the promises
 *   plans.c  what goes wrong when         faults.c   it happens; operator
 *   main.c  seeds, shrinking */
#pragma once

#include "base/check.h"
#include "engine/agent.h"
#include "engine/engine.h"
#include "engine/lease.h"

#include <stddef.h>

enum {
    HOSTS = 4, /* at most; proc h is the agent of host h */
    MONS = 2,  /* proc HOSTS + m is monitor m; each proc has its own machine */
    PROCS = HOSTS + MONS,
    SLOTS = 3, /* writer and two readers */
    FAULTS_MAX = 16,
    STORY_LINES = 80,
    STORY_LEN = 480,
};

enum kind {
    KIND_MIXED,   /* anything goes wrong */
    KIND_MONITOR, /* only monitors: nothing may move */
    KIND_AGENT,   /* agents restarted quickly: nothing may move */
    KIND_PLANNED, /* moves, set-offline, restarts: nothing acknowledged may be lost */
    KIND_PARTNER, /* a partner is down, then monitors fail: the writer stays */
    KIND_DEAD,    /* one host never returns, the operator may declare it dead */
    KIND_STORM,   /* within seconds: delays, cuts, freezes of about a lease */
    KIND_N
};

struct input {
    enum {
        IN_TIME,
        IN_MSG,     /* m, on link `number` from proc `peer` */
        IN_DOWN,    /* link `number` with proc `peer` ended */
        IN_DURABLE, /* n: monitor's number */
        IN_MYSQLD,  /* state, n: pid */
        IN_FACTS,   /* facts, n: jobs ended when it was asked */
        IN_JOB,     /* n: id, ok, facts */
        IN_PROBED,  /* slot, ok: somebody answered */
        IN_SLOT,    /* slot, state: AE_REMOVED or AE_FOREIGN */
        IN_JUMP,
        IN_CHECK, /* peer: host, slot: check, state: result, n: lag */
        IN_COMMAND,
    } kind;
    int peer, slot, state;
    unsigned number;
    bool ok;
    uint64_t n;
    struct msg *m;
    struct agent_facts *facts;
    struct engine_command command;
    struct input *next;
};

struct proc {
    bool on, alive, frozen; /* on: the machine has power */
    uint64_t life;          /* of the process */
    uint64_t boot;          /* of the machine */
    int64_t timer_at;       /* true time of the pending IN_TIME; 0 none */
    struct input *first, *last;
    int64_t disk_stall_until;
};

struct link {
    bool up[2]; /* at the initiator, at the acceptor */
    unsigned number;
    unsigned old_number; /* one that the acceptor has not given up yet */
    int64_t last[2];     /* delivery of the newest packet to that side */
};

struct kernel_slot {
    bool shown;
    int64_t until; /* true time at which the gate closes by itself */
};

struct server {
    bool up, read_only, io_on, sql_on, connected;
    int64_t hung_until;
    int64_t pid;
    int source;
    uint64_t have[HOSTS], relay[HOSTS];
    int64_t applied_at;    /* true time when it had nothing left to apply */
    int64_t stall_until;   /* applier slow */
    int64_t late_writable; /* a read_only=0 nobody waits for any more comes into force then; 0 */
};

struct job {
    bool active, cancelled, told;
    uint64_t id, ended;
    enum agent_job job;
    int source;
    bool hang, fail;
    int64_t done_at, limit_at;
    int64_t pid;
    uint64_t reach[HOSTS];
};

struct held {
    struct action act;
    struct msg_grant grant;
};
enum { HELD_MAX = 2048 };

struct mon {
    struct engine e;
    bool has_disk; /* some state was written */
    struct engine_durable disk;
    uint64_t durable; /* journal number on disk in this life */
    int64_t disk_last;
    unsigned helds;
    struct held *held;
    bool take_over;
};

struct node {
    struct agent a;
    struct agent_record record;
    bool has_record, has_durable, listening;
    struct agent_durable durable;
    int64_t disk_last, listen_at;
    struct kernel_slot kernel[SLOTS];
    struct server server;
    struct job job;
    int64_t jobs_bad_until, gate_bad_until;
};

enum fault_kind {
    F_KILL_AGENT,
    F_FREEZE_AGENT,
    F_KILL_MONITOR,
    F_FREEZE_MONITOR,
    F_WIPE_MONITOR,
    F_REBOOT,
    F_KILL_MYSQLD,
    F_HANG_MYSQLD,
    F_CUT_BOTH,
    F_CUT_ONE,
    F_ISOLATE,
    F_BREAK,
    F_SLOW,
    F_LAG,
    F_JOBS,
    F_GATE,
    F_DISK,
    F_MOVE,
    F_MODE,
    F_OFFLINE,
    F_SLOT_EVENT,
    F_JUMP,
    F_SECOND_MONITOR,
    F_KIND_N
};
struct fault {
    bool on;
    enum fault_kind kind;
    int a, b;
    int64_t at, len; /* us */
};

struct sim_options {
    uint64_t seed;
    bool verbose, trace;
    int kind;      /* -1 by seed */
    uint32_t drop; /* faults left out */
};

struct timed;
struct sim {
    struct sim_options opt;
    enum kind kind;
    int64_t now; /* us, true */
    uint64_t luck;
    unsigned hosts, candidates, mons;
    int64_t lease_ms;
    enum gate_kind gate;
    bool prefer;
    struct timed *heap;
    unsigned heap_n, heap_cap;
    uint64_t seq;
    int64_t clock_off[PROCS];
    int32_t clock_ppm[PROCS];
    struct proc proc[PROCS];
    struct link link[PROCS][PROCS];
    unsigned numbers;
    int64_t cut_until[PROCS][PROCS], slow_until[PROCS][PROCS];
    int32_t slow_us[PROCS][PROCS];
    struct node host[HOSTS];
    struct mon mon[MONS];
    unsigned faults;
    struct fault fault[FAULTS_MAX];
    int64_t calm_at; /* the last fault is over */
    int64_t ping_ok[MONS][HOSTS];

    /* judge */
    bool failed, done;
    char verdict[STORY_LEN];
    int64_t whole_since, settled_at;
    int writer0;
    uint64_t acked[HOSTS], written, lost;
    int last_writer;
    bool planned_now;
    int64_t last_acked_at;
    uint64_t steps;

    char story[STORY_LINES][STORY_LEN];
    unsigned told;
};

/* sim.c */
typedef void (*timed_fn)(struct sim *s, int a, int b, uint64_t n, void *data);
void sim_at(struct sim *s, int64_t at, timed_fn fn, int a, int b, uint64_t n, void *data);
void sim_in(struct sim *s, int64_t us, timed_fn fn, int a, int b, uint64_t n, void *data);
uint64_t sim_luck(struct sim *s);
int64_t sim_between(struct sim *s, int64_t lo, int64_t hi); /* both included */
bool sim_chance(struct sim *s, unsigned per_thousand);
int64_t sim_local_ms(const struct sim *s, int proc);
int64_t sim_true_us(const struct sim *s, int proc, int64_t local_ms);
void sim_say(struct sim *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
void sim_fail(struct sim *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* One run. True: every promise was kept. */
bool sim_run(struct sim *s, const struct sim_options *opt);
const char *proc_name(const struct sim *s, int proc);
void proc_input(struct sim *s, int proc, struct input *in); /* takes it over */
void proc_input_in(struct sim *s, int64_t us, int proc, struct input *in);
struct input *input_new(int kind);
void proc_timer(struct sim *s, int proc, int64_t local_deadline_ms);
void proc_freeze(struct sim *s, int proc);
void proc_thaw(struct sim *s, int proc);
void proc_forget(struct sim *s, int proc); /* drops what waits */

/* net.c */
void net_start(struct sim *s);
void net_send(struct sim *s, int from, int to, unsigned number, const struct msg *m);
bool net_up(const struct sim *s, int from, int to, unsigned *number);
void net_died(struct sim *s, int proc, bool power);
void net_frozen(struct sim *s, int proc);
void net_cut(struct sim *s, int from, int to, int64_t us);
void net_break(struct sim *s, int i, int j);
void net_anew(struct sim *s, int i, int j);
bool net_path(const struct sim *s, int from, int to);

/* server.c */
void server_start(struct sim *s, int h, bool read_only);
void server_kill(struct sim *s, int h);
void server_loops(struct sim *s);
void server_ask(struct sim *s, int h); /* facts, now */
void server_facts(struct sim *s, int h, struct agent_facts *f);
int64_t server_lag_ms(const struct sim *s, int h);
bool server_answers(const struct sim *s, int h);
void job_begin(struct sim *s, int h, const struct agent_action *act);
void job_cancel(struct sim *s, int h);
void job_orphan(struct sim *s, int h);
void server_rebuild(struct sim *s, int h, int from);

/* agents.c */
void agents_conf(struct sim *s);
void agent_boot(struct sim *s, int h);
void agent_kill(struct sim *s, int h);
void agent_handle(struct sim *s, int h, const struct input *in);
bool kernel_open(const struct sim *s, int h, int slot);
void host_off(struct sim *s, int h);
void host_on(struct sim *s, int h);

/* monitors.c */
void monitors_conf(struct sim *s);
void monitor_boot(struct sim *s, int m);
void monitor_kill(struct sim *s, int m);
void monitor_handle(struct sim *s, int m, const struct input *in);
void monitor_checks(struct sim *s);
int monitor_reigning(const struct sim *s); /* -1 none */

/* plans.c */
void faults_plan(struct sim *s);
void fault_text(const struct sim *s, const struct fault *f, char *to, size_t size);

/* faults.c */
void faults_start(struct sim *s);

/* judge.c */
void judge_step(struct sim *s);
void judge_loops(struct sim *s);
void judge_moved(struct sim *s, int m, const struct action *act);
bool judge_whole(struct sim *s, char *why, size_t size);
