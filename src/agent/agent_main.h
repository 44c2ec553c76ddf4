/* SPDX-License-Identifier: GPL-2.0-or-later
 * `hamm agent`: the daemon on a database's host. */
#pragma once

/* argv[0] is the command word ("agent"), as in a main of its own. Returns the exit code: 0 ended by
 * SIGTERM or SIGINT, 1 could not start or end properly (said on stderr), 2 usage or configuration.
 */
int agent_main(int argc, char **argv);
