/* SPDX-License-Identifier: GPL-2.0-or-later
 * Collects what is wrong with the file: by position, no more than CONF_ERRORS_MAX. */
#pragma once

#include "conf/conf.h"

#include <stdarg.h>

/* Line 0: about the whole file; only its name stands in front then. */
void errors_add(struct conf_errors *errs, const char *file, unsigned line, unsigned column,
                const char *fmt, ...) PRINTF_LIKE(5, 6);
/* Text from outside, made fit for a message: quoted, printable, cut short. */
struct errors_quoted {
    char text[80];
};
struct errors_quoted errors_quote(const char *text);
#define QUOTED(s) errors_quote(s).text
