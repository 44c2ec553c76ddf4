/* SPDX-License-Identifier: GPL-2.0-or-later
 * CHECK: a bug in hamm itself, on in release builds too. Never for input from outside. */
#pragma once

_Noreturn void check_failed(const char *file, int line, const char *what);

#define CHECK(x)          ((x) ? (void)0 : check_failed(__FILE__, __LINE__, #x))
#define MUST_CHECK        __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define ARRAY_LEN(a)      (sizeof(a) / sizeof((a)[0]))
