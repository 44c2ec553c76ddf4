/* SPDX-License-Identifier: GPL-2.0-or-later
 * TLS 1.3 with the cluster key as an external PSK: no certificates, no tickets, no early data.
 * Both sides prove the key, and a fresh X25519/P-256 exchange gives forward secrecy. Pure bytes in,
 * bytes out: no sockets, no loop. struct net_tls holds the keys; struct tls_conn is one connection
 * and is used by net/peer only.
 *
 * The PSK identity is "hamm:<cluster>:<fingerprint>", where the fingerprint (16 hex digits) is a
 * one-way value of the key. A server takes any of its keys; a client offers one of them. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TLS_KEYS_MAX = 4, TLS_KEY_LEN = 32, TLS_FINGERPRINT_LEN = 16 };

struct peer_keys {
    unsigned n; /* 1..TLS_KEYS_MAX; key[0] is what we offer first */
    uint8_t key[TLS_KEYS_MAX][TLS_KEY_LEN];
    char cluster[33]; /* [a-z0-9-]{1,32} */
};

struct net_tls;

/* Copies the keys. NULL and a sentence when they are unusable or OpenSSL refuses. */
struct net_tls *tls_new(const struct peer_keys *keys, struct err *e) MUST_CHECK;
/* Connections and listeners keep what they need: free it whenever you like. NULL is fine. */
void tls_free(struct net_tls *t);

/* --- for net/peer and net/listen ------------------------------------------------------------ */

struct tls_conn;

struct net_tls *tls_hold(struct net_tls *t); /* one more user; each ends with tls_free */
unsigned tls_keys(const struct net_tls *t);

/* `key`: which one a client offers. NULL: out of memory. */
struct tls_conn *tls_conn_new(struct net_tls *t, bool server, unsigned key) MUST_CHECK;
void tls_conn_free(struct tls_conn *c);

/* Bytes from the wire; false when memory ran out. */
bool tls_conn_feed(struct tls_conn *c, const void *data, size_t len) MUST_CHECK;
/* 1 done, 0 needs more from the other side, -EACCES the keys differ, other errors -EPROTO; the
 * sentence says which. Look at tls_conn_out after each call, also after an error (an alert). */
int tls_conn_shake(struct tls_conn *c, struct err *e) MUST_CHECK;
/* Bytes read, 0 nothing yet, -EPIPE the other side ended the session, other errors. */
int tls_conn_read(struct tls_conn *c, void *to, size_t size, struct err *e) MUST_CHECK;
int tls_conn_write(struct tls_conn *c, const void *data, size_t len, struct err *e) MUST_CHECK;
void tls_conn_end(struct tls_conn *c); /* says goodbye (close_notify); then tls_conn_out */
/* Takes up to `size` bytes for the wire; 0 when there are no more. */
size_t tls_conn_out(struct tls_conn *c, void *to, size_t size);
/* A record has begun to come in and is not complete. */
bool tls_conn_partial(const struct tls_conn *c);
