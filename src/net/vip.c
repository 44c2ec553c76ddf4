/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/vip.h"

#include "base/clock.h"
#include "loop/timer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Both ARP forms change every cache at once (a reply with tha = sha even a fresh one), so what
 * comes after the first is for lost frames, slow switches and hosts that join later. */
static const int64_t announce_at_ms[] = {0, 50, 200, 500, 1000, 2000, 5000};
#define ANNOUNCE_EVERY_MS 30000

#define PROBES  3
#define TRIES   3
#define LATE_MS 50 /* of the 1.3 s that others wait beyond a lease; 1 s is the kernel's */

/* An interface that carries role addresses. */
struct vip_link {
    struct packet packet;
    struct vips *set;
    struct vip_link *next;
    bool up;
};

/* --- interfaces --- */

static struct vip_link *link_of(struct vips *s, unsigned ifindex)
{
    for (struct vip_link *l = s->links; l; l = l->next)
        if (l->packet.ifindex == ifindex)
            return l;
    return NULL;
}

static void probe_end(struct vip *v, bool answered, const uint8_t mac[ARP_MAC_LEN]);

static void link_on_claim(void *owner, const struct ip *ip, const uint8_t mac[ARP_MAC_LEN])
{
    struct vip_link *l = owner;

    for (struct vip *v = l->set->first; v; v = v->next) {
        if (v->link != l || !ip_same(&v->ip, ip))
            continue;
        if (v->state == VIP_PROBING)
            probe_end(v, true, mac);
        else if (v->state == VIP_SHOWN)
            l->set->events->on_foreign(l->set->owner, v, mac);
        return;
    }
}

static void link_on_stopped(struct packet *p)
{
    struct vip_link *l = p->owner;
    struct vips *s = l->set;

    free(l);
    closer_sub(&s->closer);
}

static void link_drop(struct vips *s, struct vip_link *gone)
{
    for (struct vip_link **at = &s->links; *at; at = &(*at)->next) {
        if (*at == gone) {
            *at = gone->next;
            break;
        }
    }
    for (struct vip *v = s->first; v; v = v->next)
        if (v->link == gone)
            v->link = NULL;
    packet_stop(&gone->packet, link_on_stopped);
}

static struct vip_link *link_get(struct vips *s, const struct rtnl_link *at, struct err *e)
{
    struct vip_link *l = link_of(s, at->ifindex);

    if (l) {
        memcpy(l->packet.mac, at->mac, ARP_MAC_LEN);
        return l;
    }
    l = calloc(1, sizeof *l);
    if (!l) {
        err_set(e, -ENOMEM, "out of memory");
        return NULL;
    }
    if (packet_start(&l->packet, s->loop, at->ifindex, at->mac, link_on_claim, l, e) < 0) {
        free(l);
        return NULL;
    }
    l->set = s;
    l->next = s->links;
    l->up = at->up;
    s->links = l;
    closer_add(&s->closer);
    return l;
}

/* The filter follows what is shown and probed: other hosts' talk does not wake us. */
static int link_listen(struct vip_link *l, struct err *e)
{
    struct ip at[PACKET_ADDR_MAX + 1]; /* one more: too many are refused, not cut off */
    size_t n = 0;

    for (struct vip *v = l->set->first; v; v = v->next)
        if (v->link == l && v->state != VIP_HIDDEN && n <= PACKET_ADDR_MAX)
            at[n++] = v->ip;
    return packet_listen_for(&l->packet, at, n, e);
}

/* Finds the interface; ifindex, on_link and, on Ethernet, link are set. */
static int vip_attach(struct vip *v, struct err *e)
{
    struct vips *s = v->set;
    struct rtnl_link at;
    struct err none = {0};
    unsigned ifindex = 0;
    bool has_route = true;

    if (v->interface[0]) {
        if (rtnl_link_named(&s->rtnl, v->interface, &at, e) < 0)
            return e->code;
        has_route =
            rtnl_interface_of(&s->rtnl, &v->ip, v->prefix, at.ifindex, &ifindex, &none) == 0;
    } else if (rtnl_interface_of(&s->rtnl, &v->ip, v->prefix, 0, &ifindex, e) < 0 ||
               rtnl_link_get(&s->rtnl, ifindex, &at, e) < 0) {
        return e->code;
    }
    v->ifindex = at.ifindex;
    v->on_link = !has_route;
    v->link = NULL;
    if (at.ethernet)
        v->link = link_get(s, &at, e);
    return at.ethernet && !v->link ? e->code : 0;
}

