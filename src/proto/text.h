/* SPDX-License-Identifier: GPL-2.0-or-later
 * Text fit for JSON and for a terminal. Private to proto. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Replaces, in place, what must not travel by '?'; false: there was nothing to replace. */
bool text_clean(char *text, size_t len);
