/* SPDX-License-Identifier: GPL-2.0-or-later
 * The command table. Each command is a main of its own in its folder: argv[0] is the command word,
 * it reads its own options and returns the exit code. `ctl` also explains itself; the others are
 * explained here. */
#include "agent/agent_main.h"
#include "conf/check.h"
#include "conf/keygen.h"
#include "ctl/ctl.h"
#include "monitor/monitor.h"
#include "monitor/replay.h"
#include "preflight/preflight.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const char monitor_help[] =
    "Watches the database hosts of a cluster and decides which of them has which address.\n"
    "It runs in the foreground and logs on stderr; systemd or a container keeps it running.\n"
    "When it starts, restarts or dies, all roles stay where they are.\n"
    "\n"
    "  -c, --config FILE      the cluster's configuration; once for each cluster to watch\n"
    "      --state-dir DIR    where it remembers what it decided (default: state_dir of FILE)\n"
    "      --take-over        reign although another monitor did so before and may come back\n"
    "      --name NAME        which of the monitors this is (default: found by its address)\n"
    "  -v, --verbose          log every connection\n"
    "\n"
    "Example:  hamm monitor -c /etc/hamm/shop.yaml\n"
    "Then:     hamm ctl -c /etc/hamm/shop.yaml status\n"
    "\n"
    "Exit: 0 ended by SIGTERM or SIGINT, 1 could not start, 2 usage or configuration.\n";

static const char agent_help[] =
    "Runs on each database host: sets addresses, read_only and replication as the monitor orders,\n"
    "and gives everything up when the lease runs out. Needs root, or CAP_NET_ADMIN, CAP_NET_RAW\n"
    "and CAP_KILL. It runs in the foreground and logs on stderr.\n"
    "\n"
    "  -c, --config FILE      the cluster's configuration, the same file as on the monitor\n"
    "      --host NAME        which host this is (default: found by this machine's addresses)\n"
    "      --state-dir DIR    where it remembers what it accepted (default: state_dir of FILE)\n"
    "      --run-dir DIR      where its leases survive its own end, on tmpfs (default: /run/hamm)\n"
    "      --may-start        no agent: waits until this host's server may be started and says "
    "why,\n"
    "                         for ExecStartPre= of its unit (config/systemd/mariadb.service.d).\n"
    "                         Held is one that died as the writer, while others may need what "
    "only\n"
    "                         its binary log has: until the monitor says so; for salvage_timeout "
    "if\n"
    "                         no monitor is heard, 5 s if no agent runs, not after a reboot\n"
    "  -v, --verbose          log every connection\n"
    "\n"
    "Example:  hamm agent -c /etc/hamm/shop.yaml\n"
    "\n"
    "Exit: 0 ended by SIGTERM or SIGINT, or the server may start, 1 could not start or end\n"
    "properly, 2 usage or configuration.\n";

static const char check_help[] =
    "Reads a configuration and the secrets it names, and lists everything that is wrong with it,\n"
    "each line with FILE:LINE:COLUMN and what to do. Asks no other machine and changes nothing.\n"
    "\n"
    "  -c, --config FILE      the configuration to look at\n"
    "\n"
    "Example:  hamm check -c /etc/hamm/shop.yaml\n"
    "          shop: 2 masters, 1 replica, 3 addresses in 2 roles: ok\n"
    "\n"
    "Exit: 0 right, 2 not right (the reasons are on stderr).\n";

static const char keygen_help[] =
    "Prints a new cluster key: 64 hex digits. Monitors, agents and ctl prove each other with it,\n"
    "so it must be the same on every machine and readable by root only.\n"
    "\n"
    "Example:  (umask 077; hamm keygen > /etc/hamm/cluster.key)\n"
    "          then copy it to the other machines, and in the configuration:\n"
    "          key_file: /etc/hamm/cluster.key\n"
    "\n"
    "To change the key, make a second file, write key_file: [new.key, old.key] on one machine "
    "after\n"
    "the other and restart hamm there (roles stay where they are); then take the old one out.\n"
    "\n"
    "Exit: 0 done, 1 failed.\n";

static const struct command {
    const char *word, *takes, *does;
    int (*run)(int argc, char **argv);
    const char *help; /* NULL: it answers --help itself */
} commands[] = {
    {"monitor", "-c FILE [-c FILE ...] [--state-dir DIR] [--name NAME] [--take-over]",
     "watch clusters and decide their roles", monitor_main, monitor_help},
    {"agent", "-c FILE [--host NAME] [--state-dir DIR] [--may-start]",
     "carry decisions out on a database host", agent_main, agent_help},
    {"ctl", "[-c FILE] [--cluster NAME] [--json] COMMAND", "ask the monitor, or tell it something",
     ctl_main, NULL},
    {"check", "-c FILE", "say whether a configuration is right", check_main, check_help},
    {"preflight", "-c FILE [--host NAME] [--json]",
     "ask all servers whether hamm can rely on them, and how to mend what it can't", preflight_main,
     preflight_help},
    {"keygen", "", "make a cluster key", keygen_main, keygen_help},
    {"replay", "[--verbose] [--from TIME] [--until TIME] FILE...",
     "run what a monitor recorded through its rules again", replay_main, replay_help},
};
static const size_t n_commands = sizeof commands / sizeof *commands;

static void usage(FILE *to)
{
    fprintf(to,
            "hamm keeps IP addresses on the MySQL and MariaDB servers that may serve them.\n\n");
    for (size_t i = 0; i < n_commands; i++)
        fprintf(to, "  hamm %s%s%s\n      %s\n", commands[i].word, *commands[i].takes ? " " : "",
                commands[i].takes, commands[i].does);
    fprintf(to,
            "  hamm --version | --help | COMMAND --help\n"
            "\n"
            "Example:  hamm check -c /etc/hamm/shop.yaml\n"
            "\n"
            "Exit: 0 done, 1 refused or failed, 2 usage or configuration, 3 no monitor reached,\n"
            "4 not authorised.\n");
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--"); i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
            return true;
    return false;
}

static int run(const struct command *c, int argc, char **argv)
{
    if (!c->help || !asks_for_help(argc, argv))
        return c->run(argc, argv);
    printf("hamm %s%s%s\n\n%s", c->word, *c->takes ? " " : "", c->takes, c->help);
    return 0;
}

int main(int argc, char **argv)
{
    const char *slash = argc ? strrchr(argv[0], '/') : NULL;

    if (argc && !strcmp(slash ? slash + 1 : argv[0], "mmm_control"))
        return ctl_main(argc, argv);
    if (argc < 2) {
        usage(stderr);
        fprintf(stderr, "\nhamm: a command is missing\n");
        return 2;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
        usage(stdout);
        return 0;
    }
    if (!strcmp(argv[1], "--version")) {
        printf("hamm %s\n", HAMM_VERSION);
        return 0;
    }
    for (size_t i = 0; i < n_commands; i++)
        if (!strcmp(argv[1], commands[i].word))
            return run(&commands[i], argc - 1, argv + 1);
    fprintf(stderr, "hamm: there is no command \"%s\"; \"hamm --help\" lists them\n", argv[1]);
    return 2;
}
