/* SPDX-License-Identifier: GPL-2.0-or-later
 * A gate that somebody took something out of is found out and put right. */
#include "net/gate.h"
#include "test_net_ns.h"

#include <nftables/libnftables.h>

static void nft(const char *commands)
{
    struct nft_ctx *ctx = nft_ctx_new(NFT_CTX_DEFAULT);

    assert_non_null(ctx);
    assert_int_equal(nft_run_cmd_from_buffer(ctx, commands), 0);
    nft_ctx_free(ctx);
}

static void what_is_taken_out_is_put_back(void **state)
{
    static const char *const damage[] = {
        "flush ruleset",
        "delete table arp hamm_shop",
        "flush chain inet hamm_shop to",
        "flush chain arp hamm_shop from",
        "flush table inet hamm_shop",
        "flush set inet hamm_shop role6",
        "delete element arp hamm_shop role4 { " NS_VIP4 " }",
    };
    struct ip vips[] = {ns_ip(NS_VIP4), ns_ip(NS_VIP6)};
    struct gate g;
    struct err e = {0};

    (void)state;
    NS_OK(gate_open(&g, "shop", vips, 2, &e));
    assert_int_equal(gate_mend(&g, &e), 0);
    for (unsigned i = 0; i < ARRAY_LEN(damage); i++) {
        nft(damage[i]);
        assert_int_equal(gate_mend(&g, &e), 1);
        assert_int_equal(gate_mend(&g, &e), 0);
        assert_int_equal(g.reinstalled, i + 1);
    }
    NS_OK(gate_remove(&g, &e));
}

static void what_others_and_we_change_is_no_damage(void **state)
{
    struct ip vips[] = {ns_ip(NS_VIP4), ns_ip(NS_VIP6)};
    struct gate g;
    struct err e = {0};

    (void)state;
    NS_OK(gate_open(&g, "shop", vips, 2, &e));
    assert_int_equal(gate_mend(&g, &e), 0);
    nft("add table inet other; add chain inet other c; add rule inet other c accept");
    assert_int_equal(gate_mend(&g, &e), 0);
    NS_OK(gate_hold(&g, vips, 2, clock_boot_ms() + 1000, &e));
    assert_int_equal(gate_mend(&g, &e), 0);
    NS_OK(gate_drop(&g, vips, 2, &e));
    assert_int_equal(gate_mend(&g, &e), 0);
    assert_int_equal(g.reinstalled, 0);
    NS_OK(gate_remove(&g, &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_taken_out_is_put_back),
        cmocka_unit_test(what_others_and_we_change_is_no_damage),
    };
    static struct ns two;
    struct err e = {0};
    int failed;

    if (ns_make(&two) != 0)
        return 0;
    if (gate_probe(&e) < 0) {
        print_message("skipped: %s\n", e.msg);
        return 0;
    }
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    ns_free(&two);
    return failed;
}
