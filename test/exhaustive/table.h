/* SPDX-License-Identifier: GPL-2.0-or-later
 * The tables that perform plans: how many kinds of action have no row. */
#pragma once

#include <stdio.h>

unsigned table_agent(void);
unsigned table_monitor(void);
