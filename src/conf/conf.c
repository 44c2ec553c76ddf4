/* SPDX-License-Identifier: GPL-2.0-or-later
 * The file as a whole: its topmost keys, and the order in which its parts are read. */
#include "conf/conf.h"
#include "conf/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void conf_cluster(struct reader *r, const struct tree *t, void *to);
static void conf_key_files(struct reader *r, const struct tree *t, void *to);
static void conf_monitors(struct reader *r, const struct tree *t, void *to);
static void conf_listen(struct reader *r, const struct tree *t, void *to);

enum { LEAST_MS = 50, MOST_MS = 3600 * 1000, SOCKET_PATH_MAX = sizeof(struct sockaddr_un) - 3 };

#define AT(field) offsetof(struct conf, field)
#define TIMES(check, period, trap, timeout)                                                        \
    {"period",         SETTING_MS,      AT(checks[check].period_ms),                               \
     .preset = period, .min = LEAST_MS, .max = MOST_MS},                                           \
        {"trap_period",  SETTING_MS,      AT(checks[check].trap_period_ms),                        \
         .preset = trap, .min = LEAST_MS, .max = MOST_MS},                                         \
    {                                                                                              \
        "timeout", SETTING_MS, AT(checks[check].timeout_ms), .preset = timeout, .min = LEAST_MS,   \
                                                             .max = MOST_MS                        \
    }

static const struct setting conf_ping[] = {TIMES(CONF_CHECK_PING, "250ms", "1s", "500ms"), {0}};
static const struct setting conf_mysql[] = {TIMES(CONF_CHECK_MYSQL, "500ms", "2s", "1s"), {0}};
static const struct setting conf_rep_threads[] = {
    TIMES(CONF_CHECK_REP_THREADS, "1s", "5s", "1s"),
    {0},
};
static const struct setting conf_rep_backlog[] = {
    TIMES(CONF_CHECK_REP_BACKLOG, "1s", "5s", "1s"),
    {"max_backlog", SETTING_MS, AT(max_backlog_ms), .preset = "60s", .min = 1000,
     .max = 24 * MOST_MS},
    {0},
};
static const struct setting conf_checks[] = {
    {"ping", SETTING_MAP, 0, .sub = conf_ping},
    {"mysql", SETTING_MAP, 0, .sub = conf_mysql},
    {"rep_threads", SETTING_MAP, 0, .sub = conf_rep_threads},
    {"rep_backlog", SETTING_MAP, 0, .sub = conf_rep_backlog},
    {0},
};
static const struct setting conf_http[] = {
    {"listen", SETTING_CALL, 0, .call = conf_listen, .must = "listen: \"127.0.0.1:9990\""},
    {0},
};
static const struct setting conf_file[] = {
    {"cluster", SETTING_CALL, 0, .call = conf_cluster, .must = "cluster: shop"},
    {"key_file", SETTING_CALL, 0, .call = conf_key_files,
     .must = "key_file: cluster.key, made with \"hamm keygen\""},
    {"monitors", SETTING_CALL, 0, .call = conf_monitors,
     .must = "monitors: { mon1: { address: 10.77.0.1 } }"},
    {"mysql", .kind = SETTING_LATER},
    {"hosts", SETTING_LATER,
     .must = "hosts: { db1: { address: 10.77.0.11, mode: master, peer: db2 }, ... }"},
    {"roles", SETTING_LATER,
     .must = "roles: { writer: { mode: exclusive, hosts: [db1, db2], ips: [10.77.0.100/24] } }"},
    {"active_master_role", SETTING_LATER,
     .must = "active_master_role: writer (the role that means \"writable\")"},
    {"checks", SETTING_MAP, 0, .sub = conf_checks},
    {"failover", SETTING_MAP, AT(failover), .sub = roles_failover},
    {"state_dir", SETTING_PATH, AT(state_dir), .preset = "/var/lib/hamm", .min = 1, .max = 3900},
    {"control_socket", SETTING_PATH, AT(control_socket), .preset = NULL, .min = 1,
     .max = SOCKET_PATH_MAX},
    {"http", SETTING_MAP, 0, .sub = conf_http},
    {0},
};
#undef AT

static const struct setting conf_monitor[] = {
    {"address", SETTING_ADDR, offsetof(struct conf_monitor, address), .must = "address: 10.77.0.1"},
    {"port", SETTING_PORT, offsetof(struct conf_monitor, port), .preset = "9988"},
    {0},
};

