/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "preflight/local.h"

#include "net/gate.h"
#include "net/vip.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PROBE_MS = 900, LOCAL_ADDR_MAX = 256 };

/* One address the segment is asked for: a role's, or another host's to know its hardware by. */
struct target {
    struct vip vip;
    const struct conf_ip *role;    /* NULL: of a host */
    const struct conf_host *owner; /* NULL: of a role */
    bool here, asked, answered;
    uint8_t mac[ARP_MAC_LEN];
    struct err err;
};

struct local {
    const struct conf *conf;
    const struct conf_host *host;
    struct sheet *out;
    struct rtnl rtnl;
    struct rtnl_addr addr[LOCAL_ADDR_MAX];
    size_t n_addr;
    struct vips vips;
    struct target *target;
    size_t n, waiting;
};

static struct ip local_ip(const struct conf_addr *a)
{
    return ip_make(a->family, a->at);
}

static void local_on_addr(void *ctx, const struct rtnl_addr *a)
{
    struct local *l = ctx;

    if (l->n_addr < LOCAL_ADDR_MAX)
        l->addr[l->n_addr++] = *a;
}

static bool local_has(const struct local *l, const struct conf_addr *a)
{
    struct ip ip = local_ip(a);

    for (size_t i = 0; i < l->n_addr; i++)
        if (ip_same(&ip, &l->addr[i].ip))
            return true;
    return false;
}

unsigned local_self(const struct conf *c, bool *monitor)
{
    static struct local l;
    unsigned self = CONF_NONE;
    struct err e;

    memset(&l, 0, sizeof l);
    *monitor = false;
    if (rtnl_open(&l.rtnl, &e) < 0)
        return CONF_NONE;
    if (rtnl_list(&l.rtnl, local_on_addr, &l, &e) < 0)
        l.n_addr = 0;
    rtnl_close(&l.rtnl);
    for (unsigned i = 0; i < c->n_hosts && self == CONF_NONE; i++)
        if (local_has(&l, &c->hosts[i].address))
            self = i;
    for (size_t i = 0; i < c->n_monitors; i++)
        *monitor |= local_has(&l, &c->monitors[i].address);
    return self;
}

/* ---- interface and netmask ---- */

static const char *local_wanted(const struct local *l, const struct conf_ip *ip)
{
    return *ip->interface ? ip->interface : l->host->interface;
}

static int local_interface(struct local *l, const struct conf_ip *at, struct rtnl_link *link,
                           struct err *e)
{
    const char *wanted = local_wanted(l, at);
    struct ip ip = local_ip(&at->addr);
    unsigned ifindex;

    if (*wanted)
        return rtnl_link_named(&l->rtnl, wanted, link, e);
    if (rtnl_interface_of(&l->rtnl, &ip, at->prefix, 0, &ifindex, e) < 0)
        return e->code;
    return rtnl_link_get(&l->rtnl, ifindex, link, e);
}

/* This host's own address on that interface whose network the role address is in. */
static const struct rtnl_addr *local_neighbour(const struct local *l, const struct ip *ip,
                                               unsigned ifindex)
{
    for (size_t i = 0; i < l->n_addr; i++) {
        const struct rtnl_addr *a = &l->addr[i];

        if (a->ifindex == ifindex && a->valid_s == RTNL_FOREVER && !ip_same(&a->ip, ip) &&
            ip_same_net(&a->ip, ip, a->prefix))
            return a;
    }
    return NULL;
}

