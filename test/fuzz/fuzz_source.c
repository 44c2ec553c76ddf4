/* SPDX-License-Identifier: GPL-2.0-or-later
 * What a replica may say to the small replication source (log in, statements), and the file it
 * serves, cut into pieces: the packets must not depend on the cut, and hold whole events. */
#include "mysql/source_answer.h"
#include "mysql/source_tail.h"
#include "mysql/wire.h"

#include <stdlib.h>
#include <string.h>

static void say(const uint8_t *data, size_t len)
{
    static const struct source_params params = {.version = "9.7.4", .server_uuid = "u"};
    static struct source_guest guest;
    struct wire_login login;
    struct buf to = BUF(1 << 16);
    char *sql = malloc(len + 1);
    uint8_t sequence = 0, salt[WIRE_SALT] = {0};

    CHECK(sql);
    memcpy(sql, data, len);
    sql[len] = 0;
    if (wire_read_login((const uint8_t *)sql, len, &login)) {
        CHECK(strlen(login.user) < sizeof login.user);
        CHECK(!wire_proves(len & 1, salt, "secret", login.proof, login.proof_len));
    }
    source_answer(&params, len & 1, sql, &guest, &to, &sequence);
    CHECK(!to.full && to.len >= 4);
    buf_free(&to);
    free(sql);
}

/* The packets of a file, taken in pieces of that size. */
static uint64_t serve(const uint8_t *data, size_t len, size_t piece, struct tail t)
{
    uint64_t sum = 1469598103934665603u;
    struct buf to = BUF(1 << 20);
    struct err e;

    tail_begin(&t, &to);
    while (t.at < len) {
        size_t n = len - t.at < piece ? len - (size_t)t.at : piece;
        uint8_t *copy = malloc(n);
        int64_t taken;

        CHECK(copy);
        memcpy(copy, data + t.at, n);
        taken = tail_bytes(&t, copy, n, &to, &e);
        free(copy);
        if (taken <= 0)
            break;
    }
    tail_heartbeat(&t, &to);
    CHECK(!to.full);
    for (size_t i = 0; i < to.len; i++)
        sum = (sum ^ (uint8_t)to.at[i]) * 1099511628211u;
    buf_free(&to);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct tail t = {.server_id = 1};

    if (len < 4 || len > 1 << 16)
        return 0;
    say(data, len);
    t.crc = data[0] & 2;
    t.by_gtid = data[0] & 4;
    t.from = data[1];
    t.had.flavour = GTID_MARIADB_POS;
    gtid_add(&t.had, (struct gtid_range){.source.server = 1, .lo = 1, .hi = 9});
    CHECK(serve(data, len, 1 << 17, t) == serve(data, len, 64 + data[2], t));
    return 0;
}
