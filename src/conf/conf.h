/* SPDX-License-Identifier: GPL-2.0-or-later
 * cluster.yaml as plain C: every default filled in, every name resolved to an index, every rule
 * between settings checked. Pure: no clock, no sockets; conf_load reads files and the environment,
 * conf_parse nothing but the text it is given.
 *
 * Everything a struct conf points to belongs to it and lives until conf_free, which wipes it (it
 * holds secrets). Texts are never NULL unless said so. Durations are milliseconds. Hosts, roles and
 * monitors stand in the order of the file. */
#pragma once

#include "base/check.h"

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CONF_NONE (~0u) /* an index that names nobody */

enum {
    CONF_TEXT_MAX = 1 << 20, /* bytes of cluster.yaml */
    CONF_HOSTS_MAX = 1000,
    CONF_ROLES_MAX = 64,
    CONF_IPS_MAX = 1024, /* addresses of one role */
    CONF_NAME_MAX = 32,  /* bytes of the name of a cluster, host, role, monitor */
    CONF_MONITORS_MAX = 5,
    CONF_KEYS_MAX = 4,
    CONF_KEY_LEN = 32,
    CONF_ERRORS_MAX = 100,
};

/* ---- errors and warnings ---- */

struct conf_error {
    unsigned line, column; /* from 1; 0: about the file as a whole */
    char *text;            /* "cluster.yaml:7:3: roles.writer.prefer: ...", no newline; owned */
};

/* A list of them, by position. Zeroed is ready; conf_errors_free may be repeated. */
struct conf_errors {
    struct conf_error at[CONF_ERRORS_MAX];
    size_t n;
    size_t more; /* found, but later in the file than the ones kept */
};

/* One line each, and one that counts those left out. */
void conf_errors_write(const struct conf_errors *errs, FILE *to);
void conf_errors_free(struct conf_errors *errs);

/* ---- the settings ---- */

enum conf_tls_mode {
    CONF_TLS_DISABLED,
    CONF_TLS_PREFERRED,
    CONF_TLS_REQUIRED,
    CONF_TLS_VERIFY,
    CONF_TLS_AUTO /* only inside the parser */
};
enum conf_gtid { CONF_GTID_AUTO, CONF_GTID_ON, CONF_GTID_OFF };
enum conf_host_mode { CONF_HOST_MASTER, CONF_HOST_REPLICA };
enum conf_role_mode { CONF_ROLE_EXCLUSIVE, CONF_ROLE_BALANCED };
/* Who holds the addresses of a balanced role when none of its hosts is fit: the host of the active
 * master role, the hosts that have them now, or nobody. */
enum conf_last_resort { CONF_LAST_WRITER, CONF_LAST_KEEP, CONF_LAST_NONE };
enum conf_mode { CONF_MODE_ACTIVE, CONF_MODE_MANUAL, CONF_MODE_PASSIVE, CONF_MODE_WAIT };
enum conf_gate { CONF_GATE_AUTO, CONF_GATE_NFT, CONF_GATE_LIFETIME };
enum conf_loss { CONF_LOSS_PROMISE, CONF_LOSS_KEEP, CONF_LOSS_FENCE };
enum conf_data_loss { CONF_DATA_NEVER, CONF_DATA_SALVAGE, CONF_DATA_ALLOW };
enum conf_check {
    CONF_CHECK_PING,
    CONF_CHECK_MYSQL,
    CONF_CHECK_REP_THREADS,
    CONF_CHECK_REP_BACKLOG,
    CONF_CHECK_N
};

/* A numeric address; hamm resolves no names. Zeroed: none. */
struct conf_addr {
    int family;                  /* AF_INET, AF_INET6 or 0 */
    uint8_t at[16];              /* network order; IPv4 uses the first 4 */
    char text[INET6_ADDRSTRLEN]; /* as inet_ntop writes it */
};

struct conf_ip {
    struct conf_addr addr;
    unsigned prefix;          /* length in bits */
    char interface[IFNAMSIZ]; /* "": the interface of the host that holds it */
};

struct conf_user {
    const char *user;
    const char *password; /* NULL if that secret was not asked for (conf_load_for, conf_parse) */
};

struct conf_tls {
    enum conf_tls_mode mode;
    const char *ca, *cert, *key; /* paths; "" if not given */
};

struct conf_replication {
    struct conf_user login;
    const char *channel;    /* "": the default one */
    enum conf_tls_mode tls; /* ca, cert and key are those of conf_mysql.tls */
    enum conf_gtid gtid;
};

struct conf_mysql {
    uint16_t port;
    const char *socket; /* "": none, use the address and the port */
    struct conf_user monitor, agent;
    struct conf_replication replication;
    struct conf_tls tls;
};

