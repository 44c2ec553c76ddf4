# SPDX-License-Identifier: GPL-2.0-or-later
from lab.lab import Skipped

VARIANTS = ('ahead', 'domains')


def run(lab, variant):
    """db3, which is no candidate, has heard the dead writer longer than db2, the only candidate.

    db2 first fetches from db3 what it lacks, then it opens: nothing is lost. domains: each master
    writes in a domain of its own (MariaDB), so that positions are of several parts.
    """
    if variant == 'domains' and lab.flavour.name != 'mariadb':
        raise Skipped('domains are MariaDB\'s')
    lab.start()
    one, two, three = map(lab.host, ('db1', 'db2', 'db3'))
    if variant == 'domains':
        for domain, h in enumerate((one, two, three), 11):
            h.sql(f'SET GLOBAL gtid_domain_id = {domain}')
        lab.must_ctl('move-role', 'writer', 'db2')  # there and back: both domains have history
        client = lab.client()
        client.wait_acked(50, server='db2')
        client.stop()
        lab.must_ctl('move-role', 'writer', 'db1')
        lab.wait_until(lambda: two.follows('db1') and three.follows('db1'), 10, 'all follow db1')
    client = lab.client()
    one.withhold('db2')
    client.wait_acked(100, server='db1')
    client.stop()
    lab.wait_until(lambda: not client.lost('db3'), 5, 'db3 has every row')
    behind = len(client.lost('db2'))
    lab.check(behind, 'db2 is not behind')
    one.kill_mysqld()
    lab.wait_writer('db2')
    again = lab.client()
    again.wait_acked(20, server='db2')
    lab.assert_nothing_lost(client, 'db2')
    log = lab.ctl('events', '-n', '200')[1]
    lab.wait_until(lambda: three.follows('db2'), 10, 'db3 follows db2', lab.status_text)
    again.stop()
    lab.check('fetches from db3' in log, f'nothing was fetched: {log}')
    return f'{behind} rows fetched from db3, none lost'
