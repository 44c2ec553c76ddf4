/* SPDX-License-Identifier: GPL-2.0-or-later
 * The shell around the agent's rules. What happens in the world becomes an event, agentd_feed gives
 * it to agent_step and has the plan performed (perform.c); results come back as events. Nothing
 * here decides.
 *
 *   links.c      monitors and peers that connect to us         addresses.c  gate and role addresses
 *   asks.c       our connections to peers, for promises        server.c     the local mysqld,
 * observed keep.c       journal and record                            jobs.c       work on it, and
 * the fence
 *
 * Each part is a struct in here; x_start returns 0 or fails with a sentence, x_stop ends everything
 * and counts itself off d->closer when its last handle is closed. */
#pragma once

#include "agent/facts.h"
#include "agent/jump.h"
#include "agent/mydb.h"
#include "agent/record.h"
#include "agent/setup.h"
#include "agent/start.h"
#include "agent/watch.h"
#include "base/clock.h"
#include "base/log.h"
#include "journal/journal.h"
#include "loop/closer.h"
#include "net/gate.h"
#include "net/listen.h"
#include "net/vip.h"
#include "proto/codec.h"

#include <uv.h>

enum {
    AGENTD_TICK_MS = 100,
    AGENTD_HELLO_MS = 2000, /* from the connection to the other side's hello */
};

struct agentd;

/* An event that happened while a plan was performed; it waits until that is done. */
struct agentd_note {
    struct agent_event ev;
    char why[WHY_LEN];
};

struct agentd_link;
struct agentd_links {
    struct listener *listener;
    struct agentd_link *first;
    int last_number;
    int asked_by[HOSTS_MAX]; /* number of the link that host asks by; 0 none */
    struct log_limit limit;
    unsigned open; /* links and the listener */
    bool stopping;
};

enum ask_state { ASK_IDLE, ASK_CONNECTING, ASK_HELLO, ASK_UP, ASK_PAUSE, ASK_N };
struct agentd_ask {
    struct agentd *d;
    int host;
    enum ask_state state;
    bool wanted;
    struct peer *peer;
    int64_t since_ms; /* of the state */
    int64_t pause_ms;
    uv_timer_t timer;
    struct log_limit limit;
};

struct agentd_address {
    struct vip vip;
    struct agentd *d;
    int slot;
};
struct agentd_slot {
    unsigned first, n; /* in addresses.at */
    unsigned probing;  /* answers still to come */
    bool answered;
    bool hide_again;  /* an address could not be removed: until it is */
    int64_t until_ms; /* the gate was opened until then */
    struct log_limit limit;
};
struct agentd_addresses {
    bool gated, started;
    struct gate gate;
    struct vips vips;
    unsigned n;
    struct agentd_address *at; /* owned */
    struct agentd_slot slot[SLOTS_MAX];
    unsigned reinstalled; /* as the gate counts; what was held before is held again */
    struct log_limit limit;
    bool no_destroy; /* this kernel cannot end connections by address; said once */
};

struct agentd_process;
struct look;
enum server_state { SERVER_PAUSE, SERVER_ASKED, SERVER_LOOKING, SERVER_N };
struct agentd_server {
    enum server_state state;
    struct mydb *db;
    uv_timer_t timer;
    int64_t pause_ms; /* grows while it is down */
    bool fresh;       /* nothing was heard on this connection yet */
    bool void_answer; /* the question was put before a job ended: its answer doesn't count */
    enum mysqld known;
    pid_t pid;                      /* 0 unknown */
    struct look *look;              /* for its pid, waited for; NULL none */
    pid_t gone;                     /* seen to exit: its answers are from before */
    struct agentd_process *process; /* watched; NULL none */
    struct agent_facts facts;
    char problem[PROBLEM_LEN];
    struct log_limit limit;
    struct log_limit problem_limit;
};

/* A connection kept open for one purpose. */
struct agentd_lane {
    struct agentd *d;
    const char *name;
    struct mydb *db;
    bool open;
    int64_t kept_ms; /* when it was last seen to work */
};
enum job_state { JOBS_IDLE, JOBS_FETCH, JOBS_WAIT, JOBS_RUN, JOBS_LOOK, JOBS_STATE_N };
enum { LANE_WORK, LANE_FENCE, LANE_N };
struct agentd_jobs {
    struct agentd_lane lane[LANE_N];
    enum job_state state;
    enum agent_job job;
    struct agentd_lane *by;
    bool cancelled;
    struct mydb_ask ask;
    char reach[GTID_LEN];
    char done_text[PROBLEM_LEN], own_more[WHY_LEN];
    bool looked; /* own_more is an answer */
    struct log_limit limit[JOB_N];
};

