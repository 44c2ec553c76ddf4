-- SPDX-License-Identifier: GPL-2.0-or-later
-- Accounts of hamm on MySQL 8.0 and later. Run this once on the writer; replication takes it to the
-- others. Put your own passwords in, and your network instead of '%' (10.77.0.%).

-- The monitor reads states and GTIDs and changes nothing.
CREATE USER IF NOT EXISTS hamm_monitor@'%'
    IDENTIFIED WITH caching_sha2_password BY 'CHANGE-ME-monitor';
GRANT REPLICATION CLIENT ON *.* TO hamm_monitor@'%';

-- The agent, on the server's own host: super_read_only, replication, ending client connections.
-- CONNECTION_ADMIN also lets it in when max_connections is used up; without SYSTEM_USER it could
-- not end the connections of root, and no server with one could be closed for writes.
CREATE USER IF NOT EXISTS hamm_agent@'%'
    IDENTIFIED WITH caching_sha2_password BY 'CHANGE-ME-agent';
-- REPLICATION SLAVE: it looks into binary and relay logs (SHOW BINLOG EVENTS) where that decides.
GRANT REPLICATION CLIENT, REPLICATION SLAVE, PROCESS, RELOAD ON *.* TO hamm_agent@'%';
GRANT CONNECTION_ADMIN, SYSTEM_USER, SYSTEM_VARIABLES_ADMIN, REPLICATION_SLAVE_ADMIN
    ON *.* TO hamm_agent@'%';
-- So that following another source keeps the heartbeat period that was set.
GRANT SELECT ON performance_schema.replication_connection_configuration TO hamm_agent@'%';

-- Before a planned move it looks who holds locks, and names them; before replication is stopped,
-- whether the applier waits for the rest of a transaction, which it would do for a minute.
GRANT SELECT ON performance_schema.metadata_locks TO hamm_agent@'%';
GRANT SELECT ON performance_schema.replication_applier_status_by_coordinator TO hamm_agent@'%';
GRANT SELECT ON performance_schema.threads TO hamm_agent@'%';

-- What replicas log in with at their source.
CREATE USER IF NOT EXISTS hamm_repl@'%'
    IDENTIFIED WITH caching_sha2_password BY 'CHANGE-ME-repl';
GRANT REPLICATION SLAVE ON *.* TO hamm_repl@'%';
