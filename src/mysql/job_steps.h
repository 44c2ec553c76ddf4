/* SPDX-License-Identifier: GPL-2.0-or-later
 * Inside of a job. A procedure is a chain of steps: each gets the answer to the statement before
 * it, and ends by doing exactly one of job_ask, job_try, job_pause, job_observe or job_end, which
 * name the step that comes next. Whatever the steps don't handle (no connection, an SQL error, the
 * deadline, cancelling) ends the job in one place. */
#pragma once

#include "loop/closer.h"
#include "gtid/place.h"
#include "mysql/job.h"

#define JOB_POLL_MS       20
#define JOB_LINGER_MS     2   /* between looks at a killed connection */
#define JOB_KILLS_MAX     512 /* in one pass; more are killed in the next */
#define JOB_ABANDONED_MAX 8
#define JOB_SEMI_SYNC_MS  1000 /* observing asks for it as often */

/* r: the answer, NULL after job_pause and job_observe. */
typedef void (*job_step_fn)(struct job *j, const struct db_result *r);

struct job {
    uv_loop_t *loop;
    struct job_opts opts; /* texts owned */
    struct db *db;
    struct db *side; /* a second connection, for job_semi.c; else closed */
    uv_timer_t timer;
    struct closer closer;
    void (*closed)(void *owner);

    const struct dialect *dialect;         /* of the connection that is up */
    uint64_t abandoned[JOB_ABANDONED_MAX]; /* connections given up while opening or closing */
    unsigned abandoned_n;

    /* the running job */
    job_done_fn done; /* NULL: none runs */
    enum job_kind kind;
    struct job_args args; /* texts owned */
    int64_t until_ms;     /* CLOCK_BOOTTIME */
    job_step_fn then;     /* after the answer */
    job_step_fn observed; /* after job_observe */
    const char *doing;    /* the statement that is out, for sentences */
    bool tolerant;        /* job_try */
    bool cancelled;
    bool switching; /* a statement that opens or closes writes is out */
    struct server_facts facts;
    bool facts_seen;
    struct semi_sync semi_sync; /* as asked last; survives jobs */
    int64_t semi_sync_at;       /* CLOCK_BOOTTIME; 0 not on this connection */
    char why[700];              /* what is still in the way, for the sentence at the deadline */

    /* READ_ONLY */
    bool holds;             /* read back as on */
    bool awaits;            /* a killed connection still waits for a replica's acknowledgement */
    char semi_sync_off[64]; /* the variable that was switched off so that it ends, and has to be on
                               again; "" none. Survives jobs */
    job_step_fn let_through;
    bool kill_denied;
    unsigned killed, clients, patience;
    unsigned kill_n, kill_at, lingering_n;
    uint64_t kill[JOB_KILLS_MAX];      /* to be killed now */
    uint64_t lingering[JOB_KILLS_MAX]; /* killed, still in the list */

    /* STOP_DRAIN, FOLLOW */
    bool salvaging;
    bool heartbeat_unknown; /* not allowed to ask what was set */
    char domains[384]; /* ", DO_DOMAIN_IDS=..." that are off and have to come back; survives jobs */
    job_step_fn drained, halted;
    uint64_t half_read; /* the applier that was killed: part of a transaction is all it has */
    int64_t hears_since,
        heard_ms; /* CLOCK_BOOTTIME, 0 not yet: the receiver's source is heard out */
    uint64_t heard_pos;

    /* FOLLOW, SALVAGE */
    void (*positioned)(struct job *j);

    /* SALVAGE: how it is set up, for putting that back */
    struct {
        bool draining;  /* before anything is fetched: `reach` does not count yet */
        bool pointed;   /* the settings are changed */
        bool restoring; /* it failed, as `failure` says; they are being put back */
        enum db_error error;
        unsigned number;
        char failure[1024];
        char host[256], file[256];
        unsigned port, retry_s;
        uint64_t pos;
        int64_t heartbeat_ms;
        bool tls, by_gtid, by_current;
    } tail;

