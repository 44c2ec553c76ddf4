/* SPDX-License-Identifier: GPL-2.0-or-later
 * An expected failure: a negative errno and a sentence for the operator.
 * A function either returns the error or logs it; only the shells log. */
#pragma once

#include "base/check.h"

struct err {
    int code; /* 0: none; else a negative errno */
    char msg[512];
};

/* Sets code and sentence; returns code, so that `return err_set(e, -EINVAL, ...)` reads well. */
int err_set(struct err *e, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Puts "doing x: " in front; returns the code it had. */
int err_wrap(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
