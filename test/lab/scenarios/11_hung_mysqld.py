# SPDX-License-Identifier: GPL-2.0-or-later
from lab.lab import WRITER


def run(lab):
    """The writer's mysqld hangs (SIGSTOP): it answers nobody and obeys nobody.

    The mysql check goes bad, the agent fences: the address goes at once, and since the server does
    not become read-only within a second it is killed. db2 takes over; the old one, started again,
    comes back as its replica.
    """
    lab.start()
    one = lab.host('db1')
    client = lab.client()
    lab.sleep(0.5 + lab.random.uniform(0, 0.5))
    client.stop()
    lab.wait_until(lambda: not client.lost('db2'), 5, 'db2 has every row')
    client = lab.client()
    at = one.stop('mysqld')
    one.mysqld.expected = True  # that it ends: the agent kills it
    lab.wait_writer('db2', 15)
    client.wait_acked(50, server='db2')
    gap = client.gap(at - 0.1)[0]
    lab.check(WRITER not in one.addresses(), 'db1 has kept the address')
    with open(one.log('agent')) as f:
        lab.check('killing it' in f.read(), 'the agent has not killed the hung server')
    one.start_mysqld()
    back = lab.wait_back('db1', 'db2')
    client.wait_acked()
    client.stop()
    lost = lab.assert_loss_told(client, 'db1', 'db2')
    return f'gap {gap:.2f} s, {back}, {lost} rows lost and told'
