/* SPDX-License-Identifier: GPL-2.0-or-later
 * For the live tests: a mariadbd of one's own in a new directory, a loop whose largest
 * gap is measured, and waiting for one callback. Servers are killed by their pid. */
#pragma once

#include "loop/closer.h"
#include "loop/timer.h"
#include "mysql/db.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <mysql.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>
#include <cmocka.h>

#define MARIADBD   "/usr/sbin/mariadbd"
#define INSTALL_DB "/usr/bin/mariadb-install-db"
#define OPENSSL    "/usr/bin/openssl"
/* Far below what a blocked loop shows (a second and more), far above a busy machine's. */
#define GAP_MAX_MS 250

/* ---- processes ---- */

static inline pid_t process_start(const char *log, char *const argv[])
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* not even a crashed test leaves a server behind */
        int fd = open(log, O_CREAT | O_WRONLY | O_APPEND, 0600);

        dup2(fd, 1);
        dup2(fd, 2);
        execv(argv[0], argv);
        _exit(127);
    }
    return pid;
}

static inline int process_wait(pid_t pid)
{
    int status = 0;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static inline int process_remove(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static inline unsigned port_free(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    close(fd);
    return ntohs(a.sin_port);
}

/* ---- a server ---- */

struct server {
    char dir[64], socket[96], log[96];
    unsigned port, id;
    pid_t pid;
};

static inline bool server_available(void)
{
    if (geteuid() == 0 && access(MARIADBD, X_OK) == 0 && access(INSTALL_DB, X_OK) == 0)
        return true;
    puts("skipped: needs root and Debian's mariadb-server");
    return false;
}

static inline MYSQL *server_root(const struct server *s)
{
    MYSQL *my = mysql_init(NULL);

    if (mysql_real_connect(my, NULL, "root", "", NULL, 0, s->socket, 0))
        return my;
    mysql_close(my);
    return NULL;
}

/* Runs the statement as root, waiting; returns the first value as text (caller frees) or NULL. */
static inline char *server_sql(const struct server *s, const char *sql)
{
    MYSQL *my = server_root(s);
    MYSQL_RES *res;
    char *value = NULL;

    assert_non_null(my);
    if (mysql_query(my, sql))
        fail_msg("%s: %s", sql, mysql_error(my));
    res = mysql_store_result(my);
    if (res) {
        MYSQL_ROW row = mysql_fetch_row(res);

        value = row && row[0] ? strdup(row[0]) : NULL;
        mysql_free_result(res);
    }
    mysql_close(my);
    return value;
}

static inline void server_do(const struct server *s, const char *sql)
{
    free(server_sql(s, sql));
}

static inline unsigned long server_number(const struct server *s, const char *sql)
{
    char *value = server_sql(s, sql);
    unsigned long n = value ? strtoul(value, NULL, 10) : 0;

    free(value);
    return n;
}

static inline void server_wait(const struct server *s)
{
    for (int i = 0; i < 600; i++) {
        MYSQL *my = server_root(s);

        if (my) {
            mysql_close(my);
            return;
        }
        usleep(50 * 1000);
    }
    fail_msg("the server of %s does not come up, see its log", s->dir);
}

/* Debian has auth_ed25519.so in mariadb-server, not in mariadb-server-core: HAMM_MARIADB_PLUGINS
 * may name a folder into which that package was unpacked. */
static inline const char *server_plugins(void)
{
    const char *named = getenv("HAMM_MARIADB_PLUGINS");

    return named ? named : "/usr/lib/mysql/plugin";
}

static inline bool server_has_ed25519(void)
{
    char path[256];

    snprintf(path, sizeof path, "%s/auth_ed25519.so", server_plugins());
    return access(path, R_OK) == 0;
}

static inline void server_run(struct server *s, const char *more)
{
    char data[128], sock[128], port[32], pid[128], id[32], cert[128], key[128], plugins[256];
    char *argv[] = {MARIADBD,
                    "--no-defaults",
                    "--user=root",
                    plugins,
                    data,
                    sock,
                    port,
                    pid,
                    id,
                    "--bind-address=127.0.0.1",
                    "--log-bin=bin",
                    "--relay-log=relay",
                    "--log-slave-updates",
                    "--skip-slave-start",
                    "--innodb-log-file-size=4M",
                    "--innodb-buffer-pool-size=8M",
                    "--max-connections=20",
                    more ? cert : NULL,
                    key,
                    NULL};

    snprintf(plugins, sizeof plugins, "--plugin-dir=%s", server_plugins());
    snprintf(data, sizeof data, "--datadir=%s/data", s->dir);
    snprintf(sock, sizeof sock, "--socket=%s", s->socket);
    snprintf(port, sizeof port, "--port=%u", s->port);
    snprintf(pid, sizeof pid, "--pid-file=%s/pid", s->dir);
    snprintf(id, sizeof id, "--server-id=%u", s->id);
    snprintf(cert, sizeof cert, "--ssl-cert=%s/cert.pem", s->dir);
    snprintf(key, sizeof key, "--ssl-key=%s/key.pem", s->dir);
    s->pid = process_start(s->log, argv);
    server_wait(s);
}

static inline void server_certificate(const struct server *s)
{
    char key[128], cert[128];
    char *argv[] = {OPENSSL,
                    "req",
                    "-x509",
                    "-newkey",
                    "ec",
                    "-pkeyopt",
                    "ec_paramgen_curve:P-256",
                    "-nodes",
                    "-keyout",
                    key,
                    "-out",
                    cert,
                    "-days",
                    "30",
                    "-subj",
                    "/CN=127.0.0.1",
                    "-addext",
                    "subjectAltName=IP:127.0.0.1",
                    NULL};

    snprintf(key, sizeof key, "%s/key.pem", s->dir);
    snprintf(cert, sizeof cert, "%s/cert.pem", s->dir);
    assert_int_equal(process_wait(process_start(s->log, argv)), 0);
}

/* In memory where there is room for it: the servers sync each commit. */
static inline const char *server_folder(void)
{
    struct statvfs fs;
    bool roomy = statvfs("/dev/shm", &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize >= 2ull << 30;

    return roomy ? "/dev/shm" : "/tmp";
}

static inline void server_place(struct server *s, unsigned id)
{
    memset(s, 0, sizeof *s);
    snprintf(s->dir, sizeof s->dir, "%s/hamm-mysql-XXXXXX", server_folder());
    assert_non_null(mkdtemp(s->dir));
    snprintf(s->socket, sizeof s->socket, "%s/s", s->dir);
    snprintf(s->log, sizeof s->log, "%s/log", s->dir);
    s->port = port_free();
    s->id = id;
}

/* ---- an empty data directory is made once for each server program, then copied ---- */

#define TEMPLATES "/var/cache/hamm-test"

static inline void template_name(char out[160], const char *flavour, const char *program)
{
    struct stat st;

    assert_int_equal(stat(program, &st), 0);
    snprintf(out, 160, TEMPLATES "/data-%s-%lld", flavour, (long long)st.st_mtime);
}

static inline bool copy_directory(const struct server *s, const char *from, const char *to)
{
    char *argv[] = {"/bin/cp", "-a", (char *)from, (char *)to, NULL};

    return process_wait(process_start(s->log, argv)) == 0;
}

/* False: there is none yet. */
static inline bool template_use(const struct server *s, const char *template)
{
    char data[128], identity[160];

    snprintf(data, sizeof data, "%s/data", s->dir);
    if (access(template, F_OK) != 0)
        return false;
    assert_true(copy_directory(s, template, data));
    snprintf(identity, sizeof identity, "%s/auto.cnf", data); /* MySQL: no two may have the same */
    unlink(identity);
    return true;
}

static inline void template_keep(const struct server *s, const char *template)
{
    char data[128], mine[192];

    snprintf(data, sizeof data, "%s/data", s->dir);
    snprintf(mine, sizeof mine, "%s.%d", template, (int)getpid());
    mkdir(TEMPLATES, 0755);
    if (!copy_directory(s, data, mine) || rename(mine, template) != 0) /* another was faster */
        nftw(mine, process_remove, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void server_install(const struct server *s)
{
    char data[128];
    char *argv[] = {INSTALL_DB,
                    "--no-defaults",
                    "--user=root",
                    "--auth-root-authentication-method=socket",
                    "--skip-test-db",
                    "--skip-name-resolve", /* a machine may not know its own name */
                    "--force",
                    data,
                    "--innodb-log-file-size=4M",
                    "--innodb-buffer-pool-size=8M",
                    NULL};

    snprintf(data, sizeof data, "--datadir=%s/data", s->dir);
    /* under load the script was seen to fail in its own bootstrap: once more then */
    for (int tries = 0; process_wait(process_start(s->log, argv)) != 0; tries++) {
        assert_true(tries < 3);
        nftw(data + strlen("--datadir="), process_remove, 16, FTW_DEPTH | FTW_PHYS);
    }
}

static inline void server_start(struct server *s, unsigned id, bool tls)
{
    char template[160];

    server_place(s, id);
    template_name(template, "mariadb", MARIADBD);
    if (!template_use(s, template)) {
        server_install(s);
        template_keep(s, template);
    }
    if (tls)
        server_certificate(s);
    server_run(s, tls ? "tls" : NULL);
}

/* A MySQL whose packages were extracted below `root`, run by its own ld.so; begins as told. */
struct mysqld_args {
    char text[32][256];
    char *argv[40];
    unsigned n;
};

static inline void mysqld_arg(struct mysqld_args *a, const char *fmt, ...) PRINTF_LIKE(2, 3);

static inline void mysqld_arg(struct mysqld_args *a, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(a->text[a->n], sizeof a->text[0], fmt, ap);
    va_end(ap);
    a->argv[a->n] = a->text[a->n];
    a->n++;
}

static inline void mysqld_common(struct mysqld_args *a, const struct server *s, const char *root)
{
    memset(a, 0, sizeof *a);
    mysqld_arg(a, "%s/usr/lib64/ld-linux-x86-64.so.2", root);
    mysqld_arg(a, "--library-path");
    mysqld_arg(a, "%s/usr/lib/x86_64-linux-gnu", root);
    mysqld_arg(a, "%s/usr/sbin/mysqld", root);
    mysqld_arg(a, "--no-defaults");
    mysqld_arg(a, "--user=root");
    mysqld_arg(a, "--basedir=%s/usr", root);
    mysqld_arg(a, "--lc-messages-dir=%s/usr/share/mysql", root);
    mysqld_arg(a, "--character-sets-dir=%s/usr/share/mysql/charsets", root);
    mysqld_arg(a, "--plugin-dir=%s/usr/lib/mysql/plugin", root);
    mysqld_arg(a, "--secure-file-priv=NULL");
    mysqld_arg(a, "--mysqlx=OFF");
    mysqld_arg(a, "--datadir=%s/data", s->dir);
    mysqld_arg(a, "--innodb-redo-log-capacity=8M");
    mysqld_arg(a, "--innodb-buffer-pool-size=32M");
}

static inline void server_run_mysql_as(struct server *s, const char *root, bool gtid)
{
    static struct mysqld_args a;

    mysqld_common(&a, s, root);
    mysqld_arg(&a, "--socket=%s", s->socket);
    mysqld_arg(&a, "--port=%u", s->port);
    mysqld_arg(&a, "--bind-address=127.0.0.1");
    mysqld_arg(&a, "--pid-file=%s/pid", s->dir);
    mysqld_arg(&a, "--server-id=%u", s->id);
    mysqld_arg(&a, "--log-bin=bin");
    mysqld_arg(&a, "--gtid-mode=%s", gtid ? "ON" : "OFF");
    mysqld_arg(&a, "--enforce-gtid-consistency=%s", gtid ? "ON" : "OFF");
    mysqld_arg(&a, "--skip-replica-start");
    mysqld_arg(&a, "--ssl-cert=%s/cert.pem", s->dir);
    mysqld_arg(&a, "--ssl-key=%s/key.pem", s->dir);
    s->pid = process_start(s->log, a.argv);
    server_wait(s);
}

static inline void server_run_mysql(struct server *s, const char *root)
{
    server_run_mysql_as(s, root, true);
}

static inline void server_start_mysql_as(struct server *s, unsigned id, const char *root, bool gtid)
{
    static struct mysqld_args a;
    char template[160], program[256];

    server_place(s, id);
    snprintf(program, sizeof program, "%s/usr/sbin/mysqld", root);
    template_name(template, "mysql", program);
    if (!template_use(s, template)) {
        mysqld_common(&a, s, root);
        mysqld_arg(&a, "--initialize-insecure");
        assert_int_equal(process_wait(process_start(s->log, a.argv)), 0);
        template_keep(s, template);
    }
    server_certificate(s);
    server_run_mysql_as(s, root, gtid);
}

static inline void server_start_mysql(struct server *s, unsigned id, const char *root)
{
    server_start_mysql_as(s, id, root, true);
}

static inline void server_kill(struct server *s)
{
    if (!s->pid)
        return;
    kill(s->pid, SIGKILL);
    process_wait(s->pid);
    s->pid = 0;
}

/* SIGSTOP, and until every thread has stopped. */
static inline void server_freeze(const struct server *s)
{
    int status;

    kill(s->pid, SIGSTOP);
    assert_int_equal(waitpid(s->pid, &status, WUNTRACED), s->pid);
    assert_true(WIFSTOPPED(status));
}

static inline void server_thaw(const struct server *s)
{
    kill(s->pid, SIGCONT);
}

static inline void server_stop(struct server *s)
{
    server_kill(s);
    if (s->dir[0])
        nftw(s->dir, process_remove, 16, FTW_DEPTH | FTW_PHYS);
    memset(s, 0, sizeof *s);
}

/* ---- a loop that knows when it was held up ----
 * Time in which its thread was ready and had no processor does not count. */

struct meter {
    uv_loop_t loop;
    uv_timer_t tick;
    int schedstat;
    uint64_t last_ns, queued_ns, gap_ns;
};

/* How long this thread was ready and had no processor, all its life. */
static inline uint64_t meter_queued_ns(const struct meter *m)
{
    char text[96];
    unsigned long long queued_ns = 0;
    ssize_t len = pread(m->schedstat, text, sizeof text - 1, 0);

    text[len > 0 ? len : 0] = 0;
    sscanf(text, "%*u %llu", &queued_ns);
    return queued_ns;
}

static inline void meter_on_tick(uv_timer_t *t)
{
    struct meter *m = t->data;
    uint64_t now_ns = uv_hrtime(), queued_ns = meter_queued_ns(m);
    uint64_t passed_ns = now_ns - m->last_ns, waited_ns = queued_ns - m->queued_ns;

    if (passed_ns > waited_ns && passed_ns - waited_ns > m->gap_ns)
        m->gap_ns = passed_ns - waited_ns;
    m->last_ns = now_ns;
    m->queued_ns = queued_ns;
}

static inline void meter_reset(struct meter *m)
{
    m->last_ns = uv_hrtime();
    m->queued_ns = meter_queued_ns(m);
    m->gap_ns = 0;
}

static inline void meter_start(struct meter *m)
{
    memset(m, 0, sizeof *m);
    m->schedstat = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    assert_int_equal(uv_loop_init(&m->loop), 0);
    uv_timer_init(&m->loop, &m->tick);
    m->tick.data = m;
    meter_reset(m);
    timer_every(&m->tick, 5, meter_on_tick);
}

static inline unsigned meter_gap_ms(const struct meter *m)
{
    return (unsigned)(m->gap_ns / 1000000);
}

static inline void meter_stop(struct meter *m)
{
    uv_close((uv_handle_t *)&m->tick, NULL);
    uv_run(&m->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&m->loop), 0);
    if (m->schedstat >= 0)
        close(m->schedstat);
}

static inline unsigned ms_since(uint64_t start_ns)
{
    return (unsigned)((uv_hrtime() - start_ns) / 1000000);
}

static inline void loop_for(struct meter *m, unsigned ms)
{
    uint64_t start = uv_hrtime();

    while (ms_since(start) < ms)
        uv_run(&m->loop, UV_RUN_ONCE);
}
