/* SPDX-License-Identifier: GPL-2.0-or-later
 * Any text as a configuration: refused with at least one error, or a struct conf whose indices all
 * point somewhere. */
#include "conf/conf.h"

#include <string.h>

static void fuzz_good(const struct conf *c)
{
    CHECK(*c->cluster && *c->state_dir && *c->control_socket && c->n_keys == 0);
    CHECK(c->active_master_role < c->n_roles && c->n_hosts && c->n_monitors % 2);
    for (size_t i = 0; i < c->n_hosts; i++) {
        const struct conf_host *h = &c->hosts[i];

        CHECK(h->address.family && h->replication_address.family && h->mysql.port && h->agent_port);
        CHECK(h->peer == CONF_NONE || c->hosts[h->peer].peer == i);
        CHECK(*h->mysql.monitor.user && !h->mysql.monitor.password);
        CHECK(h->mysql.replication.tls != CONF_TLS_AUTO && h->mode <= CONF_HOST_REPLICA);
    }
    for (size_t i = 0; i < c->n_roles; i++) {
        const struct conf_role *r = &c->roles[i];

        CHECK(r->n_ips && r->n_hosts && r->failover.lease_ms >= 500);
        CHECK(r->prefer == CONF_NONE || r->prefer < c->n_hosts);
        for (size_t k = 0; k < r->n_hosts; k++)
            CHECK(r->hosts[k] < c->n_hosts);
        for (size_t k = 0; k < r->n_ips; k++)
            CHECK(r->ips[k].addr.family && r->ips[k].prefix && r->ips[k].prefix <= 128);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct conf *c = NULL;
    struct conf_errors errs = {0};

    if (conf_parse(&c, (const char *)data, size, "fuzz", &errs) == 0) {
        CHECK(errs.n == 0);
        fuzz_good(c);
        conf_free(c);
    } else {
        CHECK(!c && errs.n && errs.n <= CONF_ERRORS_MAX);
        for (size_t i = 0; i < errs.n; i++)
            CHECK(!strncmp(errs.at[i].text, "fuzz:", 5));
    }
    conf_errors_free(&errs);
    return 0;
}
