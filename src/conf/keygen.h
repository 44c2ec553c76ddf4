/* SPDX-License-Identifier: GPL-2.0-or-later
 * `hamm keygen`: a new cluster key from the kernel's random numbers, on stdout. */
#pragma once

/* argv[0] is the command word. Returns the exit code: 0 done, 1 failed, 2 wrongly called. */
int keygen_main(int argc, char **argv);
