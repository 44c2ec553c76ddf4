/* SPDX-License-Identifier: GPL-2.0-or-later
 * The simulator: the very engines of monitor and agent on a fake network, fake
 * kernels, fake servers and fake clocks, all of it decided by one scenario,
 * which a seed draws or a file tells. True time is in microseconds; every
 * machine has a clock of its own. Nothing here decides for the engines; the
 * shells' duties (persist first, send orders late, time before messages after a
 * freeze) are done as the real shells do them.
 *
 *   sim.c       clocks, luck, story, a run   queue.c     what happens when, processes
 *   net.c       links, cuts                  kernel.c    gates, machines
 *   agents.c    shell of agents              monitors.c  shell of monitors
 *   server.c    mysqld                       disks.c     and when its disk is full
 *   jobs.c      the agent's jobs on it       checks.c    checks
 *   draw.c      a seed's configuration       plans.c     what goes wrong when
 *   faults.c    it happens                   operator.c  the operator
 *   judge.c     the promises                 client.c    writes
 *   text.c      scenario files               shrink.c    the shortest that fails
 *   main.c      runs */
#pragma once

#include "base/check.h"
#include "engine/agent.h"
#include "engine/engine.h"
#include "engine/lease.h"

#include <stddef.h>
#include <stdio.h>

enum {
    HOSTS = 9, /* at most; proc h is the agent of host h */
    MONS = 3,  /* proc HOSTS + m is monitor m; each proc has its own machine */
    PROCS = HOSTS + MONS,
    SLOTS = 4, /* writer and three readers, at most */
    FAULTS_MAX = 24,
    STORY_LINES = 80,
    STORY_LEN = 480,
    NAMES_LEN = 96,
    SALVAGE_MS = 8000, /* salvage_timeout */
    MS = 1000,
    SECOND = 1000 * MS,
};

enum kind {
    KIND_MIXED,   /* anything goes wrong */
    KIND_MONITOR, /* only monitors: nothing may move */
    KIND_AGENT,   /* agents restarted quickly: nothing may move */
    KIND_PLANNED, /* moves, set-offline, restarts: nothing acknowledged may be
                     lost */
    KIND_PARTNER, /* a partner is down, then monitors fail: the writer stays */
    KIND_DEAD,    /* one host never returns, the operator may declare it dead */
    KIND_STORM,   /* within seconds: delays, cuts, freezes of about a lease */
    KIND_CRASH,   /* writers' servers die, their machines live: what only their
                     binary logs hold is on the next writer when it opens */
    KIND_FULL,    /* disks of servers are full for a while, the writer's among them: the role
                       leaves it for one with room, or stays */
    KIND_N
};

enum fault_kind {
    F_KILL_AGENT, /* b 0 in a storm: its record is lost too */
    F_FREEZE_AGENT,
    F_KILL_MONITOR,
    F_FREEZE_MONITOR,
    F_WIPE_MONITOR,
    F_OLD_JOURNAL, /* the monitor comes back with an old copy; arg: which */
    F_REBOOT,      /* a -1: who is not the writer */
    F_KILL_MYSQLD, /* a -1: of the writer; arg: enum crash */
    F_HANG_MYSQLD,
    F_CUT_BOTH,
    F_CUT_ONE,
    F_ISOLATE,
    F_BREAK,
    F_SLOW, /* arg: at most so many us later */
    F_LAG,
    F_JOBS,
    F_GATE,
    F_STALL, /* between reading the clock and telling the gate */
    F_DISK,
    F_MOVE,    /* arg: and back at the end */
    F_FORCE,   /* move-role --force */
    F_LOST,    /* b dies; --force --lost b */
    F_SET_IP,  /* arg: slot */
    F_MODE,    /* arg: mode */
    F_OFFLINE, /* set-offline, then set-online */
    F_REMOVED, /* arg: slot; an address is taken off by hand */
    F_FOREIGN, /* arg: slot; another machine answers for it */
    F_JUMP,
    F_PAUSE,   /* the whole machine, its clock too */
    F_NETWORK, /* the monitor is told that its own network is down */
    F_SECOND_MONITOR,
    F_TAKE_OVER, /* a second monitor, --take-over; arg: it stays */
    F_FULL,      /* the disk of a's server; a -1: of the writer's */
    F_KIND_N
};
struct fault {
    enum fault_kind kind;
    int a, b;        /* procs; -1 none */
    int64_t at, len; /* us; a len of NEVER_ENDS: for good */
    int64_t arg;
};
#define NEVER_ENDS (100000 * (int64_t)SECOND)

