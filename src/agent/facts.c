/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/facts.h"

#include "gtid/place.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int facts_format(const struct gtid_set *set, char *to, size_t size, struct err *e)
{
    size_t len;

    if (set->full)
        return err_set(e, -E2BIG, "the GTID set has more than %d ranges", GTID_RANGES_MAX);
    len = gtid_format(set, to, size);
    if (len >= size)
        return err_set(e, -E2BIG, "the GTID set is %zu characters long, %zu can be handled", len,
                       size - 1);
    return 0;
}

int agentd_gtid_executed(bool mariadb, const char *state, const char *slave_pos, char *to,
                         size_t size, struct err *e)
{
    struct gtid_set all, applied;
    enum gtid_flavour flavour = mariadb ? GTID_MARIADB_STATE : GTID_MYSQL;

    if (gtid_parse(state, flavour, &all, e) < 0)
        return err_wrap(e, "read the server's GTID set");
    if (mariadb) {
        /* "0-1-105" of a position: server 1's number 105 was applied; a state says the same */
        if (gtid_parse(slave_pos, GTID_MARIADB_STATE, &applied, e) < 0)
            return err_wrap(e, "read the server's gtid_slave_pos");
        if (gtid_merge(&all, &applied, &all) < 0)
            all.full = true;
    }
    return facts_format(&all, to, size, e);
}

/* Is there an entry of that domain in `reach` which `own` doesn't have? */
static bool facts_lacks(const struct gtid_set *reach, const struct gtid_set *own, uint32_t domain)
{
    for (unsigned i = 0; i < reach->n; i++) {
        const struct gtid_range *r = &reach->range[i];
        bool found = false;

        if (r->source.domain != domain)
            continue;
        for (unsigned k = 0; k < own->n && !found; k++)
            found = own->range[k].source.domain == domain &&
                    own->range[k].source.server == r->source.server && own->range[k].hi >= r->hi;
        if (!found)
            return true;
    }
    return false;
}

int agentd_gtid_reach(bool mariadb, const char *reach, const char *own, char *to, size_t size,
                      struct err *e)
{
    struct gtid_set want, have;
    size_t len = 0;

    if (!mariadb) {
        if ((size_t)snprintf(to, size, "%s", reach) >= size)
            return err_set(e, -E2BIG, "the GTID set to reach is too long");
        return 0;
    }
    if (gtid_parse(reach, GTID_MARIADB_STATE, &want, e) < 0)
        return err_wrap(e, "read the GTID set to reach");
    if (gtid_parse(own, GTID_MARIADB_STATE, &have, e) < 0)
        return err_wrap(e, "read this server's GTID set");
    to[0] = '\0';
    for (unsigned i = 0; i < want.n;) { /* sorted: a domain's entries stand together */
        const struct gtid_range *top = &want.range[i];
        uint32_t domain = top->source.domain;

        for (; i < want.n && want.range[i].source.domain == domain; i++)
            if (want.range[i].hi > top->hi)
                top = &want.range[i];
        if (!facts_lacks(&want, &have, domain))
            continue;
        len += (size_t)snprintf(to + len, size - len, "%s%" PRIu32 "-%" PRIu32 "-%" PRIu64,
                                len ? "," : "", domain, top->source.server, top->hi);
        if (len >= size)
            return err_set(e, -E2BIG, "the position to reach is too long");
    }
    return 0;
}

int agentd_source_of(const struct conf *c, const char *host, unsigned port)
{
    unsigned char at[16];
    int family = strchr(host, ':') ? AF_INET6 : AF_INET;
    size_t len = family == AF_INET6 ? 16 : 4;

    if (inet_pton(family, host, at) != 1)
        return -1;
    for (size_t i = 0; i < c->n_hosts; i++) {
        const struct conf_host *h = &c->hosts[i];

        if (h->mysql.port != port)
            continue;
        if ((h->replication_address.family == family &&
             memcmp(h->replication_address.at, at, len) == 0) ||
            (h->address.family == family && memcmp(h->address.at, at, len) == 0))
            return (int)i;
    }
    return -1;
}

/* Of a source that is not switched on the rest means nothing. */
static void facts_traits(const struct mydb_facts *f, struct traits *t)
{
    bool source = f->semi_sync.source;

    t->bits = (f->log_bin ? 0u : TRAIT_NO_BINLOG) | (f->log_updates ? 0u : TRAIT_NO_UPDATES) |
              (f->applier_broken ? TRAIT_BROKEN : 0u) | (f->receiver_broken ? TRAIT_CUT_OFF : 0u) |
              (f->semi_sync.replica ? TRAIT_SEMI_REPLICA : 0u) |
              (f->semi_sync.receiver ? TRAIT_SEMI_RECEIVER : 0u);
    t->delay_s = f->delay_s;
    t->filters = f->filters;
    if (!source)
        return;
    t->bits |= TRAIT_SEMI_SOURCE | (f->semi_sync.active ? TRAIT_SEMI_ACTIVE : 0u) |
               (f->semi_sync.after_sync ? 0u : TRAIT_SEMI_AFTER) |
               (f->semi_sync.hasty ? TRAIT_SEMI_HASTY : 0u);
    t->semi_clients = f->semi_sync.clients;
    t->semi_wait_for = f->semi_sync.wait_for;
    t->semi_timeout_ms = f->semi_sync.timeout_ms;
}

void agentd_facts_of(const struct conf *c, const struct mydb_facts *from, struct agent_facts *to,
                     char problem[PROBLEM_LEN])
{
    static const enum receiver receiver[] = {
        [MYDB_RECEIVER_NO] = RECEIVER_NO,
        [MYDB_RECEIVER_CONNECTING] = RECEIVER_CONNECTING,
        [MYDB_RECEIVER_YES] = RECEIVER_YES,
    };
    struct err e = {0};
    char gtid[GTID_LEN];

    memset(to, 0, sizeof *to);
    problem[0] = '\0';
    to->mysql_flavour = !from->mariadb;
    to->server_id = from->server_id;
    to->read_only = from->read_only;
    to->applier = from->applier;
    facts_traits(from, &to->traits);
    if (agentd_gtid_executed(from->mariadb, from->gtid_state, from->gtid_slave_pos, gtid,
                             sizeof gtid, &e) == 0)
        memcpy(to->gtid, gtid, strlen(gtid));
    else
        (void)snprintf(problem, PROBLEM_LEN, "GTIDs not reported: %.400s", e.msg);
    (void)snprintf(to->source_host, sizeof to->source_host, "%.63s", from->source_host);
    to->source_port = from->source_port;
    place_write(to->own, from->own_uuid, from->own_file, from->own_pos);
    if (*to->own)
        place_write(to->applied, from->source_uuid, from->exec_file, from->exec_pos);
    to->receiver = receiver[from->receiver];
    to->lag_ms = from->lag_ms;
    to->source =
        *from->source_host ? agentd_source_of(c, from->source_host, from->source_port) : -1;
}
