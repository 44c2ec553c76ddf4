/* SPDX-License-Identifier: GPL-2.0-or-later
 * Connections are destroyed by their local address, and only those. */
#include "net/diag.h"
#include "test_net_ns.h"

/* A listener of `family` on all addresses, as mysqld has; IPv6 ones take IPv4 too. */
static int listener(int family)
{
    struct sockaddr_storage sa = {.ss_family = (sa_family_t)family};
    int on = 1, off = 0, fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    if (family == AF_INET6)
        assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off), 0);
    ((struct sockaddr_in *)&sa)->sin_port = htons(3306);
    assert_int_equal(
        bind(fd, (struct sockaddr *)&sa,
             family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6)),
        0);
    assert_int_equal(listen(fd, 16), 0);
    return fd;
}

static int connected(struct ns *ns, const char *text, int listen_fd, int *served)
{
    struct ip ip = ns_ip(text);
    struct sockaddr_storage sa;
    socklen_t len = ip_to_sockaddr(&ip, &sa);
    int fd;

    ns_in(ns, NS_B);
    fd = socket(ip.family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ns_in(ns, NS_A);
    ((struct sockaddr_in *)&sa)->sin_port = htons(3306);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, len), 0);
    *served = accept(listen_fd, NULL, NULL);
    assert_true(*served >= 0);
    return fd;
}

static int error_of(int fd)
{
    int error = 0;
    socklen_t len = sizeof error;

    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len), 0);
    return error;
}

static void only_connections_of_the_address_die(void **state)
{
    struct ns *ns = *state;
    struct rtnl *r = &ns->rtnl[NS_A];

    for (unsigned i = 0; i < 3; i++) {
        /* IPv4 on an IPv4 listener, IPv4 on a dual-stack one, IPv6 */
        const char *vip_text = i == 2 ? NS_VIP6 : NS_VIP4, *own_text = i == 2 ? NS_A6 : NS_A4;
        struct ip vip = ns_ip(vip_text);
        int at = listener(i == 0 ? AF_INET : AF_INET6), served[3], client[3], rc;
        struct err e = {0};

        NS_OK(rtnl_add(r, ns->ifindex[NS_A], &vip, i == 2 ? 64 : 24, 60, false, &e));
        client[0] = connected(ns, vip_text, at, &served[0]);
        client[1] = connected(ns, vip_text, at, &served[1]);
        client[2] = connected(ns, own_text, at, &served[2]);
        rc = diag_kill(&vip, &e);
        if (rc == -EOPNOTSUPP) {
            print_message("skipped: %s\n", e.msg);
            return;
        }
        assert_int_equal(rc, 2);
        assert_int_equal(error_of(served[0]), ECONNABORTED);
        assert_int_equal(error_of(served[1]), ECONNABORTED);
        assert_int_equal(error_of(served[2]), 0);
        usleep(20000);
        assert_int_equal(error_of(client[0]), ECONNRESET);
        assert_int_equal(error_of(client[2]), 0);
        assert_int_equal(diag_kill(&vip, &e), 0);
        for (unsigned c = 0; c < 3; c++) {
            close(client[c]);
            close(served[c]);
        }
        close(at);
        NS_OK(rtnl_remove(r, &vip, &e));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_connections_of_the_address_die),
    };
    int failed;

    if (ns_make(&ns_two) != 0)
        return 0;
    failed = cmocka_run_group_tests(tests, ns_setup, NULL);
    ns_free(&ns_two);
    return failed;
}
