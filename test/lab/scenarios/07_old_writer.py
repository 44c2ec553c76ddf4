# SPDX-License-Identifier: GPL-2.0-or-later
import json

from lab.lab import WRITER

VARIANTS = ('clean', 'extra')
ROW = 987654321


def run(lab, variant):
    """The old writer's mysqld comes back with read_only=0 in its my.cnf.

    clean: read-only before anything else, then ONLINE as a replica of the new writer.
    extra: it has committed a transaction that nobody else has: REPLICATION_FAIL, that GTID in
    status, and the row reaches nobody, not through the circle of the two masters either.
    """
    lab.start()
    one, two, three = map(lab.host, ('db1', 'db2', 'db3'))
    client = lab.client()
    lab.sleep(0.5 + lab.random.uniform(0, 0.5))
    client.stop()
    lab.wait_until(lambda: not client.lost('db2'), 5, 'db2 has every row')
    one.kill_mysqld()
    client = lab.client()
    lab.wait_writer('db2')
    client.wait_acked(50, server='db2')

    gtid = None
    if variant == 'extra':
        one.kill('agent')
        one.start_mysqld(replicate=False, writable=True)
        one.sql(f'INSERT INTO app.writes VALUES ({ROW})')
        gtid = one.extra_gtid('db2')
        lab.mark(f'db1 commits {gtid}, which nobody else has')
        back = lab.mark('its agent comes back')
        one.start_agent()
    else:
        back = lab.mark('db1 comes back')
        one.start_mysqld(writable=True)

    if variant == 'clean':
        lab.wait_online('db1')
        lab.wait_until(lambda: one.follows('db2'), 10, 'db1 follows db2', lab.status_text)
        figures = 'ONLINE again'
    else:
        lab.wait_state('db1', 'REPLICATION_FAIL', 15)
        lab.sleep(1)
        text, whole = lab.ctl('status')[1], json.dumps(lab.status())
        lab.check(gtid in text, f'status does not name {gtid}: {text}')
        lab.check(gtid in whole, f'status --json does not name {gtid}: {whole}')
        for h in (two, three):
            lab.check(not h.sql(f'SELECT id FROM app.writes WHERE id = {ROW}'),
                      f'the extra row reached {h.name}')
        lab.check(one.read_only(), 'db1 is open for writes')
        figures = f'REPLICATION_FAIL, names {gtid}'
    client.wait_acked()
    client.stop()
    if variant == 'clean':
        lab.wait_until(lambda: not client.lost('db1'), 5, 'db1 has every row')
    lab.check(lab.last_seen(WRITER, 'db1') < back, 'db1 answered for the address')
    opened = [s for s in lab.spans('writable', host='db1') if s[4] >= back]
    open_s = sum(max(0, s[4] - max(s[3], back)) for s in opened)
    lab.assert_nothing_lost(client, 'db2')
    return f'{figures}; open after its start for {open_s * 1000:.0f} ms'
