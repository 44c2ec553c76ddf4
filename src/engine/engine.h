/* SPDX-License-Identifier: GPL-2.0-or-later
 * The monitor's decisions, pure. engine_step() is the whole monitor: an event in, a plan out; time
 * is a field of the event; engine_deadline() says when it wants to be called next. No clock, no
 * sockets, no logging, no memory but the struct itself.
 *
 * The engine works level-triggered: every event updates what is known (checks, reports), then
 * host states, slots and orders are worked out anew from it, and what differs from what was last
 * said becomes the plan. */
#pragma once

#include "engine/receipt.h"
#include "proto/msg.h"

#include <stddef.h>

enum { ENGINE_PLAN_MAX = 1024, ROLES_MAX = 64, STEPS_MAX = 12, EVENT_LEN = 768 };

enum check { CK_PING, CK_MYSQL, CK_REP_THREADS, CK_REP_BACKLOG, CK_N };
enum result { RESULT_OK, RESULT_ERROR, RESULT_UNKNOWN };
enum host_state {
    UNKNOWN, /* before the first verdict */
    ONLINE,
    ADMIN_OFFLINE,
    HARD_OFFLINE,
    AWAITING_RECOVERY,
    REPLICATION_DELAY,
    REPLICATION_FAIL,
    HOST_STATE_N
};
enum mode { MODE_ACTIVE, MODE_MANUAL, MODE_PASSIVE, MODE_WAIT, MODE_N };

extern const char *const check_names[CK_N];
extern const char *const host_state_names[HOST_STATE_N];
extern const char *const mode_names[MODE_N]; /* "active" ... */

/* Who has the addresses of a balanced role when none of its hosts is fit: the writer, the hosts
 * that have them now (as long as they are alive), nobody. */
enum last_resort { RESORT_WRITER, RESORT_KEEP, RESORT_NONE };

/* What the last writer may have that can't be had from it: go on and tell it, stop and ask, or
 * don't even look. */
enum data_loss { LOSS_SALVAGE, LOSS_NEVER, LOSS_ALLOW };

struct engine_conf {
    struct names names;
    char monitor[NAME_LEN]; /* this monitor's name */
    bool others;            /* more monitors are configured: one may have reigned meanwhile */
    struct {
        bool master; /* for people: MMM's word for who may write */
    } host[HOSTS_MAX];
    unsigned roles;
    struct {
        char name[NAME_LEN];
        bool exclusive, writable; /* writable: the active master role */
        int prefer;               /* -1 none */
        unsigned hosts;
        int host[HOSTS_MAX];          /* candidates in the file's order */
        enum last_resort last_resort; /* balanced roles */
    } role[ROLES_MAX];
    int slot_role[SLOTS_MAX];
    int64_t trap_ms[CK_N];
    int64_t max_backlog_ms; /* of rep_backlog; back in service at half of it */
    bool keep;              /* on_monitor_loss: keep; then silence is never a release */
    bool kill_host;         /* a program is configured */
    int64_t lease_ms;
    int64_t on_crash_ms; /* 0: fail over at once */
    int64_t auto_set_online_ms;
    unsigned flap_count;
    int64_t flap_duration_ms;
    int64_t wait_for_other_master_ms;
    int64_t catch_up_ms;
    int64_t salvage_ms; /* for what a dead writer's binary log holds */
    enum data_loss data_loss;
    int64_t switchover_budget_ms;
    bool careful_startup;
    enum gate_kind gate_unheard; /* assumed of a host not heard yet */
    enum mode mode;              /* at a first start */
};

/* What the journal keeps: written before the orders it covers. Plain data, of hosts and slots as
 * many as there are; the shell writes it by name. */
struct engine_durable {
    char identity[IDENTITY_LEN];
    uint64_t epoch;
    enum mode mode;
    char cause[WHY_LEN];      /* of passive mode; "" the operator */
    char deposed[WHY_LEN];    /* by whom, until --take-over; "" not */
    bool claiming;            /* a new identity, not accepted by everybody yet */
    uint64_t receipts;        /* number of the last one */
    char past[SINCE_LEN + 1]; /* MariaDB: the highest number in each domain that the writer had when
                                 it got the role from another; "" not known */
    struct {
        enum host_state state;
        int64_t since_wall_ms;
        bool flapping, returning;
        unsigned flaps;
        int64_t flap_start_wall_ms;
        int64_t last_uptime_s;
        struct debt debt;
    } host[HOSTS_MAX];
    struct {
        int holder; /* -1 nobody */
        int last;   /* who had arrived there last */
        int target; /* whom an operator named (set-ip); -1 nobody */
        bool pinned;
        uint64_t electorate;
        hostset members, allowed; /* allowed: whatever the host, of those in `maybe` */
        hostset maybe;            /* who may hold it */
    } slot[SLOTS_MAX];
};

