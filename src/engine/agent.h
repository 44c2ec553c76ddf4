/* SPDX-License-Identifier: GPL-2.0-or-later
 * The agent's own rules, pure: what comes in is an event, what shall be done is a plan, time is a
 * field of the event. The shell (agent/) performs the plan and feeds the results back. Same events,
 * same plans, bit for bit.
 *
 * A slot's life: NONE -> WANTED -> HELD -> LEAVING -> NONE (enum hold, proto/msg.h).
 *
 * WANTED: ordered to hold it; asks for a lease; the writable slot catches up and opens meanwhile.
 *
 * HELD: the lease runs, the gate is open, the address is shown.
 *
 * LEAVING: the address is going or gone; the writable slot until the server is known read-only or
 * dead. */
#pragma once

#include "proto/msg.h"

enum { AGENT_PLAN_MAX = 1024 };

/* Without a monitor: ask the others of the electorate (of which a holder may be the only one: so
 * the monitor says keep), or let the lease run out. */
enum monitor_loss { LOSS_PROMISE, LOSS_FENCE };

struct agent_slot_conf {
    char name[SLOT_LEN];
    bool writable; /* of the active master role: holding it means writes are open */
    hostset candidates;
};

struct agent_conf {
    int self;
    unsigned hosts, slots;
    struct agent_slot_conf slot[SLOTS_MAX];
    int64_t lease_ms; /* as configured; a gate of lifetimes makes it at least 3 s */
    enum gate_kind gate;
    enum monitor_loss on_monitor_loss;
    bool kill_hung_mysqld;
    int64_t catch_up_ms;
    int64_t salvage_ms; /* longest that fetching from a dead server's binary log may take */
};

/* What survives a kill of the agent but not a reboot (kept in /run with the boot id). The shell
 * writes it whenever the plan says so and gives back the newest one at start. */
struct agent_record {
    uint64_t epoch;
    int64_t died_ms; /* of struct agent_tail */
    struct {
        bool held;    /* adopted if the lease still runs */
        bool unclean; /* was held or leaving: the server may be writable */
        uint64_t serial, ended;
        int64_t lease_until_ms; /* boot time; 0 none */
        int64_t promised_until_ms;
        uint64_t electorate;
        hostset members;
    } slot[SLOTS_MAX];
};

/* What survives a reboot too (journal). */
struct agent_durable {
    uint64_t epoch;
    char monitor[IDENTITY_LEN];
    /* Without GTID: a place in the own log, if this server was the writer since it last followed
     * somebody; and where it stood, in its source's log and in its own, before it wrote. "" else.
     */
    char wrote[PLACE_LEN], turn_from[PLACE_LEN], turn_own[PLACE_LEN];
};

enum agent_event_kind {
    AE_START,        /* first, once */
    AE_TIME,         /* agent_deadline() has come */
    AE_MONITOR,      /* a monitor's message: beat, order or grant */
    AE_MONITOR_DOWN, /* that link ended */
    AE_ASK,          /* a peer asks for promises */
    AE_PROMISE,      /* a peer answers */
    AE_DURABLE,      /* the last AA_PERSIST is on disk */
    AE_MYSQLD,       /* the process: up (new pid), dead or dying, unknown */
    AE_FACTS, /* the server was asked; a question put before the last job ended is thrown away */
    AE_JOB,   /* the running job ended */
    AE_TAIL,  /* the AA_TAIL of that death ended */
    AE_ASIDE, /* the AA_ASIDE of that round ended */
    AE_GATE_FAILED, /* the gate or the address could not be set, or only too late */
    AE_REMOVED,     /* somebody else took the address off */
    AE_FOREIGN,     /* another machine was seen to answer for the address */
    AE_PROBED,      /* an AA_PROBE came back: slot.answered says whether anybody answered */
    AE_JUMP,        /* clocks jumped: this machine was paused or moved */
};

enum agent_job {
    JOB_NONE,
    JOB_READ_ONLY,
    JOB_DRAIN,
    JOB_WRITABLE,
    JOB_FOLLOW,
    JOB_SALVAGE, /* apply what is in the binary log of a dead server, up to `reach` */
    JOB_LOOK,    /* what would hold up a planned move? */
    JOB_N
};

struct agent_facts {
    bool mysql_flavour, read_only, applier;
    uint64_t server_id;
    char gtid[GTID_LEN];
    char source_host[ADDR_LEN];
    unsigned source_port;
    enum receiver receiver;
    struct traits traits;
    int64_t lag_ms;
    int source; /* host whose address and port that is; -1 none or a stranger */
    char own[PLACE_LEN], applied[PLACE_LEN]; /* as in the report */
};

