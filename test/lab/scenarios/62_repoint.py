# SPDX-License-Identifier: GPL-2.0-or-later
from lab import server

VARIANTS = ('password', 'purged')


def run(lab, variant):
    """One replica can't follow the new writer: it alone is REPLICATION_FAIL, with the reason.

    password: the new writer doesn't let its account in; purged: the new writer's binary log doesn't
    go back to where the replica stands. The writer opens as fast as ever, and what the DBA set
    about replication is as before on all.
    """
    lab.start()
    one, two, three = map(lab.host, ('db1', 'db2', 'db3'))
    with three.agent_away():
        three.stop_replication()
        three.sql(f'{lab.flavour.change}{lab.flavour.source}_CONNECT_RETRY = 7, '
                  f'{lab.flavour.source}_HEARTBEAT_PERIOD = 1.5')
        three.start_replication()
    client = lab.client()
    client.wait_acked(20)
    if variant == 'password':
        with two.agent_away(), server.connect(two.socket, 5) as there, there.cursor() as c:
            for statement in ('SET GLOBAL read_only = 0', 'SET sql_log_bin = 0',
                              "ALTER USER hamm_repl@'%' IDENTIFIED BY 'something else'",
                              lab.flavour.read_only_on):
                c.execute(statement)
    else:
        one.withhold('db3')  # db2 goes on and forgets
        client.wait_acked(50)
        for _ in range(2):
            two.sql('FLUSH BINARY LOGS')
        two.purge()
    client.stop()
    lab.wait_until(lambda: not client.lost('db2'), 5, 'db2 has every row')
    at = one.kill_mysqld()
    lab.wait_writer('db2')
    opened = lab.when('db2', 'server: read_only=0', at) - at
    again = lab.client()
    again.wait_acked(50, server='db2')
    lab.wait_state('db3', 'REPLICATION_FAIL', 30)
    why = lab.ctl('status')[1]
    lab.check(('denied' if variant == 'password' else '1236') in why, f'no reason in: {why}')
    r = three.replication()
    lab.check(r['Connect_Retry'] == 7, f'connect_retry is {r["Connect_Retry"]}, it was 7')
    again.wait_acked(20, server='db2')
    again.stop()
    return f'db2 open after {opened * 1000:.0f} ms, db3 REPLICATION_FAIL with the reason'
