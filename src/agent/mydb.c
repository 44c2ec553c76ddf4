/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/mydb.h"

#include "gtid/place.h"
#include "mysql/filters.h"
#include "mysql/job.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum mydb_way { WAY_SOCKET, WAY_TCP, WAY_N };

/* Two ways to the same server; a question goes by the first that isn't refused. */
struct mydb {
    const struct conf *conf;
    const struct conf_host *self;
    void *owner;
    mydb_lost_fn on_lost;
    struct job *way[WAY_N]; /* [WAY_SOCKET]: NULL if the configuration names none */
    enum mydb_way by;       /* of the running question */
    bool busy, cancelled;
    struct mydb_ask ask;
    char *reach; /* owned copy */
    char look[PLACE_TEXT_MAX], at[PLACE_TEXT_MAX], from[PLACE_TEXT_MAX];
    mydb_done_fn done;
    unsigned closing;
    void (*closed)(void *owner);
};

static void mydb_on_lost(struct job *j, const char *text)
{
    struct mydb *m = job_owner(j);

    m->on_lost(m, text);
}

static enum db_tls mydb_tls(enum conf_tls_mode mode)
{
    static const enum db_tls of[] = {
        [CONF_TLS_DISABLED] = DB_TLS_DISABLED,
        [CONF_TLS_PREFERRED] = DB_TLS_PREFERRED,
        [CONF_TLS_REQUIRED] = DB_TLS_REQUIRED,
        [CONF_TLS_VERIFY] = DB_TLS_VERIFY,
    };

    CHECK((unsigned)mode < ARRAY_LEN(of));
    return of[mode];
}

static const char *mydb_given(const char *text)
{
    return text && *text ? text : NULL;
}

struct mydb *mydb_new(uv_loop_t *loop, const struct conf *c, unsigned self, mydb_lost_fn on_lost,
                      void *owner)
{
    struct mydb *m = calloc(1, sizeof *m);
    const struct conf_mysql *my = &c->hosts[self].mysql;
    struct job_opts opts = {
        .db = {.host = c->hosts[self].address.text,
               .port = my->port,
               .user = my->agent.user,
               .password = my->agent.password,
               .tls = mydb_tls(my->tls.mode),
               .tls_ca = mydb_given(my->tls.ca),
               .tls_cert = mydb_given(my->tls.cert),
               .tls_key = mydb_given(my->tls.key)},
        .agent_user = my->agent.user,
        .monitor_user = my->monitor.user,
        .replication_user = my->replication.login.user,
        .gtid_off = my->replication.gtid == CONF_GTID_OFF,
        .on_lost = mydb_on_lost,
        .owner = m,
    };

    CHECK(m);
    m->conf = c;
    m->self = &c->hosts[self];
    m->on_lost = on_lost;
    m->owner = owner;
    m->way[WAY_TCP] = job_new(loop, &opts);
    if (*my->socket) {
        opts.db.socket = my->socket;
        opts.db.host = NULL;
        m->way[WAY_SOCKET] = job_new(loop, &opts);
    }
    return m;
}

void *mydb_owner(const struct mydb *m)
{
    return m->owner;
}

bool mydb_busy(const struct mydb *m)
{
    return m->busy;
}

static enum mydb_came mydb_came(enum db_error error)
{
    switch (error) {
    case DB_OK:
    case DB_SQL:
        return MYDB_FINE;
    case DB_REFUSED:
        return MYDB_REFUSED;
    case DB_LOST:
        return MYDB_LOST;
    case DB_CANCELLED:
        return MYDB_CANCELLED;
    case DB_TIMEOUT:
        return MYDB_SILENT;
    default:
        return MYDB_BARRED;
    }
}

/* Whether it replicates by file and position is the server's to say, or the DBA's. */
static void mydb_places(const struct mydb *m, const struct server_facts *f, struct mydb_facts *to)
{
    enum conf_gtid gtid = m->self->mysql.replication.gtid;

    if (f->mariadb || (f->gtid_on && gtid != CONF_GTID_OFF))
        return;
    to->own_uuid = f->server_uuid;
    to->own_file = f->binlog_file;
    to->own_pos = f->binlog_pos;
    if (!f->repl.configured)
        return;
    to->source_uuid = f->repl.source_uuid;
    to->exec_file = f->repl.exec_file;
    to->exec_pos = f->repl.exec_pos;
}

static void mydb_facts(const struct server_facts *f, struct mydb_facts *to)
{
    static const enum mydb_receiver receiver[] = {
        [REPL_IO_NO] = MYDB_RECEIVER_NO,
        [REPL_IO_CONNECTING] = MYDB_RECEIVER_CONNECTING,
        [REPL_IO_YES] = MYDB_RECEIVER_YES,
    };

    *to = (struct mydb_facts){
        .mariadb = f->mariadb,
        .read_only = f->read_only && (f->mariadb || f->super_read_only),
        .pid = f->pid,
        .pid_file = f->pid_file,
        .version = f->version,
        .server_uuid = f->server_uuid,
        .server_id = f->server_id,
        .log_bin_index = f->log_bin_index,
        .gtid_state = f->gtid_state ? f->gtid_state : "",
        .gtid_slave_pos = f->gtid_slave_pos ? f->gtid_slave_pos : "",
        .own_uuid = "",
        .own_file = "",
        .source_uuid = "",
        .exec_file = "",
        .source_host = f->repl.configured ? f->repl.source_host : "",
        .source_port = f->repl.configured ? f->repl.source_port : 0,
        .receiver = f->repl.configured ? receiver[f->repl.io] : MYDB_RECEIVER_NO,
        .applier = f->repl.configured && f->repl.sql_running,
        .receiver_broken = f->repl.configured && f->repl.io == REPL_IO_NO && f->repl.io_errno,
        .applier_broken = f->repl.configured && !f->repl.sql_running && f->repl.sql_errno,
        .log_bin = f->log_bin,
        .log_updates = f->log_updates,
        .delay_s = f->repl.delay_s,
        .filters = filters_add(f->filters, f->repl.filters),
        .semi_sync = {.source = f->semi_sync.source,
                      .active = f->semi_sync.active,
                      .after_sync = f->semi_sync.after_sync,
                      .hasty = f->semi_sync.no_replica_no_wait,
                      .replica = f->semi_sync.replica,
                      .receiver = f->semi_sync.replica_active,
                      .clients = f->semi_sync.clients,
                      .wait_for = f->semi_sync.wait_for,
                      .timeout_ms = f->semi_sync.timeout_ms},
        .lag_ms = !f->repl.configured || f->repl.lag_s < 0 ? -1 : f->repl.lag_s * 1000,
    };
}

