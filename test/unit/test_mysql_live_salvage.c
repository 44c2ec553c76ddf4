/* SPDX-License-Identifier: GPL-2.0-or-later
 * A writer is killed under load while its replica is stopped: scan, slice, source and job bring the
 * replica exactly what the writer's binary log held, its settings come back, and the old writer,
 * once it is up again, has nothing more and follows. On MariaDB; on MySQL where HAMM_MYSQL_ROOT
 * says (test_mysql_live_mysql.c). Each round the two change places. */
#include "test_mysql_doer.h"

#include "binlog/binlog.h"
#include "mysql/source.h"

#define SLICE_BYTES (256u << 20)

static struct server servers[2];
static struct server *writer, *replica;
static const char *mysql_root; /* NULL: MariaDB */
static struct binlog_scan scan;
static struct binlog_slice slice;

/* ---- servers ---- */

static void prepare(struct server *s, unsigned id)
{
    if (mysql_root)
        server_start_mysql(s, id, mysql_root);
    else
        server_start(s, id, true);
    if (mysql_root) {
        server_do(s, "CREATE USER agent IDENTIFIED BY 'agent-secret'");
        server_do(s, "GRANT REPLICATION CLIENT, PROCESS, RELOAD ON *.* TO agent");
        server_do(s, "GRANT CONNECTION_ADMIN, SYSTEM_VARIABLES_ADMIN, REPLICATION_SLAVE_ADMIN"
                     " ON *.* TO agent");
        server_do(s, "GRANT SELECT ON performance_schema.* TO agent");
    } else {
        server_do(s, "CREATE USER agent IDENTIFIED BY 'agent-secret'");
        server_do(s,
                  "GRANT SLAVE MONITOR, BINLOG MONITOR, BINLOG ADMIN, READ_ONLY ADMIN,"
                  " CONNECTION ADMIN, REPLICATION SLAVE ADMIN, REPLICATION MASTER ADMIN, PROCESS,"
                  " RELOAD ON *.* TO agent");
    }
    server_do(s, "CREATE USER repl IDENTIFIED BY 'repl-secret'");
    server_do(s, "GRANT REPLICATION SLAVE ON *.* TO repl");
    server_do(s, "CREATE DATABASE shop");
    server_do(s, "CREATE USER app IDENTIFIED BY 'app'");
    server_do(s, "GRANT ALL ON shop.* TO app");
    server_do(s, "CREATE TABLE shop.t (id INT AUTO_INCREMENT PRIMARY KEY, text LONGTEXT)"
                 " ENGINE=InnoDB");
    server_do(s, mysql_root ? "RESET BINARY LOGS AND GTIDS" : "RESET MASTER");
    server_do(s, "SET GLOBAL max_allowed_packet=64*1024*1024");
}

static void again(struct server *s)
{
    if (mysql_root)
        server_run_mysql(s, mysql_root);
    else
        server_run(s, "tls");
    server_do(s, "SET GLOBAL max_allowed_packet=64*1024*1024");
}

static char *executed(const struct server *s)
{
    char *text = server_sql(s, mysql_root ? "SELECT REPLACE(@@gtid_executed, '\n', '')"
                                          : "SELECT @@gtid_binlog_pos");

    assert_non_null(text);
    return text;
}

static void assert_same_gtid(const char *a, const char *b)
{
    enum gtid_flavour flavour = mysql_root ? GTID_MYSQL : GTID_MARIADB_POS;
    static struct gtid_set x, y;
    struct err e;

    assert_int_equal(gtid_parse(a, flavour, &x, &e), 0);
    assert_int_equal(gtid_parse(b, flavour, &y, &e), 0);
    if (!gtid_equal(&x, &y))
        fail_msg("%s is not %s", a, b);
}