/* Back to hidden: nothing is said, nothing is heard. */
static void vip_rest(struct vip *v)
{
    struct err ignored = {0};
    struct vip_link *l = v->link;

    v->state = VIP_HIDDEN;
    v->link = NULL;
    uv_timer_stop(&v->timer);
    if (l) /* a filter that stays too wide only wakes us for nothing */
        (void)link_listen(l, &ignored);
}

/* --- announcing --- */

static int64_t announce_due_ms(unsigned nth)
{
    const unsigned n = ARRAY_LEN(announce_at_ms);

    return nth < n ? announce_at_ms[nth]
                   : announce_at_ms[n - 1] + (int64_t)(nth - n + 1) * ANNOUNCE_EVERY_MS;
}

static int announce_once(struct vip *v, struct err *e)
{
    uint8_t frame[ARP_FRAME_MAX];
    struct packet *p = &v->link->packet;
    size_t len;

    if (v->ip.family == AF_INET6) {
        len = arp_build_na(frame, p->mac, &v->ip);
        return packet_send(p, frame, len, e);
    }
    len = arp_build(frame, ARP_GARP_REQUEST, p->mac, &v->ip, NULL, NULL);
    if (packet_send(p, frame, len, e) < 0)
        return e->code;
    len = arp_build(frame, ARP_GARP_REPLY, p->mac, &v->ip, NULL, NULL);
    return packet_send(p, frame, len, e);
}

static void announce_on_timer(uv_timer_t *t)
{
    struct vip *v = t->data;
    int64_t now_ms = clock_boot_ms();

    if (!v->link)
        return;
    /* Packet sockets pass by the gate: this clock is what keeps a late process silent. */
    if (now_ms < v->until_ms && announce_once(v, &v->announce_err) == 0)
        v->announce_err.code = 0;
    do
        v->said++;
    while (v->since_ms + announce_due_ms(v->said) <= now_ms);
    timer_at(t, v->since_ms + announce_due_ms(v->said), announce_on_timer);
}

static void announce_from_now(struct vip *v)
{
    v->since_ms = clock_boot_ms();
    v->said = 0;
    announce_on_timer(&v->timer);
}

/* --- showing and hiding --- */

/* The kernel counts from when it is told. Without the gate these seconds are what ends the address
 * in time: a process that was stopped between reading the clock and telling the kernel has given
 * too many and tells it again. */
static int vip_configure(struct vip *v, int64_t until_ms, struct err *e)
{
    bool gated = v->set->gated;
    char text[IP_TEXT_MAX];

    for (unsigned i = 0; i < TRIES; i++) {
        int64_t left_ms = until_ms - clock_boot_ms();
        int64_t seconds = gated ? (left_ms + 999) / 1000 + 1 : left_ms / 1000;

        if (left_ms <= 0 || seconds <= 0)
            return err_set(e, -ETIME, "address %s: the lease has only %lld ms left",
                           ip_text(&v->ip, text), (long long)left_ms);
        if (seconds >= RTNL_FOREVER)
            seconds = RTNL_FOREVER - 1;
        if (rtnl_add(&v->set->rtnl, v->ifindex, &v->ip, v->prefix, (uint32_t)seconds, v->on_link,
                     e) < 0)
            return e->code;
        v->until_ms = until_ms;
        if (gated || clock_boot_ms() + seconds * 1000 <= until_ms + LATE_MS)
            return 0;
    }
    return err_set(e, -ETIME, "address %s: this host is too slow to keep a lease",
                   ip_text(&v->ip, text));
}

