/* SPDX-License-Identifier: GPL-2.0-or-later
 * Numbers here have one to nine bytes: the ones at the low end of the first byte say how many
 * follow, the number stands above them; a signed one has its sign in the lowest bit. An event is
 * version, length, last field that must be known, then fields: their number, their value. */
#include "binlog/tagged.h"

#include <string.h>

enum { FIELD_FLAGS, FIELD_UUID, FIELD_NUMBER, FIELD_TAG, FIELD_COMMITTED, FIELD_SEQUENCE };

static uint64_t tagged_take_number(struct bytes *b)
{
    const uint8_t *first = bytes_take(b, 1), *rest;
    unsigned more = 0;

    if (!first)
        return 0;
    while (more < 8 && *first >> more & 1)
        more++;
    rest = bytes_take(b, more);
    if (!rest)
        return 0;
    if (more == 8)
        return bytes_number(rest, 8);
    return bytes_number(first, more + 1) >> (more + 1);
}

bool tagged_take_tag(struct bytes *b, char tag[GTID_TAG_MAX + 1])
{
    uint64_t len = tagged_take_number(b);
    const uint8_t *text = len <= GTID_TAG_MAX ? bytes_take(b, len) : NULL;

    if (!text)
        return false;
    memset(tag, 0, GTID_TAG_MAX + 1);
    for (unsigned i = 0; i < len; i++) {
        bool letter = text[i] == '_' || (text[i] >= 'a' && text[i] <= 'z');

        if (!letter && (i == 0 || text[i] < '0' || text[i] > '9'))
            return false;
        tag[i] = (char)text[i];
    }
    return true;
}

static bool tagged_field(struct bytes *b, uint64_t field, struct gtid_range *gtid)
{
    switch (field) {
    case FIELD_FLAGS:
        (void)tagged_take_number(b);
        break;
    case FIELD_UUID:
        for (unsigned i = 0; i < sizeof gtid->source.uuid; i++)
            gtid->source.uuid[i] = (uint8_t)tagged_take_number(b);
        break;
    case FIELD_NUMBER:
        gtid->lo = gtid->hi = tagged_take_number(b) >> 1;
        break;
    case FIELD_TAG:
        return tagged_take_tag(b, gtid->source.tag);
    }
    return !b->bad;
}

static void tagged_begin(struct bytes *b)
{
    (void)tagged_take_number(b); /* version */
    (void)tagged_take_number(b); /* length */
    (void)tagged_take_number(b);
}

bool tagged_gtid(struct bytes b, struct gtid_range *gtid)
{
    tagged_begin(&b);
    for (uint64_t wanted = 0; wanted <= FIELD_TAG; wanted++)
        if (tagged_take_number(&b) != wanted || !tagged_field(&b, wanted, gtid))
            return false;
    return gtid->hi > 0 && gtid->hi <= INT64_MAX;
}

void tagged_forget_clock(uint8_t *body, size_t len)
{
    struct bytes b = {.at = body, .left = len};
    struct gtid_range gtid;

    tagged_begin(&b);
    for (uint64_t field = 0; field <= FIELD_SEQUENCE; field++) {
        bool known = tagged_take_number(&b) == field && !b.bad;
        uint8_t *value = body + (b.at - body);
        size_t n;

        if (!known || (field <= FIELD_TAG && !tagged_field(&b, field, &gtid)))
            return;
        if (field <= FIELD_TAG)
            continue;
        (void)tagged_take_number(&b);
        n = (size_t)(b.at - value);
        if (b.bad || n > 8)
            return;
        bytes_put(value, (1u << (n - 1)) - 1, (unsigned)n); /* 0 in as many bytes */
    }
}
