/* SPDX-License-Identifier: GPL-2.0-or-later
 * All combinations of choices whose number and bounds may depend on the earlier ones: the last
 * choice that has another value takes it, those after it are drawn anew. */
#include "exhaustive/exhaustive.h"

#include <stdio.h>
#include <stdlib.h>

enum { CHOICES_MAX = 64 };

static struct {
    unsigned value, bound;
} choice[CHOICES_MAX];
static unsigned taken, known;
static bool begun;

void choice_begin(void)
{
    taken = known = 0;
    begun = false;
}

bool choice_more(void)
{
    taken = 0;
    if (!begun) {
        begun = true;
        return true;
    }
    while (known && choice[known - 1].value + 1 >= choice[known - 1].bound)
        known--;
    if (!known)
        return false;
    choice[known - 1].value++;
    return true;
}

unsigned choice_of(unsigned n)
{
    CHECK(n > 0 && taken < CHOICES_MAX);
    if (taken == known) {
        choice[known].value = 0;
        known++;
    }
    choice[taken].bound = n;
    CHECK(choice[taken].value < n);
    return choice[taken++].value;
}

const char *choice_trail(void)
{
    static char text[CHOICES_MAX * 4];
    size_t n = 0;

    text[0] = 0;
    for (unsigned i = 0; i < taken; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%u", i ? "." : "", choice[i].value);
    return text;
}

void choice_fix(const char *trail)
{
    char *end;

    for (known = 0; *trail && known < CHOICES_MAX; trail = *end ? end + 1 : end) {
        choice[known].value = (unsigned)strtoul(trail, &end, 10);
        choice[known++].bound = 1;
    }
    taken = 0;
}
