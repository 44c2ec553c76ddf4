/* SPDX-License-Identifier: GPL-2.0-or-later
 * This host's own server in plain words: one connection, by the unix socket where there is one, by
 * TCP else, and what can be asked over it. A wall between mysql/ and proto/, which know nothing of
 * each other and use the same names for different things. */
#pragma once

#include "base/check.h"
#include "conf/conf.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

enum mydb_task {
    MYDB_OBSERVE,
    MYDB_READ_ONLY,
    MYDB_DRAIN,
    MYDB_WRITABLE,
    MYDB_FOLLOW,
    MYDB_LOOK, /* the answer's text: what would hold up a planned move; "" nothing */
    MYDB_SALVAGE,
    MYDB_TASK_N
};

/* What it came to, as far as the connection goes. */
enum mydb_came {
    MYDB_FINE,      /* the server answered, perhaps with a refusal */
    MYDB_REFUSED,   /* nobody listens, neither at the socket nor at the port */
    MYDB_LOST,      /* the connection ended under the question */
    MYDB_CANCELLED, /* by mydb_cancel */
    MYDB_SILENT,    /* no answer in time */
    MYDB_BARRED     /* it is alive and lets us not in, or cannot be reached by our own fault */
};

enum mydb_receiver { MYDB_RECEIVER_NO, MYDB_RECEIVER_CONNECTING, MYDB_RECEIVER_YES };

struct mydb_facts {
    bool mariadb;
    bool read_only; /* nobody may write; on MySQL super_read_only too */
    pid_t pid;      /* 0: not known */
    const char *pid_file;
    const char *version, *server_uuid; /* server_uuid: MySQL; else "" */
    uint64_t server_id;
    const char *log_bin_index;  /* "" it logs nothing */
    const char *gtid_state;     /* @@gtid_binlog_state or @@gtid_executed */
    const char *gtid_slave_pos; /* MariaDB; else "" */
    const char *own_uuid, *own_file, *source_uuid, *exec_file; /* without GTID; else "" */
    uint64_t own_pos, exec_pos;
    const char *source_host; /* "" none */
    unsigned source_port;
    enum mydb_receiver receiver;
    bool applier;
    bool applier_broken; /* it stopped on an error */
    bool receiver_broken;
    int64_t lag_ms; /* -1 unknown */
    bool log_bin, log_updates;
    unsigned delay_s;
    uint64_t filters; /* as a number: mysql/filters.h */
    struct {
        bool source, active, after_sync, hasty, replica, receiver;
        unsigned clients, wait_for;
        int64_t timeout_ms;
    } semi_sync;
};

struct mydb_ask {
    enum mydb_task task;
    int64_t limit_ms;
    bool planned;          /* READ_ONLY */
    const char *reach;     /* DRAIN, SALVAGE: a position (MariaDB) or a set (MySQL); "" none */
    const char *look;      /* DRAIN: a place in the own log; "" not */
    const char *at, *from; /* FOLLOW: places, "" none */
    bool as_is;            /* DRAIN: what can't be applied is given up */
    bool hear;             /* DRAIN: first the source is heard to the end */
    const struct conf_host *source; /* FOLLOW; SALVAGE: whose account settings are put back with */
    unsigned port;                  /* SALVAGE: of the source on 127.0.0.1; its account: */
    const char *user, *password;    /* valid until it is done */
};

/* Everything in it lives until the callback returns. */
struct mydb_answer {
    enum mydb_task task;
    bool ok;
    enum mydb_came came;
    const char *text;               /* what was done, or why not */
    const char *own_more;           /* DRAIN with `look`: see job.h */
    const struct mydb_facts *facts; /* NULL: not seen */
};

struct mydb;
typedef void (*mydb_done_fn)(struct mydb *m, const struct mydb_answer *a);
/* The idle connection ended; the next question makes a new one. */
typedef void (*mydb_lost_fn)(struct mydb *m, const char *text);

/* c must outlive it. self: whose server. */
struct mydb *mydb_new(uv_loop_t *loop, const struct conf *c, unsigned self, mydb_lost_fn on_lost,
                      void *owner);
void *mydb_owner(const struct mydb *m);
/* One at a time. Copies; done comes later, never before this returns, and may ask the next. */
void mydb_run(struct mydb *m, const struct mydb_ask *ask, mydb_done_fn done);
bool mydb_busy(const struct mydb *m);
/* Ends the running question within ms through its done. */
void mydb_cancel(struct mydb *m);
/* Ends everything without a word, then closed(owner); the memory goes with it. */
void mydb_close(struct mydb *m, void (*closed)(void *owner));
