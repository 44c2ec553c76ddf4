/* SPDX-License-Identifier: GPL-2.0-or-later
 * The handshake without sockets: two ends in memory, what each says about the other. */
#include "net/tls.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct net_tls *keys(const char *cluster, int a, int b)
{
    struct peer_keys k = {.n = b < 0 ? 1 : 2};
    struct err e = {0};
    struct net_tls *t;

    memset(k.key[0], a, TLS_KEY_LEN);
    memset(k.key[1], b, TLS_KEY_LEN);
    snprintf(k.cluster, sizeof k.cluster, "%s", cluster);
    t = tls_new(&k, &e);
    if (!t)
        fail_msg("%s", e.msg);
    return t;
}

struct pair {
    struct tls_conn *client, *server;
    int client_rc, server_rc;
    struct err client_err, server_err;
};

/* Moves what is there, `step` bytes at a time; returns how many. */
static size_t move(struct tls_conn *from, struct tls_conn *to, size_t step)
{
    uint8_t bytes[4096];
    size_t n = tls_conn_out(from, bytes, step);

    if (n)
        assert_true(tls_conn_feed(to, bytes, n));
    return n;
}

static void shake(struct pair *p, struct net_tls *client, unsigned key, struct net_tls *server,
                  size_t step)
{
    size_t moved = 1;

    memset(p, 0, sizeof *p);
    p->client = tls_conn_new(client, false, key);
    p->server = tls_conn_new(server, true, 0);
    p->client_rc = tls_conn_shake(p->client, &p->client_err);
    while (moved) {
        moved = move(p->client, p->server, step);
        if (p->server_rc == 0)
            p->server_rc = tls_conn_shake(p->server, &p->server_err);
        moved += move(p->server, p->client, step);
        if (p->client_rc == 0)
            p->client_rc = tls_conn_shake(p->client, &p->client_err);
    }
}

static void part(struct pair *p)
{
    tls_conn_free(p->client);
    tls_conn_free(p->server);
}

static void same_key_and_bytes_flow(void **state)
{
    struct net_tls *t = keys("shop", 1, -1);
    static const size_t step[] = {1, 7, 4096};

    (void)state;
    for (size_t i = 0; i < sizeof step / sizeof *step; i++) {
        struct pair p;
        struct err e = {0};
        char got[64] = "";

        shake(&p, t, 0, t, step[i]);
        assert_int_equal(p.client_rc, 1);
        assert_int_equal(p.server_rc, 1);
        assert_int_equal(tls_conn_write(p.client, "hello", 5, &e), 0);
        while (tls_conn_read(p.server, got, sizeof got, &e) == 0 &&
               move(p.client, p.server, step[i]))
            ;
        assert_string_equal(got, "hello");
        assert_false(tls_conn_partial(p.server));
        part(&p);
    }
    tls_free(t);
}

static void half_a_record_shows(void **state)
{
    struct net_tls *t = keys("shop", 1, -1);
    struct pair p;
    struct err e = {0};
    char got[64];

    (void)state;
    shake(&p, t, 0, t, 4096);
    assert_int_equal(tls_conn_write(p.client, "hello", 5, &e), 0);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(move(p.client, p.server, 1), 1);
        assert_int_equal(tls_conn_read(p.server, got, sizeof got, &e), 0);
        assert_true(tls_conn_partial(p.server));
    }
    move(p.client, p.server, 4096);
    assert_int_equal(tls_conn_read(p.server, got, sizeof got, &e), 5);
    assert_int_equal(tls_conn_read(p.server, got, sizeof got, &e), 0);
    assert_false(tls_conn_partial(p.server));
    part(&p);
    tls_free(t);
}

static void another_key_is_refused_and_both_say_so(void **state)
{
    struct net_tls *a = keys("shop", 1, -1), *b = keys("shop", 2, -1);
    struct pair p;

    (void)state;
    shake(&p, a, 0, b, 4096);
    assert_int_equal(p.client_rc, -EACCES);
    assert_int_equal(p.server_rc, -EACCES);
    assert_non_null(strstr(p.client_err.msg, "the other side has another cluster key"));
    assert_non_null(strstr(p.server_err.msg, "it has another cluster key (fingerprint "));
    part(&p);
    tls_free(a);
    tls_free(b);
}

