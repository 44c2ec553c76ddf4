/* SPDX-License-Identifier: GPL-2.0-or-later
 * When the gate answers TCP with resets and when it keeps quiet. Host a has the address and listens
 * on it, host b is the client. */
#include "net/gate.h"
#include "test_net_ns.h"

#include <dlfcn.h>
#include <nftables/libnftables.h>

#define PORT 3306

/* Stand before libnftables': while `refuse` is set, what asks for resets fails with these words. */
static const char *refuse;
static bool refused;

int nft_run_cmd_from_buffer(struct nft_ctx *nft, const char *commands)
{
    int (*real)(struct nft_ctx *, const char *) = dlsym(RTLD_NEXT, "nft_run_cmd_from_buffer");

    refused = refuse && strstr(commands, "reject");
    return refused ? -1 : real(nft, commands);
}

const char *nft_ctx_get_error_buffer(struct nft_ctx *nft)
{
    const char *(*real)(struct nft_ctx *) = dlsym(RTLD_NEXT, "nft_ctx_get_error_buffer");

    return refused ? refuse : real(nft);
}

static void open_gate(struct gate *g)
{
    struct ip vips[] = {ns_ip(NS_VIP4), ns_ip(NS_VIP6)};
    struct err e = {0};

    NS_OK(gate_open(g, "shop", vips, 2, &e));
}

static void nft(const char *commands)
{
    struct nft_ctx *ctx = nft_ctx_new(NFT_CTX_DEFAULT);

    assert_non_null(ctx);
    assert_int_equal(nft_run_cmd_from_buffer(ctx, commands), 0);
    nft_ctx_free(ctx);
}

/* Is `text` in the rules as the kernel has them? */
static bool ruled(const char *text)
{
    struct nft_ctx *ctx = nft_ctx_new(NFT_CTX_DEFAULT);
    bool is;

    assert_non_null(ctx);
    assert_int_equal(nft_ctx_buffer_output(ctx), 0);
    assert_int_equal(nft_run_cmd_from_buffer(ctx, "list ruleset"), 0);
    is = strstr(nft_ctx_get_output_buffer(ctx), text) != NULL;
    nft_ctx_free(ctx);
    return is;
}

