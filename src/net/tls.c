/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/tls.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "hamm:" cluster ":" fingerprint */
enum { TLS_IDENTITY_MAX = 5 + 32 + 1 + TLS_FINGERPRINT_LEN };
/* A 32-byte key goes with SHA-256 (RFC 8446, 4.2.11: a PSK has one hash). */
static const uint8_t tls_suite[2] = {0x13, 0x01};
#define TLS_SUITE_NAME "TLS_AES_128_GCM_SHA256"
/* Content types of a first record (RFC 8446, 5.1). */
enum { TLS_HEAD = 5 /* bytes of a record's header, the last two its length */ };
enum { TLS_RECORD_ALERT = 21, TLS_RECORD_HANDSHAKE = 22 };

struct net_tls {
    unsigned users;
    SSL_CTX *ctx;
    struct peer_keys keys;
    char identity[TLS_KEYS_MAX][TLS_IDENTITY_MAX + 1];
};

enum tls_offer { OFFER_NONE, OFFER_FOREIGN, OFFER_OURS };

struct tls_conn {
    struct net_tls *t;
    SSL *ssl;
    BIO *in, *out; /* owned by ssl */
    bool server;
    unsigned key; /* what a client offers */
    int first;    /* first byte that came; -1: none yet */
    uint8_t head[TLS_HEAD];
    size_t head_n, rest; /* of the record that is coming in: header bytes here, bytes to go */
    enum tls_offer offer;
    char offered[TLS_IDENTITY_MAX + 1]; /* foreign identity in our own form; else "" */
};

/* --- the keys ------------------------------------------------------------------------------- */

static bool tls_cluster_ok(const char *name, size_t len)
{
    return len >= 1 && len <= 32 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") >= len;
}

static void tls_name_key(struct net_tls *t, unsigned i)
{
    static const char label[] = "hamm key fingerprint";
    uint8_t mac[32];
    unsigned len = sizeof mac;
    int at;

    CHECK(HMAC(EVP_sha256(), t->keys.key[i], TLS_KEY_LEN, (const uint8_t *)label, sizeof label - 1,
               mac, &len));
    at = snprintf(t->identity[i], sizeof t->identity[i], "hamm:%s:", t->keys.cluster);
    for (unsigned b = 0; b < TLS_FINGERPRINT_LEN / 2; b++)
        at += snprintf(t->identity[i] + at, sizeof t->identity[i] - (size_t)at, "%02x", mac[b]);
}

static const char *tls_fingerprint(const char *identity)
{
    return identity + strlen(identity) - TLS_FINGERPRINT_LEN;
}

static SSL_SESSION *tls_session(SSL *ssl, const struct net_tls *t, unsigned key)
{
    const SSL_CIPHER *suite = SSL_CIPHER_find(ssl, tls_suite);
    SSL_SESSION *s = SSL_SESSION_new();

    if (s && suite && SSL_SESSION_set1_master_key(s, t->keys.key[key], TLS_KEY_LEN) == 1 &&
        SSL_SESSION_set_cipher(s, suite) == 1 &&
        SSL_SESSION_set_protocol_version(s, TLS1_3_VERSION) == 1)
        return s;
    SSL_SESSION_free(s);
    return NULL;
}

static int tls_on_offer(SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *len,
                        SSL_SESSION **session)
{
    struct tls_conn *c = SSL_get_app_data(ssl);

    (void)md; /* there is one suite, so one hash */
    *session = tls_session(ssl, c->t, c->key);
    if (!*session)
        return 0;
    *id = (const unsigned char *)c->t->identity[c->key];
    *len = strlen(c->t->identity[c->key]);
    return 1;
}

/* A stranger's identity is shown only if it could be one of ours. */
static void tls_note_foreign(struct tls_conn *c, const unsigned char *id, size_t len)
{
    size_t name;

    c->offer = OFFER_FOREIGN;
    if (len < 5 + 1 + 1 + TLS_FINGERPRINT_LEN || len > TLS_IDENTITY_MAX || memcmp(id, "hamm:", 5))
        return;
    name = len - 5 - 1 - TLS_FINGERPRINT_LEN;
    memcpy(c->offered, id, len);
    c->offered[len] = 0;
    if (strlen(c->offered) != len || !tls_cluster_ok(c->offered + 5, name) ||
        c->offered[5 + name] != ':' ||
        strspn(c->offered + 6 + name, "0123456789abcdef") != TLS_FINGERPRINT_LEN)
        c->offered[0] = 0;
}

static int tls_on_find(SSL *ssl, const unsigned char *id, size_t len, SSL_SESSION **session)
{
    struct tls_conn *c = SSL_get_app_data(ssl);

    *session = NULL; /* with 1 this means: not known here, and without certificates that ends it */
    for (unsigned i = 0; i < c->t->keys.n; i++) {
        if (strlen(c->t->identity[i]) != len || memcmp(c->t->identity[i], id, len) != 0)
            continue;
        c->offer = OFFER_OURS;
        *session = tls_session(ssl, c->t, i);
        return *session != NULL;
    }
    if (c->offer == OFFER_NONE)
        tls_note_foreign(c, id, len);
    return 1;
}

