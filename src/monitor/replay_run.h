/* SPDX-License-Identifier: GPL-2.0-or-later
 * One recording through the engine. */
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct replay_opts {
    bool verbose;
    int64_t from_ms, until_ms; /* wall time; what is told lies between, what follows is not run */
};

/* Tells the story and closes with one line on `to`, what is wrong on `bad`. 0, or 1: a difference,
 * or it cannot be read to its end. */
int replay_run(const char *path, const struct replay_opts *opts, FILE *to, FILE *bad);
