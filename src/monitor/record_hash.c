/* SPDX-License-Identifier: GPL-2.0-or-later
 * FNV-1a, by 64-bit words and with the upper half folded in, for speed. Fields one by one: between
 * them lie bytes that mean nothing. */
#include "monitor/record_hash.h"

#include <stddef.h>
#include <string.h>

static const uint64_t basis = 0xcbf29ce484222325, prime = 0x100000001b3;

static void add(uint64_t *h, uint64_t word)
{
    *h = (*h ^ word) * prime;
    *h ^= *h >> 32;
}

static void add_text(uint64_t *h, const char *text)
{
    size_t len = strlen(text);

    add(h, len);
    for (size_t i = 0; i < len; i += 8) {
        uint64_t word = 0;

        memcpy(&word, text + i, len - i < 8 ? len - i : 8);
        add(h, word);
    }
}

#define ADD(h, v) add(h, (uint64_t)(v))

static void add_order(uint64_t *h, const struct msg_order *o)
{
    ADD(h, o->epoch);
    add_text(h, o->monitor);
    ADD(h, o->serial);
    ADD(h, o->start_id);
    ADD(h, o->hold);
    ADD(h, o->follow);
    ADD(h, o->source);
    ADD(h, o->tail);
    ADD(h, o->may_start);
    ADD(h, o->fence);
    ADD(h, o->as_is);
    ADD(h, o->hear);
    ADD(h, o->probe);
    ADD(h, o->look);
    add_text(h, o->at);
    add_text(h, o->from);
    add_text(h, o->behind);
    add_text(h, o->aside);
    add_text(h, o->reach);
}

static void add_grant(uint64_t *h, const struct msg_grant *g)
{
    ADD(h, g->epoch);
    add_text(h, g->monitor);
    ADD(h, g->sent_ms);
    ADD(h, g->lease_ms);
    ADD(h, g->n);
    for (unsigned i = 0; i < g->n && i < SLOTS_MAX; i++) {
        ADD(h, g->slot[i].slot);
        ADD(h, g->slot[i].serial);
        ADD(h, g->slot[i].electorate);
        ADD(h, g->slot[i].members);
    }
}

static void add_receipt(uint64_t *h, const struct receipt *r)
{
    ADD(h, r->number);
    ADD(h, r->later);
    ADD(h, r->planned);
    ADD(h, r->evidence);
    add_text(h, r->role);
    add_text(h, r->from);
    add_text(h, r->to);
    add_text(h, r->trigger);
    ADD(h, r->began_wall_ms);
    for (unsigned i = 0; i < PHASE_N; i++)
        ADD(h, r->phase_ms[i]);
    ADD(h, r->salvaged.count);
    add_text(h, r->salvaged.text);
    ADD(h, r->lost);
    ADD(h, r->gone.count);
    add_text(h, r->gone.text);
    add_text(h, r->why);
    ADD(h, r->said_wall_ms);
}

static void add_words(uint64_t *h, const void *data, size_t size)
{
    uint64_t word;

    for (size_t i = 0; i < size; i += sizeof word) {
        memcpy(&word, (const char *)data + i, sizeof word);
        add(h, word);
    }
}

/* As it lies in memory, as far as there are hosts and slots: the engine compares it so, too. */
static void add_durable(uint64_t *h, const struct engine *e)
{
    struct engine_durable d;

    _Static_assert(offsetof(struct engine_durable, host) % 8 == 0 && sizeof d.host[0] % 8 == 0 &&
                       sizeof d.slot[0] % 8 == 0,
                   "whole words");
    engine_durable_of(e, &d);
    add_words(h, &d, offsetof(struct engine_durable, host));
    add_words(h, d.host, e->conf.names.hosts * sizeof d.host[0]);
    add_words(h, d.slot, e->conf.names.slots * sizeof d.slot[0]);
}

uint64_t record_hash_plan(const struct engine *e, const struct plan *p)
{
    uint64_t h = basis;

    for (unsigned i = 0; i < p->n; i++) {
        const struct action *a = &p->at[i];

        ADD(&h, a->kind);
        ADD(&h, a->after);
        ADD(&h, a->host);
        ADD(&h, a->id);
        ADD(&h, a->code);
        ADD(&h, a->more);
        ADD(&h, a->level);
        add_text(&h, a->text);
        if (a->grant)
            add_grant(&h, a->grant);
        if (a->receipt)
            add_receipt(&h, a->receipt);
        if (a->kind == ACT_ORDER && a->host >= 0)
            add_order(&h, engine_order_of(e, a->host));
        if (a->kind == ACT_PERSIST)
            add_durable(&h, e);
    }
    return h;
}

