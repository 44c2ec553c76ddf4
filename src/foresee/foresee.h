/* SPDX-License-Identifier: GPL-2.0-or-later
 * A whole cluster in one struct: the engines of the monitor and of every agent, around them the
 * smallest servers, network, disks and kernels that answer them. Time goes from event to event. No
 * chance and no clock: the same beginning and the same faults tell the same story, to the letter.
 * `hamm ctl what-if` begins it with a copy of the running monitor's engine, test/scenario with a
 * fresh cluster. Pure: no memory but the struct (about 12 MiB, of which a small cluster touches a
 * small part: calloc it), nothing is called back but `tell` and `stop`.
 *
 * What takes time in the world takes a fixed time here (struct foresee_conf). The agents' clocks
 * are the monitor's. Transactions are those of the reports and of the faults `write` and `extra`.
 */
#pragma once

#include "engine/agent.h"
#include "engine/engine.h"
#include "foresee/fault.h"

enum {
    FORESEE_TEXT = 640,
    FORESEE_DUE_MAX = 4096,
    FORESEE_MAIL_MAX = 384,
    TALE_LINES = 200,
};

/* What the world has that the engine's configuration doesn't say. */
struct foresee_conf {
    struct engine_conf engine;
    struct {
        int64_t period_ms, timeout_ms;
    } check[CK_N];
    enum host_state stored[HOSTS_MAX]; /* of foresee_stored, _settled; UNKNOWN means ONLINE */
    enum monitor_loss on_monitor_loss;
    bool kill_hung_mysqld;
    enum gate_kind gate;                           /* of hosts that never reported */
    int64_t message_ms, disk_ms, job_ms, probe_ms; /* assumptions */
};
/* Defaults for everything but `engine`, which is copied; pass a conf as large as it is. */
void foresee_conf_of(struct foresee_conf *c, const struct engine_conf *engine);

enum foresee_kind {
    TELL_FAULT,   /* what was done to the world */
    TELL_EVENT,   /* the monitor says */
    TELL_ANSWER,  /* to an operator's command */
    TELL_ORDER,   /* to an agent, in words */
    TELL_AGENT,   /* an agent says */
    TELL_ADDRESS, /* an address comes or goes */
    TELL_SERVER,  /* what a server does */
    TELL_RECEIPT, /* of a change of writer, or what became known later */
    TELL_OPEN,    /* where writes are possible through the address */
    TELL_BROKEN,  /* two hosts at once: a promise is broken */
};
struct foresee_line {
    int64_t at_ms; /* since the story began */
    int host;      /* -1: the cluster */
    enum foresee_kind kind;
    const char *text; /* whole, with names; lives until tell returns; may have several lines */
};
typedef void (*foresee_tell_fn)(void *owner, const struct foresee_line *line);
/* Asked now and then while the story runs; true ends it. */
typedef bool (*foresee_stop_fn)(void *owner);

/* A model of mysqld: texts of GTIDs, no rows. */
struct foresee_server {
    bool up, hung, read_only, receive, apply, connected, broken, mysql_flavour;
    uint64_t server_id;
    bool obstructed;       /* something is in the way of a planned move */
    bool unreadable;       /* its binary log, by an agent */
    char purged[GTID_LEN]; /* its binary log begins only after that; "" at the beginning */
    bool full;             /* its disk: commits, and questions about GTIDs, wait */
    int64_t hung_at, lost_at, back_at; /* receiver: source not reached since; connects again */
    int64_t pid, lag_ms;               /* lag_ms: the applier stays that far behind; 0 not */
    int source;                        /* -1 none */
    unsigned source_port;
    char source_host[ADDR_LEN];
    struct traits traits;
    char own[PLACE_LEN], applied[PLACE_LEN]; /* without GTID; writes don't move them on */
    char have[GTID_LEN], relay[GTID_LEN], extra[GTID_LEN];
};

struct foresee_job {
    enum agent_job job; /* JOB_NONE: none runs */
    int32_t id;
    int source;
    bool cancelled, as_is;
    int64_t limit_at;
    char at[PLACE_LEN];
    bool look;
    char reach[GTID_LEN];
};

struct foresee_node {
    bool on, alive, frozen, isolated; /* of the machine; of the agent's process; of its network */
    uint64_t cut;                     /* hosts it does not reach; both ways */
    bool cut_monitor;
    struct agent a;
    struct agent_record record;
    bool has_record;
    int64_t deadline, boot_at;
    struct foresee_server server;
    struct foresee_job job;
    int64_t gate_until[SLOTS_MAX];
    enum mysqld seen; /* what its agent was told last */
    /* the connection to the monitor, and the monitor's checks of this host */
    bool linked, linking;
    int link;
    int64_t link_heard, link_pause, ping_heard;
    uint64_t order_told, look_told;
    bool forced[CK_N];
    enum result forced_result[CK_N];
    char forced_text[CK_N][FAULT_TEXT];
};

