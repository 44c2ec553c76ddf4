# SPDX-License-Identifier: GPL-2.0-or-later
import contextlib
import threading

import pymysql
from lab import server


def run(lab):
    """All connections of the writer are used up: it is alive and stays the writer, and status says
    what to do.

    The monitor's next connection is refused; the agent's, which is always open, still sees the
    server.
    """
    lab.start()
    one = lab.host('db1')
    client = lab.client()
    began = lab.mark('all connections are used up')
    crowd = []
    cursor = server.connect(one.socket, 30).cursor()
    full = threading.Event()

    def fill():
        while not full.is_set():
            with contextlib.suppress(pymysql.MySQLError):
                crowd.append(pymysql.connect(unix_socket=one.socket, user='app',
                                             password=lab.passwords['app'], connect_timeout=2))

    def said():
        cursor.execute('SHOW PROCESSLIST')
        for row in cursor.fetchall():
            if row[1] == 'hamm_monitor':
                cursor.execute(f'KILL {row[0]}')
        lab.sleep(0.2)
        return 'raise max_connections' in lab.ctl('checks', 'db1')[1]
    filling = threading.Thread(target=fill)
    filling.start()
    try:
        lab.sleep(1)
        lab.wait_until(said, 20, 'it is said', lab.status_text)
    finally:
        full.set()
        filling.join()
    lab.sleep(4)
    text = lab.ctl('checks', 'db1')[1] + lab.status_text()
    lab.mark(text)
    lab.check(lab.state('db1') == 'ONLINE', f'db1 is {lab.state("db1")}')
    lab.assert_undisturbed(client, began)
    for c in crowd:
        with contextlib.suppress(pymysql.MySQLError):
            c.close()
    client.wait_acked(20, server='db1')
    client.stop()
    lab.assert_nothing_lost(client, 'db1')
    return f'{len(crowd)} connections'