static void add_host(uint64_t *h, const struct host *x)
{
    ADD(h, x->state);
    ADD(h, x->state_since);
    ADD(h, x->lag_ms);
    ADD(h, x->linked);
    ADD(h, x->heard);
    ADD(h, x->told);
    ADD(h, x->report_at);
    ADD(h, x->report.start_id);
    ADD(h, x->dead_since);
    ADD(h, x->report.died);
    ADD(h, x->report.tail);
    ADD(h, x->report.disk_full);
    ADD(h, x->full_since);
    ADD(h, x->returning);
    ADD(h, x->kill);
    ADD(h, x->hands);
    ADD(h, x->by_hand);
    ADD(h, x->clean);
    ADD(h, x->sampled);
    add_text(h, x->extra);
    add_order(h, &x->order);
    ADD(h, x->order_at);
    ADD(h, x->order_after);
    for (int k = 0; k < CK_N; k++) {
        ADD(h, x->check[k].known);
        ADD(h, x->check[k].good);
        ADD(h, x->check[k].last);
        ADD(h, x->check[k].error_since);
    }
}

static void add_slot(uint64_t *h, const struct slot *x, unsigned hosts)
{
    ADD(h, x->holder);
    ADD(h, x->adopted);
    ADD(h, x->releasing);
    ADD(h, x->target);
    ADD(h, x->forced);
    ADD(h, x->fence);
    ADD(h, x->arrived);
    ADD(h, x->electorate);
    ADD(h, x->members);
    ADD(h, x->choice);
    ADD(h, x->accepted);
    ADD(h, x->unsalvaged);
    ADD(h, x->closing_until);
    for (unsigned i = 0; i < hosts; i++) {
        ADD(h, x->host[i].maybe);
        ADD(h, x->host[i].out_at);
        ADD(h, x->host[i].last_hold);
        ADD(h, x->host[i].not_before);
        ADD(h, x->host[i].leaving_since);
        ADD(h, x->host[i].allowed);
    }
}

uint64_t record_hash_engine(const struct engine *e)
{
    uint64_t h = basis;

    add_durable(&h, e);
    ADD(&h, e->reign);
    ADD(&h, e->epoch_seen);
    ADD(&h, e->serial);
    ADD(&h, e->persisted);
    ADD(&h, e->next_beat);
    ADD(&h, e->grace_until);
    ADD(&h, e->network_down);
    ADD(&h, e->move.phase);
    for (unsigned i = 0; i < e->conf.names.hosts; i++)
        add_host(&h, &e->host[i]);
    for (unsigned i = 0; i < e->conf.names.slots; i++)
        add_slot(&h, &e->slot[i], e->conf.names.hosts);
    return h;
}

uint64_t record_hash_layout(void)
{
    static const size_t layout[] = {
        sizeof(struct engine),
        sizeof(struct engine_conf),
        sizeof(struct engine_durable),
        sizeof(struct names),
        sizeof(struct host),
        sizeof(struct check_state),
        sizeof(struct slot),
        sizeof(struct slot_host),
        sizeof(struct move),
        sizeof(struct failover_story),
        sizeof(struct receipt),
        sizeof(struct debt),
        sizeof(struct msg_hello),
        sizeof(struct msg_report),
        sizeof(struct msg_lease),
        sizeof(struct msg_refusal),
        sizeof(struct msg_order),
        offsetof(struct engine, mode),
        offsetof(struct engine, receipts),
        offsetof(struct engine, past),
        offsetof(struct host, debt),
        offsetof(struct engine, last),
        offsetof(struct engine, host),
        offsetof(struct engine, slot),
        offsetof(struct engine, story),
        offsetof(struct engine_conf, role),
        offsetof(struct engine_conf, trap_ms),
        offsetof(struct engine_conf, mode),
        offsetof(struct host, report),
        offsetof(struct host, order),
        offsetof(struct host, sample),
        offsetof(struct host, extra),
        offsetof(struct slot, reach),
        offsetof(struct slot, host),
        offsetof(struct msg_report, slot),
        offsetof(struct msg_report, died),
        offsetof(struct msg_report, disk_full),
        offsetof(struct msg_report, aside_text),
        offsetof(struct msg_report, gtid),
        offsetof(struct msg_report, problem),
        EVENT_LEN,
        CK_N,
        HOST_STATE_N,
        MODE_N,
        ACT_RECEIPT,
        EV_KILLED,
    };
    uint64_t h = basis;

    for (size_t i = 0; i < sizeof layout / sizeof *layout; i++)
        add(&h, layout[i]);
    return h;
}
