/* SPDX-License-Identifier: GPL-2.0-or-later
 * Which cluster is meant, and where its monitor's socket is: from a file, a name, or because there
 * is only one. */
#pragma once

#include "base/err.h"
#include "conf/conf.h"

struct found {
    char file[4096];                 /* the configuration; "" if only a socket was found */
    char socket[4096];               /* the control socket */
    char cluster[CONF_NAME_MAX + 1]; /* "" not known */
    struct conf *conf;               /* without secrets; NULL: no file */
};

struct find_where {
    const char *file, *cluster; /* what the user said; NULL: nothing */
    const char *etc, *run;      /* "/etc/hamm" and "/run/hamm" */
    FILE *errors;               /* where all errors of a file go, a line each */
};

/* 0, or a negative errno with a sentence for the user (ctl's exit code 2; 4 for -EACCES). */
int find(struct found *out, const struct find_where *where, struct err *e) MUST_CHECK;
void find_free(struct found *f); /* repeatable */
