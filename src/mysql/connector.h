/* SPDX-License-Identifier: GPL-2.0-or-later
 * Connecting in threads of our own: libmariadb 3.3 blocks in the TLS handshake, so the loop can't
 * do it, and uv's four threads serve the journal. Threads are made on demand, 32 at most, and go
 * when they had nothing to do for a while. An attempt given up is thrown away when it ends. */
#pragma once

#include "mysql/db.h"
#include "mysql/db_error.h"

#include <mysql.h>

struct connect_try;

struct connect_outcome {
    MYSQL *my;                 /* connected, the caller's now; NULL: problem says why */
    struct db_problem problem; /* error DB_OK with my */
    bool tls;
};

/* params must stay valid and unchanged for as long as the process lives or be copied: they are
 * copied. tell is sent when there is an outcome; it must outlive the attempt or its giving up. */
struct connect_try *connector_start(const struct db_params *params, const char *where,
                                    int64_t limit_ms, uv_async_t *tell);
/* True: it is over, *out is filled and the attempt is gone. */
bool connector_take(struct connect_try *t, struct connect_outcome *out);
/* Nobody wants it any more; it must not be used afterwards. tell is not sent after this returns. */
void connector_give_up(struct connect_try *t);

struct db_params db_params_copy(const struct db_params *p); /* CHECK: out of memory */
void db_params_free(struct db_params *p);