static bool tls_ctx_set_up(SSL_CTX *ctx)
{
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(ctx, TLS_SUITE_NAME) != 1 ||
        SSL_CTX_set1_groups_list(ctx, "X25519:P-256") != 1 ||
        SSL_CTX_set_num_tickets(ctx, 0) != 1 || SSL_CTX_set_max_early_data(ctx, 0) != 1)
        return false;
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_clear_options(ctx, SSL_OP_ALLOW_NO_DHE_KEX | SSL_OP_ENABLE_MIDDLEBOX_COMPAT);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_psk_use_session_callback(ctx, tls_on_offer);
    SSL_CTX_set_psk_find_session_callback(ctx, tls_on_find);
    return true;
}

struct net_tls *tls_new(const struct peer_keys *keys, struct err *e)
{
    struct net_tls *t;

    if (keys->n < 1 || keys->n > TLS_KEYS_MAX) {
        err_set(e, -EINVAL, "%u cluster keys; 1 to %d can be used", keys->n, TLS_KEYS_MAX);
        return NULL;
    }
    if (!tls_cluster_ok(keys->cluster, strnlen(keys->cluster, sizeof keys->cluster))) {
        err_set(e, -EINVAL, "the cluster needs a name of 1 to 32 of a-z, 0-9 and -");
        return NULL;
    }
    t = calloc(1, sizeof *t);
    if (!t) {
        err_set(e, -ENOMEM, "no memory for TLS");
        return NULL;
    }
    t->users = 1;
    t->keys = *keys;
    for (unsigned i = 0; i < keys->n; i++)
        tls_name_key(t, i);
    ERR_clear_error();
    t->ctx = SSL_CTX_new(TLS_method());
    if (!t->ctx || !tls_ctx_set_up(t->ctx)) {
        char why[128];
        ERR_error_string_n(ERR_peek_error(), why, sizeof why);
        err_set(e, -EPROTO, "OpenSSL refuses TLS 1.3 with " TLS_SUITE_NAME ": %s", why);
        tls_free(t);
        return NULL;
    }
    return t;
}

struct net_tls *tls_hold(struct net_tls *t)
{
    t->users++;
    return t;
}

void tls_free(struct net_tls *t)
{
    if (!t)
        return;
    CHECK(t->users > 0);
    if (--t->users)
        return;
    SSL_CTX_free(t->ctx);
    OPENSSL_cleanse(t, sizeof *t);
    free(t);
}

unsigned tls_keys(const struct net_tls *t)
{
    return t->keys.n;
}

/* --- one connection ------------------------------------------------------------------------- */

struct tls_conn *tls_conn_new(struct net_tls *t, bool server, unsigned key)
{
    struct tls_conn *c = calloc(1, sizeof *c);

    if (!c)
        return NULL;
    CHECK(key < t->keys.n);
    c->t = tls_hold(t);
    c->server = server;
    c->key = key;
    c->first = -1;
    c->ssl = SSL_new(t->ctx);
    c->in = BIO_new(BIO_s_mem());
    c->out = BIO_new(BIO_s_mem());
    if (!c->ssl || !c->in || !c->out) {
        BIO_free(c->in);
        BIO_free(c->out);
        tls_conn_free(c);
        return NULL;
    }
    SSL_set_bio(c->ssl, c->in, c->out);
    CHECK(SSL_set_app_data(c->ssl, c) == 1);
    if (server)
        SSL_set_accept_state(c->ssl);
    else {
        SSL_set_connect_state(c->ssl);
        /* A server that comes with a certificate instead of the key: no authority is trusted. */
        SSL_set_verify(c->ssl, SSL_VERIFY_PEER, NULL);
    }
    return c;
}

void tls_conn_free(struct tls_conn *c)
{
    if (!c)
        return;
    SSL_free(c->ssl);
    tls_free(c->t);
    free(c);
}

/* OpenSSL doesn't tell whether a record is half there (SSL_has_pending says no), so count. */
static void tls_count(struct tls_conn *c, const uint8_t *data, size_t len)
{
    while (len) {
        size_t take = 1;

        if (c->rest) {
            take = len < c->rest ? len : c->rest;
            c->rest -= take;
        } else {
            c->head[c->head_n++] = *data;
            if (c->head_n == TLS_HEAD) {
                c->rest = (size_t)c->head[3] << 8 | c->head[4];
                c->head_n = 0;
            }
        }
        data += take;
        len -= take;
    }
}

bool tls_conn_feed(struct tls_conn *c, const void *data, size_t len)
{
    size_t put;

    if (!len)
        return true;
    if (c->first < 0)
        c->first = *(const uint8_t *)data;
    tls_count(c, data, len);
    return BIO_write_ex(c->in, data, len, &put) == 1 && put == len;
}

