/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "loop/closer.h"

#include "base/check.h"

void closer_add(struct closer *c)
{
    c->open++;
}

void closer_sub(struct closer *c)
{
    CHECK(c->open > 0);
    if (--c->open == 0 && c->closing)
        c->done(c);
}

static void closer_on_close(uv_handle_t *h)
{
    closer_sub(h->data);
}

void closer_handle(struct closer *c, uv_handle_t *h)
{
    h->data = c;
    uv_close(h, closer_on_close);
}

void closer_end(struct closer *c, void (*done)(struct closer *c))
{
    CHECK(!c->closing);
    c->closing = true;
    c->done = done;
    if (c->open == 0)
        c->done(c);
}
