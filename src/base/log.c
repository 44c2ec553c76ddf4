/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum log_level log_max = LOG_INFO;

static int log_prefix(char *to, size_t size, enum log_level level)
{
    static const char *const word[] = {
        [LOG_ERROR] = "error", [LOG_WARN] = "warn ",  [LOG_NOTE] = "note ",
        [LOG_INFO] = "info ",  [LOG_DEBUG] = "debug",
    };
    static const char *const colour[] = {
        [LOG_ERROR] = "\033[31m", [LOG_WARN] = "\033[33m", [LOG_NOTE] = "\033[1m",
        [LOG_INFO] = "",          [LOG_DEBUG] = "\033[2m",
    };
    struct timespec now;
    struct tm tm;

    if (!isatty(STDERR_FILENO))
        return snprintf(to, size, "<%d>", (int)level);
    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &tm);
    return snprintf(to, size, "%02d:%02d:%02d.%03ld %s%s\033[0m ", tm.tm_hour, tm.tm_min, tm.tm_sec,
                    now.tv_nsec / 1000000, colour[level], word[level]);
}

/* Whoever reads the log may have stopped reading: the loop doesn't wait for him. What is ready
 * takes a line whole, pipes (PIPE_BUF) and sockets alike. */
static bool log_ready(void)
{
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};

    return poll(&out, 1, 0) != 0;
}

static void log_write(const char *line, size_t len)
{
    static unsigned lost;
    char text[64];

    if (!log_ready()) {
        lost++;
        return;
    }
    if (lost) {
        int n = snprintf(text, sizeof text, "<%d>log: %u lines were lost here\n", LOG_WARN, lost);

        lost = 0;
        (void)!write(STDERR_FILENO, text, (size_t)n); /* nobody left to tell */
        if (!log_ready()) {
            lost = 1;
            return;
        }
    }
    (void)!write(STDERR_FILENO, line, len);
}

void log_line(enum log_level level, const struct log_who *who, const char *fmt, ...)
{
    char line[2048];
    va_list ap;
    int len = log_prefix(line, sizeof line, level);

    len += snprintf(line + len, sizeof line - (size_t)len, "%s%s%s: ", who->part,
                    who->name && *who->name ? " " : "", who->name ? who->name : "");
    va_start(ap, fmt);
    len += vsnprintf(line + len, sizeof line - (size_t)len, fmt, ap);
    va_end(ap);
    if (len > (int)sizeof line - 2)
        len = (int)sizeof line - 2;
    line[len++] = '\n';
    log_write(line, (size_t)len);
}

bool log_allowed(struct log_limit *l, int64_t now_ms, unsigned *held)
{
    if (l->next_ms && now_ms < l->next_ms) {
        l->held++;
        return false;
    }
    *held = l->held;
    l->held = 0;
    l->next_ms = now_ms + 60000;
    return true;
}