struct conf_monitor {
    const char *name;
    struct conf_addr address;
    uint16_t port;
};

struct conf_host {
    const char *name;
    struct conf_addr address;
    struct conf_addr replication_address; /* where others replicate from; address if not given */
    uint16_t agent_port;
    char interface[IFNAMSIZ]; /* "": the one that carries `address` (auto) */
    enum conf_host_mode mode;
    unsigned peer;           /* host index; CONF_NONE for replicas and for the only master */
    struct conf_mysql mysql; /* the defaults with this host's own settings on top */
};

struct conf_failover {
    enum conf_mode mode;
    int64_t lease_ms;
    enum conf_gate gate;
    int64_t on_crash_ms; /* 0: fail over at once; else how long mysqld may take to come back */
    enum conf_loss on_monitor_loss;
    int64_t auto_set_online_ms; /* 0: an operator does it */
    unsigned flap_count;        /* 0: flapping is not looked for */
    int64_t flap_duration_ms;
    int64_t wait_for_other_master_ms; /* 0: for ever */
    bool careful_startup;
    int64_t catch_up_timeout_ms;
    int64_t switchover_budget_ms;
    enum conf_data_loss data_loss;
    int64_t salvage_timeout_ms;
    bool kill_hung_mysqld;
    const struct conf_addr *ping_ips;
    size_t n_ping_ips;
    const char *kill_host; /* "": none */
};

struct conf_role {
    const char *name;
    enum conf_role_mode mode;
    const unsigned *hosts; /* host indices, in the order of the file */
    size_t n_hosts;
    const struct conf_ip *ips;
    size_t n_ips;
    unsigned prefer;                   /* host index or CONF_NONE */
    enum conf_last_resort last_resort; /* balanced roles only */
    const char *const *vip_command;    /* NULL-terminated argv; NULL: hamm does it itself */
    struct conf_failover failover;     /* the cluster's with this role's own settings on top */
};

struct conf_check_times {
    int64_t period_ms, trap_period_ms, timeout_ms;
};

struct conf {
    const char *path; /* the file, as it was given */
    const char *cluster;
    uint8_t keys[CONF_KEYS_MAX][CONF_KEY_LEN]; /* [0] is the one to offer, all are accepted */
    size_t n_keys;                             /* 0 if the key was not asked for */
    struct conf_monitor *monitors;
    size_t n_monitors;
    struct conf_host *hosts;
    size_t n_hosts;
    struct conf_role *roles;
    size_t n_roles;
    unsigned active_master_role; /* role index */
    struct conf_check_times checks[CONF_CHECK_N];
    int64_t max_backlog_ms; /* of rep_backlog */
    struct conf_failover failover;
    const char *state_dir;
    const char *control_socket;
    struct conf_addr http_listen; /* family 0: no HTTP */
    uint16_t http_port;
    struct conf_errors warnings; /* accepted, but not acted on by this version; print them */
    struct pool *memory;         /* private */
};

/* ---- reading ---- */

/* Which secrets a program needs: the others' files are not touched, so that a database host need
 * not have the monitor's password. */
enum conf_secrets {
    CONF_SECRET_KEY = 1,         /* key_file */
    CONF_SECRET_MONITOR = 2,     /* the password of mysql.monitor */
    CONF_SECRET_AGENT = 4,       /* of mysql.agent */
    CONF_SECRET_REPLICATION = 8, /* of mysql.replication */
    CONF_SECRET_ALL = 15
};

/* Reads the file and the secrets it names. 0, or -EINVAL (or the errno of opening it) with all
 * errors of the file in `errs`; *out is then untouched. `errs` must be zeroed or freed before. */
int conf_load(struct conf **out, const char *path, struct conf_errors *errs) MUST_CHECK;
int conf_load_for(struct conf **out, const char *path, unsigned secrets,
                  struct conf_errors *errs) MUST_CHECK;
/* The same from memory, without secrets: `name` stands in the messages and its folder is where
 * relative paths start. */
int conf_parse(struct conf **out, const char *text, size_t len, const char *name,
               struct conf_errors *errs) MUST_CHECK;
/* Wipes and frees; NULL is fine. */
void conf_free(struct conf *c);

/* Index of the thing of that name, or CONF_NONE. */
unsigned conf_host_find(const struct conf *c, const char *name);
unsigned conf_role_find(const struct conf *c, const char *name);
unsigned conf_monitor_find(const struct conf *c, const char *name);

/* The words of the file for the values above. */
const char *conf_check_name(enum conf_check check);
const char *conf_host_mode_name(enum conf_host_mode mode);
const char *conf_role_mode_name(enum conf_role_mode mode);
const char *conf_mode_name(enum conf_mode mode);
