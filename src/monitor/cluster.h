/* SPDX-License-Identifier: GPL-2.0-or-later
 * The shell around the engine, one for each cluster. What happens in the world becomes an event,
 * cluster_feed gives it to engine_step and has the plan performed; nothing here decides.
 *
 *   agents.c  connections to agents     checks.c  ping, mysql, replication
 *   state.c   journal                   control.c what hamm ctl asks (monitor/control.h)
 *   kill.c    kill_host (monitor/kill.h)
 */
#pragma once

#include "base/log.h"
#include "conf/conf.h"
#include "conf/slot.h"
#include "engine/engine.h"
#include "journal/journal.h"
#include "loop/closer.h"
#include "monitor/control.h"
#include "monitor/kill.h"
#include "monitor/network.h"
#include "monitor/receipts.h"
#include "monitor/record.h"
#include "monitor/ring.h"
#include "monitor/status.h"
#include "monitor/whatif.h"
#include "mysql/db.h"
#include "net/icmp.h"
#include "net/peer.h"
#include "proto/codec.h"

#include <uv.h>

enum { HELD_MAX = 512, APPENDED_MAX = 64 };

struct cluster;

enum wire_state { WIRE_PAUSE, WIRE_CONNECTING, WIRE_HELLO, WIRE_UP, WIRE_CLOSING };

/* The connection to one agent. */
struct wire {
    struct cluster *c;
    int host;
    enum wire_state state;
    bool linked; /* so the engine was told */
    struct peer *peer;
    int64_t since_ms; /* of the state */
    int64_t pause_ms;
    struct log_limit limit;
};

/* The checks of one host. */
struct watcher {
    struct cluster *c;
    int host;
    uv_timer_t ping, mysql;
    bool ping_started, mysql_started;
    struct sockaddr_storage address;
    int64_t ping_first_ms, ping_heard_ms;
    char ping_trouble[WHY_LEN];
    struct db *db;
    int64_t mysql_due_ms, rep_due_ms;
};

/* An action that waits for the journal. */
struct held {
    struct action action;
    struct msg_grant grant;
};

struct cluster {
    struct log_who log;
    uv_loop_t *loop;
    struct conf *conf;
    unsigned self; /* monitor index */
    struct engine_conf engine_conf;
    struct conf_slot slot[SLOTS_MAX];
    struct status_conf status;
    struct engine engine;
    struct plan plan;
    bool busy, stopping;
    struct record *record; /* NULL: it could not be started */
    struct net_tls *tls;
    struct ring ring;
    struct receipts receipts;
    struct control *control;
    struct whatif whatif;

    struct journal *journal;
    struct engine_durable durable;
    bool durable_found, durable_bad;
    uint64_t seq;       /* of the last append */
    uint64_t seq_after; /* the number the engine gave it */
    struct {
        uint64_t seq, after;
    } appended[APPENDED_MAX]; /* the same of the ones before, at seq % APPENDED_MAX */
    uint64_t journalled;      /* everything up to this number of the engine is on disk */
    uv_timer_t journal_retry;
    struct log_limit journal_limit;
    char journal_dir[256];                                /* where it is */
    char journal_trouble[WHY_LEN], room_trouble[WHY_LEN]; /* "" none */
    uv_fs_t room;
    bool room_asked, room_full;
    int64_t room_next_ms;

    struct held *held; /* HELD_MAX of them */
    unsigned helds;

    struct icmp icmp;
    bool icmp_on;
    struct watcher watcher[HOSTS_MAX];
    struct network network; /* only if there are ping_ips */
    uv_timer_t network_timer;
    unsigned network_ips;
    struct sockaddr_storage network_ip[NETWORK_IPS_MAX];
    char network_trouble[WHY_LEN];
    struct kills kills;
    bool kills_on;
    struct wire wire[HOSTS_MAX];
    uv_timer_t wake, tick;
    int64_t ticked_ms;
    struct closer closer;
    void (*stopped)(struct cluster *c);
    struct msg in, out; /* too big for the stack */
    char frame[MSG_FRAME_MAX];
};

/* Takes the configuration over. state_dir: NULL, or instead of the configured one. */
int cluster_start(struct cluster *c, uv_loop_t *loop, struct conf *conf, unsigned self,
                  const char *state_dir, bool take_over, struct err *e) MUST_CHECK;
/* Leaves every role where it is. `stopped` comes from the loop, last. */
void cluster_stop(struct cluster *c, void (*stopped)(struct cluster *c));

/* The only caller of engine_step. The event's times are set here. */
void cluster_feed(struct cluster *c, struct engine_event *ev);
/* What waited for the journal and need not any more. */
void cluster_release(struct cluster *c);

/* setup.c */
int cluster_setup(struct cluster *c, struct err *e) MUST_CHECK;
/* What the configuration says to the world of what-if; the engine's part is the engine's own. */
void cluster_world(const struct cluster *c, struct foresee_conf *out);
void cluster_address(const struct conf_addr *a, unsigned port, struct sockaddr_storage *to);

/* state.c: struct engine_durable as JSON, by name, so that the file may change between starts */
int state_open(struct cluster *c, const char *state_dir, struct err *e) MUST_CHECK;
void state_persist(struct cluster *c, uint64_t number);
void state_tick(struct cluster *c); /* a disk that hangs, or is full, is no secret */
void state_close(struct cluster *c);
char *state_encode(const struct engine_durable *d, const struct names *names);
int state_decode(struct engine_durable *d, const struct names *names, const char *text, size_t len,
                 struct err *e) MUST_CHECK;

/* agents.c */
void agents_start(struct cluster *c);
void agents_stop(struct cluster *c);
void agents_tick(struct cluster *c);
void agents_beat(struct cluster *c, int host);
void agents_order(struct cluster *c, int host);
void agents_grant(struct cluster *c, int host, const struct msg_grant *g);

/* checks.c */
int checks_start(struct cluster *c, struct err *e) MUST_CHECK;
void checks_stop(struct cluster *c);
