# SPDX-License-Identifier: GPL-2.0-or-later
from lab.clock import now
from lab.lab import Skipped

OPEN_S = 3  # far less than salvage_timeout, which a wait for what cannot come would take


def run(lab):
    """A server made from a copy becomes the writer, by a move and by a crash.

    It has all transactions, but MariaDB's list of who wrote them begins with the copy: of a server
    that wrote earlier it never heard, the others did. Nobody is convicted, nothing is waited for.
    """
    if lab.flavour.name != 'mariadb':
        raise Skipped("MySQL's set is complete in a copy, too")
    lab.start()
    one, two = map(lab.host, ('db1', 'db2'))
    one.sql('SET STATEMENT server_id = 77 FOR INSERT INTO app.writes VALUES (-77)')
    client = lab.client()
    client.wait_acked(20, server='db1')
    lab.check('-77-' in one.value('@@gtid_binlog_state'), 'db1 does not know server 77')
    lab.mark('db2 is made anew')
    two.make_anew('db1')
    lab.wait_online('db2')
    lab.wait_until(lambda: two.follows('db1'), 10, 'db2 follows db1', lab.status_text)
    lab.check('-77-' not in two.value('@@gtid_binlog_state'), 'db2 knows server 77')
    client.stop()
    lab.must_ctl('move-role', 'writer', 'db2')
    lab.wait_writer('db2')
    lab.host('mon1').kill('monitor')
    lab.host('mon1').start_monitor()  # it remembers how far the copy goes
    lab.wait_writer('db2')
    lab.sleep(4)  # nobody writes: its list is as it came
    for name in ('db1', 'db2', 'db3'):
        lab.check(lab.state(name) == 'ONLINE', f'{name} is {lab.state(name)}')
    lab.must_ctl('move-role', 'writer', 'db1')
    client = lab.client()
    client.wait_acked(20, server='db1')
    lab.wait_until(lambda: two.follows('db1'), 10, 'db2 follows db1', lab.status_text)
    at = one.kill_mysqld()
    lab.wait_writer('db2', 20)
    took = now() - at
    lab.check(took < OPEN_S, f'it took {took:.1f} s until db2 was open')
    client.wait_acked(20, server='db2')
    client.stop()
    one.start_mysqld()
    lab.wait_back('db1', 'db2', 30)
    lab.assert_nothing_lost(client, 'db2')
    return f'moved there and back, open {took:.2f} s after the crash'