static void assert_same_rows(void)
{
    static const char sql[] =
        "SELECT CONCAT(COUNT(*), ' ', SUM(CRC32(CONCAT(id, text)))) FROM shop.t";
    char *a = server_sql(writer, sql), *b = server_sql(replica, sql);

    assert_string_equal(a, b);
    free(a);
    free(b);
}

/* ---- load ---- */

struct load {
    uv_thread_t thread;
    MYSQL *my;
    unsigned done;
};

static void load_run(void *arg)
{
    struct load *l = arg;
    char sql[128];

    for (;; l->done++) {
        snprintf(sql, sizeof sql, "INSERT INTO t VALUES (NULL, 'load %u'), (NULL, REPEAT('l', %u))",
                 l->done, l->done % 3000);
        if (mysql_query(l->my, sql))
            return;
    }
}

static void kill_under_load(void)
{
    struct load l[3] = {{0}};

    for (unsigned i = 0; i < ARRAY_LEN(l); i++) {
        l[i].my = mysql_init(NULL);
        assert_non_null(
            mysql_real_connect(l[i].my, NULL, "app", "app", "shop", 0, writer->socket, 0));
        assert_int_equal(uv_thread_create(&l[i].thread, load_run, &l[i]), 0);
    }
    usleep(300 * 1000);
    server_kill(writer);
    for (unsigned i = 0; i < ARRAY_LEN(l); i++) {
        uv_thread_join(&l[i].thread);
        mysql_close(l[i].my);
        assert_true(l[i].done > 0);
    }
}

/* ---- salvage ---- */

struct serving {
    struct source *source;
    bool sent, asked, closed;
    unsigned failed;
    char text[700];
};

static void on_news(struct source *s, enum source_news news, const char *text)
{
    struct serving *v = source_owner(s);

    v->asked |= news == SOURCE_ASKED;
    v->sent |= news == SOURCE_SENT;
    v->failed += news == SOURCE_FAILED;
    snprintf(v->text, sizeof v->text, "%s", text);
}

static void on_source_closed(void *owner)
{
    ((struct serving *)owner)->closed = true;
}

static void serve(struct serving *v, struct meter *m, const char *path)
{
    const struct source_params params = {
        .mariadb = !mysql_root,
        .version = mysql_root ? "9.7.4" : "10.11.19-MariaDB-log",
        .server_id = writer->id,
        .server_uuid = mysql_root ? "5e4119bf-eb4b-11f1-bcc8-02fc00000001" : NULL,
        .user = "hamm-tail",
        .password = "one-time",
        .path = path,
        .on_news = on_news,
        .owner = v,
    };
    struct err e;

    memset(v, 0, sizeof *v);
    if (source_start(&m->loop, &params, &v->source, &e) < 0)
        fail_msg("%s", e.msg);
}

static void serve_no_more(struct serving *v, struct meter *m)
{
    source_stop(v->source, on_source_closed);
    while (!v->closed)
        uv_run(&m->loop, UV_RUN_ONCE);
}

static struct job_args tail_args(const struct serving *v, const char *password)
{
    struct job_args args = follow(writer);

    args.limit_ms = 60000;
    args.reach = slice.reach;
    args.tail_port = source_port(v->source);
    args.tail_user = "hamm-tail";
    args.tail_password = password;
    return args;
}

static void make_slice(char path[96])
{
    enum gtid_flavour flavour = mysql_root ? GTID_MYSQL : GTID_MARIADB_POS;
    char *have = executed(replica), index[128];
    struct err e;

    snprintf(index, sizeof index, "%s/data/bin.index", writer->dir);
    snprintf(path, 96, "%s/slice", replica->dir);
    if (binlog_scan(index, flavour, &scan, &e) < 0)
        fail_msg("%s", e.msg);
    if (binlog_slice(index, flavour, have, path, SLICE_BYTES, &slice, &e) < 0)
        fail_msg("%s", e.msg);
    free(have);
}

