/* SPDX-License-Identifier: GPL-2.0-or-later
 * The process: options, which monitor this machine is, signals, one loop for all clusters. */
#include "monitor/monitor.h"

#include "loop/notify.h"
#include "monitor/cluster.h"
#include "net/ip.h"

#include <errno.h>
#include <getopt.h>
#include <ifaddrs.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CLUSTERS_MAX = 64, CONNECTS_END_MS = 3000 };

struct monitor {
    uv_loop_t loop;
    uv_signal_t term, interrupt;
    const char *file[CLUSTERS_MAX], *state_dir, *name;
    bool take_over;
    unsigned files;
    struct cluster *cluster[CLUSTERS_MAX];
    unsigned clusters, stopped;
    bool stopping;
    int exit_code;
};

static const struct log_who monitor_log = {"monitor", ""};

static void monitor_on_cluster(struct cluster *c)
{
    free(c);
}

static void monitor_stop(struct monitor *m, int exit_code)
{
    if (exit_code)
        m->exit_code = exit_code;
    if (m->stopping)
        return;
    m->stopping = true;
    (void)notify_send("STOPPING=1"); /* nobody may be listening */
    for (unsigned i = 0; i < m->clusters; i++)
        cluster_stop(m->cluster[i], monitor_on_cluster);
    uv_close((uv_handle_t *)&m->term, NULL);
    uv_close((uv_handle_t *)&m->interrupt, NULL);
}

static void monitor_on_signal(uv_signal_t *s, int number)
{
    log_note(&monitor_log, "ends on signal %d; roles stay where they are", number);
    monitor_stop(s->data, 0);
}

static bool monitor_is_local(const struct conf_addr *a)
{
    struct ifaddrs *all, *at;
    struct ip wanted = ip_make(a->family, a->at);
    bool found = false;

    if (getifaddrs(&all) < 0)
        return false;
    for (at = all; at && !found; at = at->ifa_next) {
        struct ip ip = at->ifa_addr ? ip_of_sockaddr(at->ifa_addr) : (struct ip){0};

        found = ip.family && ip_same(&ip, &wanted);
    }
    freeifaddrs(all);
    return found;
}

static int monitor_who(const struct monitor *m, const struct conf *c, unsigned *self, struct err *e)
{
    unsigned found = 0;

    if (m->name) {
        *self = conf_monitor_find(c, m->name);
        return *self == CONF_NONE
                   ? err_set(e, -EINVAL, "%s names no monitor '%s'", c->path, m->name)
                   : 0;
    }
    for (unsigned i = 0; i < c->n_monitors; i++)
        if (monitor_is_local(&c->monitors[i].address)) {
            *self = i;
            found++;
        }
    if (found == 1)
        return 0;
    return err_set(e, -EINVAL,
                   found ? "%s: several of its monitors have an address of this machine: say which "
                           "with --name"
                         : "%s: none of its monitors has an address of this machine: correct "
                           "monitors.<name>.address, or say which this is with --name",
                   c->path);
}

/* 0, or the exit code. */
static int monitor_add(struct monitor *m, const char *file)
{
    struct conf_errors errors = {0};
    struct err e = {0};
    struct conf *conf;
    struct cluster *c;
    unsigned self = 0;

    if (conf_load_for(&conf, file, CONF_SECRET_KEY | CONF_SECRET_MONITOR, &errors) < 0) {
        conf_errors_write(&errors, stderr);
        conf_errors_free(&errors);
        return 2;
    }
    conf_errors_write(&conf->warnings, stderr);
    if (monitor_who(m, conf, &self, &e) < 0) {
        log_error(&monitor_log, "%s", e.msg);
        conf_free(conf);
        return 2;
    }
    c = calloc(1, sizeof *c);
    CHECK(c);
    m->cluster[m->clusters++] = c;
    if (cluster_start(c, &m->loop, conf, self, m->state_dir, m->take_over, &e) == 0)
        return 0;
    log_error(&c->log, "%s", e.msg);
    return 1;
}

static int monitor_options(struct monitor *m, int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"state-dir", required_argument, NULL, 's'},
        {"take-over", no_argument, NULL, 't'},    {"name", required_argument, NULL, 'n'},
        {"verbose", no_argument, NULL, 'v'},      {0},
    };
    int option;

    optind = 0;
    while ((option = getopt_long(argc, argv, "c:v", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            if (m->files == CLUSTERS_MAX) {
                fprintf(stderr, "hamm monitor: at most %d clusters in one process\n", CLUSTERS_MAX);
                return -EINVAL;
            }
            m->file[m->files++] = optarg;
            break;
        case 's':
            m->state_dir = optarg;
            break;
        case 't':
            m->take_over = true;
            break;
        case 'n':
            m->name = optarg;
            break;
        case 'v':
            log_max = LOG_DEBUG;
            break;
        default:
            fprintf(stderr, "Try: hamm monitor --help\n");
            return -EINVAL;
        }
    }
    if (optind < argc || !m->files) {
        fprintf(stderr, "hamm monitor: %s%s; try: hamm monitor -c /etc/hamm/cluster.yaml\n",
                optind < argc ? "unexpected word " : "-c FILE is missing",
                optind < argc ? argv[optind] : "");
        return -EINVAL;
    }
    return 0;
}

static void monitor_signal(struct monitor *m, uv_signal_t *s, int number)
{
    CHECK(uv_signal_init(&m->loop, s) == 0);
    s->data = m;
    CHECK(uv_signal_start(s, monitor_on_signal, number) == 0);
}

int monitor_main(int argc, char **argv)
{
    static struct monitor m;
    int rc = 0;

    if (monitor_options(&m, argc, argv) < 0)
        return 2;
    net_init();
    CHECK(uv_loop_init(&m.loop) == 0);
    monitor_signal(&m, &m.term, SIGTERM);
    monitor_signal(&m, &m.interrupt, SIGINT);
    for (unsigned i = 0; i < m.files && rc == 0; i++)
        rc = monitor_add(&m, m.file[i]);
    if (rc)
        monitor_stop(&m, rc);
    else
        (void)notify_send("READY=1"); /* nobody may be listening */
    uv_run(&m.loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&m.loop) != 0) {
        log_error(&monitor_log, "ended with something still open: a bug");
        return 1;
    }
    if (!db_end(CONNECTS_END_MS))
        _exit(m.exit_code);
    return m.exit_code;
}
