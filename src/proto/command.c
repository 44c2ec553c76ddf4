/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct command commands[COMMAND_N] = {
    [COMMAND_STATUS] = {"status", "[--exit-code]",
                        "the whole cluster at a glance; with --exit-code: 0 all well, 10 degraded, "
                        "20 no writer",
                        0, 0, "--exit-code "},
    [COMMAND_SHOW] = {"show", "", "hosts and their roles as MMM prints them", 0, 0, ""},
    [COMMAND_CHECKS] = {"checks", "[HOST|all [CHECK|all]]", "what the checks say", 0, 2, ""},
    [COMMAND_MODE] = {"mode", "[active|manual|passive|wait]", "print or change the mode", 0, 1, ""},
    [COMMAND_SET_ONLINE] = {"set-online", "HOST", "let the host have roles again", 1, 1, ""},
    [COMMAND_SET_OFFLINE] = {"set-offline", "HOST", "take all roles from the host, for maintenance",
                             1, 1, ""},
    [COMMAND_MOVE_ROLE] = {"move-role", "[--force [--lost OLD] [--accept-loss OLD]] ROLE HOST",
                           "move a role; --force: also to a host that is not ONLINE; --lost OLD: "
                           "the old host is dead for good, it is switched off; --accept-loss OLD: "
                           "what only the last writer may have is given up (data_loss: never)",
                           2, 2, "--force --lost --accept-loss "},
    [COMMAND_SET_IP] = {"set-ip", "IP HOST", "say who has an address (passive mode only)", 2, 2,
                        ""},
    [COMMAND_PING] = {"ping", "", "does the monitor answer?", 0, 0, ""},
    [COMMAND_EVENTS] = {"events", "[-f] [-n N]",
                        "the last N events (20); -f: and those to come, until Ctrl-C", 0, 0,
                        "-f -n "},
    [COMMAND_RECEIPTS] =
        {"receipts", "[N]",
         "what the last N (10) changes of writer left behind: what began each, how "
         "long it took, what was salvaged, which transactions are known to be lost",
         0, 1, ""},
    [COMMAND_EXPLAIN] =
        {"explain", "[HOST|ROLE]",
         "why it is as it is: the rules that hold, what each other candidate lacks, "
         "what is waited for and until when",
         0, 1, ""},
    [COMMAND_WHAT_IF] = {"what-if", "FAULT...",
                         "what would happen and why in the next 10 minutes, for example: kill db1, "
                         "cut db1, hang db1, lag db3 120s, stop-agent db1, stop-monitor, kill db1 "
                         "then 10s start db1; a wrong word lists them all; changes nothing",
                         1, WORDS_MAX - 1, NULL},
    [COMMAND_SET_ACTIVE] = {"set-active", "", "the same as mode active", 0, 0, ""},
    [COMMAND_SET_MANUAL] = {"set-manual", "", "the same as mode manual", 0, 0, ""},
    [COMMAND_SET_PASSIVE] = {"set-passive", "", "the same as mode passive", 0, 0, ""},
};

static int usage(const struct command *c, struct err *e)
{
    return err_set(e, -EINVAL, "usage: hamm ctl %s%s%s", c->name, *c->takes ? " " : "", c->takes);
}

static bool same_name(const char *name, const char *word)
{
    for (; *name && (*name == *word || (*name == '-' && *word == '_')); name++, word++)
        ;
    return *name == *word;
}

enum command_kind command_find(const char *word)
{
    enum command_kind kind = 0;

    while (kind < COMMAND_N && !same_name(commands[kind].name, word))
        kind++;
    return kind;
}

static bool has_option(const struct command *c, const char *option)
{
    const char *at = strstr(c->options, option);

    return at && at[strlen(option)] == ' ';
}

static int number(const char *text, const char *of, unsigned *out, struct err *e)
{
    char *end;
    long n;

    errno = 0;
    n = strtol(text, &end, 10);
    if (errno || end == text || *end || n < 0)
        return err_set(e, -EINVAL, "\"%.64s\" is no number of %s", text, of);
    *out = n > COMMAND_EVENTS_MOST ? COMMAND_EVENTS_MOST : (unsigned)n;
    return 0;
}

/* Takes the option at m->word[*i], and its value. */
static int option(struct command_args *a, const struct msg_command *m, unsigned *i, struct err *e)
{
    const struct command *c = &commands[a->kind];
    const char *word = m->word[*i];

    if (!has_option(c, word))
        return err_set(e, -EINVAL, "%s has no option %.64s; usage: hamm ctl %s%s%s", c->name, word,
                       c->name, *c->takes ? " " : "", c->takes);
    a->force |= !strcmp(word, "--force");
    a->follow |= !strcmp(word, "-f");
    a->exit_code |= !strcmp(word, "--exit-code");
    if (strcmp(word, "--lost") && strcmp(word, "--accept-loss") && strcmp(word, "-n"))
        return 0;
    if (++*i == m->n)
        return usage(c, e);
    if (!strcmp(word, "-n"))
        return number(m->word[*i], "events", &a->last, e);
    if (!strcmp(word, "--lost"))
        a->lost = m->word[*i];
    else
        a->accept_loss = m->word[*i];
    return 0;
}

int command_parse(struct command_args *out, const struct msg_command *m, struct err *e)
{
    struct command_args a = {.last = COMMAND_EVENTS_LAST};
    const char *word = m->n ? m->word[0] : "";
    const struct command *c;

    a.kind = command_find(word);
    if (a.kind == COMMAND_N)
        return err_set(e, -EINVAL, "unknown command \"%.64s\"; hamm ctl --help lists them", word);
    c = &commands[a.kind];
    for (unsigned i = 1; i < m->n; i++) {
        if (m->word[i][0] != '-' || !c->options)
            a.arg[a.n++] = m->word[i];
        else if (option(&a, m, &i, e))
            return e->code;
    }
    if (a.n < c->least || a.n > c->most)
        return usage(c, e);
    if (a.kind == COMMAND_RECEIPTS && !a.n)
        a.last = COMMAND_RECEIPTS_LAST;
    else if (a.kind == COMMAND_RECEIPTS && number(a.arg[0], "receipts", &a.last, e) < 0)
        return e->code;
    if (a.lost && !a.force)
        return err_set(e, -EINVAL, "--lost declares %.64s dead for good: it goes with --force only",
                       a.lost);
    if (a.accept_loss && !a.force)
        return err_set(e, -EINVAL,
                       "--accept-loss gives up what %.64s may have: it goes with --force only",
                       a.accept_loss);
    *out = a;
    return 0;
}
