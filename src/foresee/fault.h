/* SPDX-License-Identifier: GPL-2.0-or-later
 * What can go wrong, or be ordered, in words: `kill db1 then 10s start db1`. Said once, for what-if
 * and for the scenarios. Pure. */
#pragma once

#include "base/err.h"
#include "engine/engine.h"

#include <stddef.h>

enum { FAULTS_MAX = 64, FAULT_WORDS = 256, FAULT_TEXT = 160, FAULT_MONITOR = -2 };

enum fault_kind {
    FAULT_KILL,         /* mysqld of host dies */
    FAULT_START,        /* it is started, or a host that was off boots */
    FAULT_HANG,         /* mysqld of host answers nothing */
    FAULT_RESUME,       /* what hung or was frozen goes on */
    FAULT_CUT,          /* the network of host; with `other` only between these two */
    FAULT_HEAL,         /* undoes cut, lag, break-replication and obstruct */
    FAULT_LAG,          /* the applier of host stays `ms` behind */
    FAULT_BREAK,        /* the applier of host stops with an error */
    FAULT_TRAIT,        /* its server is set up otherwise */
    FAULT_OBSTRUCT,     /* a transaction or a lock on host is in the way of a planned move */
    FAULT_DISK,         /* the disk with the binary log of host is full; !on: has room */
    FAULT_UNREADABLE,   /* the binary log of host can't be read by its agent */
    FAULT_PURGED,       /* what host has now is purged from its binary log */
    FAULT_EXTRA,        /* host gets a transaction that nobody else receives */
    FAULT_WRITE,        /* host gets a transaction that is replicated */
    FAULT_REBUILD,      /* host gets a copy of the writer's data */
    FAULT_CRASH,        /* the whole host is off */
    FAULT_STOP_AGENT,   /* its agent dies */
    FAULT_FREEZE_AGENT, /* its agent is stopped (SIGSTOP) */
    FAULT_START_AGENT,
    FAULT_STOP_MONITOR,
    FAULT_START_MONITOR, /* with the state it has */
    FAULT_UPTIME,        /* the uptime of host is `ms` from now on: as after a reboot */
    FAULT_CHECK,         /* this check of host says this from now on; !on: what is true again */
    FAULT_NETWORK,       /* the monitor's own network (ping_ips) is up or down */
    FAULT_KILLED,        /* kill_host for host ended */
    FAULT_COMMAND,       /* of the operator */
    FAULT_WAIT,          /* nothing; the story goes on until then at least */
    FAULT_N
};

enum server_trait {
    SERVER_PLAIN, /* as it should be */
    SERVER_NO_BINLOG,
    SERVER_NO_UPDATES,
    SERVER_FILTERS,
    SERVER_DELAYED,
    SERVER_APPLIER_STOPPED, /* by hand */
    SERVER_SEMI_SYNC,       /* it waits for acknowledgements, and gets them */
    SERVER_TRAIT_N
};

struct fault {
    enum fault_kind kind;
    int64_t after_ms; /* after the one before */
    int host, other;  /* -1 none; other may be FAULT_MONITOR */
    int64_t ms;
    enum check check;
    enum result result;
    bool on;
    enum server_trait trait;
    char text[FAULT_TEXT]; /* message of check and killed */
    struct engine_command command;
    char said[FAULT_TEXT]; /* the words themselves */
};

struct faults {
    unsigned n;
    struct fault at[FAULTS_MAX];
};

/* The table behind the words, for help: a name, what it takes, what it does. NULL: no such row. */
const char *fault_name(unsigned row, const char **takes, const char **does);

/* Words of one or more faults, joined by `then [after] [DURATION]`. Host and role names are those
 * of conf; an address is known by its slot's name. 0, or -EINVAL with a sentence that names the
 * word and what there is; `out` is untouched then. */
int faults_parse(struct faults *out, const struct engine_conf *conf, unsigned n,
                 const char *const *word, struct err *e) MUST_CHECK;
/* "500ms", "2s", "5m", "1h" or a bare number of seconds; -1: none of these. */
int64_t fault_duration(const char *word);
/* Splits text into words at blanks, in place; "..." is one word. -1: more than max, or an open
 * quote. */
int fault_split(char *text, const char **word, unsigned max);
