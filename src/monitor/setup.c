/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the configuration means for the engine. */
#include "monitor/cluster.h"

#include "net/ip.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void cluster_address(const struct conf_addr *a, unsigned port, struct sockaddr_storage *to)
{
    struct ip ip = ip_make(a->family, a->at);

    ip_to_sockaddr(&ip, to);
    if (a->family == AF_INET)
        ((struct sockaddr_in *)to)->sin_port = htons((uint16_t)port);
    else
        ((struct sockaddr_in6 *)to)->sin6_port = htons((uint16_t)port);
}

static int setup_names(struct cluster *c, struct names *names, struct err *e)
{
    const struct conf *conf = c->conf;
    size_t slots = conf_slots(conf, c->slot, SLOTS_MAX);

    if (conf->n_hosts > HOSTS_MAX || slots > SLOTS_MAX)
        return err_set(e, -E2BIG,
                       "%s: %zu hosts and %zu slots (exclusive roles and balanced addresses); a "
                       "cluster can have %d of each: split it",
                       conf->path, conf->n_hosts, slots, HOSTS_MAX);
    names->hosts = (unsigned)conf->n_hosts;
    names->slots = (unsigned)slots;
    for (size_t i = 0; i < conf->n_hosts; i++)
        snprintf(names->host[i], NAME_LEN, "%s", conf->hosts[i].name);
    for (size_t i = 0; i < slots; i++)
        snprintf(names->slot[i], SLOT_LEN, "%s", c->slot[i].name);
    return 0;
}

static const enum last_resort setup_resort[] = {
    [CONF_LAST_WRITER] = RESORT_WRITER,
    [CONF_LAST_KEEP] = RESORT_KEEP,
    [CONF_LAST_NONE] = RESORT_NONE,
};

static void setup_roles(struct cluster *c, struct engine_conf *ec)
{
    const struct conf *conf = c->conf;

    ec->roles = (unsigned)conf->n_roles;
    for (size_t r = 0; r < conf->n_roles; r++) {
        const struct conf_role *role = &conf->roles[r];

        snprintf(ec->role[r].name, NAME_LEN, "%s", role->name);
        ec->role[r].exclusive = role->mode == CONF_ROLE_EXCLUSIVE;
        ec->role[r].writable = r == conf->active_master_role;
        ec->role[r].last_resort = setup_resort[role->last_resort];
        ec->role[r].prefer = role->prefer == CONF_NONE ? -1 : (int)role->prefer;
        ec->role[r].hosts = (unsigned)role->n_hosts;
        for (size_t h = 0; h < role->n_hosts; h++)
            ec->role[r].host[h] = (int)role->hosts[h];
    }
    for (unsigned s = 0; s < ec->names.slots; s++)
        ec->slot_role[s] = (int)c->slot[s].role;
}

/* What is about the writer may be set at its role. */
static const struct conf_failover *setup_writer(const struct conf *conf)
{
    return conf->active_master_role < conf->n_roles
               ? &conf->roles[conf->active_master_role].failover
               : &conf->failover;
}

static void setup_failover(struct cluster *c, struct engine_conf *ec)
{
    static const enum mode modes[] = {
        [CONF_MODE_ACTIVE] = MODE_ACTIVE,
        [CONF_MODE_MANUAL] = MODE_MANUAL,
        [CONF_MODE_PASSIVE] = MODE_PASSIVE,
        [CONF_MODE_WAIT] = MODE_WAIT,
    };
    static const enum data_loss data_loss[] = {
        [CONF_DATA_NEVER] = LOSS_NEVER,
        [CONF_DATA_SALVAGE] = LOSS_SALVAGE,
        [CONF_DATA_ALLOW] = LOSS_ALLOW,
    };
    const struct conf_failover *all = &c->conf->failover;
    const struct conf_failover *writer = setup_writer(c->conf);

    ec->lease_ms = all->lease_ms;
    ec->gate_unheard = all->gate == CONF_GATE_NFT ? GATE_NFT : GATE_LIFETIME;
    ec->mode = modes[all->mode];
    ec->keep = all->on_monitor_loss == CONF_LOSS_KEEP;
    ec->kill_host = all->kill_host[0] != 0;
    ec->auto_set_online_ms = all->auto_set_online_ms;
    ec->flap_count = all->flap_count;
    ec->flap_duration_ms = all->flap_duration_ms;
    ec->wait_for_other_master_ms = all->wait_for_other_master_ms;
    ec->careful_startup = all->careful_startup;
    ec->on_crash_ms = writer->on_crash_ms;
    ec->catch_up_ms = writer->catch_up_timeout_ms;
    ec->salvage_ms = writer->salvage_timeout_ms;
    ec->data_loss = data_loss[writer->data_loss];
    ec->switchover_budget_ms = writer->switchover_budget_ms;
}

static const enum conf_check checks[CK_N] = {
    [CK_PING] = CONF_CHECK_PING,
    [CK_MYSQL] = CONF_CHECK_MYSQL,
    [CK_REP_THREADS] = CONF_CHECK_REP_THREADS,
    [CK_REP_BACKLOG] = CONF_CHECK_REP_BACKLOG,
};

void cluster_world(const struct cluster *c, struct foresee_conf *out)
{
    static const enum monitor_loss loss[] = {
        [CONF_LOSS_PROMISE] = LOSS_PROMISE,
        [CONF_LOSS_KEEP] = LOSS_PROMISE,
        [CONF_LOSS_FENCE] = LOSS_FENCE,
    };
    const struct conf *conf = c->conf;

    foresee_conf_of(out, &c->engine.conf);
    for (int k = 0; k < CK_N; k++) {
        out->check[k].period_ms = conf->checks[checks[k]].period_ms;
        out->check[k].timeout_ms = conf->checks[checks[k]].timeout_ms;
    }
    out->on_monitor_loss = loss[conf->failover.on_monitor_loss];
    out->kill_hung_mysqld = setup_writer(conf)->kill_hung_mysqld;
}

int cluster_setup(struct cluster *c, struct err *e)
{
    struct engine_conf *ec = &c->engine_conf;

    if (setup_names(c, &ec->names, e) < 0)
        return e->code;
    ec->others = c->conf->n_monitors > 1;
    snprintf(ec->monitor, sizeof ec->monitor, "%s", c->conf->monitors[c->self].name);
    for (size_t h = 0; h < c->conf->n_hosts; h++)
        ec->host[h].master = c->conf->hosts[h].mode == CONF_HOST_MASTER;
    setup_roles(c, ec);
    setup_failover(c, ec);
    for (int k = 0; k < CK_N; k++)
        ec->trap_ms[k] = c->conf->checks[checks[k]].trap_period_ms;
    ec->max_backlog_ms = c->conf->max_backlog_ms;
    return 0;
}
