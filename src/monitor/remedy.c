/* SPDX-License-Identifier: GPL-2.0-or-later
 * Each command was run as it is printed, by test/lab/scenarios/71_quarantine.py. Clients read
 * account and socket from their own option files. */
#include "monitor/remedy.h"

#include "base/buf.h"
#include "monitor/status_internal.h"

#include <string.h>

struct remedy {
    const struct status_conf *s;
    int host, writer;
    const char *name, *source, *file; /* names of hosts; the file's path on the first */
    struct buf *to;
};

static void remedy_server(const struct remedy *r, int host)
{
    buf_addf(r->to, "-h %s -P %u", r->s->address[host], r->s->port[host]);
}

static void remedy_look(const struct remedy *r, const char *binlog)
{
    buf_addf(r->to, "  to look at them, on %s:\n    %s --base64-output=decode-rows -vv %s\n",
             r->name, binlog, r->file);
}

static void remedy_bring_in(const struct remedy *r)
{
    buf_addf(r->to,
             "  to bring them into %s as new transactions (look first: they stop at a row that is "
             "another by now, and statements may change it), on %s:\n",
             r->source, r->name);
}

/* ---- MariaDB ---- */

/* The events' own numbers are out of order on the writer, and what bears the number of the host's
 * own server it would not take back. */
static void remedy_mariadb_bring_in(const struct remedy *r)
{
    remedy_bring_in(r);
    buf_addf(r->to,
             "    mariadb-binlog %s | sed '/^\\/\\*M\\?!100001 SET @@session.[gs]/d' | mariadb ",
             r->file);
    remedy_server(r, r->writer);
    buf_addf(r->to, "\n");
}

static void remedy_mariadb_anew(const struct remedy *r)
{
    static const char drop[] =
        "    mariadb -N -e \"SELECT CONCAT('DROP DATABASE \\`', schema_name, '\\`;') FROM "
        "information_schema.schemata WHERE schema_name NOT IN ('mysql', 'sys', "
        "'information_schema', 'performance_schema')\" | mariadb --init-command='SET "
        "sql_log_bin=0, foreign_key_checks=0'\n";

    buf_addf(r->to, "    mariadb -e 'STOP ALL SLAVES; RESET MASTER'\n%s    mariadb-dump ", drop);
    remedy_server(r, r->writer);
    buf_addf(r->to,
             " --all-databases --single-transaction --gtid --master-data --routines --events "
             "--flush-privileges | mariadb --init-command='SET sql_log_bin=0'\n");
}

/* ---- MySQL ---- */

static void remedy_mysql_bring_in(const struct remedy *r)
{
    remedy_bring_in(r);
    buf_addf(r->to, "    mysqlbinlog --skip-gtids %s | mysql ", r->file);
    remedy_server(r, r->writer);
    buf_addf(r->to, "\n");
}

/* The agent would make the server read-only again and end the clone's connection. */
static void remedy_mysql_anew(const struct remedy *r)
{
    static const char plugin[] = "INSTALL PLUGIN clone SONAME 'mysql_clone.so'";
    const char *address = r->s->address[r->writer];
    unsigned port = r->s->port[r->writer];

    buf_addf(r->to, "    mysql ");
    remedy_server(r, r->writer);
    buf_addf(r->to, " -e \"%s\"  # unless it has it\n", plugin);
    buf_addf(r->to, "    systemctl stop hamm-agent@%s\n", r->s->cluster);
    buf_addf(r->to, "    mysql -e \"SET GLOBAL super_read_only=0; %s\"  # likewise\n", plugin);
    buf_addf(r->to,
             "    mysql -e \"SET GLOBAL super_read_only=0, clone_valid_donor_list='%s:%u'; CLONE "
             "INSTANCE FROM 'USER'@'%s':%u IDENTIFIED BY 'PASSWORD'\"  # USER: with BACKUP_ADMIN\n",
             address, port, address, port);
    buf_addf(r->to, "    systemctl start hamm-agent@%s  # when mysqld is up again\n",
             r->s->cluster);
}

/* ---- either ---- */

static void remedy_discard(const struct remedy *r, bool mysql)
{
    buf_addf(r->to,
             "  to discard them, make %s anew from %s; there, as root:\n    hamm ctl "
             "set-offline %s\n",
             r->name, r->source, r->name);
    if (mysql)
        remedy_mysql_anew(r);
    else
        remedy_mariadb_anew(r);
    buf_addf(r->to, "    hamm ctl set-online %s\n", r->name);
}

void remedy_tell(const struct engine *e, const struct status_conf *s, int host, struct buf *to)
{
    const char *text;
    enum tail kept = engine_aside(e, host, &text);
    bool mysql = e->host[host].report.mysql_flavour;
    int w = status_writer(e);
    struct remedy r = {.s = s, .host = host, .writer = w, .file = text, .to = to};

    if (kept == TAIL_NONE || w < 0 || w == host)
        return;
    r.name = e->conf.names.host[host];
    r.source = e->conf.names.host[w];
    if (kept == TAIL_READY) {
        remedy_look(&r, mysql ? "mysqlbinlog" : "mariadb-binlog");
        if (mysql)
            remedy_mysql_bring_in(&r);
        else
            remedy_mariadb_bring_in(&r);
    } else if (kept == TAIL_READING) {
        return;
    }
    remedy_discard(&r, mysql);
}