static void conf_cluster(struct reader *r, const struct tree *t, void *to)
{
    struct conf *c = to;
    size_t len;

    if (!settings_is_text(r, t))
        return;
    len = strlen(t->text);
    if (len && len <= CONF_NAME_MAX &&
        strspn(t->text, "abcdefghijklmnopqrstuvwxyz0123456789-") == len)
        c->cluster = t->text;
    else
        settings_bad(r, t, "%s is not possible; use 1 to %d small letters, digits and -",
                     QUOTED(t->text), CONF_NAME_MAX);
}

static void conf_key_file(struct reader *r, const struct tree *t, struct conf *c)
{
    if (!settings_is_text(r, t))
        return;
    if (!*t->text)
        settings_bad(r, t, "is empty; name the file that \"hamm keygen\" made");
    else if (r->secrets & CONF_SECRET_KEY && secret_key(r, t, c->keys[c->n_keys]))
        c->n_keys++;
}

static void conf_key_files(struct reader *r, const struct tree *t, void *to)
{
    if (t->kind != TREE_LIST)
        return conf_key_file(r, t, to);
    if (!t->n || t->n > CONF_KEYS_MAX) {
        settings_bad(r, t, "%zu keys; there must be 1 to %d, the new one first", t->n,
                     CONF_KEYS_MAX);
        return;
    }
    for (const struct tree *one = t->first; one; one = one->next)
        conf_key_file(r, one, to);
}

static void conf_monitors(struct reader *r, const struct tree *t, void *to)
{
    struct conf *c = to;
    size_t i = 0;

    if (!settings_is_map(r, t))
        return;
    if (t->n % 2 == 0 || t->n > CONF_MONITORS_MAX)
        settings_bad_key(r, t, "%zu monitors; there must be one, three or five", t->n);
    c->monitors = pool_get(r->pool, t->n * sizeof *c->monitors);
    c->n_monitors = t->n;
    for (const struct tree *one = t->first; one; one = one->next, i++) {
        c->monitors[i].name = one->key;
        (void)settings_is_name(r, one, one->key);
        settings_preset(r, conf_monitor, &c->monitors[i]);
        settings_fill(r, conf_monitor, one, &c->monitors[i]);
    }
}

static void conf_listen(struct reader *r, const struct tree *t, void *to)
{
    struct conf *c = to;
    const char *colon, *start, *end;
    char addr[INET6_ADDRSTRLEN + 1] = "";
    int64_t port = 0;

    if (!settings_is_text(r, t))
        return;
    colon = strrchr(t->text, ':');
    start = t->text + (*t->text == '[');
    end = colon && start > t->text && colon > start ? colon - 1 : colon;
    if (!colon || (start > t->text && *end != ']') || end <= start ||
        (size_t)(end - start) >= sizeof addr || !settings_number(colon + 1, 65535, &port) ||
        !port || (start == t->text && memchr(start, ':', (size_t)(end - start)))) {
        settings_bad(r, t,
                     "%s is not possible; write an address and a port, such as "
                     "\"127.0.0.1:9990\" or \"[::1]:9990\"",
                     QUOTED(t->text));
        return;
    }
    memcpy(addr, start, (size_t)(end - start));
    c->http_port = (uint16_t)port;
    if (!strcmp(addr, "0.0.0.0") ||
        !strcmp(addr, "::")) { /* everywhere: right for listening only */
        c->http_listen.family = *addr == ':' ? AF_INET6 : AF_INET;
        strcpy(c->http_listen.text, addr);
    } else {
        (void)settings_addr(r, t, addr, &c->http_listen);
    }
}

/* ---- the whole ---- */

static void conf_control_socket(struct reader *r)
{
    struct conf *c = r->conf;
    char path[sizeof "/run/hamm/.sock" + CONF_NAME_MAX];

    if (c->control_socket || !c->cluster)
        return;
    snprintf(path, sizeof path, "/run/hamm/%s.sock", c->cluster);
    c->control_socket = pool_text(r->pool, path, strlen(path));
}

static void conf_fill(struct reader *r, const struct tree *root)
{
    settings_preset(r, conf_file, r->conf);
    r->conf->control_socket = NULL;
    settings_fill(r, conf_file, root, r->conf);
    conf_control_socket(r);
    servers_read(r, root);
    roles_read(r, root);
    rules_check(r, root);
    unacted_find(r, root);
}

