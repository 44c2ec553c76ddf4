/* SPDX-License-Identifier: GPL-2.0-or-later
 * Log lines know who speaks: `<level>part name: text` on stderr, levels as in syslog(3), so that
 * journald reads them; on a terminal a time and a word instead of the number.
 * A line is never waited for: if nobody takes it, it is lost, and counted in the next that is
 * taken. Only main.c and the shells (monitor, agent, ctl) log; everybody else returns errors. */
#pragma once

#include "base/check.h"

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_ERROR = 3, LOG_WARN = 4, LOG_NOTE = 5, LOG_INFO = 6, LOG_DEBUG = 7 };

struct log_who {
    const char *part; /* "monitor", "agent", "net" */
    const char *name; /* which one, or "" */
};

extern enum log_level log_max; /* LOG_INFO unless told otherwise */

void log_line(enum log_level level, const struct log_who *who, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

#define log_at(l, who, ...) ((l) <= log_max ? log_line(l, who, __VA_ARGS__) : (void)0)
#define log_error(who, ...) log_at(LOG_ERROR, who, __VA_ARGS__)
#define log_warn(who, ...)  log_at(LOG_WARN, who, __VA_ARGS__)
#define log_note(who, ...)  log_at(LOG_NOTE, who, __VA_ARGS__)
#define log_info(who, ...)  log_at(LOG_INFO, who, __VA_ARGS__)
#define log_debug(who, ...) log_at(LOG_DEBUG, who, __VA_ARGS__)

/* Lets a repeated complaint through on its first time and then once a minute, with the number of
 * those held back in `held`. One per peer and kind of complaint; zeroed is ready. */
struct log_limit {
    int64_t next_ms;
    unsigned held;
};
bool log_allowed(struct log_limit *l, int64_t now_ms, unsigned *held);
