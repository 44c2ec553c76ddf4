/* SPDX-License-Identifier: GPL-2.0-or-later
 * What one call of engine_step was given and what came out, as bytes and back. Pure. Used by the
 * recorder (record.h), which writes, and by `hamm replay`, which reads and compares.
 *
 * A step is an event and its outcome. Structs travel as they lie in memory, without their zeroes:
 * what is read back is the same to the byte, padding included, and the engine may change without
 * a word here. A report travels as what differs from the last one of that host, moments as what
 * differs from the step before. So one side must see every step the other one saw, from
 * record_code_begin on. */
#pragma once

#include "base/buf.h"
#include "engine/engine.h"

#include <stddef.h>

/* Why a section begins. */
enum record_why { RECORD_STARTED, RECORD_ROTATED, RECORD_RESUMED, RECORD_WHY_N };

enum {
    RECORD_TEXT_MAX = 4096, /* a longer text of an event is cut; the engine keeps less of it */
    RECORD_DIGEST_EVERY = 64,
};

#define RECORD_MS_MAX ((int64_t)1 << 50) /* as in proto/codec.h */

/* One direction at a time: `out` is written to, or, where it is NULL, `at` is read up to `end`. */
struct record_code {
    struct buf *out;
    const uint8_t *at, *end;
    bool bad; /* what was read is nothing that was written; all that is read from now on is zero */
    int64_t now, wall;
    unsigned steps;
    struct msg_report *report; /* HOSTS_MAX of them, owned */
    struct buf outcome;        /* room to work in */
};

/* An event with all it points to. */
struct record_input {
    struct engine_event ev;
    struct engine_durable durable;
    struct msg_hello hello;
    struct msg_report report;
    struct msg_lease lease;
    struct msg_refusal refusal;
    char text[RECORD_TEXT_MAX];
};

int record_code_init(struct record_code *c) MUST_CHECK; /* 0 or -ENOMEM */
void record_code_free(struct record_code *c);           /* repeatable */

/* A section begins: everything is said anew, and first of all the whole engine. */
void record_code_begin(struct record_code *c, enum record_why why, int64_t wall_ms,
                       const struct engine *e);
/* The other side of it; false: it is not one. Whether *e may be stepped is another question
 * (replay_sound.h). */
bool record_code_open(struct record_code *c, enum record_why *why, int64_t *wall_ms,
                      struct engine *e);

/* One step: the event, and the engine and the plan as engine_step left them. */
void record_code_step(struct record_code *c, const struct engine_event *ev, const struct engine *e,
                      const struct plan *p);

/* Reads the next event; false: there is none, or c->bad. in->ev points into *in. Bounds of all
 * that the engine takes for granted are looked at, except of messages (replay_run.c asks proto). */
bool record_code_input(struct record_code *c, const struct engine *e, struct record_input *in);
/* Then its outcome: the bytes, valid as long as those that are read. */
bool record_code_outcome(struct record_code *c, const uint8_t **bytes, size_t *len);
/* The outcome of the same step here, to compare with: adds those bytes to `out`. */
void record_code_compare(struct record_code *c, const struct engine *e, const struct plan *p,
                         struct buf *out);
/* An outcome in words, one line for each action: what is known of it from the bytes. */
void record_code_words(const uint8_t *bytes, size_t len, const struct names *names, struct buf *to);

const char *record_action_name(enum action_kind kind); /* "order" */
