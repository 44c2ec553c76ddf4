/* SPDX-License-Identifier: GPL-2.0-or-later
 * What each message of msg.h consists of, once. Private to proto. */
#pragma once

#include "proto/msg.h"

#include <stddef.h>

enum field_type {
    F_U64,     /* JSON integer; above INT64_MAX its decimal digits as a string */
    F_MS,      /* int64_t within +-MSG_MS_MAX: moments, durations, pids */
    F_UINT,    /* unsigned or int, 0..max */
    F_BOOL,    /*  */
    F_ENUM,    /* one of the `max` words */
    F_TEXT,    /* char[size] */
    F_HOST,    /* int: a name, or null for -1 */
    F_SLOT,    /* int: a name */
    F_SLOTSET, /* array of names */
    F_HOSTSET, /* array of indices into the message's "hosts" */
    F_TEXTS,   /* char[max][size], as many as the unsigned at n_at says */
    F_LIST,    /* structs of `size` bytes, likewise */
};

struct field {
    const char *key;
    enum field_type type;
    size_t at, size, n_at;
    unsigned max;
    const char *const *words;   /* F_ENUM */
    const struct field *fields; /* F_LIST */
};

/* By kind; each ends with a field without a key. Offsets are those of the member of struct msg. */
extern const struct field *const msg_fields[MSG_N];