static void local_role_address(struct local *l, const struct conf_role *role,
                               const struct conf_ip *at)
{
    const char *text = at->addr.text, *host = l->host->name;
    struct ip ip = local_ip(&at->addr);
    const struct rtnl_addr *near;
    struct rtnl_link link;
    struct err e = {0};
    char check[96];

    snprintf(check, sizeof check, "interface of %s", text);
    if (local_interface(l, at, &link, &e) < 0) {
        sheet_add(l->out, host, check, VERDICT_FAIL, "%s", e.msg);
        sheet_fix(l->out, "in %s: hosts.%s.interface: NAME, or an address of that network here",
                  l->conf->path, host);
        return;
    }
    near = local_neighbour(l, &ip, link.ifindex);
    if (!link.up) {
        sheet_add(l->out, host, check, VERDICT_FAIL, "%s is down", link.name);
        sheet_fix(l->out, "on %s: ip link set %s up", host, link.name);
    } else if (near && near->prefix != at->prefix) {
        char own[IP_TEXT_MAX];

        sheet_add(l->out, host, check, VERDICT_WARN, "/%u, but %s has %s/%u", at->prefix, link.name,
                  ip_text(&near->ip, own), near->prefix);
        sheet_fix(l->out, "in %s: roles.%s.ips: %s/%u", l->conf->path, role->name, text,
                  near->prefix);
    } else {
        sheet_add(l->out, host, check, VERDICT_OK, "%s, /%u", link.name, at->prefix);
    }
}

/* ---- who answers ---- */

static void local_on_probed(void *owner, struct vip *v, bool answered,
                            const uint8_t mac[ARP_MAC_LEN])
{
    struct local *l = owner;
    struct target *t = v->owner;

    t->answered = answered;
    memcpy(t->mac, mac, sizeof t->mac);
    if (--l->waiting == 0)
        uv_stop(l->vips.loop);
}

static void local_target(struct local *l, const struct conf_addr *addr, unsigned prefix,
                         const char *interface, const struct conf_ip *role,
                         const struct conf_host *owner)
{
    struct target *t = &l->target[l->n++];
    struct ip ip = local_ip(addr);

    t->role = role;
    t->owner = owner;
    t->here = local_has(l, addr);
    vip_add(&l->vips, &t->vip, &ip, prefix, interface, t);
}

static bool local_is_mine(const struct conf *c, const struct conf_role *role,
                          const struct conf_host *host)
{
    for (size_t i = 0; i < role->n_hosts; i++)
        if (&c->hosts[role->hosts[i]] == host)
            return true;
    return false;
}

static void local_targets(struct local *l)
{
    const struct conf *c = l->conf;
    const struct rtnl_addr *own = NULL;
    struct ip self = local_ip(&l->host->address);

    for (size_t i = 0; i < l->n_addr; i++)
        if (ip_same(&l->addr[i].ip, &self))
            own = &l->addr[i];
    for (size_t r = 0; r < c->n_roles; r++)
        for (size_t i = 0; local_is_mine(c, &c->roles[r], l->host) && i < c->roles[r].n_ips; i++) {
            const struct conf_ip *ip = &c->roles[r].ips[i];

            local_target(l, &ip->addr, ip->prefix, local_wanted(l, ip), ip, NULL);
        }
    for (size_t h = 0; own && h < c->n_hosts; h++)
        if (&c->hosts[h] != l->host && c->hosts[h].address.family == self.family)
            local_target(l, &c->hosts[h].address, own->prefix, l->host->interface, NULL,
                         &c->hosts[h]);
}

static const char *local_whose(const struct local *l, const uint8_t mac[ARP_MAC_LEN])
{
    for (size_t i = 0; i < l->n; i++)
        if (l->target[i].owner && l->target[i].answered && !memcmp(l->target[i].mac, mac, 6))
            return l->target[i].owner->name;
    return NULL;
}

