/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mysql/wire.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

enum {
    CAN_LONG_PASSWORD = 1,
    CAN_LONG_FLAG = 1 << 2,
    CAN_CONNECT_WITH_DB = 1 << 3,
    CAN_PROTOCOL_41 = 1 << 9,
    CAN_TRANSACTIONS = 1 << 13,
    CAN_SECURE_CONNECTION = 1 << 15,
    CAN_PLUGIN_AUTH = 1 << 19,
    CAN_LENENC_AUTH = 1 << 21,
};
#define CAN_ALL                                                                                    \
    (CAN_LONG_PASSWORD | CAN_LONG_FLAG | CAN_CONNECT_WITH_DB | CAN_PROTOCOL_41 |                   \
     CAN_TRANSACTIONS | CAN_SECURE_CONNECTION | CAN_PLUGIN_AUTH | CAN_LENENC_AUTH)

#define UTF8       33
#define AUTOCOMMIT 2
#define VAR_STRING 0xfd

/* ---- packets ---- */

uint64_t wire_number(const uint8_t *at, unsigned n)
{
    uint64_t v = 0;

    while (n--)
        v = v << 8 | at[n];
    return v;
}

void wire_add_number(struct buf *b, uint64_t v, unsigned n)
{
    for (; n--; v >>= 8) {
        uint8_t low = (uint8_t)v;

        buf_add(b, &low, 1);
    }
}

void wire_header(struct buf *b, size_t len, uint8_t *sequence)
{
    CHECK(len <= WIRE_PACKET_MAX);
    wire_add_number(b, len, 3);
    wire_add_number(b, (*sequence)++, 1);
}

static void wire_packet(struct buf *b, uint8_t *sequence, struct buf *payload)
{
    wire_header(b, payload->len, sequence);
    buf_add(b, payload->at, payload->len);
    buf_free(payload);
}

static void wire_text(struct buf *b, const char *text) /* shorter than 251 */
{
    size_t len = strnlen(text, 250);

    wire_add_number(b, len, 1);
    buf_add(b, text, len);
}

void wire_greeting(struct buf *b, uint8_t *sequence, const char *version, uint32_t connection,
                   const uint8_t salt[WIRE_SALT], const char *plugin)
{
    struct buf p = BUF(4096);

    wire_add_number(&p, 10, 1);
    buf_add(&p, version, strlen(version) + 1);
    wire_add_number(&p, connection, 4);
    buf_add(&p, salt, 8);
    wire_add_number(&p, 0, 1);
    wire_add_number(&p, CAN_ALL & 0xffff, 2);
    wire_add_number(&p, UTF8, 1);
    wire_add_number(&p, AUTOCOMMIT, 2);
    wire_add_number(&p, CAN_ALL >> 16, 2);
    wire_add_number(&p, WIRE_SALT + 1, 1);
    wire_add_number(&p, 0, 8);
    wire_add_number(&p, 0, 2);
    buf_add(&p, salt + 8, WIRE_SALT - 8);
    wire_add_number(&p, 0, 1);
    buf_add(&p, plugin, strlen(plugin) + 1);
    wire_packet(b, sequence, &p);
}

void wire_ask_again(struct buf *b, uint8_t *sequence, const uint8_t salt[WIRE_SALT],
                    const char *plugin)
{
    struct buf p = BUF(4096);

    wire_add_number(&p, 0xfe, 1);
    buf_add(&p, plugin, strlen(plugin) + 1);
    buf_add(&p, salt, WIRE_SALT);
    wire_add_number(&p, 0, 1);
    wire_packet(b, sequence, &p);
}

void wire_ok(struct buf *b, uint8_t *sequence)
{
    struct buf p = BUF(64);

    wire_add_number(&p, 0, 3);
    wire_add_number(&p, AUTOCOMMIT, 2);
    wire_add_number(&p, 0, 2);
    wire_packet(b, sequence, &p);
}

void wire_fast_ok(struct buf *b, uint8_t *sequence)
{
    wire_header(b, 2, sequence);
    buf_add(b, "\1\3", 2);
}

void wire_error(struct buf *b, uint8_t *sequence, unsigned number, const char *state,
                const char *text)
{
    struct buf p = BUF(4096);

    wire_add_number(&p, 0xff, 1);
    wire_add_number(&p, number, 2);
    buf_addf(&p, "#%.5s%.500s", state, text);
    wire_packet(b, sequence, &p);
}

static void wire_end(struct buf *b, uint8_t *sequence)
{
    wire_header(b, 5, sequence);
    wire_add_number(b, 0xfe, 1);
    wire_add_number(b, 0, 2);
    wire_add_number(b, AUTOCOMMIT, 2);
}