/* The server's binary log, as the server said while it lived. */
struct tail_place {
    int64_t pid; /* 0 unknown */
    bool mysql_flavour;
    uint64_t server_id;
    char version[64], server_uuid[64];
    char index[512]; /* @@log_bin_index; "" none */
};
struct tail_read;
struct agentd_tail {
    struct tail_place asked, place; /* place: kept with the record */
    struct tail_read *read;         /* waited for; NULL none */
};

/* What is handed over of it, to whom; id 0: nothing. */
struct agentd_serve {
    uint64_t id;
    int host, fd;
    bool busy; /* a thread is at work */
    int64_t size, used_ms;
    char reach[GTID_LEN];
};

/* What is fetched from another host's. */
struct source;
struct agentd_fetch {
    bool on, writing;
    bool in_memory; /* state_dir had no room for it: it is in run_dir */
    int host, fd;
    uint64_t id, server_id;
    int64_t offset, size, until_ms, asked_ms; /* asked_ms: 0 not asked for this piece */
    long piece_len;
    char version[64], server_uuid[64], password[33], reach[GTID_LEN];
    struct source *source; /* serves it to our own server */
    uv_fs_t write;
    unsigned char piece[CHUNK_BYTES];
};

/* Room for the server's binary log, or in state_dir. */
struct agentd_disk {
    struct agentd *d;
    uv_fs_t req;
    bool asked;
    int64_t next_ms;
    bool full;                           /* as far as is known */
    const char *so;                      /* what that means, and what to do */
    char dir[512], problem[PROBLEM_LEN]; /* problem: "" unless it is full */
};

/* Keeping what only this server has in a file. */
struct agentd_quarantine {
    bool busy;  /* a thread is at work */
    bool again; /* something else is wanted since */
};

struct agentd_keep {
    struct journal *journal;
    struct record record;
    bool durable_found, durable_bad, record_found;
    struct agent_durable durable;
    struct agent_record last;
    uint64_t seq;              /* of the append that counts */
    char problem[PROBLEM_LEN]; /* why the journal can't be written; "" it can */
    char start_path[PATH_MAX]; /* what the start gate reads */
    enum start_state start_said;
    bool append_again, record_again;
    struct log_limit limit;
};

struct agentd {
    struct log_who log;
    uv_loop_t loop;
    const struct conf *conf;
    unsigned self;
    const char *state_dir, *run_dir;
    struct agentd_setup setup;
    struct agent agent;
    uint64_t start_id;
    struct net_tls *tls;

    bool busy, stopping;
    int64_t now_ms; /* of the event being handled */
    struct agent_plan plan;
    struct agentd_note note[3 * SLOTS_MAX + 4];
    unsigned notes;

    uv_timer_t wake, tick, patience;
    uv_signal_t term, interrupt;
    bool listening;
    int exit_code;
    struct jump jump;
    struct jump_notice notice;
    bool noticing;
    struct closer closer;

    struct agentd_links links;
    struct agentd_ask ask[HOSTS_MAX];
    struct agentd_addresses addresses;
    struct agentd_server server;
    struct agentd_jobs jobs;
    struct agentd_keep keep;
    struct agentd_tail tail;
    struct agentd_serve serve;
    struct agentd_quarantine quarantine;
    struct agentd_disk disk, state_disk;
    struct agentd_fetch fetch;

    struct msg in, out; /* too big for the stack */
    char frame[MSG_FRAME_MAX];
};

/* agentd.c: the only caller of agent_step. The event's time is set here. Not to be called while a
 * plan is being performed. */
void agentd_feed(struct agentd *d, struct agent_event *ev);
/* From inside and outside of a plan: an event about a slot (AE_GATE_FAILED, AE_REMOVED, AE_FOREIGN,
 * AE_PROBED), or that a job ended without having run. */
void agentd_feed_slot(struct agentd *d, enum agent_event_kind kind, int slot, bool answered,
                      const char *why);
void agentd_feed_no_job(struct agentd *d, enum agent_job job, const char *why, bool hopeless);
/* Runs the parts in their order. 0, or a sentence. */
int agentd_start(struct agentd *d, struct err *e) MUST_CHECK;
/* Everything ends; the loop runs out of handles. Repeatable. */
void agentd_stop(struct agentd *d, int exit_code);

