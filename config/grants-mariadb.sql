-- SPDX-License-Identifier: GPL-2.0-or-later
-- Accounts of hamm on MariaDB 10.5 and later. Run this once on the writer; replication takes it
-- to the others. Put your own passwords in, and your network instead of '%' (10.77.0.%).

-- The monitor reads states and GTIDs and changes nothing.
CREATE USER IF NOT EXISTS hamm_monitor@'%' IDENTIFIED BY 'CHANGE-ME-monitor';
GRANT SLAVE MONITOR, BINLOG MONITOR ON *.* TO hamm_monitor@'%';

-- The agent, on the server's own host: read_only, replication, ending client connections.
-- CONNECTION ADMIN also lets it in when max_connections is used up.
CREATE USER IF NOT EXISTS hamm_agent@'%' IDENTIFIED BY 'CHANGE-ME-agent';
GRANT SLAVE MONITOR, BINLOG MONITOR, BINLOG ADMIN, READ_ONLY ADMIN, CONNECTION ADMIN,
      REPLICATION SLAVE ADMIN, REPLICATION MASTER ADMIN, PROCESS, RELOAD ON *.* TO hamm_agent@'%';

-- What replicas log in with at their source.
CREATE USER IF NOT EXISTS hamm_repl@'%' IDENTIFIED BY 'CHANGE-ME-repl';
GRANT REPLICATION SLAVE ON *.* TO hamm_repl@'%';
