/* SPDX-License-Identifier: GPL-2.0-or-later
 * Every action that a plan may have, somebody performs. */
#include "exhaustive/table.h"

int main(void)
{
    return table_agent() + table_monitor() ? 1 : 0;
}
