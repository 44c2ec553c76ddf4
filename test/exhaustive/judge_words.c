/* SPDX-License-Identifier: GPL-2.0-or-later
 * What `hamm ctl explain` says in a situation: whole lines, a sentence with a rule that exists for
 * each host, slot and role. */
#include "exhaustive/exhaustive.h"

#include <stdio.h>
#include <string.h>

enum { PAGE = 16384 };

static const char *sentence_after(const char *text, const char *name)
{
    char start[SLOT_LEN + 4];
    const char *at;

    snprintf(start, sizeof start, "%s%s", name, strcmp(name, "reader") == 0 ? " as" : ": ");
    for (at = text; at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
        if (strncmp(at, start, strlen(start)) == 0)
            return at;
    return NULL;
}

static bool rule_exists(const char *name, size_t len)
{
    for (unsigned i = 0; i < engine_rule_count(); i++)
        if (strlen(engine_rule_name(i)) == len && strncmp(engine_rule_name(i), name, len) == 0)
            return true;
    return false;
}

/* Each line is one; rules that are named exist. */
static void judge_lines(const char *text, unsigned least)
{
    unsigned rules = 0;
    size_t len = strlen(text);

    MUST(len > 0 && text[len - 1] == '\n', "no end of the last line: %s", text);
    MUST(len + 200 < PAGE, "cut");
    MUST(!strstr(text, "(null)") && !strstr(text, "\n\n") && text[0] != '\n', "%s", text);
    for (const char *at = strstr(text, "[rule "); at; at = strstr(at + 1, "[rule ")) {
        const char *end = strchr(at, ']');

        MUST(end && end[1] == '\n' && rule_exists(at + 6, (size_t)(end - at) - 6),
             "no such rule: %.40s", at);
        MUST(at - text > 4 && at[-1] == ' ' && at[-2] == ' ' && at[-3] != ' ' && at[-3] != '\n',
             "a rule without a sentence: %.40s in %s", at, text);
        rules++;
    }
    MUST(rules >= least, "%u sentences of %u: %s", rules, least, text);
}

static void judge_named(const char *text, const char *name)
{
    const char *at = sentence_after(text, name);
    const char *rule = at ? strstr(at, "[rule ") : NULL;

    MUST(at && rule, "nothing about %s in %s", name, text);
}

void judge_words(void)
{
    static char text[PAGE];
    const struct names *n = &engine.conf.names;

    engine_explain_cluster(&engine, text, sizeof text);
    judge_lines(text, HOSTS + SLOTS);
    for (int h = 0; h < HOSTS; h++)
        judge_named(text, n->host[h]);
    for (int s = 0; s < SLOTS; s++)
        judge_named(text, n->slot[s]);
    for (int h = 0; h < HOSTS; h++) {
        engine_explain_host(&engine, h, text, sizeof text);
        judge_lines(text, 1);
        judge_named(text, n->host[h]);
    }
    for (int role = 0; role < 2; role++) {
        engine_explain_role(&engine, role, text, sizeof text);
        judge_lines(text, role ? 3 : 2);
        for (int s = role; s < (role ? SLOTS : 1); s++)
            judge_named(text, n->slot[s]);
    }
}