struct agent_event {
    int64_t now_ms; /* boot time; the engine has no other clock */
    enum agent_event_kind kind;
    union {
        struct {
            uint64_t start_id;
            int64_t uptime_s;
            const struct agent_record *record;   /* NULL: none of this boot */
            const struct agent_durable *durable; /* NULL: never obeyed anybody */
        } start;
        struct {
            int link; /* the shell's number for the connection */
            const struct msg *msg;
        } monitor;
        struct {
            int host;
            const struct msg_ask *ask;
            const struct msg_promise *promise;
        } peer;
        struct {
            enum mysqld state;
            int64_t pid;
            const char *why;
        } mysqld;
        const struct agent_facts *facts;
        struct {
            enum agent_job job;
            bool ok;
            const char *why;                 /* if not ok; JOB_LOOK: what it found, "" nothing */
            const struct agent_facts *facts; /* asked after the job; NULL if it could not be */
            const char *own_more; /* JOB_DRAIN with `look`: as in the report; NULL not looked */
            bool hopeless;        /* JOB_SALVAGE, not ok: another try is of no use */
        } job;
        struct {
            int64_t died; /* as the action said */
            bool ok, mysql_flavour;
            const char *gtid; /* all there is, to the last complete transaction */
            const char *why;  /* if not ok: why not, and what to do */
        } tail;
        struct {
            uint64_t round; /* as the action said */
            bool ok;
            const char *text; /* the file's path, or why there is none and what to do */
        } aside;
        struct {
            int slot;
            bool answered; /* AE_PROBED */
            const char *why;
        } slot;
        struct {
            int64_t ms;
        } jump;
    };
};

enum agent_action_kind {
    AA_PERSIST, /* write agent->durable_next; AE_DURABLE when it is on disk */
    AA_RECORD,  /* write agent_record_of() now, before the actions that follow */
    AA_REPORT,  /* send agent_report_of() to every monitor connected */
    AA_REFUSE,  /* to link: refusal, from agent->durable */
    AA_LEASE,   /* to link: lease request, agent_lease_of(), stamped now_ms of the event */
    AA_ASK,     /* to host: ask, in the action */
    AA_PROMISE, /* to host: promise, in the action */
    AA_GATE,    /* open or refresh the gate and the address' lifetime until until_ms; read the clock
                   afterwards; too late or failed: close it and AE_GATE_FAILED */
    AA_PROBE,   /* ask the network whether somebody has the slot's addresses; AE_PROBED */
    AA_SHOW,    /* address on and announced; the gate is open until until_ms */
    AA_HIDE,    /* gate closed, then address off, connections to it destroyed; before until_ms (0:
                   never) first as many connections as go quickly, so that clients hear of it */
    AA_JOB,     /* start a job; AE_JOB when it ended. One at a time. */
    AA_TAIL,  /* once no thread of the dead server can run any more, see what its binary log holds;
                 AE_TAIL. A new one takes the place of the one before. */
    AA_ASIDE, /* keep the transactions agent->aside.set of this server in a file, unless that was
                 done before; AE_ASIDE */
    AA_JOB_CANCEL,  /* end the running job now; AE_JOB follows, not ok */
    AA_KILL_MYSQLD, /* SIGKILL the watched process */
    AA_SAY,         /* tell the operator */
};

struct agent_action {
    enum agent_action_kind kind;
    int link, host, slot;
    int64_t until_ms;
    enum agent_job job;
    int source;     /* JOB_FOLLOW, JOB_SALVAGE */
    int64_t died;   /* AA_TAIL */
    uint64_t round; /* AA_ASIDE */
    bool planned; /* JOB_READ_ONLY: clients may still be told; replication's connections live on */
    bool as_is;   /* JOB_DRAIN: an applier that broke is not waited for */
    bool hear;    /* JOB_DRAIN, as in the order */
    bool loud;    /* AA_SAY: a warning */
    int64_t limit_ms;      /* of the job */
    const char *reach;     /* JOB_DRAIN, JOB_SALVAGE; "" none; lives until the next step */
    const char *at, *from; /* JOB_FOLLOW, as in the order */
    const char *behind;    /* JOB_DRAIN, as in the order */
    struct msg_ask ask;
    char why[WHY_LEN];
    struct msg_promise promise;
};

struct agent_plan {
    unsigned n;
    struct agent_action at[AGENT_PLAN_MAX];
};

enum probe_state { PROBE_NEEDED, PROBE_RUNNING, PROBE_CLEAR };

