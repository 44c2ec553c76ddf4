/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the agent tells whoever is about to start the server: a small file beside its lease record,
 * written anew each AGENTD_TICK_MS, so that a stale one is known by its age. `hamm agent
 * --may-start` reads it. */
#pragma once

#include "base/err.h"
#include "engine/agent.h"

#include <limits.h>
#include <stddef.h>

enum {
    START_FRESH_MS = 1000,   /* the agent is not running if it said nothing for that long */
    START_NOTICES_MS = 3000, /* it has that long to notice that the server died */
    START_RETURNS_MS = 5000, /* or, if it died too, to come back */
};

/* As it lies in the file. */
struct start_word {
    char magic[8];
    uint32_t crc; /* of everything behind it */
    uint32_t state;
    char boot_id[40];
    uint64_t start_id; /* of the agent's life */
    int64_t said_ms, until_ms;
    char why[WHY_LEN];
};

int start_path(char *to, size_t size, const char *dir, const char *cluster, const char *host,
               struct err *e) MUST_CHECK;
/* Replaces it. */
int start_say(const char *path, const char *boot_id, uint64_t start_id, int64_t now_ms,
              const struct agent_start *s, struct err *e) MUST_CHECK;
/* False: there is none, or it is not whole. */
bool start_read(const char *path, struct start_word *out);

/* What whoever asks is to do, pure. word: NULL none. began_ms: since when it waits. */
struct start_verdict {
    bool wait;
    int64_t until_ms; /* it is not waited longer for this */
    const char *why;  /* may lie in the word */
    bool silence;     /* a word from the monitor may put until_ms off */
};
void start_judge(const struct start_word *word, const char *boot_id, int64_t now_ms,
                 int64_t began_ms, struct start_verdict *out);

/* The command: 0, one line why it may start. Lines while it waits. Never blocks for longer than the
 * judge says. */
int start_wait(const char *run_dir, const char *cluster, const char *host);
