/* SPDX-License-Identifier: GPL-2.0-or-later
 * `hamm ctl`: asks the monitor and prints what it says. */
#pragma once

/* argv[0] is the word "ctl" (or mmm_control) itself. Returns the exit code:
 * 0 done, 1 refused or failed, 2 usage or configuration, 3 no monitor reached, 4 not authorised;
 * `status --exit-code`: 0 all well, 10 degraded, 20 no writer. */
int ctl_main(int argc, char **argv);