struct agent_slot {
    enum hold hold;
    bool showing; /* the address is on (as far as ordered) */
    bool planned; /* LEAVING in good order: address on and lease kept until writes are blocked */
    enum probe_state probe;
    int64_t probe_retry;
    bool probe_told;
    uint64_t serial, ended;
    int64_t lease_until; /* 0 none */
    int64_t promised_until;
    uint64_t electorate;
    hostset members;
    int64_t round; /* of the promises being collected */
    hostset round_yes;
};

/* The server died while this host held the writable slot, or was leaving it: its binary log may
 * hold what nobody else has. Forgotten as soon as a new server is up. */
struct agent_tail {
    int64_t died_ms; /* 0: nothing of the kind */
    enum tail state; /* READY: facts.gtid is what there is */
    bool asked;      /* AA_TAIL was said in this life */
    char why[WHY_LEN];
};

/* What of this server's own transactions is to be kept in a file. */
struct agent_aside {
    char set[ASIDE_LEN]; /* as ordered; "" nothing */
    enum tail state;
    bool asked; /* AA_ASIDE was said, under the number `round` */
    uint64_t round;
    int64_t retry_ms;   /* FAILED: not again before */
    char text[WHY_LEN]; /* as in the report */
};

struct agent {
    struct agent_conf conf;
    uint64_t start_id;
    int64_t started_ms, boot_uptime_s;
    struct agent_durable durable, durable_next;
    bool persisting;
    int link;         /* the obeyed monitor's; -1 none */
    int64_t heard_ms; /* its last word; -1 not in this life */
    bool passive;     /* as its last beat says */
    bool ordered;     /* an order was accepted in this life */
    struct msg_order order;
    uint64_t settled;
    struct agent_slot slot[SLOTS_MAX];
    int64_t lease_asked_ms;
    uint64_t lease_asked_serial; /* a fresh order is asked for at once */
    enum mysqld mysqld;
    int64_t pid;
    char mysqld_why[WHY_LEN];
    bool facts_known;
    int64_t facts_at;
    struct agent_facts facts;
    enum agent_job job;
    bool job_cancelled;
    int64_t job_retry_ms; /* not again before */
    uint64_t job_serial;  /* the order the job works for */
    char reach[GTID_LEN];
    char seen_behind[PLACE_LEN], own_more[WHY_LEN]; /* as in the report */
    bool drained;    /* the receiver is stopped and everything received is applied */
    bool must_fence; /* read-only is to be made sure of, whatever the order */
    bool must_kill;  /* and a server that doesn't obey is killed: it was open for writes */
    int64_t fence_since;
    bool killed;              /* mysqld was sent SIGKILL for this fence */
    int64_t quarantine_until; /* may have forgotten promises of an earlier life */
    uint64_t followed;        /* order whose FOLLOW job is done */
    uint64_t salvaged;        /* order whose SALVAGE job is done */
    unsigned salvage_failed;  /* tries in a row for the present order */
    struct agent_tail tail;
    struct agent_aside aside;
    int64_t reported_ms;
    bool report_due;
    int64_t due;     /* the next moment at which something is to be done */
    bool rests;      /* the last step left nothing to do but to wait for it */
    uint64_t looked; /* order.look that was carried out */
    char obstacle[WHY_LEN];
    char problem[PROBLEM_LEN];
};

void agent_init(struct agent *a, const struct agent_conf *conf);
void agent_step(struct agent *a, const struct agent_event *ev, struct agent_plan *plan);
/* When AE_TIME wants to be fed; CLOCK_NEVER (INT64_MAX) if never. */
int64_t agent_deadline(const struct agent *a);

void agent_record_of(const struct agent *a, struct agent_record *out);
void agent_report_of(const struct agent *a, int64_t now_ms, struct msg_report *out);
void agent_lease_of(const struct agent *a, int64_t now_ms, struct msg_lease *out);
/* A server that died as the writer is not started again before its binary log was read and the
 * others have what they lack, or the monitor says that nobody waits for it. */
static inline bool agent_start_held(const struct agent *a)
{
    return a->tail.died_ms && a->order.may_start != a->tail.died_ms;
}
/* What the start gate is told about this host's server. */
enum start_state {
    START_FREE,   /* it may be started */
    START_WRITER, /* it is the writer: the next state is HELD, should it have died */
    START_HELD,   /* it died as the writer, and somebody may need what only it has */
    START_STATE_N
};
struct agent_start {
    enum start_state state;
    int64_t until_ms; /* HELD: then it is free if no monitor is heard any more; boot time */
    const char *why;  /* FREE, HELD */
};
void agent_start_of(const struct agent *a, int64_t now_ms, struct agent_start *out);
/* Before the loop answers anybody: nothing is shown any more that is not under a running lease, and
 * a server that may be writable was made read-only or could not be reached. */
bool agent_may_listen(const struct agent *a);