static const char *tls_reason(unsigned long code)
{
    const char *text = ERR_reason_error_string(code);

    return text ? text : "no reason given";
}

static int tls_server_error(const struct tls_conn *c, unsigned long code, struct err *e)
{
    const char *ours = c->t->identity[0];
    const char *cluster = c->t->keys.cluster;

    if (c->offer == OFFER_NONE && ERR_GET_REASON(code) < SSL_AD_REASON_OFFSET)
        return err_set(e, -EACCES, "TLS handshake failed: it offered no cluster key");
    if (c->offer == OFFER_OURS)
        return err_set(e, ERR_GET_REASON(code) == SSL_R_BINDER_DOES_NOT_VERIFY ? -EACCES : -EPROTO,
                       "TLS handshake failed: %s", tls_reason(code));
    if (!c->offered[0])
        return err_set(e, -EACCES, "TLS handshake failed: what it offered is no cluster key");
    if (strncmp(c->offered, ours, strlen(ours) - TLS_FINGERPRINT_LEN) != 0)
        return err_set(e, -EACCES, "TLS handshake failed: it belongs to cluster %.*s, this is %s",
                       (int)strlen(c->offered) - 6 - TLS_FINGERPRINT_LEN, c->offered + 5, cluster);
    return err_set(e, -EACCES,
                   "TLS handshake failed: it has another cluster key (fingerprint %s, ours %s); "
                   "copy the key file of %s to it, or its key to here",
                   tls_fingerprint(c->offered), tls_fingerprint(ours), cluster);
}

static int tls_client_error(const struct tls_conn *c, unsigned long code, struct err *e)
{
    switch (ERR_GET_REASON(code) - SSL_AD_REASON_OFFSET) {
    case SSL_AD_HANDSHAKE_FAILURE:
    case SSL_AD_DECRYPT_ERROR:
    case SSL_AD_UNKNOWN_PSK_IDENTITY:
        return err_set(e, -EACCES,
                       "TLS handshake failed: the other side has another cluster key (ours has "
                       "fingerprint %s) or is not of cluster %s; use the same key file on both",
                       tls_fingerprint(c->t->identity[c->key]), c->t->keys.cluster);
    default:
        return err_set(e, -EPROTO, "TLS handshake failed: %s", tls_reason(code));
    }
}

int tls_conn_shake(struct tls_conn *c, struct err *e)
{
    int rc;

    if (c->first >= 0 && c->first != TLS_RECORD_HANDSHAKE && c->first != TLS_RECORD_ALERT)
        return err_set(e, -EPROTO, "TLS handshake failed: the other side does not speak TLS%s",
                       c->server ? "" : "; is this the right port?");
    ERR_clear_error();
    rc = SSL_do_handshake(c->ssl);
    if (rc == 1) {
        /* For an external PSK "reused" means that this very key carried the handshake. */
        if (!SSL_session_reused(c->ssl) || (c->server && c->offer != OFFER_OURS))
            return err_set(e, -EACCES, "TLS handshake failed: it did not use the cluster key");
        return 1;
    }
    switch (SSL_get_error(c->ssl, rc)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return 0;
    default:
        return c->server ? tls_server_error(c, ERR_peek_error(), e)
                         : tls_client_error(c, ERR_peek_error(), e);
    }
}

int tls_conn_read(struct tls_conn *c, void *to, size_t size, struct err *e)
{
    int rc;

    CHECK(size > 0 && size <= INT32_MAX);
    ERR_clear_error();
    rc = SSL_read(c->ssl, to, (int)size);
    if (rc > 0)
        return rc;
    switch (SSL_get_error(c->ssl, rc)) {
    case SSL_ERROR_WANT_READ:
        return 0;
    case SSL_ERROR_ZERO_RETURN:
        return err_set(e, -EPIPE, "the other side hung up");
    default:
        return err_set(e, -EPROTO, "TLS: %s", tls_reason(ERR_peek_error()));
    }
}

int tls_conn_write(struct tls_conn *c, const void *data, size_t len, struct err *e)
{
    size_t put;

    ERR_clear_error();
    if (SSL_write_ex(c->ssl, data, len, &put) == 1 && put == len)
        return 0;
    return err_set(e, -EPROTO, "TLS: %s", tls_reason(ERR_peek_error()));
}

void tls_conn_end(struct tls_conn *c)
{
    ERR_clear_error();
    (void)SSL_shutdown(c->ssl); /* only a courtesy: it fails when the session is broken already */
}

size_t tls_conn_out(struct tls_conn *c, void *to, size_t size)
{
    size_t got;

    return BIO_read_ex(c->out, to, size, &got) == 1 ? got : 0;
}

bool tls_conn_partial(const struct tls_conn *c)
{
    return c->head_n > 0 || c->rest > 0;
}