    /* without GTID (job_place.c) */
    struct place at; /* where its own log, or the relay log, is looked at */
    unsigned rows;   /* seen there; of the relay log: of a transaction that is not whole */
    bool looked;     /* own_more is the answer */
    char own_more[512];
    job_step_fn rest[2]; /* after the relay log: nothing whole is left; something is */
};

/* The statement's answer goes to `then`; any failure ends the job. */
void job_ask(struct job *j, const char *doing, const char *sql, job_step_fn then);
/* The same, but `then` also gets DB_SQL and DB_DENIED answers. */
void job_try(struct job *j, const char *doing, const char *sql, job_step_fn then);
void job_pause(struct job *j, int64_t ms, job_step_fn then);
/* Facts, replica status and coordinates into j->facts. */
void job_observe(struct job *j, job_step_fn then);
void job_end(struct job *j, const char *fmt, ...) PRINTF_LIKE(2, 3); /* well */
void job_fail(struct job *j, unsigned number, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* An SQL error answer ends the job. */
void job_fail_sql(struct job *j, const struct db_result *r);
void job_why(struct job *j, const char *fmt, ...) PRINTF_LIKE(2, 3);
int64_t job_left_ms(const struct job *j);
/* What was sent there may still be carried out: the next job ends that connection first. */
void job_abandon(struct job *j, const struct db *db);

/* job_semi.c */
/* Commits that wait for an acknowledgement go through: semi_sync_off, which says whether they do;
 * then `then`. */
void job_semi_off(struct job *j, job_step_fn then);
/* If that was done: as it was before, then `then`. */
void job_semi_on(struct job *j, job_step_fn then);

/* job_place.c */
/* Does this server replicate by file and position? */
bool job_by_place(const struct job *j);
/* `reach` is not applied yet: the applier goes exactly up to there, then `then`. */
void job_place_reach(struct job *j, job_step_fn then);
/* 1: `reach` is applied (or none is asked for), 0: not, -1: it never can be, the job has ended. */
int job_place_reached(struct job *j);
/* Is a whole transaction left in the relay log? What is not whole never will be. */
void job_place_rest(struct job *j, job_step_fn none, job_step_fn some);
/* After job_place_rest found nothing whole: ends what has begun to apply the part that there is,
 * and once the applier is stopped forgets it. */
void job_place_part(struct job *j, job_step_fn then);
void job_place_forget(struct job *j, job_step_fn then);
/* Looks for transactions of its own behind `look`, then `then`; own_more. */
void job_place_look(struct job *j, job_step_fn then);
/* follow.log_file and log_pos; false: the job has ended. */
bool job_place_follow(struct job *j);

/* First steps. */
void job_read_only(struct job *j, const struct db_result *r);
void job_writable(struct job *j, const struct db_result *r);
void job_stop_drain(struct job *j, const struct db_result *r);
void job_follow(struct job *j, const struct db_result *r);
void job_stop_replica(struct job *j, const struct db_result *r);
void job_start_replica(struct job *j, const struct db_result *r);
void job_look(struct job *j, const struct db_result *r);
void job_salvage(struct job *j, const struct db_result *r);

/* Steps for several: `reach` received, receiver stopped, all applied, both stopped; then `drained`,
 * which comes with fresh facts. */
void job_drain(struct job *j, job_step_fn drained);
/* The same with j->drained set: from fresh facts on, and from there on where all is applied. */
void job_drain_seen(struct job *j, const struct db_result *r);
void job_drain_over(struct job *j);
/* Is `reach` among what was applied (with received: or was received)? -1: the job has ended. */
int job_reached(struct job *j, bool received);
/* MariaDB: gtid_slave_pos as far as this server's own binary log, then `positioned`. */
void job_position(struct job *j, void (*positioned)(struct job *j));
/* A salvage failed whose settings are changed: notes why, and more time; then puts them back and
 * ends the job. */
void job_salvage_failed(struct job *j, enum db_error error, unsigned number, const char *text);
void job_salvage_back(struct job *j);
/* Do the settings still lead to a salvage that was given up, and was TLS on before it? */
bool job_tail_had_tls(const struct repl_status *s);
