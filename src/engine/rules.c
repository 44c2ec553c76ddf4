/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/rules.h"

#include "engine/engine_internal.h"

static const struct rules *const tables[] = {&state_rules, &held_rules, &unheld_rules, &role_rules};

void rule_sentence(const struct engine *e, const struct rule *r, int subject, char *out,
                   size_t size)
{
    size_t n = (size_t)snprintf(out, size, "%s", r->why);

    if (r->detail && n < size)
        r->detail(e, subject, out + n, size - n);
}

void rule_note(struct engine *e, const struct rule *r)
{
    unsigned first = 0;

    for (unsigned t = 0; t < ARRAY_LEN(tables); first += tables[t++]->n)
        if (r >= tables[t]->at && r < tables[t]->at + tables[t]->n) {
            unsigned i = first + (unsigned)(r - tables[t]->at);

            e->rules_hit[i / 64] |= 1ull << i % 64;
            return;
        }
}

unsigned engine_rule_count(void)
{
    unsigned n = 0;

    for (unsigned t = 0; t < ARRAY_LEN(tables); t++)
        n += tables[t]->n;
    return n;
}

const char *engine_rule_name(unsigned i)
{
    for (unsigned t = 0; t < ARRAY_LEN(tables); i -= tables[t++]->n)
        if (i < tables[t]->n)
            return tables[t]->at[i].name;
    return NULL;
}