enum engine_event_kind {
    EV_START,   /* first, once */
    EV_TIME,    /* engine_deadline() has come */
    EV_CHECK,   /* a check came back */
    EV_LINK,    /* an agent's hello arrived */
    EV_UNLINK,  /* the connection to an agent ended */
    EV_REPORT,  /* from a linked agent */
    EV_LEASE,   /* from a linked agent */
    EV_REFUSED, /* an agent obeys somebody else */
    EV_COMMAND, /* from ctl; answered by ACT_ANSWER, perhaps much later */
    EV_NETWORK, /* whether the monitor's own network is up (ping_ips); up until said otherwise */
    EV_KILLED,  /* kill_host ended, or took too long */
};

enum verb { VERB_MODE, VERB_SET_ONLINE, VERB_SET_OFFLINE, VERB_MOVE_ROLE, VERB_SET_IP };
struct engine_command {
    uint64_t id;
    enum verb verb;
    enum mode mode;
    int host; /* SET_*, MOVE_ROLE: to whom */
    int role; /* MOVE_ROLE */
    int slot; /* SET_IP */
    bool force;
    int lost;            /* MOVE_ROLE --lost: host declared dead by the operator; else -1 */
    hostset accept_loss; /* MOVE_ROLE --accept-loss: what this host alone may have is given up */
};

struct engine_event {
    int64_t now_ms;  /* CLOCK_BOOTTIME */
    int64_t wall_ms; /* for people and for flap windows over restarts; decides no lease */
    enum engine_event_kind kind;
    union {
        struct {
            const struct engine_durable *durable; /* NULL: no state; then identity is fresh */
            char identity[IDENTITY_LEN];
            bool take_over;
        } start;
        struct {
            int host;
            enum check check;
            enum result result;
            int64_t lag_ms; /* CK_REP_BACKLOG; -1 unknown */
            const char *message;
        } check;
        struct {
            int host;
            const struct msg_hello *hello;     /* EV_LINK */
            const struct msg_report *report;   /* EV_REPORT */
            const struct msg_lease *lease;     /* EV_LEASE */
            const struct msg_refusal *refusal; /* EV_REFUSED */
        } agent;
        struct engine_command command;
        struct {
            bool up;
            const char *message;
        } network;
        struct {
            int host;
            bool ok;
            const char *message; /* what it said, or how it ended */
        } killed;
    };
};

enum action_kind {
    ACT_PERSIST,   /* write engine_durable_of(); it is number `after` */
    ACT_BEAT,      /* to host */
    ACT_ORDER,     /* to host: engine_order_of() */
    ACT_GRANT,     /* to host: grant */
    ACT_ANSWER,    /* to the ctl that sent command `id` */
    ACT_EVENT,     /* for the log and `hamm ctl events` */
    ACT_KILL_HOST, /* run kill_host for host; code: 1 it answers to ping, else 0; EV_KILLED follows
                    */
    ACT_RECEIPT,   /* keep it for `hamm ctl receipts` */
};
enum event_level { EVENT_INFO, EVENT_NOTE, EVENT_WARN };

struct action {
    enum action_kind kind;
    uint64_t after; /* not before ACT_PERSIST of this number is on disk; 0: now */
    int host;       /* -1 the cluster */
    uint64_t id;
    int code;
    bool more;
    enum event_level level;
    struct msg_grant *grant;       /* lives in the plan */
    const struct receipt *receipt; /* the same */
    char text[EVENT_LEN];
};

struct plan {
    unsigned n, grants, receipts;
    struct action at[ENGINE_PLAN_MAX];
    struct msg_grant grant[8];
    struct receipt receipt[PLAN_RECEIPTS];
};

/* kill_host, for the present silence of this host. */
enum kill { KILL_NONE, KILL_RUNNING, KILL_DONE, KILL_FAILED };

struct check_state {
    bool known, good; /* the verdict after trapping; unknown counts as good */
    enum result last;
    int64_t error_since;     /* boot ms of the first of the present row of errors; 0 none */
    int64_t good_since;      /* boot ms of the first OK after anything else */
    int64_t changed_wall_ms; /* verdict's last change */
    char message[WHY_LEN];
};

struct host {
    enum host_state state;
    int64_t state_since, state_since_wall;
    struct check_state check[CK_N];
    int64_t lag_ms;
    unsigned flaps;
    bool flapping;
    bool returning; /* was HARD_OFFLINE and not ONLINE since: is let in, not by itself */
    int64_t flap_start_wall;
    int64_t last_uptime_s;
    struct debt debt;
    enum kill kill;
    char kill_said[WHY_LEN];