static char *settings(const struct server *s)
{
    MYSQL *my = server_root(s);
    MYSQL_RES *res;
    MYSQL_ROW row;
    char *text = calloc(1, 4096);
    unsigned n;

    assert_int_equal(mysql_query(my, mysql_root ? "SHOW REPLICA STATUS" : "SHOW ALL SLAVES STATUS"),
                     0);
    res = mysql_store_result(my);
    row = mysql_fetch_row(res);
    assert_non_null(row);
    n = mysql_num_fields(res);
    for (unsigned i = 0; i < n; i++) {
        const char *name = mysql_fetch_field_direct(res, i)->name;

        if (strstr(name, "Host") || strstr(name, "Port") || strstr(name, "_User") ||
            strstr(name, "_SSL_") || strcmp(name, "Connect_Retry") == 0 ||
            strcmp(name, "Using_Gtid") == 0 || strcmp(name, "Auto_Position") == 0 ||
            strcmp(name, "Slave_heartbeat_period") == 0)
            snprintf(text + strlen(text), 4096 - strlen(text), "%s=%s ", name,
                     row[i] ? row[i] : "");
    }
    mysql_free_result(res);
    mysql_close(my);
    return text;
}

/* ---- a round ---- */

static void let_follow(struct doer *d, bool tls)
{
    struct job_args args = follow(writer);
    char *gtid = executed(writer);

    args.follow.tls = tls;
    assert_done(d, JOB_FOLLOW, args);
    assert_done(d, JOB_STOP_DRAIN, (struct job_args){.reach = gtid, .limit_ms = 30000});
    free(gtid);
}

static void old_writer_returns(struct meter *m, struct doer *d)
{
    struct doer old;
    char *was = executed(replica), *is;

    again(writer);
    is = executed(writer);
    assert_same_gtid(is, scan.gtid);
    assert_same_gtid(is, was);
    free(was);
    free(is);
    assert_same_rows();
    assert_done(d, JOB_WRITABLE, NO_ARGS);
    server_do(replica, "INSERT INTO shop.t VALUES (NULL, 'after')");
    is = executed(replica);
    doer_open(&old, m, writer);
    assert_done(&old, JOB_FOLLOW, follow(replica));
    assert_done(&old, JOB_STOP_DRAIN, (struct job_args){.reach = is, .limit_ms = 30000});
    assert_same_rows();
    doer_close(&old);
    free(is);
}

static void change_places(void)
{
    struct server *was = writer;

    writer = replica;
    replica = was;
}

/* sql: what the writer is told, one after the other, before the load. */
static void round_of(const char *const *sql, bool tls)
{
    struct meter m;
    struct doer d;
    struct serving v;
    char path[96], *before, *after;
    uint64_t start;

    meter_start(&m);
    doer_open(&d, &m, replica);
    let_follow(&d, tls);
    assert_done(&d, JOB_READ_ONLY, NO_ARGS);
    before = settings(replica);
    for (; *sql; sql++)
        server_do(writer, *sql);
    kill_under_load();
    make_slice(path);
    serve(&v, &m, path);
    meter_reset(&m);
    start = uv_hrtime();
    if (!doer_do(&d, JOB_SALVAGE, tail_args(&v, "one-time")))
        fail_msg("%s (%s)", d.text, v.text);
    printf("  %llu transactions, %llu bytes: applied in %u ms, largest gap %u ms\n",
           (unsigned long long)slice.transactions, (unsigned long long)slice.bytes, ms_since(start),
           meter_gap_ms(&m));
    assert_true(meter_gap_ms(&m) < GAP_MAX_MS);
    assert_true(v.asked && v.sent && v.failed == 0);
    serve_no_more(&v, &m);
    assert_true(d.io == REPL_IO_NO && !d.sql_running && d.read_only);
    after = settings(replica);
    assert_string_equal(before, after);
    free(before);
    free(after);
    after = executed(replica);
    assert_same_gtid(after, scan.gtid);
    free(after);
    old_writer_returns(&m, &d);
    doer_close(&d);
    meter_stop(&m);
    change_places();
}

