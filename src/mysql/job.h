/* SPDX-License-Identifier: GPL-2.0-or-later
 * The procedures that are asked of one server: observe it, close or open it for writes, stop and
 * drain its replication, let it follow another. One connection, one job at a time; every step has
 * a deadline; the connection is made when a job needs one and kept.
 *
 * A statement given up (deadline, cancel) may still come into force in the server. For opening
 * writes that would be fatal, so: the statement itself carries a wall time (the job's deadline)
 * after which it changes nothing, and the next job first kills the connection it was given up on.
 * One that closes would undo a later opening: its connection is killed too.
 *
 * Nothing here decides: a job does what it is told and reports what is. */
#pragma once

#include "mysql/db.h"
#include "mysql/dialect.h"

enum job_kind {
    JOB_OBSERVE,    /* facts and replica status; cheap, for every 250 ms */
    JOB_READ_ONLY,  /* close for writes; clients killed; holds and verified when done */
    JOB_WRITABLE,   /* open for writes, read back */
    JOB_STOP_DRAIN, /* stop receiving, apply everything received, stop; `reach` first */
    JOB_FOLLOW,     /* drained, then replicate from `follow`; done when its receiver is connected */
    JOB_STOP_REPLICA, /* both threads, configuration stays */
    JOB_START_REPLICA,
    JOB_SALVAGE, /* drained, then fetch `reach` from the source on 127.0.0.1 (source.h), apply it;
                    settings back as before, replication stopped, also when it fails */
    JOB_LOOK,    /* changes nothing; the result's text is what would hold up opening this server, or
                    closing it if it is open; "" nothing */
    JOB_N
};
const char *job_name(enum job_kind kind);

/* Copied by job_start. */
struct job_args {
    int64_t limit_ms; /* how long the whole job may take, connecting included */
    bool planned;     /* READ_ONLY: let running statements end (1 s at most) before killing */
    /* STOP_DRAIN, SALVAGE: text of a position (MariaDB) or set (MySQL) that must have been received
     * and applied before the receiver is stopped; NULL or "": none. Without GTID a place in the
     * source's log: it is applied exactly up to there */
    const char *reach;
    /* STOP_DRAIN without GTID: a place in this server's own log; what it has of its own behind it
     * is looked for. NULL or "": nothing is */
    const char *look;
    bool hear;  /* STOP_DRAIN: as long as something comes from the source, for 3 s at most */
    bool as_is; /* STOP_DRAIN: if the applier breaks, stop without what is left, and without
                   `reach` if nothing can be received */
    struct follow follow; /* FOLLOW; SALVAGE: user, password and heartbeat_ms, for putting back */
    unsigned tail_port;   /* SALVAGE, with the one-time account of that source */
    const char *tail_user, *tail_password;
};

struct job_result {
    enum job_kind kind;
    bool ok;
    enum db_error error; /* what the connection came to; DB_OK with !ok: the job's own reason */
    unsigned number;     /* the server's error number, 0 if none */
    const char *text;    /* what was done, or why not: a sentence, never with a password */
    const struct server_facts *facts; /* as last seen in this job; NULL: not seen. Yours until
                                         the callback returns */
    const char *own_more; /* `look`: from where to where this server has transactions of its own
                             behind it, or why that can't be told; "" none; NULL: not looked for */
    unsigned killed;      /* READ_ONLY: client connections ended */
};

struct job;
typedef void (*job_done_fn)(struct job *j, const struct job_result *r);

struct job_opts {
    struct db_params db;
    /* Their connections are not killed as clients; NULL: none. replication_user matters: MariaDB's
     * receiver stops for good when it is killed while it sets up its connection. */
    const char *agent_user, *monitor_user, *replication_user;
    bool gtid_off; /* replicate by file and position although the server has GTID */
    /* The idle connection ended. NULL: nobody cares. */
    void (*on_lost)(struct job *j, const char *text);
    void *owner;
};

/* Copies opts. */
struct job *job_new(uv_loop_t *loop, const struct job_opts *opts);
void *job_owner(const struct job *j);
/* One at a time (CHECK job_is_running is false). done comes later, never before this returns, and
 * may start the next job. */
void job_start(struct job *j, enum job_kind kind, const struct job_args *args, job_done_fn done);
bool job_is_running(const struct job *j);
/* Ends the running job within ms through its done, with DB_CANCELLED. Nothing if none runs. */
void job_cancel(struct job *j);
/* Ends everything without calling done, frees j, then closed(owner). Never waits for the server. */
void job_close(struct job *j, void (*closed)(void *owner));
