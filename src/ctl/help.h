/* SPDX-License-Identifier: GPL-2.0-or-later
 * The help of `hamm ctl`, printed from the table of commands. */
#pragma once

#include <stdio.h>

void help_all(FILE *to);
/* Of that command alone; of all, if there is none by that name. */
void help_command(FILE *to, const char *name);