static void mydb_start(struct mydb *m, enum mydb_way by);

static void mydb_on_done(struct job *j, const struct job_result *r)
{
    struct mydb *m = job_owner(j);
    struct mydb_answer a = {
        .task = m->ask.task, .ok = r->ok, .text = r->text, .own_more = r->own_more};
    struct mydb_facts facts;

    if (r->error == DB_REFUSED && m->by == WAY_SOCKET && !m->cancelled) {
        mydb_start(m, WAY_TCP);
        return;
    }
    a.came = mydb_came(r->error);
    if (r->facts) {
        mydb_facts(r->facts, &facts);
        mydb_places(m, r->facts, &facts);
        a.facts = &facts;
    }
    m->busy = false;
    free(m->reach);
    m->reach = NULL;
    m->done(m, &a);
}

/* Follow that host: where it says others replicate from, with the account it has for that. */
static void mydb_follow(const struct mydb *m, struct follow *f)
{
    const struct conf_host *source = m->ask.source;
    const struct conf_replication *r = &source->mysql.replication;
    const struct conf_tls *own = &m->self->mysql.tls;

    *f = (struct follow){
        .host = source->replication_address.text,
        .port = source->mysql.port,
        .user = r->login.user,
        .password = r->login.password,
        .tls = r->tls == CONF_TLS_REQUIRED || r->tls == CONF_TLS_VERIFY,
        .tls_verify = r->tls == CONF_TLS_VERIFY,
        .at = m->at,
        .from = m->from,
    };
    if (!f->tls)
        return;
    f->tls_ca = mydb_given(own->ca);
    f->tls_cert = mydb_given(own->cert);
    f->tls_key = mydb_given(own->key);
}

static void mydb_start(struct mydb *m, enum mydb_way by)
{
    static const enum job_kind kind[MYDB_TASK_N] = {
        [MYDB_OBSERVE] = JOB_OBSERVE,  [MYDB_READ_ONLY] = JOB_READ_ONLY,
        [MYDB_DRAIN] = JOB_STOP_DRAIN, [MYDB_WRITABLE] = JOB_WRITABLE,
        [MYDB_FOLLOW] = JOB_FOLLOW,    [MYDB_LOOK] = JOB_LOOK,
        [MYDB_SALVAGE] = JOB_SALVAGE,
    };
    struct job_args args = {.limit_ms = m->ask.limit_ms,
                            .planned = m->ask.planned,
                            .reach = m->reach,
                            .look = m->look,
                            .as_is = m->ask.as_is,
                            .hear = m->ask.hear};

    if (m->ask.task == MYDB_FOLLOW || m->ask.task == MYDB_SALVAGE)
        mydb_follow(m, &args.follow);
    args.tail_port = m->ask.port;
    args.tail_user = m->ask.user;
    args.tail_password = m->ask.password;
    m->by = by;
    job_start(m->way[by], kind[m->ask.task], &args, mydb_on_done);
}

static void mydb_place(char to[PLACE_TEXT_MAX], const char *from)
{
    (void)snprintf(to, PLACE_TEXT_MAX, "%s", from ? from : "");
}

void mydb_run(struct mydb *m, const struct mydb_ask *ask, mydb_done_fn done)
{
    struct stat st;
    bool by_socket;

    CHECK(!m->busy && !m->closing);
    m->busy = true;
    m->cancelled = false;
    m->ask = *ask;
    m->reach = strdup(ask->reach ? ask->reach : "");
    CHECK(m->reach);
    mydb_place(m->look, ask->look);
    mydb_place(m->at, ask->at);
    mydb_place(m->from, ask->from);
    m->done = done;
    by_socket = m->way[WAY_SOCKET] && stat(m->self->mysql.socket, &st) == 0;
    mydb_start(m, by_socket ? WAY_SOCKET : WAY_TCP);
}

void mydb_cancel(struct mydb *m)
{
    m->cancelled = true;
    if (m->busy)
        job_cancel(m->way[m->by]);
}

static void mydb_on_closed(void *owner)
{
    struct mydb *m = owner;
    void *mine = m->owner;
    void (*closed)(void *) = m->closed;

    if (--m->closing)
        return;
    free(m->reach);
    free(m);
    if (closed)
        closed(mine);
}

void mydb_close(struct mydb *m, void (*closed)(void *owner))
{
    struct job *way[WAY_N];

    memcpy(way, m->way, sizeof way);
    m->closed = closed;
    m->closing = way[WAY_SOCKET] ? WAY_N : 1;
    for (unsigned i = 0; i < WAY_N; i++)
        if (way[i])
            job_close(way[i], mydb_on_closed);
}
