/* SPDX-License-Identifier: GPL-2.0-or-later
 * `hamm replay`: what a monitor recorded runs through the engine again. */
#pragma once

extern const char replay_help[];

/* argv[0] is the command word. Exit code: 0 all as recorded, 1 a difference or a recording that
 * can't be read, 2 wrongly called. */
int replay_main(int argc, char **argv);
