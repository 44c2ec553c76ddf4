/* SPDX-License-Identifier: GPL-2.0-or-later
 * Bytes as text, as RFC 4648 has it. Pure. */
#pragma once

#include "base/check.h"

#include <stddef.h>

#define BASE64_LEN(n) (((n) + 2) / 3 * 4) /* without the zero */

/* `to` has room for BASE64_LEN(n) + 1. */
void base64_encode(char *to, const unsigned char *from, size_t n);
/* The number of bytes, or -1: no such text, or more than `room`. */
long base64_decode(unsigned char *to, size_t room, const char *from) MUST_CHECK;
