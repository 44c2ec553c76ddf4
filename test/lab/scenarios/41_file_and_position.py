# SPDX-License-Identifier: GPL-2.0-or-later
from lab.lab import WRITER, Skipped

VARIANTS = ('story', 'behind')


def rows(host):
    return host.sql('SELECT COUNT(*) AS n, COALESCE(SUM(id), 0) AS sum FROM app.writes')[0]


def same_rows(lab, *names):
    lab.wait_until(lambda: len({tuple(rows(lab.host(n)).values()) for n in names}) == 1, 15,
                   f'{", ".join(names)} have the same rows',
                   lambda: {n: rows(lab.host(n)) for n in names})


def at(host):
    """Where it stands in its source's log."""
    r = host.replication()
    return r.get('Source_Host'), r.get('Relay_Source_Log_File'), r.get('Exec_Source_Log_Pos')


def run(lab, variant):
    """The story of MMM's guide, on servers without GTID: db1 and db2 in a circle, db3 behind db1.

    story: kill -9 of db1; db3 goes on at the file and position of db2 that were db1's last; db1
    returns and follows; a planned move back; all have the same rows.
    behind: db3 lags at the crash: REPLICATION_FAIL, told by file and position, and stays so.
    """
    if lab.flavour.name != 'mysql':
        raise Skipped('MariaDB always has GTIDs')
    lab.start(gtid=False)
    one, two, three = map(lab.host, ('db1', 'db2', 'db3'))
    client = lab.client()
    client.wait_acked(50, server='db1')
    if variant == 'behind':
        three.kill('agent')  # it would put that right
        three.stop_replication('IO_THREAD')
        client.wait_acked(20, server='db1')
    client.stop()
    lab.wait_until(lambda: two.has_all_of('db1'), 5, 'db2 has all of db1')
    if variant == 'story':
        lab.wait_until(lambda: three.has_all_of('db1'), 5, 'db3 has all of db1')
    end = one.coordinates()
    noted = two.coordinates()
    one.kill_mysqld()
    lab.wait_writer('db2')
    client = lab.client()
    client.wait_acked(50, server='db2')
    client.stop()
    if variant == 'story':
        lab.wait_until(lambda: three.follows('db2'), 10, 'db3 follows db2', lab.status_text)
        lab.wait_online('db2', 'db3')
        same_rows(lab, 'db2', 'db3')
    else:
        three.start_agent()
        lab.wait_state('db3', 'REPLICATION_FAIL', 15)
        told = lab.ctl('explain', 'db3')[1]
        lab.check(f'db1 {end[0]}:{end[1]}' in told, f'explain does not name {end}: {told}')
        lab.check('stands at db1 ' in told, f'explain does not say where it stands: {told}')
    back = lab.mark('db1 comes back')
    one.start_mysqld()
    lab.wait_until(lambda: one.follows('db2'), 20, 'db1 follows db2', lab.status_text)
    lab.wait_online('db1')
    if variant == 'behind':
        same_rows(lab, 'db1', 'db2')
        lab.sleep(2)
        lab.check(lab.state('db3') == 'REPLICATION_FAIL', f'db3 is {lab.state("db3")}')
        lab.check(not three.follows('db2'), 'db3 follows from a place that is not known')
        lab.assert_nothing_lost(client, 'db1')
        return f'db3 out, told; db2 took over at {noted[0]}:{noted[1]}'
    lab.wait_online('db1', 'db2', 'db3')
    same_rows(lab, 'db1', 'db2', 'db3')
    lab.assert_nothing_lost(client, 'db1')
    client = lab.client()
    client.wait_acked(50, server='db2')
    lab.must_ctl('move-role', 'writer', 'db1')
    lab.wait_writer('db1')
    client.wait_acked(30, server='db1')
    lab.wait_until(lambda: two.follows('db1') and three.follows('db1'), 15,
                   'db2 and db3 follow db1', lab.status_text)
    lab.wait_online('db1', 'db2', 'db3')
    client.stop()
    same_rows(lab, 'db1', 'db2', 'db3')
    lab.assert_nothing_lost(client, 'db1')
    lab.check(lab.last_seen(WRITER, 'db2') > back, 'db2 never answered for the address')
    return f'db2 took over at {noted[0]}:{noted[1]}, db1 ended at {end[0]}:{end[1]}'