int vip_show(struct vip *v, int64_t until_ms, struct err *e)
{
    unsigned was_on = v->state == VIP_SHOWN ? v->ifindex : 0;
    struct err ignored = {0};
    char text[IP_TEXT_MAX];

    if (v->state == VIP_PROBING)
        vip_rest(v);
    if (vip_attach(v, e) < 0)
        return err_wrap(e, "show %s", ip_text(&v->ip, text));
    if (was_on != 0 && was_on != v->ifindex && rtnl_remove(&v->set->rtnl, &v->ip, e) < 0)
        return e->code;
    if (vip_configure(v, until_ms, e) < 0)
        return e->code;
    v->state = VIP_SHOWN;
    if (!v->link)
        return 0;
    if (link_listen(v->link, e) < 0) {
        err_wrap(e, "show %s", ip_text(&v->ip, text));
        return vip_hide(v, &ignored) < 0 ? err_wrap(e, "(%s)", ignored.msg) : e->code;
    }
    announce_from_now(v);
    return 0;
}

int vip_refresh(struct vip *v, int64_t until_ms, struct err *e)
{
    int64_t left_ms = until_ms - clock_boot_ms();

    CHECK(v->state == VIP_SHOWN);
    /* Without the gate the last second is not worth a refresh: the lifetime it has ends in time. */
    if (!v->set->gated && left_ms > 0 && left_ms < 1000)
        return 0;
    return vip_configure(v, until_ms, e);
}

int vip_hide(struct vip *v, struct err *e)
{
    if (v->state != VIP_HIDDEN)
        vip_rest(v);
    return rtnl_remove(&v->set->rtnl, &v->ip, e);
}

int vip_present(struct vip *v, struct err *e)
{
    return rtnl_find(&v->set->rtnl, &v->ip, NULL, e);
}

/* --- probing --- */

static void probe_end(struct vip *v, bool answered, const uint8_t mac[ARP_MAC_LEN])
{
    vip_rest(v);
    v->probed(v->set->owner, v, answered, mac);
}

static int probe_once(struct vip *v, struct err *e)
{
    uint8_t frame[ARP_FRAME_MAX];
    struct packet *p = &v->link->packet;
    size_t len = v->ip.family == AF_INET ? arp_build(frame, ARP_PROBE, p->mac, &v->ip, NULL, NULL)
                                         : arp_build_dad(frame, p->mac, &v->ip);

    v->said++;
    return packet_send(p, frame, len, e);
}

static void probe_on_timer(uv_timer_t *t)
{
    static const uint8_t nobody[ARP_MAC_LEN];
    struct vip *v = t->data;
    int64_t span_ms = v->probe_until_ms - v->since_ms;

    if (clock_boot_ms() >= v->probe_until_ms) {
        probe_end(v, false, nobody);
        return;
    }
    if (v->said < PROBES && v->link)
        (void)probe_once(v, &v->announce_err);
    timer_at(t, v->since_ms + span_ms * (v->said < PROBES ? v->said : PROBES) / PROBES,
             probe_on_timer);
}

int vip_probe(struct vip *v, int64_t ms, vip_probe_fn done, struct err *e)
{
    char text[IP_TEXT_MAX];

    CHECK(v->state == VIP_HIDDEN);
    if (vip_attach(v, e) < 0)
        return err_wrap(e, "probe %s", ip_text(&v->ip, text));
    v->state = VIP_PROBING;
    v->probed = done;
    v->said = 0;
    v->since_ms = clock_boot_ms();
    v->probe_until_ms = v->since_ms + (v->link ? ms : 0); /* nobody to ask but on Ethernet */
    if (v->link && (link_listen(v->link, e) < 0 || probe_once(v, e) < 0)) {
        vip_rest(v);
        return err_wrap(e, "probe %s", ip_text(&v->ip, text));
    }
    timer_at(&v->timer, v->since_ms + (v->link ? ms / PROBES : 0), probe_on_timer);
    return 0;
}

/* --- the set --- */

