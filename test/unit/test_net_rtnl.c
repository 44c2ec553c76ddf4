/* SPDX-License-Identifier: GPL-2.0-or-later
 * Addresses and interfaces of a real kernel, in namespaces of our own. */
#include "test_net_ns.h"

#include <linux/if_addr.h>

struct heard {
    unsigned n[RTNL_CHANGE_N];
    struct rtnl_change last[RTNL_CHANGE_N];
};

static void on_change(void *owner, const struct rtnl_change *c)
{
    struct heard *h = owner;

    h->n[c->kind]++;
    h->last[c->kind] = *c;
}

static void add_refresh_remove(void **state)
{
    static const char *const text[] = {NS_VIP4, NS_VIP6};
    struct ns *ns = *state;
    struct rtnl *r = &ns->rtnl[NS_A];

    for (unsigned i = 0; i < 2; i++) {
        struct ip ip = ns_ip(text[i]);
        unsigned prefix = i ? 64 : 24;
        struct rtnl_addr found = {0};
        struct err e = {0};

        assert_int_equal(rtnl_find(r, &ip, NULL, &e), 0);
        NS_OK(rtnl_remove(r, &ip, &e)); /* absent is fine */
        NS_OK(rtnl_add(r, ns->ifindex[NS_A], &ip, prefix, 30, false, &e));
        assert_int_equal(rtnl_find(r, &ip, &found, &e), 1);
        assert_in_range(found.valid_s, 29, 30);
        assert_int_equal(found.prefix, prefix);
        assert_int_equal(found.ifindex, ns->ifindex[NS_A]);
        assert_int_equal(found.flags & IFA_F_TENTATIVE, 0);
        NS_OK(rtnl_add(r, ns->ifindex[NS_A], &ip, prefix, 90, false, &e));
        assert_int_equal(rtnl_find(r, &ip, &found, &e), 1);
        assert_in_range(found.valid_s, 89, 90);
        NS_OK(rtnl_remove(r, &ip, &e));
        assert_int_equal(rtnl_find(r, &ip, NULL, &e), 0);
    }
}

static void an_address_is_removed_from_every_interface(void **state)
{
    struct ns *ns = *state;
    struct rtnl *r = &ns->rtnl[NS_A];
    struct ip ip = ns_ip(NS_VIP4);
    struct err e = {0};

    NS_OK(rtnl_add(r, ns->ifindex[NS_A], &ip, 32, RTNL_FOREVER, false, &e));
    NS_OK(rtnl_add(r, 1, &ip, 24, 30, false, &e));
    NS_OK(rtnl_remove(r, &ip, &e));
    assert_int_equal(rtnl_find(r, &ip, NULL, &e), 0);
}

static void the_interface_is_found_by_subnet(void **state)
{
    struct ns *ns = *state;
    struct rtnl *r = &ns->rtnl[NS_A];
    struct ip v4 = ns_ip(NS_VIP4), v6 = ns_ip(NS_VIP6), far = ns_ip("10.98.0.100");
    struct ip own = ns_ip(NS_A4), lo = ns_ip("127.0.0.5");
    struct rtnl_link link;
    struct err e = {0};
    unsigned found = 0;

    NS_OK(rtnl_interface_of(r, &v4, 24, 0, &found, &e));
    assert_int_equal(found, ns->ifindex[NS_A]);
    NS_OK(rtnl_interface_of(r, &v6, 64, 0, &found, &e));
    assert_int_equal(found, ns->ifindex[NS_A]);
    assert_int_equal(rtnl_interface_of(r, &v4, 24, 1, &found, &e), -ENODEV);
    assert_int_equal(rtnl_interface_of(r, &far, 24, 0, &found, &e), -ENODEV);
    assert_int_equal(rtnl_interface_of(r, &own, 24, 0, &found, &e), -ENODEV);
    assert_int_equal(rtnl_interface_of(r, &lo, 8, 0, &found, &e), -ENODEV);

    NS_OK(rtnl_link_get(r, ns->ifindex[NS_A], &link, &e));
    assert_string_equal(link.name, "wire");
    assert_true(link.ethernet && link.up && !link.loopback);
    NS_OK(rtnl_link_named(r, "lo", &link, &e));
    assert_true(link.loopback && !link.ethernet);
    assert_int_equal(rtnl_link_named(r, "nope", &link, &e), -ENODEV);
    assert_non_null(strstr(e.msg, "nope"));
}

static void lifetimes_end_by_themselves_and_are_heard(void **state)
{
    struct ns *ns = *state;
    struct rtnl *r = &ns->rtnl[NS_A];
    struct ip v4 = ns_ip(NS_VIP4), v6 = ns_ip(NS_VIP6), b6 = ns_ip(NS_B6);
    struct rtnl_watch watch;
    struct heard heard = {0};
    struct err e = {0};
    uv_loop_t loop;
    int64_t began_ms = clock_boot_ms();
    struct sockaddr_storage to;
    socklen_t len;
    int fd;

    assert_int_equal(uv_loop_init(&loop), 0);
    NS_OK(rtnl_watch_start(&watch, &loop, on_change, &heard, &e));
    NS_OK(rtnl_add(r, ns->ifindex[NS_A], &v4, 24, 1, false, &e));
    NS_OK(rtnl_add(r, ns->ifindex[NS_A], &v6, 64, 1, false, &e));
    while (heard.n[RTNL_ADDR_REMOVED] < 2 && clock_boot_ms() < began_ms + 4000)
        uv_run(&loop, UV_RUN_ONCE);
    print_message("a lifetime of 1 s ended after %lld ms\n",
                  (long long)(clock_boot_ms() - began_ms));
    assert_int_equal(heard.n[RTNL_ADDR_REMOVED], 2);
    assert_true(heard.n[RTNL_ADDR_ADDED] >= 2);
    assert_int_equal(rtnl_find(r, &v4, NULL, &e), 0);
    assert_int_equal(rtnl_find(r, &v6, NULL, &e), 0);

    /* The host's own route to the subnet, which has a lifetime of its own as after SLAAC, did not
     * end with it. */
    len = ip_to_sockaddr(&b6, &to);
    fd = socket(AF_INET6, SOCK_DGRAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, len), 0);
    close(fd);

    ns_link_set(r, ns->ifindex[NS_A], false);
    ns_link_set(r, ns->ifindex[NS_A], true);
    while ((heard.n[RTNL_LINK_UP] == 0 || heard.n[RTNL_LINK_DOWN] == 0) &&
           clock_boot_ms() < began_ms + 6000)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(heard.last[RTNL_LINK_UP].addr.ifindex, ns->ifindex[NS_A]);
    assert_int_equal(heard.last[RTNL_LINK_DOWN].addr.ifindex, ns->ifindex[NS_A]);
    rtnl_watch_stop(&watch, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(add_refresh_remove),
        cmocka_unit_test(an_address_is_removed_from_every_interface),
        cmocka_unit_test(the_interface_is_found_by_subnet),
        cmocka_unit_test(lifetimes_end_by_themselves_and_are_heard),
    };
    int failed;

    if (ns_make(&ns_two) != 0)
        return 0;
    failed = cmocka_run_group_tests(tests, ns_setup, NULL);
    ns_free(&ns_two);
    return failed;
}
