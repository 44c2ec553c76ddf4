/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/help.h"

#include "proto/command.h"

#include <string.h>

/* Text in lines of at most 80 columns, each indented. */
static void wrapped(FILE *to, int indent, const char *text)
{
    while (*text) {
        size_t room = 80 - (size_t)indent, len = strlen(text);
        while (len > room) {
            size_t cut = len;
            while (cut && text[cut - 1] != ' ')
                cut--;
            if (!cut)
                break; /* one word, longer than a line */
            len = cut - 1;
        }
        fprintf(to, "%*s%.*s\n", indent, "", (int)len, text);
        text += len + (text[len] == ' ');
    }
}

static void help_one(FILE *to, const char *before, const struct command *c)
{
    fprintf(to, "%s%s%s%s\n", before, c->name, *c->takes ? " " : "", c->takes);
    wrapped(to, 6, c->does);
}

void help_all(FILE *to)
{
    fprintf(to, "hamm ctl [-c FILE] [--cluster NAME] [--json] COMMAND\n\n"
                "Asks the monitor of a cluster, or tells it something.\n\n"
                "  -c, --config FILE   the cluster's configuration (default: the only one in "
                "/etc/hamm)\n"
                "      --cluster NAME  the cluster of /etc/hamm/NAME.yaml or /run/hamm/NAME.sock\n"
                "      --json          the answer as JSON\n\n");
    for (unsigned i = 0; i < COMMAND_N; i++)
        help_one(to, "  ", &commands[i]);
    fprintf(to, "\nExample:  hamm ctl status\n\n"
                "Exit: 0 done, 1 refused or failed, 2 usage or configuration, 3 no monitor "
                "reached,\n4 not authorised.\n");
}

void help_command(FILE *to, const char *name)
{
    enum command_kind kind = command_find(name);

    if (kind == COMMAND_N)
        help_all(to);
    else
        help_one(to, "hamm ctl ", &commands[kind]);
}
