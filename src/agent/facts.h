/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the server said, in the words of the agent's rules. Pure. */
#pragma once

#include "agent/mydb.h"
#include "base/err.h"
#include "conf/conf.h"
#include "engine/agent.h"

/* Every byte of *to is set, so that equal facts compare equal. problem: "" or why something is
 * missing in it, for the report. */
void agentd_facts_of(const struct conf *c, const struct mydb_facts *from, struct agent_facts *to,
                     char problem[PROBLEM_LEN]);

/* Everything executed, as one text: on MariaDB the binary log's state together with what was only
 * applied (log_slave_updates off), on MySQL the set without its line breaks. */
int agentd_gtid_executed(bool mariadb, const char *state, const char *slave_pos, char *to,
                         size_t size, struct err *e) MUST_CHECK;

/* What is to be waited for so that `reach`, a set as agents report it, is applied by a server that
 * executed `own`. MySQL: the set itself. MariaDB waits for a position: of each domain in which
 * something is missing the highest number; "" if nothing is. */
int agentd_gtid_reach(bool mariadb, const char *reach, const char *own, char *to, size_t size,
                      struct err *e) MUST_CHECK;

/* Index of the host that replicas know by this address and port; -1 nobody or a stranger. */
int agentd_source_of(const struct conf *c, const char *host, unsigned port);
