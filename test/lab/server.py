# SPDX-License-Identifier: GPL-2.0-or-later
"""Database servers: a data directory made once, copied for every host."""
import os
import subprocess

import pymysql

FLAVOURS = ('mariadb',)
GRANTS = os.path.join(os.path.dirname(__file__), '..', '..', 'config', 'grants-mariadb.sql')
SOCKET = '/run/mysqld/mysqld.sock'
PASSWORDS = {'monitor': 'lab-monitor', 'agent': 'lab-agent', 'repl': 'lab-repl', 'app': 'lab-app'}

CONFIG = '''[mariadbd]
user = root
datadir = {data}
socket = {socket}
pid_file = /run/mysqld/mysqld.pid
port = 3306
server_id = {id}
report_host = {address}
log_bin = bin
log_slave_updates = 1
gtid_strict_mode = 1
gtid_domain_id = 0
sync_binlog = 1
innodb_flush_log_at_trx_commit = 1
innodb_buffer_pool_size = 16M
innodb_log_file_size = 8M
innodb_log_buffer_size = 2M
key_buffer_size = 1M
aria_pagecache_buffer_size = 1M
max_connections = 100
skip_name_resolve = 1
slave_net_timeout = 4
performance_schema = 0
read_only = 1
{extra}
'''


def make_template(directory):
    """A data directory with the accounts of config/grants-mariadb.sql and an application's."""
    made = subprocess.run(
        ['mariadb-install-db', '--no-defaults', '--user=root', f'--datadir={directory}',
         '--auth-root-authentication-method=socket', '--auth-root-socket-user=root',
         '--skip-test-db', '--skip-name-resolve', '--force', '--innodb-log-file-size=8M',
         '--innodb-buffer-pool-size=16M'],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if made.returncode:
        raise RuntimeError(f'mariadb-install-db: {made.stdout}')
    with open(GRANTS) as f:
        grants = f.read()
    for name in ('monitor', 'agent', 'repl'):
        grants = grants.replace(f'CHANGE-ME-{name}', PASSWORDS[name])
    grants = 'FLUSH PRIVILEGES;\n' + grants + f'''
CREATE USER app@'%' IDENTIFIED BY '{PASSWORDS["app"]}';
GRANT SELECT, INSERT, UPDATE, DELETE ON app.* TO app@'%';
'''
    # --bootstrap wants one statement a line and no comments
    lines = (line.split('--')[0].strip() for line in grants.splitlines())
    statements = ' '.join(line for line in lines if line).replace(';', ';\n')
    made = subprocess.run(
        ['mariadbd', '--no-defaults', '--user=root', f'--datadir={directory}', '--bootstrap',
         '--innodb-log-file-size=8M', '--innodb-buffer-pool-size=16M'],
        input=statements, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if made.returncode or 'ERROR' in made.stdout:
        raise RuntimeError(f'accounts of config/grants-mariadb.sql: {made.stdout}')


def connect(socket, timeout=5):
    """As root by the host's socket; the network has no part in it."""
    return pymysql.connect(unix_socket=socket, user='root', autocommit=True,
                           connect_timeout=timeout, read_timeout=timeout, write_timeout=timeout)


def query(socket, statement, timeout=5):
    """All rows of one statement, as dicts."""
    connection = connect(socket, timeout)
    try:
        with connection.cursor(pymysql.cursors.DictCursor) as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())
    finally:
        connection.close()
