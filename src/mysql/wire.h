/* SPDX-License-Identifier: GPL-2.0-or-later
 * The server's side of the client protocol, as much of it as a replica needs: packets, greeting,
 * log in, answers. Pure but for the random salt. */
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_SALT       20
#define WIRE_PACKET_MAX 0xffffffu /* a payload of this length is followed by another part */

/* Little-endian numbers. */
uint64_t wire_number(const uint8_t *at, unsigned n);
void wire_add_number(struct buf *b, uint64_t v, unsigned n);

/* A packet's header for len bytes of payload to follow. */
void wire_header(struct buf *b, size_t len, uint8_t *sequence);
/* Whole packets. */
void wire_greeting(struct buf *b, uint8_t *sequence, const char *version, uint32_t connection,
                   const uint8_t salt[WIRE_SALT], const char *plugin);
void wire_ask_again(struct buf *b, uint8_t *sequence, const uint8_t salt[WIRE_SALT],
                    const char *plugin); /* for a log in by that plugin */
void wire_ok(struct buf *b, uint8_t *sequence);
void wire_fast_ok(struct buf *b, uint8_t *sequence); /* caching_sha2_password: known, no more */
void wire_error(struct buf *b, uint8_t *sequence, unsigned number, const char *state,
                const char *text);
/* A result of n columns and, if values is not NULL, one row. */
void wire_row(struct buf *b, uint8_t *sequence, const char *const *names, const char *const *values,
              unsigned n);

bool wire_salt(uint8_t salt[WIRE_SALT]); /* false: no randomness to be had */

/* What a client answers to the greeting; all within the packet. */
struct wire_login {
    char user[128];
    char plugin[64];
    const uint8_t *proof;
    size_t proof_len;
};
/* False: not such a packet, or a client too old. */
bool wire_read_login(const uint8_t *at, size_t len, struct wire_login *login);
/* Is it the proof that somebody knows this password? By mysql_native_password or
 * caching_sha2_password. An empty password is never right. */
bool wire_proves(bool mariadb, const uint8_t salt[WIRE_SALT], const char *password,
                 const uint8_t *proof, size_t len);
const char *wire_plugin(bool mariadb);