/* ---- tests ---- */

static void a_tail_is_salvaged(void **state)
{
    static const char *const nothing[] = {NULL};

    (void)state;
    round_of(nothing, false);
}

static void of_many_kinds_and_files_with_tls_set(void **state)
{
    static const char *const sql[] = {
        "CREATE TABLE shop.m (a INT PRIMARY KEY, text VARCHAR(50)) ENGINE=MyISAM",
        "INSERT INTO shop.m VALUES (1, 'a'), (2, 'b')",
        "FLUSH BINARY LOGS",
        "ALTER TABLE shop.m ADD b INT",
        "INSERT INTO shop.t SELECT NULL, a.text FROM shop.t a LIMIT 100",
        "CREATE TABLE shop.c AS SELECT * FROM shop.m",
        "FLUSH BINARY LOGS",
        "UPDATE shop.t SET text=CONCAT(text, '!') WHERE id % 3 = 0",
        "DELETE FROM shop.t WHERE id % 5 = 0",
        "DROP TABLE shop.c, shop.m",
        NULL,
    };

    (void)state;
    round_of(sql, true);
}

static void of_several_domains_and_servers(void **state)
{
    static const char *const sql[] = {
        "SET STATEMENT gtid_domain_id=5 FOR INSERT INTO shop.t VALUES (NULL, 'five')",
        "SET STATEMENT gtid_domain_id=3, server_id=77 FOR INSERT INTO shop.t VALUES (NULL, "
        "'three')",
        "FLUSH BINARY LOGS",
        "SET STATEMENT gtid_domain_id=5 FOR INSERT INTO shop.t VALUES (NULL, 'five')",
        "SET STATEMENT server_id=77 FOR INSERT INTO shop.t VALUES (NULL, 'other')",
        NULL,
    };

    (void)state;
    if (!mysql_root)
        round_of(sql, false);
}

static void of_big_events_without_checksums(void **state)
{
    static const char *const sql[] = {
        "SET GLOBAL binlog_format=ROW",
        "SET GLOBAL binlog_checksum=NONE",
        "INSERT INTO shop.t VALUES (NULL, REPEAT('0123456789', 2000000))",
        "INSERT INTO shop.t VALUES (NULL, REPEAT('x', 16777215 - 100))",
        NULL,
    };

    (void)state;
    round_of(sql, false);
}

static void compressed(void **state)
{
    static const char *const sql[2][5] = {
        {"SET GLOBAL log_bin_compress=1", "SET GLOBAL log_bin_compress_min_len=10",
         "INSERT INTO shop.t VALUES (NULL, REPEAT('0123456789', 100000))", NULL},
        {"SET GLOBAL binlog_transaction_compression=1",
         "INSERT INTO shop.t VALUES (NULL, REPEAT('0123456789', 100000))", NULL},
    };

    (void)state;
    round_of(sql[mysql_root != NULL], true);
}

static void with_semi_synchronous_replication(void **state)
{
    static const char *const nothing[] = {NULL};

    (void)state;
    if (mysql_root) {
        server_do(writer, "INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'");
        server_do(replica, "INSTALL PLUGIN rpl_semi_sync_replica SONAME 'semisync_replica.so'");
        server_do(writer, "SET GLOBAL rpl_semi_sync_source_timeout=1");
        server_do(writer, "SET GLOBAL rpl_semi_sync_source_enabled=1");
        server_do(replica, "SET GLOBAL rpl_semi_sync_replica_enabled=1");
    } else {
        server_do(writer, "SET GLOBAL rpl_semi_sync_master_timeout=1");
        server_do(writer, "SET GLOBAL rpl_semi_sync_master_enabled=1");
        server_do(replica, "SET GLOBAL rpl_semi_sync_slave_enabled=1");
    }
    round_of(nothing, false);
}

