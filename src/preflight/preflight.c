/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "preflight/preflight.h"

#include "mysql/db.h"
#include "preflight/ask.h"
#include "preflight/check.h"
#include "preflight/disks.h"
#include "preflight/local.h"

#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char preflight_help[] =
    "Asks every server of the cluster, from this machine, for what hamm needs: accounts, plugins,\n"
    "TLS, privileges, settings that would make a failover unsafe. On a database host it also "
    "looks\n"
    "at the role addresses (interface, netmask, does somebody else answer for them), at the room "
    "on\n"
    "its disks and at the kernel. It changes nothing, and ends within half a minute whatever "
    "hangs.\n"
    "\n"
    "  -c, --config FILE      the cluster's configuration\n"
    "      --host NAME        which host this is (default: found by this machine's addresses)\n"
    "      --json             {schema, cluster, results: [{host, check, verdict, why, fix}],\n"
    "                         not_looked_at: [host]: what only a run there can look at\n"
    "\n"
    "Each line: ok, warn or fail, where, what, why, and after -> what mends it: statements to run\n"
    "there, lines for my.cnf, commands. What fails, mend before hamm runs; what warns, know.\n"
    "\n"
    "Run it on the monitor and, as root, on each database host: each has other passwords (an\n"
    "account whose password is not here is left out, and said so) and sees other addresses.\n"
    "\n"
    "Example:  hamm preflight -c /etc/hamm/shop.yaml\n"
    "  fail  db2           log_bin                   is OFF: as the writer it could not serve\n"
    "                      the others  ->  in my.cnf: log_bin = bin; restart mysqld\n"
    "\n"
    "Exit: 0 nothing failed, 1 something did, 2 usage or configuration.\n";

enum { END_MS = 5000 }; /* for threads that still connect */

struct preflight {
    const char *path, *name;
    bool json, monitor;
    struct conf *conf;
    unsigned self; /* host or CONF_NONE */
    struct survey survey;
    struct sheet sheet;
};

static int preflight_usage(const char *what, const char *word)
{
    fprintf(stderr, "hamm preflight: %s%s; see \"hamm preflight --help\"\n", what, word);
    return 2;
}

static int preflight_options(struct preflight *p, int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"host", required_argument, NULL, 'h'},
                                            {"json", no_argument, NULL, 'j'},
                                            {0}};
    int option;

    optind = 0;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":c:", options, NULL)) != -1) {
        if (option == 'j')
            p->json = true;
        else if (option == 'h' && !p->name)
            p->name = optarg;
        else if (option == 'c' && !p->path)
            p->path = optarg;
        else if (option == ':')
            return preflight_usage("a value is missing after ", argv[optind - 1]);
        else
            return preflight_usage(option == '?' ? "unknown option " : "given twice: ",
                                   argv[optind - 1]);
    }
    if (optind < argc)
        return preflight_usage("too much: ", argv[optind]);
    return p->path ? 0 : preflight_usage("which file? Name it with -c FILE", "");
}

/* ---- the configuration, with the secrets that are here ---- */

static const struct {
    unsigned secret;
    const char *what, *check;
} secrets[ACCOUNT_N] = {
    [ACCOUNT_MONITOR] = {CONF_SECRET_MONITOR, "mysql.monitor", "monitor account"},
    [ACCOUNT_AGENT] = {CONF_SECRET_AGENT, "mysql.agent", "agent account"},
    [ACCOUNT_REPLICATION] = {CONF_SECRET_REPLICATION, "mysql.replication", "replication account"},
};

