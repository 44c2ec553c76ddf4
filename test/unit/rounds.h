/* SPDX-License-Identifier: GPL-2.0-or-later
 * How often a test repeats what takes long: sanitizers make it so slow that a tenth must do. */
#pragma once

#ifdef __SANITIZE_ADDRESS__
#define ROUNDS(n) ((n) / 10)
#else
#define ROUNDS(n) (n)
#endif