    bool linked; /* hello received */
    int64_t unlinked_at;
    bool told; /* this epoch was said to it, or is about to be */
    char agent_obeys[IDENTITY_LEN];
    int64_t agent_heard_ms;
    bool heard; /* a report under this epoch since the link came up */
    int64_t report_at;
    int64_t steady_since;     /* reports come without a gap; what came in a burst may be old */
    int64_t resumed_at;       /* reports came again after lease/4 without one */
    struct msg_report report; /* the newest; start_id 0: none */
    int64_t facts_at;         /* of the newest report that knew the server; 0 none */
    int64_t dead_since;       /* proven: the agent saw mysqld die; 0 not */
    int64_t full_since;       /* the first of the present row of reports that its disk is full */

    struct msg_order order; /* what it was last told; serial 0 nothing */
    bool reorder;           /* say it again under a new serial */
    int64_t order_at;
    uint64_t order_after; /* journal number the order waits for */

    unsigned hands;   /* what somebody did by hand and is told already (hands.c) */
    bool by_hand;     /* its applier was stopped by somebody, and not started since */
    bool clean;       /* everything it has, the writer has too */
    bool sample_sure; /* taken when nothing received was left to apply */
    bool sampled;     /* sample is compared with the writer's reports */
    int64_t sample_at;
    char sample[GTID_LEN];
    char extra[PROBLEM_LEN]; /* transactions nobody else has; "" none known */
    enum tail aside_told;    /* what became of keeping them was told */
};

struct slot_host {
    bool maybe;            /* may hold it as far as is known */
    int64_t out_at;        /* if nothing more is heard: surely out then */
    uint64_t last_hold;    /* serial of the last order that let it hold this slot, in this epoch */
    int64_t not_before;    /* promised to others or just started */
    int64_t leaving_since; /* it says that it is leaving; 0 it doesn't */
    hostset allowed; /* who may be given the slot after this host's silence: whose promise it needs
                        to go on alone, whatever it has heard of the electorate so far */
};

struct slot {
    int holder;           /* -1 nobody; ordered to hold or adopted */
    bool adopted;         /* found holding, not ordered by this reign */
    bool releasing;       /* holder was ordered to let go */
    int target;           /* who gets it then; -1: to be chosen */
    bool forced;          /* given by the operator's force: the host's state doesn't matter */
    bool fence;           /* releasing at once, not in good order */
    bool arrived;         /* the holder was seen to hold it (open for writes) */
    bool probe;           /* taken after silence: ask the network first */
    int last;             /* who held it before; -1 nobody */
    char wrote[GTID_LEN]; /* what the writer was last seen to have; "" not in this life */
    bool pinned;          /* put there by move-role: balancing leaves it */
    int64_t gather_since; /* unheld writable slot: all stop and apply, to see who has most; 0 not */
    int fetch_by, fetch_from; /* then: who fetches from whom */
    hostset unsalvaged;       /* then: who gave up fetching from the last one's binary log */
    int accepted;             /* the operator gave up what this host alone may have; -1 nobody */
    bool asked;               /* the operator was told what is waited for */
    bool fetched;             /* what is to be reached was on its way at the last assignment */
    int64_t closing_until; /* let go unheard: its agent has closed or killed the server by then */
    int64_t assigned_at;
    int journal_holder; /* as read at start, until somebody is adopted or assigned */
    uint64_t electorate, electorate_after;
    hostset members;
    char reach[GTID_LEN];
    int choice;   /* unheld: who shall get it; -1 nobody is fit */
    int claimant; /* unheld: who says he holds it; -1 nobody */
    unsigned claims;
    struct slot_host host[HOSTS_MAX];
};

/* A planned move of the writer in progress, and the story of the last change of writer. */
enum move_phase { MOVE_NONE, MOVE_LAG, MOVE_RELEASE, MOVE_PROMOTE, MOVE_BACK };
struct move {
    enum move_phase phase;
    uint64_t id; /* ctl's command; 0: the engine's own (prefer) */
    int slot, from, to;
    int64_t started, blocked;
    uint64_t look; /* what both were ordered to look for; 0: by force, or nothing is blocked */
    int64_t look_at, looked_at; /* asked, both have answered (0: not yet) */
    char gtid[GTID_LEN];        /* what the old holder had when it began */
    char error[WHY_LEN];
    unsigned steps;
    struct {
        int64_t at;
        char what[WHY_LEN];
    } step[STEPS_MAX];
};
struct failover_story {
    bool on, planned;
    bool accepted; /* the operator gave up what the old one alone may have */
    int slot, from;
    enum evidence evidence;
    int64_t began, decided, released, gathered, fetched, assigned; /* 0 not */
    int between;              /* who had it after that and may have been open, unseen; -1 nobody */
    int fetch_by;             /* who fetches from the old one's binary log; -1 nobody did */
    char unsalvaged[WHY_LEN]; /* why the new one could not; "" it could, or did not try */
    char wrote[GTID_LEN];     /* what the old one was last seen to have */
    char before[GTID_LEN];    /* what fetch_by had before */
    char reach[GTID_LEN];  /* all that the old one had when it let go in good order; "" it didn't */
    char since[SINCE_LEN]; /* struct debt */
    struct receipt_set salvaged;
    char why[WHY_LEN];
};

