/* SPDX-License-Identifier: GPL-2.0-or-later
 * Decisions as tables. A table is read from the top, the first row whose conditions all hold is the
 * rule; its sentence is what log, status and explain show. Its subject is a host, a slot or a role.
 *
 * A table is written once, as a macro that hands each row to RULE(name, ..., conditions), and made
 * into two things by RULES(): data, for names and sentences, and one function, a row an `if`: most
 * events change nothing, and the compiler then sees what many rows have in common. */
#pragma once

#include "base/check.h"
#include "engine/engine.h"

enum { STAY = -1 };

struct rule {
    const char *name; /* unique in all tables */
    int to;           /* of hosts: the state it leads to; STAY */
    const char *why;
    void (*detail)(const struct engine *e, int subject, char *out, size_t size); /* ends `why` */
    void (*then)(struct engine *e, int subject, struct plan *p); /* of others: what is done; NULL:
                                                                    it is waited */
};

struct rules {
    const struct rule *at;
    unsigned n;
    /* The first rule that holds; a table's last row always does. `from`: of hosts, the state as one
     * bit. */
    const struct rule *(*find)(const struct engine *e, int subject, unsigned from);
};

extern const struct rules state_rules, held_rules, unheld_rules, role_rules;

/* Up to four conditions. */
#define RULE_HOLDS(...) RULE_HOLDS_(__VA_ARGS__, rule_met, rule_met, rule_met, rule_met, )
#define RULE_HOLDS_(e, subject, one, two, three, four, ...)                                        \
    (one(e, subject) && two(e, subject) && three(e, subject) && four(e, subject))

static inline bool rule_met(const struct engine *e, int subject)
{
    (void)e;
    (void)subject;
    return true;
}

/* Rows of slots and roles. */
#define RULE_ROW(name_, then_, why_, detail_, ...)                                                 \
    {.name = name_, .to = STAY, .then = then_, .why = why_, .detail = detail_},
#define RULE_IF(name_, then_, why_, detail_, ...)                                                  \
    if (RULE_HOLDS(e, subject, ##__VA_ARGS__))                                                     \
        return rule;                                                                               \
    rule++;

#define RULES(table, list, row, test)                                                              \
    static const struct rule table##_rows[] = {list(row)};                                         \
    static const struct rule *table##_find(const struct engine *e, int subject, unsigned from)     \
    {                                                                                              \
        const struct rule *rule = table##_rows;                                                    \
                                                                                                   \
        (void)from;                                                                                \
        list(test);                                                                                \
        CHECK(!"a rule for every case");                                                           \
        return rule;                                                                               \
    }                                                                                              \
    const struct rules table = {table##_rows, ARRAY_LEN(table##_rows), table##_find};

void rule_sentence(const struct engine *e, const struct rule *r, int subject, char *out,
                   size_t size);
/* Notes that it decided something in this step (engine.rules_hit). */
void rule_note(struct engine *e, const struct rule *r);
