/* SPDX-License-Identifier: GPL-2.0-or-later
 * What a monitor says about its cluster: a struct engine becomes text. Pure; changes nothing.
 * The JSON is schema 1 of the design: fields are added, never changed.
 *
 * Texts are the caller's to free(); NULL only when memory ran out. */
#pragma once

#include "base/check.h"
#include "engine/engine.h"

struct conf;

/* What people want to see and the engine doesn't need: addresses, what is wrong with the monitor
 * itself. */
struct status_conf {
    char cluster[NAME_LEN];
    char trouble[WHY_LEN]; /* a sentence; "" none */
    char address[HOSTS_MAX][ADDR_LEN];
    unsigned port[HOSTS_MAX]; /* of mysqld */
    struct {
        unsigned n;
        char (*ip)[ADDR_LEN]; /* owned: "10.77.0.100/24" */
    } slot[SLOTS_MAX];
};

/* From the configuration; hosts and slots stand in its order (conf/slot.h). 0 or -ENOMEM. */
int status_conf_init(struct status_conf *s, const struct conf *c) MUST_CHECK;
void status_conf_free(struct status_conf *s); /* repeatable */

/* One JSON object, compact, no newline. hosts[].gtid is the last one known, also of a host whose
 * agent is down; read_only and source are null then: they may have changed. Besides the fields of
 * the design: time, health, why (sentences), reigning, passive_why, writer (a host known to be open
 * for writes, or null), active_master_role, move; of a host receiver ("yes", "connecting" or "no")
 * and applier of its source, gate, mysqld, mysqld_why, problem, extra_gtid, flapping, barred (why
 * it is never the writer by itself), semi_sync (an object; null: not known); cannot_follow
 * (without GTID: why it cannot follow the writer; absent if nothing is known); quarantine (file, a
 * path on that host with what is extra_gtid, or null and why; absent if there is nothing to keep or
 * it is not done yet); tail (of a server that died as the writer, what its agent made of its binary
 * log: state, "reading", "ready" or "failed", and then why); of a role held (its agent says so),
 * waiting (what it waits for). */
char *status_json(const struct engine *e, const struct status_conf *s) MUST_CHECK;
/* MMM's `show`, byte for byte. */
char *status_show(const struct engine *e, const struct status_conf *s) MUST_CHECK;
/* MMM's `checks`; host -1: all; check -1: all. */
char *status_checks(const struct engine *e, int host, int check) MUST_CHECK;
char *status_checks_json(const struct engine *e, int host, int check) MUST_CHECK;

struct buf;
struct ring_event;
/* Adds one line (with its newline) for `events`; as JSON {time, level, host|null, text}. */
void status_event(struct buf *b, const struct engine *e, const struct ring_event *ev, bool json);

enum health { HEALTH_OK, HEALTH_DEGRADED, HEALTH_NO_WRITER };
extern const char *const health_names[3]; /* "ok", "degraded", "no_writer" */
enum health status_health(const struct engine *e, const struct status_conf *s);

enum { RFC3339_LEN = 32 };
/* "2026-03-01T12:00:00.250Z" */
const char *status_time(char to[RFC3339_LEN], int64_t wall_ms);
