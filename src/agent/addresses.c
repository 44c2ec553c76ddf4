/* SPDX-License-Identifier: GPL-2.0-or-later
 * Slots made real: the gate (where the kernel can keep one), the addresses on their interfaces, the
 * connections to them. What fails or happens by other hands becomes an event. */
#include "agent/agentd.h"

#include "engine/lease.h"
#include "net/diag.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROBE_MS = 100, DESTROY_ROUNDS = 20 };

static const struct ip *address_ip(const struct agentd_address *a)
{
    return &a->vip.ip;
}

/* The addresses of a slot, as the gate wants them. */
static size_t address_ips(const struct agentd *d, int slot, struct ip to[GATE_ADDR_MAX])
{
    const struct agentd_slot *s = &d->addresses.slot[slot];

    for (unsigned i = 0; i < s->n; i++)
        to[i] = *address_ip(&d->addresses.at[s->first + i]);
    return s->n;
}

static const char *slot_name(const struct agentd *d, int slot)
{
    return d->setup.names.slot[slot];
}

static void address_complain(struct agentd *d, int slot, const char *what)
{
    unsigned held;

    if (!log_allowed(&d->addresses.slot[slot].limit, clock_boot_ms(), &held))
        return;
    if (held)
        log_warn(&d->log, "%s: %s (and %u more)", slot_name(d, slot), what, held);
    else
        log_warn(&d->log, "%s: %s", slot_name(d, slot), what);
}

/* ---- what other hands did ---- */

static void address_on_removed(void *owner, struct vip *v)
{
    struct agentd_address *a = v->owner;
    char text[IP_TEXT_MAX], why[WHY_LEN];

    (void)owner;
    (void)snprintf(why, sizeof why, "its address %s was taken off by other hands",
                   ip_text(&v->ip, text));
    agentd_feed_slot(a->d, AE_REMOVED, a->slot, false, why);
}

static void address_on_foreign(void *owner, struct vip *v, const uint8_t mac[ARP_MAC_LEN])
{
    struct agentd_address *a = v->owner;
    char text[IP_TEXT_MAX], why[WHY_LEN];

    (void)owner;
    (void)snprintf(why, sizeof why, "%02x:%02x:%02x:%02x:%02x:%02x says that it has %s", mac[0],
                   mac[1], mac[2], mac[3], mac[4], mac[5], ip_text(&v->ip, text));
    agentd_feed_slot(a->d, AE_FOREIGN, a->slot, false, why);
}

static const struct vips_events address_events = {.on_removed = address_on_removed,
                                                  .on_foreign = address_on_foreign};

/* ---- life ---- */

static int addresses_lay_out(struct agentd *d, struct err *e)
{
    struct agentd_addresses *as = &d->addresses;
    unsigned n = 0;

    for (unsigned i = 0; i < d->setup.names.slots; i++) {
        as->slot[i].first = n;
        as->slot[i].n = d->setup.slot[i].n_ips;
        n += as->slot[i].n;
        if (as->slot[i].n > GATE_ADDR_MAX)
            return err_set(e, -E2BIG, "role %s has %u addresses; %d can be handled",
                           slot_name(d, (int)i), as->slot[i].n, GATE_ADDR_MAX);
    }
    as->at = calloc(n ? n : 1, sizeof *as->at);
    CHECK(as->at);
    as->n = n;
    return 0;
}

/* The gate guards what this host may hold; it has no business with other hosts' addresses. */
static int addresses_guard(struct agentd *d, struct err *e)
{
    struct agentd_addresses *as = &d->addresses;
    struct ip ips[GATE_ADDR_MAX];
    size_t n = 0;

    for (unsigned i = 0; i < as->n; i++) {
        const struct agent_slot_conf *s = &d->setup.agent.slot[as->at[i].slot];

        if (!(s->candidates >> d->self & 1))
            continue;
        if (n == GATE_ADDR_MAX)
            return err_set(e, -E2BIG, "this host can get more than %d addresses", GATE_ADDR_MAX);
        ips[n++] = *address_ip(&as->at[i]);
    }
    return gate_open(&as->gate, d->conf->cluster, ips, n, e);
}

/* Rules left from the time before `gate: lifetime` would let nothing through. */
static void addresses_ungate(struct agentd *d)
{
    const struct ip none = {0};
    struct gate old = {0};
    struct err e = {0};

    if (gate_probe(&e) == 0 &&
        (gate_open(&old, d->conf->cluster, &none, 0, &e) < 0 || gate_remove(&old, &e) < 0))
        log_warn(&d->log, "rules of an earlier gate could not be removed: %s", e.msg);
}

static int addresses_gate(struct agentd *d, struct err *e)
{
    enum conf_gate want = d->conf->failover.gate;
    struct agentd_addresses *as = &d->addresses;

    as->gated = want != CONF_GATE_LIFETIME && gate_probe(e) == 0;
    if (!as->gated && want == CONF_GATE_NFT)
        return err_wrap(e, "failover.gate is nft");
    if (!as->gated && want == CONF_GATE_AUTO)
        log_warn(&d->log, "%s; leases are kept by address lifetimes instead, for at least %d ms",
                 e->msg, LEASE_LEAST_LIFETIME_MS);
    memset(e, 0, sizeof *e);
    if (want == CONF_GATE_LIFETIME)
        addresses_ungate(d);
    d->setup.agent.gate = as->gated ? GATE_NFT : GATE_LIFETIME;
    log_info(&d->log, "the gate that keeps leases: %s",
             as->gated ? "nftables" : "address lifetimes");
    return 0;
}

