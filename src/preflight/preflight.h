/* SPDX-License-Identifier: GPL-2.0-or-later
 * `hamm preflight`: asks every server of the cluster what hamm needs of it, and this machine about
 * the role addresses, and says what to mend. Changes nothing anywhere. */
#pragma once

extern const char preflight_help[];

/* argv[0] is the command word. Returns the exit code: 0 nothing failed, 1 something did, 2 usage or
 * configuration. */
int preflight_main(int argc, char **argv);
