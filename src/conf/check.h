/* SPDX-License-Identifier: GPL-2.0-or-later
 * `hamm check`: whether a configuration is right, without asking any other machine. */
#pragma once

/* argv[0] is the command word. Returns the exit code: 0 right, 2 not right or wrongly called. */
int check_main(int argc, char **argv);