struct foresee_due {
    int64_t at;
    uint32_t seq;
    int32_t what, a, b, n;
};

struct foresee_mail {
    bool used, held; /* held: until the journal is at `after` */
    enum msg_kind kind;
    int from, to; /* -1 the monitor */
    int link;
    uint64_t after;
    union {
        struct msg_beat beat;
        struct msg_order order;
        struct msg_grant grant;
        struct msg_refusal refusal;
        struct msg_report report;
        struct msg_lease lease;
        struct msg_ask ask;
        struct msg_promise promise;
    };
};

struct foresee {
    struct foresee_conf conf;
    int64_t now, began_at, told_at, wall_offset;
    foresee_tell_fn tell;
    foresee_stop_fn stop; /* NULL: nobody stops it */
    void *owner, *stop_owner;
    bool quiet;   /* settling: nothing is told */
    bool failed;  /* more happens than fits */
    bool stopped; /* `stop` said so */
    bool broken;  /* a promise was broken */
    unsigned lines;
    uint64_t rules_hit[2]; /* of the engine, while the story was told */
    bool monitor_up;
    int64_t monitor_deadline;
    uint64_t journalled;
    bool has_disk;
    struct engine e;
    struct engine_durable disk;
    struct plan plan;
    struct agent_plan agent_plan;
    char receipt[FORESEE_TEXT];
    struct msg in;
    hostset open_told;                               /* where writes are open */
    int writable;                                    /* the slot that means that; -1 none */
    slotset shown[HOSTS_MAX], shown_told[HOSTS_MAX]; /* addresses on, by host */
    struct foresee_node node[HOSTS_MAX];
    struct foresee_mail mail[FORESEE_MAIL_MAX];
    unsigned due_n, seq, lives;
    uint64_t commands;
    struct foresee_due due[FORESEE_DUE_MAX];
    unsigned faults_left;
    struct faults faults;
};

/* A fresh cluster: every machine, server and agent is up, the monitor starts for the first time.
 * source[h]: whom host h replicates from; -1 nobody. The story begins at 0, nothing has happened.
 */
void foresee_begin(struct foresee *f, const struct foresee_conf *c, const int *source,
                   foresee_tell_fn tell, void *owner);
/* The same, but the monitor has reigned before: hosts were ONLINE, or as conf.stored
 * says, nobody held anything. */
void foresee_stored(struct foresee *f, const struct foresee_conf *c, const int *source,
                    foresee_tell_fn tell, void *owner);
/* The same, but all hosts are ONLINE, everything is in office and has been so for a while. */
void foresee_settled(struct foresee *f, const struct foresee_conf *c, const int *source,
                     foresee_tell_fn tell, void *owner);
/* From a running monitor: agents as their last report and order say, servers as reports and checks
 * say. The story begins at now->now. Nothing moves because of the copying. */
void foresee_copy(struct foresee *f, const struct foresee_conf *c, const struct engine *now,
                  foresee_tell_fn tell, void *owner);
/* At this moment of the story. */
void foresee_fault(struct foresee *f, const struct fault *fault);
/* These, one after the other, from now on; they happen while foresee_run runs. */
void foresee_faults(struct foresee *f, const struct faults *faults);
/* Until this moment of the story. False: more happened than there is room for, or `stop` said so;
 * the story ends. */
bool foresee_run(struct foresee *f, int64_t until_ms);
/* Until all faults were fed and then nothing was told for long enough to be sure (but for what
 * takes an hour), or until this moment of the story. */
bool foresee_run_out(struct foresee *f, int64_t until_ms);
int64_t foresee_now(const struct foresee *f); /* moment of the story, ms */
/* Who has what at the end, what waits, what is lost. Returns its length as snprintf does. */
size_t foresee_after(const struct foresee *f, char *to, size_t size);

/* ---- the answer of what-if ---- */

struct tale {
    unsigned n;
    char cut[120]; /* there was more: a sentence that says why; "" all was told */
    char said[2 * FAULT_TEXT];
    struct {
        int64_t at_ms;
        char host[NAME_LEN]; /* "" the cluster */
        enum foresee_kind kind;
        char text[FORESEE_TEXT];
    } line[TALE_LINES];
    char after[2048], assumed[320];
};

/* The whole answer; `f` and `t` are the caller's memory, everything else is only read. May run in
 * any thread. `stop` may be NULL. */
void foresee_what_if(struct foresee *f, const struct foresee_conf *c, const struct engine *now,
                     const struct faults *faults, foresee_stop_fn stop, void *owner,
                     struct tale *t);
/* As text for people; returns its length as snprintf does. */
size_t tale_format(const struct tale *t, char *to, size_t size);
