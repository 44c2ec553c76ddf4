/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/agent_main.h"

#include "agent/agentd.h"
#include "mysql/db.h"
#include "net/peer.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONNECTS_END_MS = 3000 };

struct options {
    const char *file, *host, *state_dir, *run_dir;
    bool may_start;
};

static int options_read(int argc, char **argv, struct options *o)
{
    static const struct option known[] = {
        {"config", required_argument, NULL, 'c'},
        {"host", required_argument, NULL, 'H'},
        {"state-dir", required_argument, NULL, 'S'},
        {"run-dir", required_argument, NULL, 'R'},
        {"verbose", no_argument, NULL, 'v'},
        {"may-start", no_argument, NULL, 'M'},
        {NULL, 0, NULL, 0},
    };
    int c;

    *o = (struct options){.run_dir = "/run/hamm"};
    optind = 0; /* glibc: a new command line, perhaps not the first in this process */
    while ((c = getopt_long(argc, argv, "c:v", known, NULL)) != -1) {
        switch (c) {
        case 'c':
            o->file = optarg;
            break;
        case 'H':
            o->host = optarg;
            break;
        case 'S':
            o->state_dir = optarg;
            break;
        case 'R':
            o->run_dir = optarg;
            break;
        case 'M':
            o->may_start = true;
            break;
        case 'v':
            log_max = LOG_DEBUG;
            break;
        default:
            return -EINVAL; /* getopt said what is wrong */
        }
    }
    if (optind < argc)
        fprintf(stderr, "agent: '%s' is not expected here\n", argv[optind]);
    else if (!o->file)
        fprintf(stderr, "agent: -c FILE is missing\n");
    return optind < argc || !o->file ? -EINVAL : 0;
}

static int agent_conf_read(const struct options *o, struct conf **c)
{
    unsigned secrets =
        o->may_start ? 0 : CONF_SECRET_KEY | CONF_SECRET_AGENT | CONF_SECRET_REPLICATION;
    struct conf_errors errs = {0};
    int rc = conf_load_for(c, o->file, secrets, &errs);

    conf_errors_write(rc < 0 ? &errs : &(*c)->warnings, stderr);
    conf_errors_free(&errs);
    return rc;
}

static struct net_tls *agent_tls(const struct conf *c, struct err *e)
{
    struct peer_keys keys = {0};
    struct net_tls *tls;

    _Static_assert((int)CONF_KEYS_MAX <= (int)TLS_KEYS_MAX && (int)CONF_KEY_LEN == (int)TLS_KEY_LEN,
                   "keys fit");
    keys.n = (unsigned)c->n_keys;
    memcpy(keys.key, c->keys, c->n_keys * CONF_KEY_LEN);
    (void)snprintf(keys.cluster, sizeof keys.cluster, "%s", c->cluster);
    tls = tls_new(&keys, e);
    explicit_bzero(&keys, sizeof keys);
    return tls;
}

static int agent_run(struct agentd *d)
{
    struct err e = {0};
    int rc;

    CHECK(uv_loop_init(&d->loop) == 0);
    if (agentd_start(d, &e) < 0) {
        log_error(&d->log, "%s", e.msg);
        agentd_stop(d, 1);
    }
    (void)uv_run(&d->loop, UV_RUN_DEFAULT); /* until no handle is left */
    rc = uv_loop_close(&d->loop);
    if (rc == 0)
        return d->exit_code;
    log_error(&d->log, "something was left on the loop at the end: %s", uv_strerror(rc));
    return 1;
}

/* 0 and everything that is needed, or an exit code, the reason said. */
static int agent_prepare(struct agentd *d, const struct options *o, const struct conf *c)
{
    struct err e = {0};

    d->log = (struct log_who){"agent", ""};
    d->conf = c;
    d->run_dir = o->run_dir;
    d->state_dir = o->state_dir ? o->state_dir : c->state_dir;
    if (agentd_host_find(c, o->host, &d->self, &e) < 0 ||
        agentd_setup_of(c, d->self, &d->setup, &e) < 0) {
        log_error(&d->log, "%s", e.msg);
        return 2;
    }
    d->log.name = c->hosts[d->self].name;
    if (agentd_may_run(&e) == 0)
        d->tls = agent_tls(c, &e);
    if (d->tls)
        return 0;
    log_error(&d->log, "%s", e.msg);
    return 1;
}

static int agent_may_start(const struct options *o, const struct conf *c)
{
    struct err e = {0};
    unsigned self;

    if (agentd_host_find(c, o->host, &self, &e) == 0)
        return start_wait(o->run_dir, c->cluster, c->hosts[self].name);
    fprintf(stderr, "agent: %s\n", e.msg);
    return 2;
}

int agent_main(int argc, char **argv)
{
    const char *level = getenv("HAMM_LOG");
    struct options o;
    struct conf *c = NULL;
    struct agentd *d;
    int rc;

    if (level && strcmp(level, "debug") == 0)
        log_max = LOG_DEBUG;
    if (options_read(argc, argv, &o) < 0) {
        fprintf(stderr, "try `hamm agent --help`\n");
        return 2;
    }
    if (agent_conf_read(&o, &c) < 0)
        return 2;
    if (o.may_start) {
        rc = agent_may_start(&o, c);
        conf_free(c);
        return rc;
    }
    net_init();
    d = calloc(1, sizeof *d);
    CHECK(d);
    rc = agent_prepare(d, &o, c);
    if (rc == 0)
        rc = agent_run(d);
    tls_free(d->tls);
    free(d);
    conf_free(c);
    if (!db_end(CONNECTS_END_MS))
        _exit(rc);
    return rc;
}
