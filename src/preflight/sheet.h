/* SPDX-License-Identifier: GPL-2.0-or-later
 * What was found, and how it is shown: for people (what several hosts have in common once), and as
 * JSON (one object for each host and check). */
#pragma once

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum verdict { VERDICT_OK, VERDICT_WARN, VERDICT_FAIL, VERDICT_N };

struct finding {
    char *host, *check; /* host: "" is this machine */
    enum verdict verdict;
    char *why; /* one line */
    char *fix; /* statements each with its semicolon, "in my.cnf: ...", commands; "" if ok */
};

/* Zeroed is empty. */
struct sheet {
    struct finding *at;
    size_t n, cap;
};

/* Adds one; then sheet_fix may say what mends it. Only ASCII is kept. */
void sheet_add(struct sheet *s, const char *host, const char *check, enum verdict verdict,
               const char *why, ...) PRINTF_LIKE(5, 6);
void sheet_fix(struct sheet *s, const char *fix, ...) PRINTF_LIKE(2, 3);
size_t sheet_count(const struct sheet *s, enum verdict verdict);
void sheet_free(struct sheet *s); /* repeatable */

/* ok first and what failed last, next to the sum. terminal: colours, and the fix on a line of its
 * own. hosts: how many the cluster has. elsewhere: n hosts of which that was not looked at which
 * only they can see. */
void sheet_print(const struct sheet *s, const char *cluster, size_t hosts, bool terminal,
                 const char *const *elsewhere, size_t n, FILE *to);
void sheet_print_json(const struct sheet *s, const char *cluster, const char *const *elsewhere,
                      size_t n, FILE *to);