/* perform.c */
void agentd_perform(struct agentd *d, const struct agent_action *a);

/* links.c */
int agentd_links_start(struct agentd *d, struct err *e) MUST_CHECK;
void agentd_links_stop(struct agentd *d);
void agentd_links_tick(struct agentd *d);
void agentd_links_report(struct agentd *d);
/* d->out to the link of that number; a link that is gone is no matter. */
void agentd_links_send(struct agentd *d, int number);
void agentd_hello_of(struct agentd *d, struct msg *m);
/* NULL, or what is wrong with it. */
const char *agentd_hello_wrong(const struct agentd *d, const struct msg_hello *h);
/* Encodes and sends m; closes the peer where that can't be done. */
void agentd_send(struct agentd *d, struct peer *p, const struct msg *m);

/* asks.c */
void agentd_asks_start(struct agentd *d);
void agentd_asks_stop(struct agentd *d);
void agentd_asks_tick(struct agentd *d);
/* Connections to those hosts are wanted now, to no others. */
void agentd_asks_want(struct agentd *d, hostset hosts);
/* d->out to that peer, if there is a connection. */
void agentd_asks_send(struct agentd *d, int host);

/* addresses.c */
int agentd_addresses_start(struct agentd *d, struct err *e) MUST_CHECK;
void agentd_addresses_stop(struct agentd *d);
void agentd_addresses_tick(struct agentd *d);
void agentd_gate(struct agentd *d, int slot, int64_t until_ms);
void agentd_show(struct agentd *d, int slot, int64_t until_ms);
void agentd_hide(struct agentd *d, int slot, int64_t until_ms);
void agentd_probe(struct agentd *d, int slot);

/* server.c */
void agentd_server_start(struct agentd *d);
void agentd_server_stop(struct agentd *d);
/* Asks again at once, and what is being answered now doesn't count any more. */
void agentd_server_anew(struct agentd *d);
void agentd_server_kill(struct agentd *d);

/* jobs.c */
void agentd_jobs_start(struct agentd *d);
void agentd_jobs_stop(struct agentd *d);
/* Keeps the lanes open; after every answer of the server. */
void agentd_jobs_keep(struct agentd *d);
void agentd_job(struct agentd *d, const struct agent_action *a);
void agentd_job_cancel(struct agentd *d);
/* What the running job needed is here; why: NULL, or why not; hopeless: and won't be. */
void agentd_job_fetched(struct agentd *d, const char *why, bool hopeless);

/* tail.c */
void agentd_tail_seen(struct agentd *d, const struct mydb_facts *f);
void agentd_tail_alive(struct agentd *d, pid_t pid); /* what was seen is of this process */
void agentd_tail(struct agentd *d, const struct agent_action *a);
void agentd_tail_stop(struct agentd *d);

/* disk.c */
void agentd_disk_tick(struct agentd *d);

/* quarantine.c */
void agentd_quarantine(struct agentd *d, const struct agent_action *a);

/* serve.c: answered with MSG_CHUNK on that link; start: what an earlier life left goes */
void agentd_serve_start(struct agentd *d);
void agentd_serve(struct agentd *d, int host, int link, const struct msg_slice *q);
void agentd_serve_tick(struct agentd *d);
void agentd_serve_stop(struct agentd *d);

/* fetch.c: agentd_job_fetched follows; then what was fetched is served until agentd_fetch_end */
void agentd_fetch(struct agentd *d, int host, int64_t limit_ms);
void agentd_fetch_chunk(struct agentd *d, int host, const struct msg_chunk *c);
void agentd_fetch_tick(struct agentd *d);
void agentd_fetch_end(struct agentd *d); /* repeatable; at first what an earlier life left goes */

/* keep.c */
int agentd_keep_start(struct agentd *d, struct err *e) MUST_CHECK;
void agentd_keep_stop(struct agentd *d);
void agentd_keep_tick(struct agentd *d);
void agentd_persist(struct agentd *d);
void agentd_record(struct agentd *d);
/* The start gate is told what is so now; each tick, and `changed` only if it is another. */
void agentd_say_start(struct agentd *d, bool changed);

/* hosts.c: 0 and the index of the host this machine is. name: NULL, or the one the operator says.
 */
int agentd_host_find(const struct conf *c, const char *name, unsigned *self,
                     struct err *e) MUST_CHECK;
/* -EPERM: a capability that is needed is missing; the sentence names it and what to do. */
int agentd_may_run(struct err *e) MUST_CHECK;
