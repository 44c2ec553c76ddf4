/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/coding.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { RECORD_MAGIC = 0x68616d6d, RECORD_VERSION = 2 };

#define DURABLE_HEAD "hamm agent 1\n"

size_t agentd_durable_encode(const struct agent_durable *from, char to[AGENTD_DURABLE_MAX])
{
    int n = snprintf(to, AGENTD_DURABLE_MAX, DURABLE_HEAD "epoch %" PRIu64 "\nmonitor %s\n",
                     from->epoch, from->monitor);

    if (from->wrote[0])
        n += snprintf(to + n, (size_t)(AGENTD_DURABLE_MAX - n), "wrote %s\n", from->wrote);
    if (from->turn_from[0])
        n += snprintf(to + n, (size_t)(AGENTD_DURABLE_MAX - n), "turn %s %s\n", from->turn_from,
                      from->turn_own);

    CHECK(n > 0 && n < AGENTD_DURABLE_MAX);
    return (size_t)n;
}

static void durable_places(struct agent_durable *d, const char *text)
{
    const char *wrote = strstr(text, "\nwrote "), *turn = strstr(text, "\nturn ");

    _Static_assert(PLACE_LEN == 144, "the widths below");
    if (wrote && sscanf(wrote, " wrote %143s", d->wrote) != 1)
        d->wrote[0] = 0;
    if (turn && sscanf(turn, " turn %143s %143s", d->turn_from, d->turn_own) != 2)
        d->turn_from[0] = 0;
}

int agentd_durable_decode(struct agent_durable *to, const void *data, size_t len)
{
    struct agent_durable d = {0};
    char text[AGENTD_DURABLE_MAX], again[AGENTD_DURABLE_MAX];

    if (len >= sizeof text)
        return -EINVAL;
    memcpy(text, data, len);
    text[len] = '\0';
    _Static_assert(IDENTITY_LEN == 56, "the width below");
    if (sscanf(text, DURABLE_HEAD "epoch %" SCNu64 " monitor %55[^\n]", &d.epoch, d.monitor) < 1)
        return -EINVAL;
    durable_places(&d, text);
    /* exactly what would be written: nothing missing, nothing more */
    if (agentd_durable_encode(&d, again) != len || memcmp(again, data, len) != 0)
        return -EINVAL;
    *to = d;
    return 0;
}

struct record_head {
    uint32_t magic, version, slots, hosts;
    uint64_t epoch;
    int64_t died_ms;
};

struct record_slot {
    char name[SLOT_LEN];
    uint8_t held, unclean;
    uint64_t serial, ended, electorate, members;
    int64_t lease_until_ms, promised_until_ms;
};

_Static_assert(sizeof(struct record_head) + HOSTS_MAX * NAME_LEN +
                       SLOTS_MAX * sizeof(struct record_slot) <=
                   AGENTD_RECORD_MAX,
               "a full record fits");

size_t agentd_record_encode(const struct agent_record *from, const struct names *names,
                            unsigned char to[AGENTD_RECORD_MAX])
{
    struct record_head head = {RECORD_MAGIC, RECORD_VERSION, names->slots,
                               names->hosts, from->epoch,    from->died_ms};
    unsigned char *at = to;

    memcpy(at, &head, sizeof head);
    at += sizeof head;
    for (unsigned i = 0; i < names->hosts; i++, at += NAME_LEN)
        memcpy(at, names->host[i], NAME_LEN);
    for (unsigned i = 0; i < names->slots; i++, at += sizeof(struct record_slot)) {
        struct record_slot s;

        memset(&s, 0, sizeof s);
        memcpy(s.name, names->slot[i], SLOT_LEN);
        s.held = from->slot[i].held;
        s.unclean = from->slot[i].unclean;
        s.serial = from->slot[i].serial;
        s.ended = from->slot[i].ended;
        s.electorate = from->slot[i].electorate;
        s.members = from->slot[i].members;
        s.lease_until_ms = from->slot[i].lease_until_ms;
        s.promised_until_ms = from->slot[i].promised_until_ms;
        memcpy(at, &s, sizeof s);
    }
    return (size_t)(at - to);
}

static int record_index(const char names[][NAME_LEN], unsigned n, const unsigned char *name)
{
    for (unsigned i = 0; i < n; i++)
        if (memcmp(names[i], name, NAME_LEN) == 0)
            return (int)i;
    return -1;
}

/* The same hosts under today's numbers. A member that is no longer configured cannot be asked for
 * anything: the set is then void. */
static int record_members(uint64_t from, const int map[HOSTS_MAX], unsigned hosts, hostset *to)
{
    *to = 0;
    if (hosts < 64 && from >> hosts)
        return -EINVAL;
    for (unsigned i = 0; i < hosts; i++) {
        if (!(from >> i & 1))
            continue;
        if (map[i] < 0)
            return -ENOENT;
        *to |= (hostset)1 << map[i];
    }
    return 0;
}

static int record_slot_in(struct agent_record *to, const struct names *names,
                          const struct record_slot *s, const int map[HOSTS_MAX], unsigned hosts)
{
    hostset members;
    int rc = record_members(s->members, map, hosts, &members);

    if (rc == -EINVAL || s->held > 1 || s->unclean > 1 || s->name[SLOT_LEN - 1])
        return -EINVAL;
    for (unsigned i = 0; i < names->slots; i++) {
        if (strcmp(names->slot[i], s->name) != 0)
            continue;
        to->slot[i].held = s->held && rc == 0;
        to->slot[i].unclean = s->unclean;
        to->slot[i].serial = s->serial;
        to->slot[i].ended = s->ended;
        to->slot[i].electorate = rc == 0 ? s->electorate : 0;
        to->slot[i].members = rc == 0 ? members : 0;
        to->slot[i].lease_until_ms = s->lease_until_ms;
        to->slot[i].promised_until_ms = s->promised_until_ms;
    }
    return 0;
}

int agentd_record_decode(struct agent_record *to, const struct names *names, const void *data,
                         size_t len)
{
    const unsigned char *at = data;
    struct agent_record r = {0};
    struct record_head head;
    int map[HOSTS_MAX];

    if (len < sizeof head)
        return -EINVAL;
    memcpy(&head, at, sizeof head);
    at += sizeof head;
    if (head.magic != RECORD_MAGIC)
        return -EINVAL;
    if (head.version != RECORD_VERSION)
        return -EPROTO;
    if (head.slots > SLOTS_MAX || head.hosts > HOSTS_MAX ||
        len != sizeof head + head.hosts * NAME_LEN + head.slots * sizeof(struct record_slot))
        return -EINVAL;
    for (unsigned i = 0; i < head.hosts; i++, at += NAME_LEN)
        map[i] = record_index(names->host, names->hosts, at);
    r.epoch = head.epoch;
    r.died_ms = head.died_ms;
    for (unsigned i = 0; i < head.slots; i++, at += sizeof(struct record_slot)) {
        struct record_slot s;

        memcpy(&s, at, sizeof s);
        if (record_slot_in(&r, names, &s, map, head.hosts) < 0)
            return -EINVAL;
    }
    *to = r;
    return 0;
}
