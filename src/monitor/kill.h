/* SPDX-License-Identifier: GPL-2.0-or-later
 * Runs the operator's program that switches a host off: `PROGRAM HOST 0|1`, 1 if the host still
 * answers to ping. One at a time for each host; the loop waits for none of them. It has a process
 * group and a session of its own, PATH alone in its environment, / as its directory, nothing to
 * read; what it writes is kept as far as it is told. After KILL_LIMIT_MS the group gets SIGKILL. */
#pragma once

#include "base/err.h"
#include "loop/closer.h"
#include "proto/msg.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

enum {
    KILL_LIMIT_MS = 30000,
    KILL_SAID_MAX = 1024,       /* of what it wrote last */
    KILL_READ_MAX = 1024 * 1024 /* a program that writes more is not listened to any more */
};

/* IDLE --> ON --> REST --> CLOSING --> IDLE     REST: it has ended; what it wrote is read
 *   |       |               |   |
 *   |       +--> OVERDUE ---+   |               told already: SIGKILL was sent, it has not ended
 *   +--> FAILED ----------------+               could not be started; that is told from the loop */
enum kill_run_state {
    KILL_RUN_IDLE,
    KILL_RUN_ON,
    KILL_RUN_REST,
    KILL_RUN_OVERDUE,
    KILL_RUN_FAILED,
    KILL_RUN_CLOSING,
};

struct kill_run {
    struct kills *kill;
    int host;
    char name[NAME_LEN];
    bool ping;
    enum kill_run_state state;
    bool again; /* asked for while the one before was not quite gone */
    uv_process_t process;
    uv_pipe_t said;
    uv_timer_t timer;
    struct closer closer;
    int64_t exit_code;
    int exit_signal, start_error;
    size_t len, read;
    char text[KILL_SAID_MAX];
};

struct kills {
    uv_loop_t *loop;
    char *program;    /* absolute; owned */
    int64_t limit_ms; /* KILL_LIMIT_MS */
    bool stopping;
    void (*ended)(void *owner, int host, bool ok, const char *message);
    void *owner;
    struct closer closer;
    void (*done)(void *owner);
    struct kill_run run[HOSTS_MAX];
};

/* `ended` comes from the loop, once for each kill_host that is not one too many: ok if the program
 * exited 0; message: its last line, or how it ended and its last line. A program that is not there
 * or not executable is no error here: e says so for a warning, and the return value is negative. */
int kill_start(struct kills *k, uv_loop_t *loop, const char *program,
               void (*ended)(void *owner, int host, bool ok, const char *message), void *owner,
               struct err *e) MUST_CHECK;
/* Nothing happens if it already runs for this host: its end is told. */
void kill_host(struct kills *k, int host, const char *name, bool ping);
/* Ends what runs, telling nothing. After done the memory may go. */
void kill_stop(struct kills *k, void (*done)(void *owner));
