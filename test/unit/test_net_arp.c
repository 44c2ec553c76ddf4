/* SPDX-License-Identifier: GPL-2.0-or-later
 * ARP and ND frames, byte by byte. The expected frames were written by hand from RFC 826, 5227,
 * 4861 and 4862, their checksums by an independent sum. */
#include "net/arp.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static const uint8_t mac[] = {2, 0, 0, 0, 0, 0x0a};
static const uint8_t other_mac[] = {2, 0, 0, 0, 0, 0x0b};

static struct ip ip(const char *text)
{
    struct ip parsed;

    assert_int_equal(ip_parse(&parsed, text), 0);
    return parsed;
}

static void check_arp(enum arp_form form, const uint8_t *to, unsigned op, const char *sip,
                      const uint8_t *tha, const char *tip)
{
    uint8_t frame[ARP_FRAME_MAX], want[60] = {0};
    struct ip vip = ip("10.77.0.100"), other = ip("10.77.0.5"), s = ip(sip), t = ip(tip);

    memset(frame, 0xee, sizeof frame);
    memcpy(want, to, 6);
    memcpy(want + 6, mac, 6);
    memcpy(want + 12, "\x08\x06\x00\x01\x08\x00\x06\x04\x00", 9);
    want[21] = (uint8_t)op;
    memcpy(want + 22, mac, 6);
    memcpy(want + 28, s.at, 4);
    memcpy(want + 32, tha, 6);
    memcpy(want + 38, t.at, 4);
    assert_int_equal(arp_build(frame, form, mac, &vip, other_mac, &other), 60);
    assert_memory_equal(frame, want, 60);
}

