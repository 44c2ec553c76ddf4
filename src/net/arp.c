/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/arp.h"

#include <errno.h>
#include <string.h>

/* Ethernet */
#define ETH_LEN   14
#define ETH_LEAST 60 /* without checksum; shorter frames are padded */
#define TYPE_ARP  0x0806
#define TYPE_IPV6 0x86dd
/* RFC 826, IPv4 over Ethernet: offsets in the frame */
#define ARP_LEN 28
#define ARP_AT  ETH_LEN
/* RFC 8200 and RFC 4861: offsets in the frame */
#define IP6_AT        ETH_LEN
#define IP6_LEN       40
#define ICMP6_AT      (IP6_AT + IP6_LEN)
#define ND_LEN        24
#define ND_NS         135
#define ND_NA         136
#define ND_OVERRIDE   0x20
#define ND_OPT_SOURCE 1
#define ND_OPT_TARGET 2
#define NEXT_ICMP6    58
#define HOP_LIMIT_ND  255 /* RFC 4861 7.1: anything less came through a router */

static const uint8_t broadcast[ARP_MAC_LEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t nobody[ARP_MAC_LEN];

static void put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static unsigned get16(const uint8_t *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

static void put_eth(uint8_t *frame, const uint8_t *to, const uint8_t *from, unsigned type)
{
    memcpy(frame, to, ARP_MAC_LEN);
    memcpy(frame + ARP_MAC_LEN, from, ARP_MAC_LEN);
    put16(frame + 12, type);
}

size_t arp_build(uint8_t frame[ARP_FRAME_MAX], enum arp_form form, const uint8_t mac[ARP_MAC_LEN],
                 const struct ip *ip, const uint8_t other_mac[ARP_MAC_LEN], const struct ip *other)
{
    static const uint8_t no_ip[4];
    static const uint8_t head[] = {0, 1, 8, 0, ARP_MAC_LEN, 4}; /* Ethernet, IPv4, their lengths */
    uint8_t *arp = frame + ARP_AT;
    const uint8_t *to = broadcast, *tha = nobody, *sip = ip->at, *tip = ip->at;
    bool reply = false;

    CHECK(ip->family == AF_INET);
    switch (form) {
    case ARP_REQUEST:
        sip = other->at;
        break;
    case ARP_REPLY:
        to = tha = other_mac;
        tip = other->at;
        reply = true;
        break;
    case ARP_GARP_REQUEST:
        break;
    case ARP_GARP_REPLY:
        tha = mac;
        reply = true;
        break;
    case ARP_PROBE:
        sip = no_ip;
        break;
    case ARP_FORM_N:
        CHECK(!"a form");
    }
    memset(frame, 0, ETH_LEAST);
    put_eth(frame, to, mac, TYPE_ARP);
    memcpy(arp, head, sizeof head);
    put16(arp + 6, reply ? 2 : 1);
    memcpy(arp + 8, mac, ARP_MAC_LEN);
    memcpy(arp + 14, sip, 4);
    memcpy(arp + 18, tha, ARP_MAC_LEN);
    memcpy(arp + 24, tip, 4);
    return ETH_LEAST;
}

/* RFC 1071 over the IPv6 pseudo header and `len` bytes of ICMPv6; 0 if a stored sum is right. */
static unsigned icmp6_sum(const uint8_t *frame, size_t len)
{
    const uint8_t *addresses = frame + IP6_AT + 8, *body = frame + ICMP6_AT;
    unsigned long sum = (unsigned long)len + NEXT_ICMP6;

    for (size_t i = 0; i < 32; i += 2)
        sum += get16(addresses + i);
    for (size_t i = 0; i + 1 < len; i += 2)
        sum += get16(body + i);
    if (len % 2)
        sum += (unsigned long)body[len - 1] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return ~(unsigned)sum & 0xffff;
}

static size_t put_nd(uint8_t *frame, unsigned type, const uint8_t *mac, const uint8_t *to_mac,
                     const uint8_t *from, const uint8_t *to, const struct ip *target, bool option)
{
    uint8_t *ip6 = frame + IP6_AT, *nd = frame + ICMP6_AT;
    size_t len = ND_LEN + (option ? 8 : 0);

    CHECK(target->family == AF_INET6);
    memset(frame, 0, ARP_FRAME_MAX);
    put_eth(frame, to_mac, mac, TYPE_IPV6);
    ip6[0] = 6 << 4;
    put16(ip6 + 4, (unsigned)len);
    ip6[6] = NEXT_ICMP6;
    ip6[7] = HOP_LIMIT_ND;
    memcpy(ip6 + 8, from, 16);
    memcpy(ip6 + 24, to, 16);
    nd[0] = (uint8_t)type;
    if (type == ND_NA)
        nd[4] = ND_OVERRIDE;
    memcpy(nd + 8, target->at, 16);
    if (option) {
        nd[24] = ND_OPT_TARGET;
        nd[25] = 1; /* in units of 8 bytes */
        memcpy(nd + 26, mac, ARP_MAC_LEN);
    }
    put16(nd + 2, icmp6_sum(frame, len));
    return ICMP6_AT + len;
}

size_t arp_build_na(uint8_t frame[ARP_FRAME_MAX], const uint8_t mac[ARP_MAC_LEN],
                    const struct ip *target)
{
    static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};
    static const uint8_t all_nodes_mac[ARP_MAC_LEN] = {0x33, 0x33, 0, 0, 0, 1};

    return put_nd(frame, ND_NA, mac, all_nodes_mac, target->at, all_nodes, target, true);
}

size_t arp_build_dad(uint8_t frame[ARP_FRAME_MAX], const uint8_t mac[ARP_MAC_LEN],
                     const struct ip *target)
{
    static const uint8_t none[16];
    uint8_t group[16] = {0xff, 2, [11] = 1, [12] = 0xff}; /* solicited-node, RFC 4291 2.7.1 */
    uint8_t group_mac[ARP_MAC_LEN] = {0x33, 0x33};

    memcpy(group + 13, target->at + 13, 3);
    memcpy(group_mac + 2, group + 12, 4);
    return put_nd(frame, ND_NS, mac, group_mac, none, group, target, false);
}

static int parse_arp(struct arp_seen *to, const uint8_t *frame, size_t len)
{
    static const uint8_t head[] = {0, 1, 8, 0, ARP_MAC_LEN, 4};
    const uint8_t *arp = frame + ARP_AT;
    unsigned op;

    if (len < ARP_AT + ARP_LEN || memcmp(arp, head, sizeof head) != 0)
        return -EINVAL;
    op = get16(arp + 6);
    if (op != 1 && op != 2)
        return -EINVAL;
    *to = (struct arp_seen){
        .kind = op == 1 ? ARP_IS_REQUEST : ARP_IS_REPLY,
        .sender = ip_make(AF_INET, arp + 14),
        .target = ip_make(AF_INET, arp + 24),
    };
    memcpy(to->mac, arp + 8, ARP_MAC_LEN);
    return 0;
}

/* The link-layer address among the options; -EINVAL if they are malformed. */
static int parse_options(uint8_t mac[ARP_MAC_LEN], uint8_t wanted, const uint8_t *opt, size_t len)
{
    while (len > 0) {
        size_t opt_len = len < 2 ? 0 : (size_t)opt[1] * 8;

        if (opt_len == 0 || opt_len > len)
            return -EINVAL;
        if (opt[0] == wanted && opt_len == 8)
            memcpy(mac, opt + 2, ARP_MAC_LEN);
        opt += opt_len;
        len -= opt_len;
    }
    return 0;
}

static int parse_nd(struct arp_seen *to, const uint8_t *frame, size_t len)
{
    const uint8_t *ip6 = frame + IP6_AT, *nd = frame + ICMP6_AT;
    struct arp_seen seen = {0};
    size_t nd_len;

    if (len < ICMP6_AT + ND_LEN)
        return -EINVAL;
    nd_len = get16(ip6 + 4);
    if (ip6[0] >> 4 != 6 || ip6[6] != NEXT_ICMP6 || ip6[7] != HOP_LIMIT_ND || nd_len < ND_LEN ||
        nd_len > len - ICMP6_AT || nd[1] != 0 || (nd[0] != ND_NS && nd[0] != ND_NA))
        return -EINVAL;
    seen.kind = nd[0] == ND_NS ? ARP_IS_NS : ARP_IS_NA;
    seen.sender = ip_make(AF_INET6, ip6 + 8);
    seen.target = ip_make(AF_INET6, nd + 8);
    seen.override = seen.kind == ARP_IS_NA && nd[4] & ND_OVERRIDE;
    memcpy(seen.mac, frame + ARP_MAC_LEN, ARP_MAC_LEN);
    if (icmp6_sum(frame, nd_len) != 0 ||
        parse_options(seen.mac, seen.kind == ARP_IS_NS ? ND_OPT_SOURCE : ND_OPT_TARGET, nd + ND_LEN,
                      nd_len - ND_LEN) < 0)
        return -EINVAL;
    *to = seen;
    return 0;
}

int arp_parse(struct arp_seen *to, const uint8_t *frame, size_t len)
{
    if (len < ETH_LEN)
        return -EINVAL;
    switch (get16(frame + 12)) {
    case TYPE_ARP:
        return parse_arp(to, frame, len);
    case TYPE_IPV6:
        return parse_nd(to, frame, len);
    default:
        return -EINVAL;
    }
}