/* mode: of the file, which may hold passwords; 0 if there is no file. */
static int conf_build(struct conf **out, const char *text, size_t len, const char *name,
                      unsigned secrets, mode_t mode, struct conf_errors *errs)
{
    struct pool *pool = pool_new();
    struct reader r = {.file = pool_text(pool, name, strlen(name)), .pool = pool, .errs = errs};
    struct tree *root = NULL;
    int rc = tree_read(&root, text, len, r.file, pool, errs);

    r.secrets = secrets;
    r.conf = pool_get(pool, sizeof *r.conf);
    r.conf->path = r.file;
    r.conf->memory = pool;
    if (root)
        conf_fill(&r, root);
    if (r.in_file && mode & 077)
        settings_bad_key(&r, r.in_file,
                         "stands in a file that others can read (mode %04o); \"chmod 600 %s\", or "
                         "use password_file",
                         (unsigned)mode & 07777, name);
    if (rc < 0 || r.n_bad) {
        conf_free(r.conf);
        return -EINVAL;
    }
    *out = r.conf;
    return 0;
}

int conf_parse(struct conf **out, const char *text, size_t len, const char *name,
               struct conf_errors *errs)
{
    if (len > CONF_TEXT_MAX) {
        errors_add(errs, name, 0, 0, "is larger than 1 MiB; is it the right file?");
        return -EINVAL;
    }
    return conf_build(out, text, len, name, 0, 0, errs);
}

static int conf_cannot(struct conf_errors *errs, const char *path, const char *why)
{
    errors_add(errs, path, 0, 0, "%s", why);
    return -EINVAL;
}

/* Never waits: pipes and devices are refused. */
static int conf_read(const char *path, char *text, size_t *len, mode_t *mode,
                     struct conf_errors *errs)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), rc = 0;
    struct stat st;
    ssize_t got = 1;

    if (fd < 0 || fstat(fd, &st) < 0) {
        rc = -errno;
        errors_add(errs, path, 0, 0, "cannot be read: %s", strerror(errno));
    } else if (!S_ISREG(st.st_mode)) {
        rc = conf_cannot(errs, path, "is not a regular file");
    } else {
        *mode = st.st_mode;
        for (*len = 0; got > 0 && *len <= CONF_TEXT_MAX; *len += got > 0 ? (size_t)got : 0)
            got = read(fd, text + *len, CONF_TEXT_MAX + 1 - *len);
        if (got < 0) {
            rc = -errno;
            errors_add(errs, path, 0, 0, "cannot be read: %s", strerror(errno));
        } else if (*len > CONF_TEXT_MAX) {
            rc = conf_cannot(errs, path, "is larger than 1 MiB; is it the right file?");
        }
    }
    if (fd >= 0)
        close(fd);
    return rc;
}

int conf_load_for(struct conf **out, const char *path, unsigned secrets, struct conf_errors *errs)
{
    char *text = malloc(CONF_TEXT_MAX + 1);
    size_t len = 0;
    mode_t mode = 0;
    int rc;

    CHECK(text);
    rc = conf_read(path, text, &len, &mode, errs);
    if (!rc)
        rc = conf_build(out, text, len, path, secrets, mode, errs);
    explicit_bzero(text, len);
    free(text);
    return rc;
}

int conf_load(struct conf **out, const char *path, struct conf_errors *errs)
{
    return conf_load_for(out, path, CONF_SECRET_ALL, errs);
}

void conf_free(struct conf *c)
{
    if (!c)
        return;
    conf_errors_free(&c->warnings);
    pool_free(c->memory);
}

/* ---- looking things up ---- */

unsigned conf_host_find(const struct conf *c, const char *name)
{
    for (size_t i = 0; i < c->n_hosts; i++)
        if (!strcmp(c->hosts[i].name, name))
            return (unsigned)i;
    return CONF_NONE;
}

unsigned conf_role_find(const struct conf *c, const char *name)
{
    for (size_t i = 0; i < c->n_roles; i++)
        if (!strcmp(c->roles[i].name, name))
            return (unsigned)i;
    return CONF_NONE;
}

unsigned conf_monitor_find(const struct conf *c, const char *name)
{
    for (size_t i = 0; i < c->n_monitors; i++)
        if (!strcmp(c->monitors[i].name, name))
            return (unsigned)i;
    return CONF_NONE;
}

const char *conf_check_name(enum conf_check check)
{
    CHECK(check < CONF_CHECK_N);
    return conf_checks[check].key;
}

const char *conf_host_mode_name(enum conf_host_mode mode)
{
    return mode == CONF_HOST_MASTER ? "master" : "replica";
}

const char *conf_role_mode_name(enum conf_role_mode mode)
{
    return mode == CONF_ROLE_EXCLUSIVE ? "exclusive" : "balanced";
}

const char *conf_mode_name(enum conf_mode mode)
{
    static const char *const names[] = {"active", "manual", "passive", "wait"};

    CHECK(mode < ARRAY_LEN(names));
    return names[mode];
}
