/* SPDX-License-Identifier: GPL-2.0-or-later
 * A scenario file: a cluster, what happens when, and the story that must come out. The format is in
 * README.md. */
#pragma once

#include "foresee/foresee.h"

enum { SCENE_EVENTS = 128, SCENE_TEXT = 256 * 1024 };

struct scene {
    const char *path;
    struct foresee_conf conf;
    int source[HOSTS_MAX];
    enum { STATE_SETTLED, STATE_STORED, STATE_FRESH } state;
    bool hidden[TELL_BROKEN + 1];
    int64_t end_ms; /* -1: when nothing is going on any more */
    unsigned n;
    struct {
        int64_t at_ms;
        struct fault fault;
    } event[SCENE_EVENTS];
    size_t head; /* length of the text up to and with the line `expect` */
    bool has_expect;
    char *text; /* of the file; owned */
    char expect[SCENE_TEXT];
};

/* 0, or -EINVAL (or of reading the file) with file:line and what is wrong. scene_free afterwards in
 * both cases. */
int scene_read(struct scene *s, const char *path, struct err *e) MUST_CHECK;
void scene_free(struct scene *s);