static void local_judge(struct local *l, const struct target *t)
{
    const uint8_t *m = t->mac;
    const char *whose = t->answered ? local_whose(l, m) : NULL;
    const char *host = l->host->name;
    char check[96];

    snprintf(check, sizeof check, "who has %s", t->role->addr.text);
    if (t->here) {
        sheet_add(l->out, host, check, VERDICT_OK, "this host");
    } else if (t->err.code == -ENODEV) {
        return; /* its interface is missing, which was said */
    } else if (!t->asked) {
        sheet_add(l->out, host, check, VERDICT_WARN, "could not be asked: %s", t->err.msg);
    } else if (!t->answered) {
        sheet_add(l->out, host, check, VERDICT_OK, "nobody");
    } else if (whose) {
        sheet_add(l->out, host, check, VERDICT_OK, "%s", whose);
    } else {
        sheet_add(l->out, host, check, VERDICT_FAIL,
                  "%02x:%02x:%02x:%02x:%02x:%02x answers for it, no host of this cluster", m[0],
                  m[1], m[2], m[3], m[4], m[5]);
        sheet_fix(l->out,
                  "find that machine (ip neigh; the switch's table) and there: "
                  "ip addr del %s/%u dev INTERFACE",
                  t->role->addr.text, t->role->prefix);
    }
}

static void local_on_stopped(struct vips *v)
{
    (void)v;
}

static void local_probe(struct local *l, uv_loop_t *loop)
{
    static const struct vips_events events = {0};
    struct err e = {0};

    l->target = calloc(l->conf->n_hosts + CONF_ROLES_MAX * CONF_IPS_MAX, sizeof *l->target);
    CHECK(l->target);
    if (vips_start(&l->vips, loop, true, &events, l, &e) < 0) {
        sheet_add(l->out, l->host->name, "role addresses", VERDICT_WARN, "not looked at: %s",
                  e.msg);
        return;
    }
    local_targets(l);
    for (size_t i = 0; i < l->n; i++) {
        struct target *t = &l->target[i];

        t->asked = !t->here && vip_probe(&t->vip, PROBE_MS, local_on_probed, &t->err) == 0;
        l->waiting += t->asked;
    }
    if (l->waiting)
        uv_run(loop, UV_RUN_DEFAULT); /* until the last one stops it */
    vips_stop(&l->vips, local_on_stopped);
    uv_run(loop, UV_RUN_DEFAULT);
    for (size_t i = 0; i < l->n; i++)
        if (l->target[i].role)
            local_judge(l, &l->target[i]);
}

/* ---- the gate ---- */

static void local_gate(struct local *l)
{
    enum conf_gate gate = l->conf->failover.gate;
    struct err e = {0};

    if (gate == CONF_GATE_LIFETIME)
        return;
    if (gate_probe(&e) == 0) {
        sheet_add(l->out, l->host->name, "gate", VERDICT_OK, "nf_tables");
        return;
    }
    sheet_add(l->out, l->host->name, "gate", gate == CONF_GATE_NFT ? VERDICT_FAIL : VERDICT_WARN,
              "no nf_tables (%s): %s", e.msg,
              gate == CONF_GATE_NFT ? "failover.gate is nft" : "leases will last 3 s at least");
    sheet_fix(l->out, "on %s: modprobe nf_tables", l->host->name);
}

void local_look(const struct conf *c, unsigned self, uv_loop_t *loop, struct sheet *out)
{
    struct local *l = calloc(1, sizeof *l);
    struct err e = {0};

    CHECK(l);
    l->conf = c;
    l->host = &c->hosts[self];
    l->out = out;
    if (rtnl_open(&l->rtnl, &e) < 0 || rtnl_list(&l->rtnl, local_on_addr, l, &e) < 0) {
        sheet_add(out, l->host->name, "role addresses", VERDICT_WARN, "not looked at: %s", e.msg);
    } else {
        for (size_t r = 0; r < c->n_roles; r++)
            for (size_t i = 0; local_is_mine(c, &c->roles[r], l->host) && i < c->roles[r].n_ips;
                 i++)
                local_role_address(l, &c->roles[r], &c->roles[r].ips[i]);
        if (geteuid() == 0) {
            local_probe(l, loop);
            local_gate(l);
        } else {
            sheet_add(out, l->host->name, "gate", VERDICT_WARN,
                      "nf_tables, and who answers for role addresses: not looked at");
            sheet_fix(out, "run it as root: sudo hamm preflight -c %s", c->path);
        }
    }
    rtnl_close(&l->rtnl);
    free(l->target);
    free(l);
}