/* REIGN_WAITING: a new identity looks whom the agents obey; CLAIMING: waits until every candidate's
 * agent has accepted its epoch; YES: orders and grants; DEPOSED: the agents obey somebody else. */
enum reign { REIGN_WAITING, REIGN_CLAIMING, REIGN_YES, REIGN_DEPOSED };

struct engine {
    struct engine_conf conf;
    int active_slot; /* the writable one; -1 none configured */
    hostset regular[ROLES_MAX],
        candidates[ROLES_MAX]; /* of roles; candidates: who may stand in too */
    char identity[IDENTITY_LEN], fresh_identity[IDENTITY_LEN];
    uint64_t epoch;
    enum reign reign;
    bool take_over;
    uint64_t epoch_seen;       /* the highest any agent named */
    uint64_t epoch_after;      /* journal number that makes the epoch durable */
    char reign_why[WHY_LEN];   /* why it does not reign; "" it does */
    char passive_why[WHY_LEN]; /* why passive mode; "" the operator, or another mode */
    enum mode mode;
    int64_t started_at, now, wall;
    int64_t grace_until; /* woke up late: what waits is read before silence decides */
    int writer_seen;     /* whose transactions the others were compared with */
    int64_t prefer_retry;
    uint32_t serial;            /* lower half of the last order's serial */
    uint64_t persisted;         /* number of the last ACT_PERSIST */
    struct engine_durable last; /* what it said */
    int64_t next_beat;
    int64_t due; /* when judging is due whatever comes in */
    bool persist_due;
    uint64_t receipts; /* number of the last one */
    char past[SINCE_LEN + 1];
    bool network_down;     /* the monitor's own (ping_ips) */
    int64_t network_up_at; /* again; 0 was never down */
    char network_message[WHY_LEN];
    uint64_t rules_hit[2]; /* rules that decided in the last step, bit i: engine_rule_name(i) */
    struct host host[HOSTS_MAX];
    struct slot slot[SLOTS_MAX];
    struct move move;
    struct failover_story story;
};

void engine_init(struct engine *e, const struct engine_conf *conf);
void engine_step(struct engine *e, const struct engine_event *ev, struct plan *plan);
int64_t engine_deadline(const struct engine *e);

void engine_durable_of(const struct engine *e, struct engine_durable *out);
/* The order for this host, as last decided; valid when host.order.serial is not 0. */
const struct msg_order *engine_order_of(const struct engine *e, int host);
/* The host that holds the active master role and is known to be open for writes; else -1. */
int engine_writer(const struct engine *e);

/* Is the host, a candidate of the active master role, one that is never the writer by itself? */
bool engine_barred(const struct engine *e, int host, char *why, size_t size);
/* What makes a semi-synchronous acknowledgement of this host worth less than it seems, or would if
 * it were the writer; "" nothing, or it has no part in such. */
void engine_semi_sync(const struct engine *e, int host, char *out, size_t size);
/* What becomes of the writer whose disk is full, and why it keeps the role if it does; "" there is
 * room, or somebody else is the writer. */
void engine_full(const struct engine *e, int host, char *out, size_t size);
/* What a slot that nobody holds waits for; "" somebody holds it, or this monitor does not reign. */
void engine_waits(const struct engine *e, int slot, char *out, size_t size);

/* Why this monitor moves nothing, whatever the rules say; "" it does, or the operator wished so. */
static inline const char *engine_why_passive(const struct engine *e)
{
    return e->reign_why[0] ? e->reign_why : e->passive_why;
}

/* A report's gtid for people: of a server without GTID db1 mysql-bin.000005:900. */
void engine_tell_gtid(const struct engine *e, int host, char out[GTID_LEN]);
/* Is the file made with what this host alone has? TAIL_NONE: there is nothing to be kept. *text:
 * READY: its path there; FAILED: why there is none; else "". Lives until the next step. */
enum tail engine_aside(const struct engine *e, int host, const char **text);
/* It replicates by file and position: host.extra is a sentence then, not a set. */
bool engine_by_place(const struct engine *e, int host);

/* Rules, to see which are ever used: names unique over all tables. */
unsigned engine_rule_count(void);
const char *engine_rule_name(unsigned i);

/* What holds now and why, in lines for people: which rule keeps a host's state, who has a role,
 * what each other candidate lacks, what is waited for and until when. Cut at `size`. */
void engine_explain_cluster(const struct engine *e, char *out, size_t size);
void engine_explain_host(const struct engine *e, int host, char *out, size_t size);
void engine_explain_role(const struct engine *e, int role, char *out, size_t size);
