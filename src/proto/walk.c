/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/walk.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

size_t walk_add(struct walk *w, const char *fmt, ...)
{
    size_t was = strlen(w->path);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(w->path + was, sizeof w->path - was, fmt, ap);
    va_end(ap);
    return was;
}

void walk_back(struct walk *w, size_t was)
{
    w->path[was] = 0;
}

int walk_no_memory(struct walk *w)
{
    return err_set(w->e, -ENOMEM, "%s: out of memory", w->path);
}

int walk_rules(const struct msg *m, int code, struct err *e)
{
    if (m->kind == MSG_ORDER && (m->order.follow == FOLLOW_SOURCE) != (m->order.source >= 0))
        return err_set(e, code, "order.source: a host with follow \"source\", and only then");
    return 0;
}