static void every_form_has_its_bytes(void **state)
{
    static const uint8_t all[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, none[6];

    (void)state;
    check_arp(ARP_REQUEST, all, 1, "10.77.0.5", none, "10.77.0.100");
    check_arp(ARP_REPLY, other_mac, 2, "10.77.0.100", other_mac, "10.77.0.5");
    check_arp(ARP_GARP_REQUEST, all, 1, "10.77.0.100", none, "10.77.0.100");
    check_arp(ARP_GARP_REPLY, all, 2, "10.77.0.100", mac, "10.77.0.100");
    check_arp(ARP_PROBE, all, 1, "0.0.0.0", none, "10.77.0.100");
}

static void arp_is_read_back(void **state)
{
    uint8_t frame[ARP_FRAME_MAX];
    struct ip vip = ip("10.77.0.100"), other = ip("10.77.0.5");
    struct arp_seen seen;
    size_t len = arp_build(frame, ARP_REPLY, mac, &vip, other_mac, &other);

    (void)state;
    assert_int_equal(arp_parse(&seen, frame, len), 0);
    assert_int_equal(seen.kind, ARP_IS_REPLY);
    assert_memory_equal(seen.mac, mac, 6);
    assert_true(ip_same(&seen.sender, &vip));
    assert_true(ip_same(&seen.target, &other));
    for (size_t n = 0; n < 42; n++)
        assert_int_equal(arp_parse(&seen, frame, n), -EINVAL);
    assert_int_equal(arp_parse(&seen, frame, 42), 0);
    frame[21] = 3; /* RARP request */
    assert_int_equal(arp_parse(&seen, frame, len), -EINVAL);
    frame[21] = 2;
    frame[19] = 16; /* protocol address length */
    assert_int_equal(arp_parse(&seen, frame, len), -EINVAL);
}

static void the_advertisement_has_its_bytes(void **state)
{
    static const uint8_t want[86] = {
        0x33, 0x33, 0,    0,    0,    1,  2,  0,    0, 0, 0, 0x0a, 0x86, 0xdd, /* Ethernet, to all
                                                                                  nodes */
        0x60, 0,    0,    0,    0,    32, 58, 255,                             /* IPv6 */
        0xfd, 0x77, 0,    0,    0,    0,  0,  0,    0, 0, 0, 0,    0,    0,    1,
        0, /* from the address itself */
        0xff, 2,    0,    0,    0,    0,  0,  0,    0, 0, 0, 0,    0,    0,    0,
        1,                                       /* to ff02::1 */
        136,  0,    0x57, 0xa6, 0x20, 0,  0,  0, /* NA, checksum, Override */
        0xfd, 0x77, 0,    0,    0,    0,  0,  0,    0, 0, 0, 0,    0,    0,    1,
        0,                                          /* target */
        2,    1,    2,    0,    0,    0,  0,  0x0a, /* target link-layer address */
    };
    uint8_t frame[ARP_FRAME_MAX];
    struct ip vip = ip("fd77::100");
    struct arp_seen seen;

    (void)state;
    assert_int_equal(arp_build_na(frame, mac, &vip), 86);
    assert_memory_equal(frame, want, 86);
    assert_int_equal(arp_parse(&seen, frame, 86), 0);
    assert_int_equal(seen.kind, ARP_IS_NA);
    assert_true(seen.override);
    assert_true(ip_same(&seen.target, &vip));
    assert_memory_equal(seen.mac, mac, 6);
}

static void the_probe_for_ipv6_has_its_bytes(void **state)
{
    static const uint8_t want[78] = {
        0x33, 0x33, 0xff, 0,    1, 0,  2,  0,   0, 0, 0, 0x0a, 0x86, 0xdd, /* solicited-node group
                                                                            */
        0x60, 0,    0,    0,    0, 24, 58, 255,                            /* IPv6 */
        0,    0,    0,    0,    0, 0,  0,  0,   0, 0, 0, 0,    0,    0,    0,
        0, /* from :: */
        0xff, 2,    0,    0,    0, 0,  0,  0,   0, 0, 0, 1,    0xff, 0,    1,
        0,                                    /* to ff02::1:ff00:100 */
        135,  0,    0x7b, 0x30, 0, 0,  0,  0, /* NS, checksum */
        0xfd, 0x77, 0,    0,    0, 0,  0,  0,   0, 0, 0, 0,    0,    0,    1,
        0, /* target */
    };
    uint8_t frame[ARP_FRAME_MAX];
    struct ip vip = ip("fd77::100");
    struct arp_seen seen;

    (void)state;
    assert_int_equal(arp_build_dad(frame, mac, &vip), 78);
    assert_memory_equal(frame, want, 78);
    assert_int_equal(arp_parse(&seen, frame, 78), 0);
    assert_int_equal(seen.kind, ARP_IS_NS);
    assert_true(ip_same(&seen.target, &vip));
    assert_memory_equal(seen.mac, mac, 6); /* no option: the Ethernet source */
}

static void what_is_wrong_is_no_advertisement(void **state)
{
    /* byte to damage and what with: each makes the frame something else */
    static const struct {
        size_t at;
        uint8_t value;
    } damage[] = {
        {12, 0x08}, {14, 0x40}, {20, 17}, {21, 254}, {19, 255}, {54, 134},
        {55, 1},    {56, 0},    {60, 1},  {79, 0},   {79, 2},   {70, 1},
    };
    uint8_t frame[ARP_FRAME_MAX], bad[ARP_FRAME_MAX];
    struct ip vip = ip("fd77::100");
    struct arp_seen seen;
    size_t len = arp_build_na(frame, mac, &vip);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(damage); i++) {
        memcpy(bad, frame, len);
        bad[damage[i].at] = damage[i].value;
        assert_int_equal(arp_parse(&seen, bad, len), -EINVAL);
    }
    for (size_t n = 0; n < len; n++)
        assert_int_equal(arp_parse(&seen, frame, n), -EINVAL);
}

static void addresses_compare_by_prefix(void **state)
{
    struct ip a = ip("10.77.0.100"), b = ip("10.77.0.35"), c = ip("fd77::1"), d = ip("fd77::ff");
    struct ip junk;
    char text[IP_TEXT_MAX];

    (void)state;
    assert_true(ip_same_net(&a, &b, 25));
    assert_false(ip_same_net(&a, &b, 26));
    assert_true(ip_same_net(&a, &b, 0));
    assert_false(ip_same_net(&a, &a, 33));
    assert_true(ip_same_net(&a, &a, 32));
    assert_true(ip_same_net(&c, &d, 64));
    assert_false(ip_same_net(&c, &d, 128));
    assert_false(ip_same_net(&a, &c, 0));
    assert_string_equal(ip_text(&c, text), "fd77::1");
    assert_int_equal(ip_parse(&junk, "10.77.0.100/24"), -EINVAL);
    assert_int_equal(ip_parse(&junk, "10.77.0"), -EINVAL);
    assert_int_equal(ip_parse(&junk, "fe80::1%eth0"), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_has_its_bytes),
        cmocka_unit_test(arp_is_read_back),
        cmocka_unit_test(the_advertisement_has_its_bytes),
        cmocka_unit_test(the_probe_for_ipv6_has_its_bytes),
        cmocka_unit_test(what_is_wrong_is_no_advertisement),
        cmocka_unit_test(addresses_compare_by_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