/* Given up in the midst of it: the next order to follow switches TLS on again. */
static void tls_comes_back_after_an_accident(void **state)
{
    struct meter m;
    struct doer d;
    struct serving v;
    struct job_args args;
    char path[96], *text;

    (void)state;
    meter_start(&m);
    doer_open(&d, &m, replica);
    let_follow(&d, true);
    server_do(writer, "INSERT INTO shop.t VALUES (NULL, 'x')");
    make_slice(path);
    serve(&v, &m, path);
    args = tail_args(&v, "guessed");
    job_start(d.job, JOB_SALVAGE, &args, doer_on_done);
    while (!v.failed)
        uv_run(&m.loop, UV_RUN_ONCE);
    job_cancel(d.job);
    doer_wait(&d);
    assert_non_null(strstr(d.text, "still set to fetch from 127.0.0.1"));
    text = settings(replica);
    assert_non_null(strstr(text, "_User=hamm-tail" SOURCE_TLS_MARK));
    assert_non_null(strstr(text, "_SSL_Allowed=No"));
    free(text);
    serve_no_more(&v, &m);
    let_follow(&d, false);
    text = settings(replica);
    assert_non_null(strstr(text, "_User=repl"));
    assert_non_null(strstr(text, "_SSL_Allowed=Yes"));
    free(text);
    assert_same_rows();
    doer_close(&d);
    meter_stop(&m);
}

static void what_fails_puts_the_settings_back(void **state)
{
    struct meter m;
    struct doer d;
    struct serving v;
    struct job_args args;
    char path[96], *before, *after;
    uint64_t start;

    (void)state;
    meter_start(&m);
    doer_open(&d, &m, replica);
    let_follow(&d, true);
    server_do(writer, "INSERT INTO shop.t VALUES (NULL, 'not there yet')");
    make_slice(path);
    before = settings(replica);
    serve(&v, &m, path);
    args = tail_args(&v, "guessed");
    args.limit_ms = 1500;
    assert_false(doer_do(&d, JOB_SALVAGE, args));
    assert_null(strstr(d.text, "guessed"));
    assert_true(v.failed > 0 && !v.asked);
    after = settings(replica);
    assert_string_equal(before, after);
    free(after);
    printf("  %s\n  %s\n", d.text, v.text);
    start = uv_hrtime();
    assert_done(&d, JOB_SALVAGE, tail_args(&v, "one-time"));
    printf("  one transaction: applied in %u ms\n", ms_since(start));
    after = settings(replica);
    assert_string_equal(before, after);
    free(after);
    free(before);
    serve_no_more(&v, &m);
    doer_close(&d);
    meter_stop(&m);
}

/* ---- */

static int set_up(void **state)
{
    (void)state;
    writer = &servers[0];
    replica = &servers[1];
    prepare(writer, 1);
    prepare(replica, 2);
    server_do(writer, "INSERT INTO shop.t VALUES (NULL, 'y')");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    server_stop(&servers[0]);
    server_stop(&servers[1]);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tail_is_salvaged),
        cmocka_unit_test(of_many_kinds_and_files_with_tls_set),
        cmocka_unit_test(of_several_domains_and_servers),
        cmocka_unit_test(of_big_events_without_checksums),
        cmocka_unit_test(compressed),
        cmocka_unit_test(what_fails_puts_the_settings_back),
        cmocka_unit_test(tls_comes_back_after_an_accident),
        cmocka_unit_test(with_semi_synchronous_replication),
    };
    int failed = 0;

    if (server_available() && !getenv("HAMM_SALVAGE_MYSQL_ONLY"))
        failed = cmocka_run_group_tests_name("MariaDB", tests, set_up, tear_down);
    mysql_root = getenv("HAMM_MYSQL_ROOT");
    if (geteuid() != 0 || !mysql_root)
        puts("MySQL skipped: needs root and HAMM_MYSQL_ROOT");
    else
        failed += cmocka_run_group_tests_name("MySQL", tests, set_up, tear_down);
    return failed;
}