static void addresses_add(struct agentd *d, int slot)
{
    struct agentd_slot *s = &d->addresses.slot[slot];
    const struct conf_slot *cs = &d->setup.slot[slot];
    const struct conf_ip *ips = &d->conf->roles[cs->role].ips[cs->first_ip];

    for (unsigned i = 0; i < s->n; i++) {
        struct agentd_address *a = &d->addresses.at[s->first + i];
        struct ip ip = ip_make(ips[i].addr.family, ips[i].addr.at);
        const char *on = *ips[i].interface ? ips[i].interface : d->conf->hosts[d->self].interface;

        a->d = d;
        a->slot = slot;
        vip_add(&d->addresses.vips, &a->vip, &ip, ips[i].prefix, on, a);
    }
}

int agentd_addresses_start(struct agentd *d, struct err *e)
{
    struct agentd_addresses *as = &d->addresses;

    if (addresses_lay_out(d, e) < 0 || addresses_gate(d, e) < 0)
        return e->code;
    if (vips_start(&as->vips, &d->loop, as->gated, &address_events, d, e) < 0)
        return e->code;
    as->started = true;
    closer_add(&d->closer);
    for (unsigned i = 0; i < d->setup.names.slots; i++)
        addresses_add(d, (int)i);
    if (!as->gated)
        return 0;
    if (addresses_guard(d, e) < 0)
        return e->code;
    if (as->gate.silent)
        log_info(&d->log, "TCP to addresses this host doesn't hold is dropped, not reset (this "
                          "kernel can't)");
    return gate_mend(&as->gate, e) < 0 ? e->code : 0; /* notes what is whole */
}

static void addresses_on_stopped(struct vips *s)
{
    struct agentd *d = s->owner;

    free(d->addresses.at);
    d->addresses.at = NULL;
    closer_sub(&d->closer);
}

void agentd_addresses_stop(struct agentd *d)
{
    gate_close(&d->addresses.gate);
    if (d->addresses.started) {
        vips_stop(&d->addresses.vips, addresses_on_stopped);
    } else {
        free(d->addresses.at);
        d->addresses.at = NULL;
    }
}

/* ---- actions ---- */

static void slot_shut(struct agentd *d, int slot)
{
    struct ip ips[GATE_ADDR_MAX];
    size_t n = address_ips(d, slot, ips);
    struct err e = {0};

    d->addresses.slot[slot].until_ms = 0;
    if (d->addresses.gated && gate_drop(&d->addresses.gate, ips, n, &e) < 0)
        address_complain(d, slot, e.msg);
}

static void slot_failed(struct agentd *d, int slot, const char *why)
{
    slot_shut(d, slot);
    agentd_feed_slot(d, AE_GATE_FAILED, slot, false, why);
}

/* The lifetime of what is shown; the last word on whether all this came in time. */
static int slot_refresh(struct agentd *d, int slot, int64_t until_ms, struct err *e)
{
    struct agentd_slot *s = &d->addresses.slot[slot];

    for (unsigned i = 0; i < s->n; i++) {
        struct vip *v = &d->addresses.at[s->first + i].vip;

        if (v->state == VIP_SHOWN && vip_refresh(v, until_ms, e) < 0)
            return e->code;
    }
    if (clock_boot_ms() >= until_ms)
        return err_set(e, -ETIME, "the lease was over before the gate was set");
    return 0;
}

static int slot_hold(struct agentd *d, int slot, int64_t until_ms, struct err *e)
{
    struct ip ips[GATE_ADDR_MAX];
    size_t n = address_ips(d, slot, ips);

    return gate_hold(&d->addresses.gate, ips, n, until_ms, e);
}

void agentd_gate(struct agentd *d, int slot, int64_t until_ms)
{
    struct err e = {0};

    d->addresses.slot[slot].until_ms = until_ms;
    if ((d->addresses.gated && slot_hold(d, slot, until_ms, &e) < 0) ||
        slot_refresh(d, slot, until_ms, &e) < 0)
        slot_failed(d, slot, e.msg);
}

void agentd_show(struct agentd *d, int slot, int64_t until_ms)
{
    struct agentd_slot *s = &d->addresses.slot[slot];
    char text[IP_TEXT_MAX];
    struct err e = {0};

    s->hide_again = false;
    s->probing = 0;
    for (unsigned i = 0; i < s->n; i++) {
        struct vip *v = &d->addresses.at[s->first + i].vip;

        if (vip_show(v, until_ms, &e) < 0) {
            slot_failed(d, slot, e.msg);
            return;
        }
        log_info(&d->log, "%s: %s is shown", slot_name(d, slot), ip_text(&v->ip, text));
    }
}

