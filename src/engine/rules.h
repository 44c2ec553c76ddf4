/* SPDX-License-Identifier: GPL-2.0-or-later
 * Decisions as tables. A table is read from the top, the first row whose conditions all hold is the
 * rule; its sentence is what log, status and explain show. Its subject is a host, a slot or a role.
 */
#pragma once

#include "engine/engine.h"

enum { STAY = -1, CONDITIONS_MAX = 4 };

typedef bool condition(const struct engine *e, int subject);

struct rule {
    const char *name; /* unique in all tables */
    unsigned from;    /* of hosts: the states it speaks of, one bit each */
    condition *when[CONDITIONS_MAX];
    int to; /* of hosts: the state it leads to; STAY */
    const char *why;
    void (*detail)(const struct engine *e, int subject, char *out, size_t size); /* ends `why` */
    void (*then)(struct engine *e, int subject, struct plan *p); /* of others: what is done; NULL:
                                                                    it is waited */
};

struct rules {
    const struct rule *at;
    unsigned n;
};

extern const struct rules state_rules, held_rules, unheld_rules, role_rules;

/* The first rule that holds, and its sentence; a table's last row always does. */
const struct rule *rule_find(const struct engine *e, const struct rules *all, int subject,
                             unsigned from);
void rule_sentence(const struct engine *e, const struct rule *r, int subject, char *out,
                   size_t size);
/* Notes that it decided something in this step (engine.rules_hit). */
void rule_note(struct engine *e, const struct rule *r);