/* The first error's sentence: one of the lines would be said for each host. */
static bool preflight_secret_is_here(struct preflight *p, enum account account)
{
    struct conf_errors errs = {0};
    struct conf *c = NULL;
    int rc = conf_load_for(&c, p->path, secrets[account].secret, &errs);

    if (rc < 0) {
        sheet_add(&p->sheet, "", secrets[account].check, VERDICT_WARN, "left out: %s",
                  errs.n ? errs.at[0].text : "its password can't be read");
        sheet_fix(&p->sheet, "run it on %s, or put the password of %s here",
                  account == ACCOUNT_MONITOR ? "the monitor's machine" : "a database host",
                  secrets[account].what);
    } else {
        conf_free(c);
    }
    conf_errors_free(&errs);
    return rc == 0;
}

static int preflight_load(struct preflight *p, bool tried[ACCOUNT_N])
{
    struct conf_errors errs = {0};
    unsigned here = 0;
    int rc = conf_load_for(&p->conf, p->path, 0, &errs);

    if (rc == 0) {
        conf_free(p->conf);
        for (int i = 0; i < ACCOUNT_N; i++) {
            tried[i] = preflight_secret_is_here(p, (enum account)i);
            here |= tried[i] ? secrets[i].secret : 0;
        }
        rc = conf_load_for(&p->conf, p->path, here, &errs);
    }
    if (rc < 0)
        conf_errors_write(&errs, stderr);
    conf_errors_free(&errs);
    return rc < 0 ? 2 : 0;
}

static int preflight_where(struct preflight *p)
{
    p->self = local_self(p->conf, &p->monitor);
    if (!p->name)
        return 0;
    p->self = conf_host_find(p->conf, p->name);
    return p->self == CONF_NONE ? preflight_usage("no such host: ", p->name) : 0;
}

/* ---- all of it ---- */

static void preflight_run(struct preflight *p, const bool tried[ACCOUNT_N])
{
    uv_loop_t loop;

    CHECK(uv_loop_init(&loop) == 0);
    survey_init(&p->survey, p->conf, p->self);
    for (size_t h = 0; h < p->conf->n_hosts; h++) {
        for (int i = 0; i < ACCOUNT_N; i++)
            p->survey.host[h].login[i].tried = tried[i];
        p->survey.host[h].login[ACCOUNT_MONITOR].needed |= p->monitor;
    }
    ask_all(&p->survey, &loop);
    judge_all(&p->survey, &p->sheet);
    if (p->self != CONF_NONE || p->monitor)
        disks_look(p->conf, p->self == CONF_NONE ? NULL : &p->survey.host[p->self], &p->sheet);
    if (p->self != CONF_NONE)
        local_look(p->conf, p->self, &loop, &p->sheet);
    survey_free(&p->survey);
    CHECK(uv_loop_close(&loop) == 0);
}

static int preflight_show(const struct preflight *p)
{
    const char *elsewhere[CONF_HOSTS_MAX];
    size_t n = 0;

    for (unsigned h = 0; h < p->conf->n_hosts; h++)
        if (h != p->self)
            elsewhere[n++] = p->conf->hosts[h].name;
    if (p->json)
        sheet_print_json(&p->sheet, p->conf->cluster, elsewhere, n, stdout);
    else
        sheet_print(&p->sheet, p->conf->cluster, p->conf->n_hosts,
                    isatty(STDOUT_FILENO) && !getenv("NO_COLOR"), elsewhere, n, stdout);
    return sheet_count(&p->sheet, VERDICT_FAIL) ? 1 : 0;
}

int preflight_main(int argc, char **argv)
{
    struct preflight p = {.self = CONF_NONE};
    bool tried[ACCOUNT_N] = {0}, ended;
    int rc = preflight_options(&p, argc, argv);

    if (rc || (rc = preflight_load(&p, tried)))
        return rc;
    signal(SIGPIPE, SIG_IGN);
    rc = preflight_where(&p);
    if (!rc) {
        preflight_run(&p, tried);
        rc = preflight_show(&p);
    }
    sheet_free(&p.sheet);
    conf_free(p.conf);
    ended = db_end(END_MS);
    fflush(stdout);
    if (!ended)
        _exit(rc);
    return rc;
}