static void slot_destroy(struct agentd *d, int slot, const struct ip *ip, unsigned rounds)
{
    struct err e = {0};
    int n = DIAG_ONCE_MAX;

    if (d->addresses.no_destroy)
        return;
    for (unsigned i = 0; i < rounds && n == DIAG_ONCE_MAX; i++)
        n = diag_kill(ip, &e);
    if (n >= 0)
        return;
    if (n == -EOPNOTSUPP) {
        d->addresses.no_destroy = true;
        log_info(&d->log, "%s", e.msg);
    } else {
        address_complain(d, slot, e.msg);
    }
}

void agentd_hide(struct agentd *d, int slot, int64_t until_ms)
{
    struct agentd_slot *s = &d->addresses.slot[slot];
    char text[IP_TEXT_MAX];

    /* While the gate is open a client hears of its connection's end; later it would have to wait.
     */
    for (unsigned i = 0; i < s->n && clock_boot_ms() < until_ms; i++)
        if (d->addresses.at[s->first + i].vip.state == VIP_SHOWN)
            slot_destroy(d, slot, &d->addresses.at[s->first + i].vip.ip, 1);
    slot_shut(d, slot);
    /* Clients that came in between hear of it too, as long as there is an address to say it from:
     * the gate lets resets out. */
    for (unsigned i = 0; i < s->n && d->addresses.gated; i++)
        if (d->addresses.at[s->first + i].vip.state == VIP_SHOWN)
            slot_destroy(d, slot, &d->addresses.at[s->first + i].vip.ip, DESTROY_ROUNDS);
    s->hide_again = false;
    s->probing = 0;
    for (unsigned i = 0; i < s->n; i++) {
        struct vip *v = &d->addresses.at[s->first + i].vip;
        struct err e = {0};
        bool shown = v->state == VIP_SHOWN;

        if (vip_hide(v, &e) < 0) {
            address_complain(d, slot, e.msg);
            s->hide_again = true;
            continue;
        }
        if (shown)
            log_info(&d->log, "%s: %s is off", slot_name(d, slot), ip_text(&v->ip, text));
        slot_destroy(d, slot, &v->ip, DESTROY_ROUNDS);
    }
}

/* Somebody emptied the gate: it is mended, and what is held goes into it again. */
static void addresses_mend(struct agentd *d)
{
    struct agentd_addresses *as = &d->addresses;
    struct err e = {0};
    unsigned held;

    if (gate_mend(&as->gate, &e) < 0 && log_allowed(&as->limit, clock_boot_ms(), &held))
        log_error(&d->log, "the gate can't be looked after: %s", e.msg);
    if (as->gate.reinstalled == as->reinstalled)
        return;
    as->reinstalled = as->gate.reinstalled;
    log_warn(&d->log, "somebody changed the gate (table %s of nftables): it is put right",
             as->gate.table);
    for (unsigned i = 0; i < d->setup.names.slots; i++)
        if (as->slot[i].until_ms > clock_boot_ms())
            agentd_gate(d, (int)i, as->slot[i].until_ms);
}

static void addresses_answer(struct agentd *d)
{
    struct agentd_addresses *as = &d->addresses;
    struct err e = {0};
    unsigned held;

    if (gate_answer(&as->gate, d->conf->failover.lease_ms, &e) < 0 &&
        log_allowed(&as->limit, clock_boot_ms(), &held))
        log_error(&d->log, "TCP to addresses this host doesn't hold is dropped, not reset: %s",
                  e.msg);
}

void agentd_addresses_tick(struct agentd *d)
{
    if (d->addresses.gated) {
        addresses_mend(d);
        addresses_answer(d);
    }
    for (unsigned i = 0; i < d->setup.names.slots; i++)
        if (d->addresses.slot[i].hide_again)
            agentd_hide(d, (int)i, 0);
}

/* ---- asking the network ---- */

static void slot_probed(struct agentd *d, int slot, const char *why)
{
    agentd_feed_slot(d, AE_PROBED, slot, d->addresses.slot[slot].answered, why);
}

static void address_on_probed(void *owner, struct vip *v, bool answered,
                              const uint8_t mac[ARP_MAC_LEN])
{
    struct agentd_address *a = v->owner;
    struct agentd_slot *s = &a->d->addresses.slot[a->slot];

    (void)owner;
    (void)mac;
    if (s->probing == 0)
        return; /* shown or hidden in between: nobody waits for this */
    s->answered = s->answered || answered;
    if (--s->probing == 0)
        slot_probed(a->d, a->slot, "");
}

/* An address that can't be asked about counts as answered: unsure means wait. */
void agentd_probe(struct agentd *d, int slot)
{
    struct agentd_slot *s = &d->addresses.slot[slot];
    struct err e = {0};

    s->answered = false;
    s->probing = 0;
    for (unsigned i = 0; i < s->n; i++) {
        if (vip_probe(&d->addresses.at[s->first + i].vip, PROBE_MS, address_on_probed, &e) == 0) {
            s->probing++;
            continue;
        }
        s->answered = true;
        address_complain(d, slot, e.msg);
    }
    if (s->probing == 0)
        slot_probed(d, slot, e.msg);
}
