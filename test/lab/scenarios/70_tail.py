# SPDX-License-Identifier: GPL-2.0-or-later
from lab.receipts import each, last_of, logged, of_server

VARIANTS = ('salvaged', 'agent-restarts')
ALIKE = ('agent-restarts',)


def run(lab, variant='salvaged'):
    """kill -9 of the writer while nobody receives from it: its binary log is handed over first.

    Replication is asynchronous, and for a moment before the crash neither db2 nor db3 receives
    anything: what clients were told is written is in db1's binary log only. db2 opens with all of
    it, and db1, started again, has nothing that db2 lacks: it is ONLINE by itself. The receipt
    names what db2 got that way, to the GTID.
    """
    lab.start()
    client = lab.client()
    client.wait_acked(30)
    lab.host('db1').withhold('db2', 'db3')
    lab.sleep(0.3 + lab.random.uniform(0, 0.3))
    had = logged(lab.host('db2'))
    at = lab.host('db1').kill_mysqld()
    if variant == 'agent-restarts':
        lab.host('db1').kill('agent')
        lab.host('db1').start_agent()
    lab.wait_writer('db2', 20)
    client.wait_acked(50, server='db2')
    client.stop()
    lab.host('db1').send_again()
    gap = client.gap(at - 0.1)[0]
    lab.assert_nothing_lost(client, 'db2')
    text = lab.ctl('events', '-n', '60')[1]
    lab.check("fetches from db1's binary log" in text, f'nothing had to be fetched: {text}')
    receipt = last_of(lab, 'db1')
    lab.host('db1').start_mysqld()
    lab.wait_back('db1', 'db2', 30)
    lab.check(lab.state('db1') == 'ONLINE', f'db1 is {lab.state("db1")}: it has extra transactions')
    lab.assert_nothing_lost(client, 'db1')
    got = of_server(lab.host('db1'), logged(lab.host('db2')) - had)
    lab.check(got and each(receipt['salvaged']) == got and receipt['salvaged_count'] == len(got),
              f'db2 got {sorted(got)}, the receipt says {receipt}')
    lab.check(receipt['lost'] == 'none' and receipt['evidence'] == 'proven', f'{receipt}')
    lab.mark(lab.ctl('receipts')[1])
    return f'gap {gap:.3f} s, 0 rows lost, {len(got)} salvaged by the receipt'
