/* SPDX-License-Identifier: GPL-2.0-or-later
 * MariaDB asks for UNIX_TIMESTAMP(), @@server_id, the checksum and its domain and tells heartbeat,
 * capability and @slave_connect_state. MySQL asks for UNIX_TIMESTAMP(), @@server_id, @@server_uuid,
 * the checksum, @@gtid_mode and tells heartbeat and its UUID. Both look for semi-synchronous
 * replication; there is none here. */
#include "mysql/source_answer.h"

#include "mysql/wire.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define NS_PER_MS        1000000
#define HEARTBEAT_MAX_MS 30000
#define NUMBER_TEXT      32
#define UNKNOWN_VARIABLE 1193
#define NOT_SUPPORTED    1235

/* NULL: no such thing here. */
static const char *answer_value(const struct source_params *p, bool crc, const char *what,
                                char number[NUMBER_TEXT])
{
    const struct {
        const char *name, *value;
    } known[] = {
        {"UNIX_TIMESTAMP()", NULL},
        {"@@GLOBAL.SERVER_ID", NULL},
        {"@@GLOBAL.SERVER_UUID", p->server_uuid},
        {"@@GLOBAL.GTID_MODE", p->mariadb ? NULL : "ON"},
        {"@@GLOBAL.GTID_DOMAIN_ID", p->mariadb ? "0" : NULL},
        {"@MASTER_BINLOG_CHECKSUM", crc ? "CRC32" : "NONE"},
        {"@SOURCE_BINLOG_CHECKSUM", crc ? "CRC32" : "NONE"},
        {"@@VERSION", p->version},
        {"VERSION()", p->version},
    };

    for (unsigned i = 0; i < ARRAY_LEN(known); i++) {
        if (strcasecmp(known[i].name, what) != 0)
            continue;
        if (i > 1)
            return known[i].value;
        snprintf(number, NUMBER_TEXT, "%" PRId64,
                 i == 0 ? (int64_t)time(NULL) : (int64_t)p->server_id);
        return number;
    }
    return NULL;
}

static void answer_select(const struct source_params *p, bool crc, const char *what, struct buf *to,
                          uint8_t *sequence)
{
    char name[128], number[NUMBER_TEXT], text[192];
    const char *const names[] = {name};
    size_t len = strlen(what);
    const char *value;

    while (len && strchr(" ;\n", what[len - 1]))
        len--;
    snprintf(name, sizeof name, "%.*s", (int)(len < 100 ? len : 100), what);
    value = answer_value(p, crc, name, number);
    snprintf(text, sizeof text, "Unknown system variable '%s'", name);
    if (value)
        wire_row(to, sequence, names, &value, 1);
    else
        wire_error(to, sequence, UNKNOWN_VARIABLE, "HY000", text);
}

static void answer_variables(const struct source_params *p, const char *sql, struct buf *to,
                             uint8_t *sequence)
{
    static const char *const names[] = {"Variable_name", "Value"};
    char number[NUMBER_TEXT];
    const char *const values[] = {"server_id", number};

    snprintf(number, sizeof number, "%" PRIu32, p->server_id);
    wire_row(to, sequence, names, strcasestr(sql, "'server_id'") ? values : NULL, 2);
}

/* The value after `name =`, without quotes; false: it is not there. */
static bool answer_setting(const char *sql, const char *name, char *to, size_t size)
{
    const char *at = strcasestr(sql, name);
    size_t len;

    if (!at)
        return false;
    at += strlen(name);
    at += strspn(at, " ");
    if (*at++ != '=')
        return false;
    at += strspn(at, " ");
    len = *at == '\'' ? strcspn(++at, "'") : strcspn(at, " ,;");
    if (len >= size)
        return false;
    memcpy(to, at, len);
    to[len] = 0;
    return true;
}

static void answer_set(const char *sql, struct source_guest *guest, struct buf *to,
                       uint8_t *sequence)
{
    char number[NUMBER_TEXT];

    if (answer_setting(sql, "@master_heartbeat_period", number, sizeof number)) {
        guest->heartbeat_ms = (int64_t)(strtoull(number, NULL, 10) / NS_PER_MS);
        if (guest->heartbeat_ms > HEARTBEAT_MAX_MS)
            guest->heartbeat_ms = HEARTBEAT_MAX_MS;
    }
    if (strcasestr(sql, "@slave_connect_state")) {
        if (!answer_setting(sql, "@slave_connect_state", guest->state, sizeof guest->state)) {
            wire_error(to, sequence, NOT_SUPPORTED, "42000", "a GTID position of too many domains");
            return;
        }
        guest->by_gtid = true;
    }
    wire_ok(to, sequence);
}

void source_answer(const struct source_params *params, bool crc, const char *sql,
                   struct source_guest *guest, struct buf *to, uint8_t *sequence)
{
    sql += strspn(sql, " \n");
    if (strncasecmp(sql, "SELECT ", 7) == 0)
        answer_select(params, crc, sql + 7 + strspn(sql + 7, " "), to, sequence);
    else if (strncasecmp(sql, "SHOW VARIABLES", 14) == 0)
        answer_variables(params, sql, to, sequence);
    else if (strncasecmp(sql, "SET ", 4) == 0)
        answer_set(sql, guest, to, sequence);
    else if (strncasecmp(sql, "KILL ", 5) == 0) /* a receiver that ends kills what it left */
        wire_ok(to, sequence);
    else
        wire_error(to, sequence, NOT_SUPPORTED, "42000", "this server only serves a replica");
}