/* of F_KILL_MYSQLD in KIND_CRASH */
enum crash {
    CRASH_UNREADABLE = 2, /* its binary log can't be read */
    CRASH_BY_HAND = 4,    /* it is started again without asking the start gate */
};

enum sim_loss { SIM_PROMISE, SIM_KEEP, SIM_FENCE }; /* on_monitor_loss */

/* What a run is made of; all luck while it runs comes from `net`. */
struct scenario {
    uint64_t seed, net;
    enum kind kind;
    unsigned hosts, candidates, mons, slots;
    int64_t lease_ms, check_ms, facts_ms, write_ms;
    enum gate_kind gate;
    enum sim_loss loss;
    bool prefer, mysql, kill_host;
    bool never; /* data_loss never, not salvage */
    int32_t ppm[PROCS];
    unsigned faults;
    struct fault fault[FAULTS_MAX];
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
        IN_TAIL,    /* n: died, ok, facts: gtid */
        IN_ASIDE,   /* n: round, ok */
        IN_PROBED,  /* slot, ok: somebody answered */
        IN_SLOT,    /* slot, state: AE_REMOVED, AE_FOREIGN, AE_GATE_FAILED */
        IN_JUMP,    /* n: ms */
        IN_CHECK,   /* peer: host, slot: check, state: result, n: lag */
        IN_COMMAND,
        IN_NETWORK, /* ok: it is up */
        IN_KILLED,  /* peer: host, ok */
    } kind;
    int peer, slot, state;
    unsigned number;
    bool ok;
    uint64_t n;
    struct packet *packet; /* of IN_MSG */
    const struct msg *m;
    struct agent_facts *facts;
    struct engine_command command;
    struct input *next;
};

struct proc {
    bool on, alive, frozen, paused; /* on: the machine has power; paused: its clock stands too */
    bool stalled;                   /* frozen by a stall of the gate */
    uint64_t life;                  /* of the process */
    uint64_t boot;                  /* of the machine */
    int64_t paused_at;
    int64_t timer_at; /* true time of the pending IN_TIME; 0 none */
    int64_t deadline; /* when its engine wants to be called, as it said after the last step */
    struct input *first, *last;
    int64_t disk_stall_until;
};

struct link {
    bool up[2]; /* at the initiator, at the acceptor */
    bool trying;
    unsigned number;
    unsigned old_number; /* one that the acceptor has not given up yet */
    int64_t last[2];     /* delivery of the newest packet to that side */
};

struct kernel_slot {
    bool shown;
    int64_t until; /* true time at which the gate closes by itself */
};

struct server {
    bool up, read_only, io_on, sql_on;
    bool due; /* replication is about to look at its source */
    int64_t hung_until;
    int64_t pid;
    int64_t heard_at; /* what was last told about the process */
    int source;
    uint64_t have[HOSTS], relay[HOSTS];
    int64_t applied_at;    /* true time when it had nothing left to apply */
    int64_t stall_until;   /* applier slow */
    int64_t late_writable; /* a read_only=0 nobody waits for any more comes into
                              force then; 0 */
    bool unreadable;       /* its binary log, once it is dead */
    int64_t full_until;    /* its disk */
    bool waits;            /* for room on it, and so does who asks about GTIDs */
    bool commit_waits;     /* a client's among that */
    bool told;             /* facts.gtid is of what it has */
    struct agent_facts facts;
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
    enum action_kind kind;
    uint64_t after;
    int host;
    struct msg_grant grant;
};
enum { HELD_MAX = 1024, COPIES = 4 };

struct mon {
    bool has_disk; /* some state was written */
    struct engine_durable disk;
    unsigned copies; /* kept of the journal, now and then */
    int64_t copied_at;
    struct engine_durable copy[COPIES];
    uint64_t durable; /* journal number on disk in this life */
    int64_t disk_last;
    unsigned helds;
    bool take_over, network_down;
    int holder; /* of the writer's role, when it was last judged */
    int64_t took_over_at;
    struct engine e; /* made when it boots */
};

struct judged {
    int64_t lease, until;
    bool shown;
};

