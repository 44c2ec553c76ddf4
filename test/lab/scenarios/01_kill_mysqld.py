# SPDX-License-Identifier: GPL-2.0-or-later
from lab.lab import WRITER


def run(lab):
    """kill -9 of the writer's mysqld under load: db2 takes over.

    The agent saw mysqld die and let go, so nobody waits for a lease. db2 has the address and is
    writable, db3 follows it. An acknowledged row that reached nobody before the crash is told.
    """
    lab.start()
    client = lab.client()
    lab.sleep(0.5 + lab.random.uniform(0, 0.5))
    at = lab.host('db1').kill_mysqld()
    lab.wait_writer('db2')
    client.wait_acked(50, server='db2')
    lab.wait_until(lambda: lab.host('db3').follows('db2'), 10, 'db3 follows db2', lab.status_text)
    client.stop()
    gap = client.gap(at - 0.1)[0]
    text = lab.ctl('events', '-n', '40')[1]
    lab.check('writer: let go by db1: released' in text, f'a crash is proven, not silence: {text}')
    lab.check(lab.state('db1') == 'HARD_OFFLINE', f'db1 is {lab.state("db1")}')
    lab.check(WRITER not in lab.host('db1').addresses(), 'db1 has kept the address')
    lost = 0
    if client.lost('db2'):
        lab.host('db1').start_mysqld()
        lost = lab.assert_loss_told(client, 'db1', 'db2')
    return f'gap {gap:.3f} s, {lost} rows lost and told'