static void another_cluster_is_named(void **state)
{
    struct net_tls *a = keys("shop", 1, -1), *b = keys("staging-2", 1, -1);
    struct pair p;

    (void)state;
    shake(&p, a, 0, b, 4096);
    assert_int_equal(p.client_rc, -EACCES);
    assert_int_equal(p.server_rc, -EACCES);
    assert_string_equal(p.server_err.msg,
                        "TLS handshake failed: it belongs to cluster shop, this is staging-2");
    part(&p);
    tls_free(a);
    tls_free(b);
}

static void while_rotating_the_server_takes_either(void **state)
{
    struct net_tls *both = keys("shop", 2, 1), *old = keys("shop", 1, -1),
                   *new = keys("shop", 2, -1);
    struct pair p;

    (void)state;
    shake(&p, old, 0, both, 4096);
    assert_int_equal(p.server_rc, 1);
    part(&p);
    shake(&p, new, 0, both, 4096);
    assert_int_equal(p.server_rc, 1);
    part(&p);
    shake(&p, both, 0, old, 4096);
    assert_int_equal(p.client_rc, -EACCES); /* net/peer offers the next one then */
    part(&p);
    shake(&p, both, 1, old, 4096);
    assert_int_equal(p.client_rc, 1);
    assert_int_equal(p.server_rc, 1);
    part(&p);
    tls_free(both);
    tls_free(old);
    tls_free(new);
}

static void the_other_bytes_are_refused(void **state)
{
    static const char junk[][24] = {"GET / HTTP/1.1\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n",
                                    "\0\0\0\2{}", "\x16\x03\x01\x00\x05nonsense"};
    struct net_tls *t = keys("shop", 1, -1);

    (void)state;
    for (size_t i = 0; i < sizeof junk / sizeof *junk; i++) {
        for (int server = 0; server <= 1; server++) {
            struct tls_conn *c = tls_conn_new(t, server, 0);
            struct err e = {0};
            int rc = tls_conn_shake(c, &e);

            assert_int_equal(rc, 0);
            assert_true(tls_conn_feed(c, junk[i], sizeof junk[i]));
            rc = tls_conn_shake(c, &e);
            assert_true(rc < 0);
            assert_int_equal(strncmp(e.msg, "TLS handshake failed: ", 22), 0);
            tls_conn_free(c);
        }
    }
    tls_free(t);
}

/* Somebody with ordinary TLS: no certificate of ours, no trust in theirs, and no old versions. */
static void ordinary_tls_is_refused(void **state)
{
    static const int version[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    struct net_tls *t = keys("shop", 1, -1);

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        SSL_CTX *ctx = SSL_CTX_new(TLS_method());
        SSL *ssl;
        BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
        struct tls_conn *c = tls_conn_new(t, true, 0);
        struct err e = {0};
        uint8_t hello[4096];
        int n, rc;

        SSL_CTX_set_max_proto_version(ctx, version[i]);
        ssl = SSL_new(ctx);
        SSL_set_bio(ssl, in, out);
        SSL_connect(ssl);
        n = BIO_read(out, hello, sizeof hello);
        assert_true(n > 0 && tls_conn_feed(c, hello, (size_t)n));
        rc = tls_conn_shake(c, &e);
        assert_true(rc < 0);
        assert_int_equal(strncmp(e.msg, "TLS handshake failed: ", 22), 0);
        tls_conn_free(c);
        SSL_free(ssl);
        SSL_CTX_free(ctx);
    }
    tls_free(t);
}

static void bad_keys_have_a_sentence(void **state)
{
    struct peer_keys k = {.n = 0, .cluster = "shop"};
    struct err e = {0};

    (void)state;
    assert_null(tls_new(&k, &e));
    assert_string_equal(e.msg, "0 cluster keys; 1 to 4 can be used");
    k.n = 1;
    memset(k.cluster, 'a', sizeof k.cluster);
    assert_null(tls_new(&k, &e));
    snprintf(k.cluster, sizeof k.cluster, "Shop");
    assert_null(tls_new(&k, &e));
    assert_non_null(strstr(e.msg, "1 to 32 of a-z"));
    tls_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_key_and_bytes_flow),
        cmocka_unit_test(half_a_record_shows),
        cmocka_unit_test(another_key_is_refused_and_both_say_so),
        cmocka_unit_test(another_cluster_is_named),
        cmocka_unit_test(while_rotating_the_server_takes_either),
        cmocka_unit_test(the_other_bytes_are_refused),
        cmocka_unit_test(ordinary_tls_is_refused),
        cmocka_unit_test(bad_keys_have_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