struct node {
    struct agent a;
    struct agent_record record;
    bool has_record, has_durable, listening;
    bool killed; /* switched off by kill_host */
    bool jumped; /* paused while no agent ran: nobody could close the gate */
    struct agent_durable durable;
    int64_t disk_last, listen_at;
    struct kernel_slot kernel[SLOTS];
    struct judged judged[SLOTS];
    struct server server;
    struct job job;
    int64_t jobs_bad_until, gate_bad_until, stall_until;
    bool disk_full;                   /* as its agent knows */
    bool disk_filled;                 /* as an agent there last saw */
    int64_t disk_since, disk_room_at; /* true time when it began to see that, and the end of it */
};

struct sim_options {
    bool verbose, trace, story;
    bool broken; /* gates stay open too long: for the test of the judge and of
                    shrinking */
};

struct timed;
struct sim {
    struct sim_options opt;
    struct scenario c;
    int64_t now; /* us, true */
    uint64_t luck;
    int64_t pace; /* us; about a lease and a trap period: what takes long, takes
                     some of these */
    int64_t clock_off[PROCS];
    struct proc proc[PROCS];
    struct link link[PROCS][PROCS];
    unsigned numbers;
    uint64_t commands;
    int64_t cut_until[PROCS][PROCS], slow_until[PROCS][PROCS];
    int64_t slow_us[PROCS][PROCS];
    struct node host[HOSTS];
    int64_t first_at, up_at; /* the first fault; by then all must be well */
    int64_t calm_at;         /* the last fault is over */
    int64_t ping_ok[MONS][HOSTS];

    /* judge */
    bool failed, done;
    char verdict[STORY_LEN];
    int64_t whole_since, settled_at;
    int writer0, reader0[SLOTS]; /* who had them before the first fault */
    uint64_t acked[HOSTS], written, lost;
    int last_writer;
    int64_t last_acked_at;
    uint64_t steps; /* of engines: monitors' and agents' */

    struct mon mon[MONS];
};

/* queue.c */
typedef void (*timed_fn)(struct sim *s, int a, int b, uint64_t n, void *data);
void sim_at(struct sim *s, int64_t at, timed_fn fn, int a, int b, uint64_t n, void *data);
void sim_in(struct sim *s, int64_t us, timed_fn fn, int a, int b, uint64_t n, void *data);
bool queue_step(struct sim *s); /* false: nothing waits */
void queue_clear(struct sim *s);
void queue_free(void);
void proc_input(struct sim *s, int proc, struct input *in); /* takes it over */
void proc_input_in(struct sim *s, int64_t us, int proc, struct input *in);
struct input *input_new(int kind);
void proc_wants(struct sim *s, int proc, int64_t deadline); /* to be called then, by its clock */
void proc_freeze(struct sim *s, int proc);
/* Goes on with `first` (NULL: it finds out how late it is), then reads what
 * waited. */
void proc_thaw(struct sim *s, int proc, const struct input *first);
void proc_forget(struct sim *s, int proc); /* drops what waits */

