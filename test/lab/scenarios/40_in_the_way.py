# SPDX-License-Identifier: GPL-2.0-or-later
import contextlib
import re
import threading

import pymysql
from lab import server

OLD_S, WAIT_S = 5, 1  # transactions of that age, lock waits of that length are in the way


class Session:
    """Somebody's connection as root, in the middle of something."""

    def __init__(self, host):
        self.host = host
        self.connection = server.connect(host.socket, 120)
        self.cursor = self.connection.cursor()
        self.cursor.execute('SELECT CONNECTION_ID()')
        self.id = self.cursor.fetchone()[0]

    def sql(self, statement):
        self.cursor.execute(statement)

    def run(self, statement):
        """In a thread: it may take long."""
        def body():
            with contextlib.suppress(pymysql.MySQLError, OSError):
                self.cursor.execute(statement)
        threading.Thread(target=body, daemon=True).start()

    def end(self):
        with contextlib.suppress(pymysql.MySQLError, OSError):
            self.host.sql(f'KILL {self.id}')


def refused(lab, client, what, host, *patterns):
    """The move says so, changes nothing, and says it quickly."""
    at = lab.mark(f'{what}: move-role writer db2')
    code, text = lab.ctl('move-role', 'writer', 'db2')
    lab.mark(text)
    lab.check(code == 1, f'{what}: exit {code}: {text}')
    for pattern in (f"stays with 'db1': {host}: ", 'nothing was changed', *patterns):
        lab.check(re.search(pattern, text), f'{what}: no "{pattern}" in: {text}')
    lab.check(not lab.when('db1', 'server: read_only=1', at), f'{what}: db1 was closed for writes')
    lab.check(lab.writer() == 'db1', f'{what}: db1 is not the writer any more')


def free(lab, client):
    """Nothing is in the way any more, and writes flow."""
    client.wait_acked(20, 10, server='db1')
    lab.wait_until(lambda: lab.host('db2').follows('db1') and not client.lost('db2'), 20,
                   'db2 has caught up', lab.status_text)


def change_rights(host, statement):
    """On this server alone, replica or not; and the agent has to connect anew."""
    closed = host.flavour.name == 'mysql' and host.value('@@super_read_only')
    with server.connect(host.socket) as c, c.cursor() as cursor:
        cursor.execute('SET sql_log_bin = 0')
        if closed:
            cursor.execute('SET GLOBAL super_read_only = 0')
        cursor.execute(statement)
        if closed:
            cursor.execute('SET GLOBAL super_read_only = 1')
    for row in host.sql('SHOW PROCESSLIST'):
        if row['User'] == 'hamm_agent':
            with contextlib.suppress(pymysql.MySQLError):
                host.sql(f'KILL {row["Id"]}')


def run(lab):
    """What would hold up a planned move is named before writes are blocked, and nothing changes.

    An old transaction, a long UPDATE, LOCK TABLES, a backup's FLUSH TABLES WITH READ LOCK on either
    side, a right that the agent's account has lost: exit 1, the connection or the GRANT by name,
    writes flow on. Without any of it the move is done.
    """
    lab.start()
    one, two = lab.host('db1'), lab.host('db2')
    tells = lab.flavour.name == 'mysql'  # who holds a lock; MariaDB does with a plugin
    one.sql('CREATE TABLE app.other (id INT PRIMARY KEY, n DOUBLE) ENGINE=InnoDB')
    one.sql('INSERT INTO app.other VALUES (1, 1), (2, 2)')
    client = lab.client()
    began = lab.mark('obstacles')

    s = Session(one)
    s.sql('BEGIN')
    s.sql('UPDATE app.other SET n = 7 WHERE id = 1')
    lab.sleep(OLD_S + 0.5)
    refused(lab, client, 'an idle transaction', 'db1', rf'connection {s.id} \(root@localhost\)',
            r'open for \d+ s and has changed 1 rows')
    s.end()

    s = Session(one)
    s.run('UPDATE app.other SET n = SLEEP(30)')
    lab.sleep(OLD_S + 1)
    refused(lab, client, 'a long UPDATE', 'db1', rf'connection {s.id} \(root@localhost\)', r'\d+ s')
    s.end()
    free(lab, client)

    for lock in ('LOCK TABLES app.writes WRITE', 'LOCK TABLES app.writes READ',
                 'FLUSH TABLES WITH READ LOCK'):
        s = Session(one)
        s.sql(lock)
        lab.sleep(WAIT_S + 1)
        refused(lab, client, f'{lock} on db1', 'db1',
                rf'connection {s.id} \(root@localhost\)' if tells else 'held up: Waiting')
        s.end()
        free(lab, client)

    s = Session(two)
    s.sql('FLUSH TABLES WITH READ LOCK')
    lab.sleep(WAIT_S + 1)
    refused(lab, client, 'FLUSH TABLES WITH READ LOCK on db2', 'db2',
            rf'connection {s.id} \(root@localhost\)' if tells
            else 'the applier is held up: Waiting')
    s.end()
    free(lab, client)

    right = 'SYSTEM_VARIABLES_ADMIN' if tells else 'READ_ONLY ADMIN'
    for host in (one, two):
        change_rights(host, f"REVOKE {right} ON *.* FROM hamm_agent@'%'")
        lab.sleep(1)
        refused(lab, client, f'{right} revoked on {host.name}', host.name,
                "account 'hamm_agent' may not set read_only", 'GRANT')
        change_rights(host, f"GRANT {right} ON *.* TO hamm_agent@'%'")
        free(lab, client)

    lab.check(not [s for s in lab.spans('writable', host='db2') if s[4] > began],
              'db2 was open for writes')
    lab.wait_until(lambda: lab.ctl('move-role', 'writer', 'db2')[0] == 0, 10,
                   'without any of it db2 gets the role', lab.status_text)
    client.wait_acked(20, server='db2')
    client.stop()
    lab.assert_nothing_lost(client, 'db2')
    return f'{len(client.acks)} rows'
