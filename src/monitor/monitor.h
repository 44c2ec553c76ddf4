/* SPDX-License-Identifier: GPL-2.0-or-later
 * `hamm monitor`: the daemon that watches clusters and decides their roles. */
#pragma once

/* argv[0] is the command word ("monitor"), as in a main of its own. Returns the exit code: 0 ended
 * by SIGTERM or SIGINT, 1 could not start or end properly (said on stderr), 2 usage or
 * configuration. */
int monitor_main(int argc, char **argv);
