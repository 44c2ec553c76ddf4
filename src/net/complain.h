/* SPDX-License-Identifier: GPL-2.0-or-later
 * Whose turn it is to be complained about: for each address and kind at once, then once a minute
 * with a count. Pure and bounded: however many addresses an attacker has, at most COMPLAIN_N + 1
 * lines a minute come out of it. */
#pragma once

#include "base/log.h"

#include <stdbool.h>
#include <stdint.h>

enum { COMPLAIN_N = 256, COMPLAIN_WHO_MAX = 64 };

struct complain { /* zeroed is ready */
    struct complain_slot {
        char who[COMPLAIN_WHO_MAX];
        int kind;
        struct log_limit limit;
    } slot[COMPLAIN_N];
    struct log_limit others; /* everybody who found the table full of fresh entries */
};

enum complain_turn { COMPLAIN_HOLD, COMPLAIN_SAY, COMPLAIN_SAY_OTHERS };

/* `held`: how many of the same were held back since the last time; for COMPLAIN_SAY_OTHERS how many
 * of any kind from addresses that have no entry. Set unless COMPLAIN_HOLD. */
enum complain_turn complain_turn(struct complain *c, const char *who, int kind, int64_t now_ms,
                                 unsigned *held) MUST_CHECK;
