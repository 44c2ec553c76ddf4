/* SPDX-License-Identifier: GPL-2.0-or-later
 * What a change of writer leaves behind for people: what began it, how it went, what it cost. It
 * names hosts in words, for it outlives the configuration. The engine writes one and forgets it;
 * it remembers only for which of them a host that comes back will say what was lost. */
#pragma once

#include "proto/msg.h"

#include <stddef.h>

enum evidence {
    EVIDENCE_PROVEN,   /* its agent saw the server die */
    EVIDENCE_TRAPPED,  /* checks were bad for their whole trap period */
    EVIDENCE_SILENT,   /* its lease was surely over */
    EVIDENCE_OPERATOR, /* somebody said so */
    EVIDENCE_N
};
enum receipt_phase {
    PHASE_DECIDED,  /* the old writer must go; of a planned move: it was told to block writes */
    PHASE_OUT,      /* it has let go, or is surely out */
    PHASE_GATHERED, /* it is known who has most */
    PHASE_FETCHES,  /* the new one is told to fetch what a dead writer's binary log has more */
    PHASE_ORDERED,  /* the new one is told to open */
    PHASE_OPEN,     /* it says that it is, at the role's address */
    PHASE_N
};
enum lost { LOST_UNKNOWN, LOST_NONE, LOST_KNOWN, LOST_N };

enum {
    RECEIPT_GTIDS = 2048,
    SINCE_LEN = 63,
    PLAN_RECEIPTS = 4, /* at most, of one step */
};

/* A set for people: if it does not fit, it ends after a whole item with "...". */
struct receipt_set {
    uint64_t count; /* of transactions; 0: none, or as places, which can't be counted */
    char text[RECEIPT_GTIDS];
};

struct receipt {
    uint64_t number; /* 1, 2, 3, ... */
    bool later;      /* of an earlier receipt's number: only what is below `lost` is said anew */
    bool planned;
    enum evidence evidence;
    char role[NAME_LEN], from[NAME_LEN], to[NAME_LEN];
    char trigger[WHY_LEN];
    int64_t began_wall_ms;
    int64_t phase_ms[PHASE_N]; /* since then; -1 there was none */
    struct receipt_set salvaged;
    enum lost lost;
    struct receipt_set gone; /* LOST_KNOWN: exactly these; LOST_UNKNOWN: these at least */
    char why[WHY_LEN];       /* how that is known, or why it is not */
    int64_t said_wall_ms;    /* when that was */
};

/* For which receipt a former writer will say what was lost. No padding: compared as bytes. */
struct debt {
    uint64_t number;       /* 0 none */
    bool some;             /* something is known to be lost */
    char since[SINCE_LEN]; /* MariaDB: the highest number in each domain that the next writer had;
                              what is lost comes after it. "" not known */
};
_Static_assert(sizeof(struct debt) == 72, "padding");

extern const char *const evidence_names[EVIDENCE_N];   /* "proven" */
extern const char *const receipt_phase_names[PHASE_N]; /* "decided" */

/* In lines for people, without moments of the wall clock; cut at `size`. */
void engine_tell_receipt(const struct receipt *r, char *out, size_t size);