/* A connection from b to the address on a; *served is a's end. */
static int connection(struct ns *ns, const struct ip *vip, int *served)
{
    struct sockaddr_storage at;
    socklen_t len = ip_to_sockaddr(vip, &at);
    int here = socket(vip->family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, fd;

    ((struct sockaddr_in *)&at)->sin_port = htons(PORT); /* at the same place for IPv6 */
    assert_int_equal(setsockopt(here, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), 0);
    assert_int_equal(bind(here, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(here, 1), 0);
    ns_in(ns, NS_B);
    fd = socket(vip->family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ns_in(ns, NS_A);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, len), 0);
    *served = accept(here, NULL, NULL);
    assert_true(*served >= 0);
    close(here);
    return fd;
}

/* An administrator flushes all rules and the agent starts again within the lease: its tables are
 * new and hold nothing, but the connections are still its own. */
static void a_next_life_without_tables_ends_no_connection(void **state)
{
    struct ns *ns = *state;

    for (unsigned i = 0; i < 2; i++) {
        struct ip vip = ns_ip(i ? NS_VIP6 : NS_VIP4);
        struct pollfd heard;
        struct gate gate;
        struct err e = {0};
        int client, served;

        open_gate(&gate);
        NS_OK(rtnl_add(&ns->rtnl[NS_A], ns->ifindex[NS_A], &vip, i ? 64 : 24, 60, false, &e));
        ns_settle();
        ns_neigh_set(ns, NS_B, &vip, ns->mac[NS_A]);
        NS_OK(gate_hold(&gate, &vip, 1, clock_boot_ms() + 5000, &e));
        client = connection(ns, &vip, &served);
        gate_close(&gate);
        nft("flush ruleset");
        open_gate(&gate);
        assert_int_equal(send(client, "?", 1, MSG_NOSIGNAL), 1);
        usleep(50000);
        NS_OK(gate_answer(&gate, 60000, &e)); /* too early: changes nothing */
        assert_false(ruled("reject"));
        NS_OK(gate_hold(&gate, &vip, 1, clock_boot_ms() + 5000, &e));
        heard = (struct pollfd){.fd = served, .events = POLLIN};
        assert_int_equal(poll(&heard, 1, 2000), 1);
        assert_int_equal(recv(served, &(char){0}, 1, 0), 1);

        /* A lease later whoever talks to what isn't held is told. */
        NS_OK(gate_answer(&gate, 10, &e));
        assert_int_equal(gate_mend(&gate, &e), 0);
        NS_OK(gate_drop(&gate, &vip, 1, &e));
        assert_int_equal(send(client, "?", 1, MSG_NOSIGNAL), 1);
        heard = (struct pollfd){.fd = client, .events = POLLIN};
        assert_int_equal(poll(&heard, 1, 500), 1);
        assert_int_equal(recv(client, &(char){0}, 1, 0), -1);
        assert_int_equal(errno, ECONNRESET);
        NS_OK(rtnl_remove(&ns->rtnl[NS_A], &vip, &e));
        close(client);
        close(served);
        NS_OK(gate_remove(&gate, &e));
    }
}

static void answering_is_no_damage_and_mending_is_quiet(void **state)
{
    struct gate gate;
    struct err e = {0};

    (void)state;
    open_gate(&gate);
    assert_int_equal(gate_mend(&gate, &e), 0);
    NS_OK(gate_answer(&gate, 0, &e));
    assert_int_equal(gate_mend(&gate, &e), 0);
    assert_true(ruled("reject with tcp reset"));
    nft("flush chain inet hamm_shop to");
    assert_int_equal(gate_mend(&gate, &e), 1);
    assert_false(ruled("reject"));
    NS_OK(gate_answer(&gate, 0, &e));
    assert_true(ruled("reject with tcp reset"));
    assert_int_equal(gate_mend(&gate, &e), 0);
    assert_int_equal(gate.reinstalled, 1);
    NS_OK(gate_remove(&gate, &e));
}

/* One lookup may miss a held element while it is renewed: a reset takes two misses. */
static void a_reset_takes_two_misses(void **state)
{
    struct gate gate;
    struct err e = {0};

    (void)state;
    open_gate(&gate);
    NS_OK(gate_answer(&gate, 0, &e));
    assert_true(ruled("ip daddr @role4 ip daddr != @held4 meta l4proto tcp ip daddr != @held4"
                      " reject with tcp reset"));
    assert_true(ruled("ip6 daddr @role6 ip6 daddr != @held6 meta l4proto tcp ip6 daddr != @held6"
                      " reject with tcp reset"));
    NS_OK(gate_remove(&gate, &e));
}

static void only_a_kernel_that_cannot_is_silent_for_good(void **state)
{
    static const struct {
        const char *words;
        int code;
        bool silent;
    } cases[] = {
        {"Error: Could not process rule: No such file or directory\n", 0, true},
        {"Error: Could not process rule: Operation not supported\n", 0, true},
        {"Error: Could not process rule: Device or resource busy\n", -EBUSY, false},
        {"Error: Could not process rule: Cannot allocate memory\n", -ENOMEM, false},
        {"Error: Could not process rule: Operation not permitted\n", -EPERM, false},
    };
    struct gate gate;
    struct err e = {0};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        refuse = cases[i].words;
        NS_OK(gate_probe(&e));
        open_gate(&gate);
        assert_int_equal(gate.silent, cases[i].silent);
        memset(&e, 0, sizeof e);
        assert_int_equal(gate_answer(&gate, 0, &e), cases[i].code);
        refuse = NULL;
        assert_int_equal(gate_answer(&gate, 60000, &e), 0); /* not at once again */
        assert_false(ruled("reject"));
        NS_OK(gate_answer(&gate, 0, &e));
        assert_int_equal(ruled("reject"), !cases[i].silent);
        NS_OK(gate_remove(&gate, &e));
    }
}

/* It could when it was asked, and can't when it matters: a module was taken out in between. */
static void a_kernel_that_can_no_more_is_not_asked_again(void **state)
{
    struct gate gate;
    struct err e = {0};

    (void)state;
    open_gate(&gate);
    refuse = "Error: Could not process rule: No such file or directory\n";
    assert_int_equal(gate_answer(&gate, 0, &e), -ENOENT);
    assert_true(gate.silent);
    NS_OK(gate_answer(&gate, 0, &e));
    refuse = NULL;
    NS_OK(gate_remove(&gate, &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_next_life_without_tables_ends_no_connection),
        cmocka_unit_test(answering_is_no_damage_and_mending_is_quiet),
        cmocka_unit_test(a_reset_takes_two_misses),
        cmocka_unit_test(only_a_kernel_that_cannot_is_silent_for_good),
        cmocka_unit_test(a_kernel_that_can_no_more_is_not_asked_again),
    };
    struct err e = {0};
    int failed;

    if (ns_make(&ns_two) != 0)
        return 0;
    if (gate_probe(&e) < 0) {
        print_message("skipped: %s\n", e.msg);
        return 0;
    }
    failed = cmocka_run_group_tests(tests, ns_setup, NULL);
    ns_free(&ns_two);
    return failed;
}
