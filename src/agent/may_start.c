/* SPDX-License-Identifier: GPL-2.0-or-later
 * `hamm agent --may-start`: waits with an eye on the agent's word. It asks nobody and writes
 * nothing, so that nothing can hold it but what it reads. */
#include "agent/start.h"

#include "agent/record.h"
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { LOOK_MS = 100, TELL_MS = 5000 };

static void may_start_tell(const struct start_verdict *v, int64_t now)
{
    if (v->wait)
        printf("waits: %s; %lld s at most%s\n", v->why, (long long)(v->until_ms - now + 999) / 1000,
               v->silence ? " without a word from the monitor" : "");
    else
        printf("may start: %s\n", v->why);
    fflush(stdout);
}

int start_wait(const char *run_dir, const char *cluster, const char *host)
{
    static const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000l};
    int64_t began = clock_boot_ms(), told = 0, now;
    char path[PATH_MAX], boot_id[RECORD_BOOT_LEN + 1] = "", last[WHY_LEN] = "";
    struct start_verdict v = {.why = NULL};
    struct start_word w;
    struct err e = {0};

    if (start_path(path, sizeof path, run_dir, cluster, host, &e) < 0 ||
        record_boot_id(boot_id, &e) < 0) {
        v.why = e.msg;
        may_start_tell(&v, began);
        return 0;
    }
    for (;;) {
        bool found = start_read(path, &w);

        now = clock_boot_ms();
        start_judge(found ? &w : NULL, boot_id, now, began, &v);
        if (!v.wait)
            break;
        if (now - told >= TELL_MS || strcmp(v.why, last) != 0) {
            may_start_tell(&v, now);
            snprintf(last, sizeof last, "%s", v.why);
            told = now;
        }
        nanosleep(&pause, NULL);
    }
    may_start_tell(&v, now);
    return 0;
}
