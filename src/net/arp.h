/* SPDX-License-Identifier: GPL-2.0-or-later
 * ARP and IPv6 neighbour discovery packets as Ethernet frames: bytes <-> structs. Pure.
 * Who sends them when is decided in vip.c; which socket carries them is packet.c's business. */
#pragma once

#include "net/ip.h"

#include <stddef.h>
#include <stdint.h>

#define ARP_MAC_LEN   6
#define ARP_FRAME_MAX 86 /* the longest frame built here: an NA with its link-layer option */

enum arp_form {
    ARP_REQUEST,      /* who has `target`? from sender_ip; broadcast */
    ARP_REPLY,        /* `sender_ip` is at `sender_mac`, to target_mac */
    ARP_GARP_REQUEST, /* sip = tip, tha = 0: updates caches, also those without a locktime */
    ARP_GARP_REPLY,   /* sip = tip, tha = sha: alone gets past Linux's one-second locktime */
    ARP_PROBE,        /* RFC 5227: sip = 0, so nobody's cache is touched */
    ARP_FORM_N,
};

/* Builds a padded (60 byte) broadcast or, for ARP_REPLY, unicast frame; returns its length.
 * `ip` is the address that is asked for (REQUEST, PROBE) or announced (all others);
 * `other` is the asker's address (REQUEST) or the one replied to (REPLY), else unused. */
size_t arp_build(uint8_t frame[ARP_FRAME_MAX], enum arp_form form, const uint8_t mac[ARP_MAC_LEN],
                 const struct ip *ip, const uint8_t other_mac[ARP_MAC_LEN], const struct ip *other);

/* Neighbour advertisement to all nodes: "target is at mac", Override set, Solicited clear. */
size_t arp_build_na(uint8_t frame[ARP_FRAME_MAX], const uint8_t mac[ARP_MAC_LEN],
                    const struct ip *target);
/* Neighbour solicitation as in duplicate address detection (RFC 4862): from ::, no option. */
size_t arp_build_dad(uint8_t frame[ARP_FRAME_MAX], const uint8_t mac[ARP_MAC_LEN],
                     const struct ip *target);

enum arp_kind { ARP_IS_REQUEST, ARP_IS_REPLY, ARP_IS_NS, ARP_IS_NA, ARP_KIND_N };

struct arp_seen {
    enum arp_kind kind;
    uint8_t mac[ARP_MAC_LEN]; /* who says it: ARP sender, ND option, else the Ethernet source */
    struct ip sender;         /* ARP sender address or IPv6 source */
    struct ip target;         /* ARP target address or ND target */
    bool override;            /* NA only */
};

/* Reads an Ethernet frame. 0, or -EINVAL for anything that is no well-formed ARP for IPv4 over
 * Ethernet and no NS or NA (hop limit 255, right checksum, sane options; no extension headers). */
int arp_parse(struct arp_seen *to, const uint8_t *frame, size_t len) MUST_CHECK;