/* sim.c */
uint64_t sim_luck(struct sim *s);
int64_t sim_between(struct sim *s, int64_t lo, int64_t hi); /* both included */
bool sim_chance(struct sim *s, unsigned per_thousand);
int64_t sim_local_ms(const struct sim *s, int proc);
int64_t sim_true_us(const struct sim *s, int proc, int64_t local_ms);
void sim_story(struct sim *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
#define sim_say(s, ...) ((s)->opt.story ? sim_story(s, __VA_ARGS__) : (void)0)
void sim_fail(struct sim *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* One run. True: every promise was kept. */
bool sim_run(struct sim *s, const struct scenario *c, const struct sim_options *opt);
void sim_tell(unsigned lines); /* the end of the story of the last run with opt.story */
const char *proc_name(int proc);

/* net.c */
void net_wake(struct sim *s, int proc);
/* A message on its way, to be written now; NULL: nobody is connected. number 0: whatever connection
 * there is. */
struct msg *net_post(struct sim *s, int from, int to, unsigned number, enum msg_kind kind);
void net_send(struct sim *s, int from, int to, unsigned number, const struct msg *m);
void net_died(struct sim *s, int proc, bool power);
void net_frozen(struct sim *s, int proc);
void net_cut(struct sim *s, int from, int to, int64_t us);
void net_break(struct sim *s, int i, int j);
bool net_path(const struct sim *s, int from, int to);
void packet_free(struct packet *p);

/* server.c */
void server_start(struct sim *s, int h, bool read_only);
/* Once the agent's start gate is open; by_hand: without asking it. */
void server_restart(struct sim *s, int h, bool by_hand);
void server_kill(struct sim *s, int h);
void server_read_tail(struct sim *s, int h, int64_t died); /* of the dead one */
void server_set_aside(struct sim *s, int h, uint64_t round);
void server_loops(struct sim *s);
void server_ask(struct sim *s, int h); /* facts, now */
const struct agent_facts *server_facts(struct sim *s, int h);
int64_t server_lag_ms(const struct sim *s, int h);
bool server_answers(const struct sim *s, int h);
bool server_works(const struct sim *s, int h);     /* and nothing waits for room */
bool server_connected(const struct sim *s, int h); /* to its source */
void server_receive(struct sim *s, int h);
void server_apply(struct sim *s, int h);
void server_look(struct sim *s, int h); /* at its source, soon */
void server_news(struct sim *s, int h); /* it has more than before, or answers again */
void server_rebuild(struct sim *s, int h, int from);

/* disks.c */
bool disk_full(const struct sim *s, int h);
void disk_look(struct sim *s, int h); /* its agent does, soon */
void disk_fills(struct sim *s, struct fault *f);
void disk_empties(struct sim *s, int h);

/* jobs.c */
void job_begin(struct sim *s, int h, const struct agent_action *act);
void job_cancel(struct sim *s, int h);
void job_orphan(struct sim *s, int h);

/* kernel.c */
bool kernel_open(const struct sim *s, int h, int slot);
void kernel_gate(struct sim *s, int h, const struct agent_action *act);
void host_off(struct sim *s, int h);
void host_on(struct sim *s, int h);
void machine_pause(struct sim *s, int proc);
void machine_resume(struct sim *s, int proc);

/* agents.c */
void agents_conf(struct sim *s);
void agent_boot(struct sim *s, int h);
void agent_kill(struct sim *s, int h);
void agent_handle(struct sim *s, int h, const struct input *in);
void agent_note(enum agent_event_kind kind, int slot); /* fed after the plan that is performed */

/* monitors.c */
void monitors_conf(struct sim *s);
void monitor_boot(struct sim *s, int m);
void monitor_kill(struct sim *s, int m);
void monitor_handle(struct sim *s, int m, const struct input *in);
int monitor_reigning(const struct sim *s); /* -1 none */

/* checks.c */
int64_t check_period_ms(const struct scenario *of, enum check c);
int64_t check_trap_ms(const struct scenario *of, enum check c);
void checks_start(struct sim *s, int m);

/* draw.c, plans.c */
int64_t draw_pace(const struct scenario *c);
int64_t draw_first(const struct scenario *c);
void scenario_draw(struct scenario *c, uint64_t seed, int kind);
uint64_t luck_next(uint64_t *luck);
int64_t luck_between(uint64_t *luck, int64_t lo, int64_t hi);
bool luck_chance(uint64_t *luck, unsigned per_thousand);
void plan_draw(struct scenario *c, uint64_t *luck);

/* faults.c, operator.c */
void faults_start(struct sim *s);
void operator_start(struct sim *s);
void operator_says(struct sim *s, const struct engine_command *c);

/* judge.c, client.c */
void judge_host(struct sim *s, int h); /* after its agent or kernel changed */
void judge_start(struct sim *s);
void judge_moved(struct sim *s, int m, const struct action *act);
void judge_event(struct sim *s, int m, const struct action *act);
void judge_given(struct sim *s, int m);           /* the writer's role has another holder */
int judge_reached(const struct sim *s, int slot); /* who is reached there; -1 nobody */
bool judge_whole(struct sim *s, char *why, size_t size);
void client_start(struct sim *s);
void client_write(struct sim *s); /* one that comes right now */
void client_commit(struct sim *s, int h, bool acked);

/* text.c */
void scenario_write(const struct scenario *c, FILE *to);
void fault_write(const struct fault *f, char *to, size_t size);
/* False: why is on stderr. */
bool scenario_read(struct scenario *c, const char *path);

/* shrink.c */
void scenario_shrink(struct sim *s, struct scenario *c, const struct sim_options *opt,
                     const char *verdict);