/* The event may be older than a showing that came since: what counts is what is there now. */
static void vip_look(struct vip *v)
{
    struct err e = {0};

    if (v->state == VIP_SHOWN && vip_present(v, &e) == 0)
        v->set->events->on_removed(v->set->owner, v);
}

/* Announces anew when a link comes up and when its hardware address was changed (bonding). */
static void link_on_change(struct vips *s, const struct rtnl_change *c)
{
    struct vip_link *l = link_of(s, c->addr.ifindex);
    bool up = c->kind == RTNL_LINK_UP, changed;
    struct rtnl_link now = {0};
    struct err e = {0};

    if (!l)
        return;
    changed = l->up != up;
    l->up = up;
    if (up && rtnl_link_get(&s->rtnl, c->addr.ifindex, &now, &e) == 0 && now.ethernet &&
        (changed || memcmp(l->packet.mac, now.mac, ARP_MAC_LEN) != 0)) {
        memcpy(l->packet.mac, now.mac, ARP_MAC_LEN);
        for (struct vip *v = s->first; v; v = v->next)
            if (v->state == VIP_SHOWN && v->link == l)
                announce_from_now(v);
    }
    if (c->kind == RTNL_LINK_GONE)
        link_drop(s, l);
    if (changed && s->events->on_link)
        s->events->on_link(s->owner, c->addr.ifindex, up);
}

static void vips_on_change(void *owner, const struct rtnl_change *c)
{
    struct vips *s = owner;

    switch (c->kind) {
    case RTNL_ADDR_REMOVED:
    case RTNL_LOST:
        for (struct vip *v = s->first; v && !s->closer.closing; v = v->next)
            if (c->kind == RTNL_LOST || ip_same(&v->ip, &c->addr.ip))
                vip_look(v);
        break;
    case RTNL_LINK_UP:
    case RTNL_LINK_DOWN:
    case RTNL_LINK_GONE:
        link_on_change(s, c);
        break;
    case RTNL_ADDR_ADDED:
    case RTNL_CHANGE_N:
        break;
    }
}

int vips_start(struct vips *s, uv_loop_t *loop, bool gated, const struct vips_events *events,
               void *owner, struct err *e)
{
    *s = (struct vips){.loop = loop, .gated = gated, .events = events, .owner = owner};
    s->closer.owner = s;
    if (rtnl_open(&s->rtnl, e) < 0)
        return e->code;
    if (rtnl_watch_start(&s->watch, loop, vips_on_change, s, e) < 0) {
        rtnl_close(&s->rtnl);
        return e->code;
    }
    closer_add(&s->closer);
    return 0;
}

static void vips_on_watch_stopped(struct rtnl_watch *w)
{
    struct vips *s = w->owner;

    closer_sub(&s->closer);
}

static void vips_on_closed(struct closer *c)
{
    struct vips *s = c->owner;

    if (s->done)
        s->done(s);
}

void vips_stop(struct vips *s, void (*done)(struct vips *s))
{
    s->done = done;
    for (struct vip *v = s->first; v; v = v->next) {
        v->state = VIP_HIDDEN;
        closer_handle(&s->closer, (uv_handle_t *)&v->timer);
    }
    while (s->links)
        link_drop(s, s->links);
    rtnl_watch_stop(&s->watch, vips_on_watch_stopped);
    rtnl_close(&s->rtnl);
    closer_end(&s->closer, vips_on_closed);
}

void vip_add(struct vips *s, struct vip *v, const struct ip *ip, unsigned prefix,
             const char *interface, void *owner)
{
    CHECK(prefix > 0 && prefix <= ip_len(ip) * 8);
    *v = (struct vip){.ip = *ip, .prefix = prefix, .owner = owner, .set = s, .next = s->first};
    if (interface && strcmp(interface, "auto") != 0)
        snprintf(v->interface, sizeof v->interface, "%s", interface);
    s->first = v;
    CHECK(uv_timer_init(s->loop, &v->timer) == 0);
    v->timer.data = v;
    closer_add(&s->closer);
}