static void wire_column(struct buf *b, uint8_t *sequence, const char *name)
{
    static const char *const nothing[] = {"def", "", "", ""};
    struct buf p = BUF(4096);

    for (unsigned i = 0; i < ARRAY_LEN(nothing); i++)
        wire_text(&p, nothing[i]);
    wire_text(&p, name);
    wire_text(&p, "");
    wire_add_number(&p, 12, 1);
    wire_add_number(&p, UTF8, 2);
    wire_add_number(&p, 1024, 4);
    wire_add_number(&p, VAR_STRING, 1);
    wire_add_number(&p, 0, 5);
    wire_packet(b, sequence, &p);
}

void wire_row(struct buf *b, uint8_t *sequence, const char *const *names, const char *const *values,
              unsigned n)
{
    struct buf p = BUF(4096);

    wire_header(b, 1, sequence);
    wire_add_number(b, n, 1);
    for (unsigned i = 0; i < n; i++)
        wire_column(b, sequence, names[i]);
    wire_end(b, sequence);
    for (unsigned i = 0; values && i < n; i++)
        wire_text(&p, values[i]);
    if (values)
        wire_packet(b, sequence, &p);
    wire_end(b, sequence);
}

/* ---- log in ---- */

const char *wire_plugin(bool mariadb)
{
    return mariadb ? "mysql_native_password" : "caching_sha2_password";
}

bool wire_salt(uint8_t salt[WIRE_SALT])
{
    if (RAND_bytes(salt, WIRE_SALT) != 1)
        return false;
    for (unsigned i = 0; i < WIRE_SALT; i++) /* clients read it as a text */
        salt[i] = (uint8_t)('!' + salt[i] % 94);
    return true;
}

/* A text with its zero; false: there is none, or it is too long. */
static bool wire_take_text(const uint8_t **at, const uint8_t *end, char *to, size_t size)
{
    const uint8_t *zero = memchr(*at, 0, (size_t)(end - *at));
    size_t len = zero ? (size_t)(zero - *at) : 0;

    if (!zero || len >= size)
        return false;
    memcpy(to, *at, len + 1);
    *at = zero + 1;
    return true;
}

bool wire_read_login(const uint8_t *at, size_t len, struct wire_login *login)
{
    const uint8_t *end = at + len;
    char schema[256];
    uint32_t can;

    memset(login, 0, sizeof *login);
    if (len < 32)
        return false;
    can = (uint32_t)wire_number(at, 4);
    if (!(can & CAN_PROTOCOL_41) || !(can & CAN_SECURE_CONNECTION))
        return false;
    at += 32;
    if (!wire_take_text(&at, end, login->user, sizeof login->user) || at == end)
        return false;
    login->proof_len = *at++; /* below 251 it is its length in both ways to write it */
    if (login->proof_len > 250 || login->proof_len > (size_t)(end - at))
        return false;
    login->proof = at;
    at += login->proof_len;
    if (can & CAN_CONNECT_WITH_DB && !wire_take_text(&at, end, schema, sizeof schema))
        return false;
    return !(can & CAN_PLUGIN_AUTH) ||
           wire_take_text(&at, end, login->plugin, sizeof login->plugin);
}

typedef unsigned char *(*wire_digest_fn)(const unsigned char *data, size_t len, unsigned char *to);

/* native:       SHA1(password) xor SHA1(salt, SHA1(SHA1(password)))
 * caching_sha2: SHA256(password) xor SHA256(SHA256(SHA256(password)), salt) */
bool wire_proves(bool mariadb, const uint8_t salt[WIRE_SALT], const char *password,
                 const uint8_t *proof, size_t len)
{
    wire_digest_fn digest = mariadb ? SHA1 : SHA256;
    size_t n = mariadb ? SHA_DIGEST_LENGTH : SHA256_DIGEST_LENGTH;
    uint8_t once[SHA256_DIGEST_LENGTH], twice[SHA256_DIGEST_LENGTH], mask[SHA256_DIGEST_LENGTH];
    uint8_t mixed[SHA256_DIGEST_LENGTH + WIRE_SALT];
    bool ok;

    if (!password[0] || len != n)
        return false;
    digest((const uint8_t *)password, strlen(password), once);
    digest(once, n, twice);
    memcpy(mixed, mariadb ? salt : twice, mariadb ? WIRE_SALT : n);
    memcpy(mixed + (mariadb ? WIRE_SALT : n), mariadb ? twice : salt, mariadb ? n : WIRE_SALT);
    digest(mixed, n + WIRE_SALT, mask);
    for (size_t i = 0; i < n; i++)
        mask[i] ^= once[i];
    ok = CRYPTO_memcmp(mask, proof, n) == 0;
    OPENSSL_cleanse(once, sizeof once);
    return ok;
}
