# SPDX-License-Identifier: GPL-2.0-or-later
from lab.clock import now


def noticed(lab, what, do, back, seconds=2):
    """Does it, and waits until it is put right. How long."""
    at = lab.mark(what)
    do()
    lab.wait_until(back, seconds, f'{what}: put right', lab.status_text)
    return now() - at


def run(lab):
    """What a DBA does by hand to replication and read_only: seen within a second and put right.

    read_only on the writer and on a replica, STOP of one thread and of both, another source. On a
    host that is ADMIN_OFFLINE replication is the DBA's own.
    """
    lab.start()
    one, two, three = map(lab.host, ('db1', 'db2', 'db3'))
    client = lab.client()
    took = {}
    took['writer closed'] = noticed(lab, 'read_only=1 on the writer', one.close_writes,
                                    lambda: one.read_only() is False)
    client.wait_acked(20, server='db1')
    took['replica opened'] = noticed(lab, 'read_only=0 on db3', three.open_writes, three.read_only)
    three.wait_said('agent', 'closed for writes', times=2)  # it ends everybody's connections
    for thread in ('', 'SQL_THREAD', 'IO_THREAD'):
        took[f'stop {thread}'.strip()] = noticed(
            lab, f'STOP {thread} on db3', lambda: three.stop_replication(thread),
            lambda: three.follows('db1'), 5)

    def other_source():
        with three.agent_away():
            three.stop_replication()
            three.sql(lab.flavour.follow(two.address))
            three.start_replication()
    took['source'] = noticed(lab, 'db3 follows db2', other_source, lambda: three.follows('db1'), 5)
    client.wait_acked(20, server='db1')
    client.stop()
    lab.assert_nothing_lost(client, 'db1')
    text = lab.ctl('events', '-n', '40')[1]
    lab.mark(text)
    return ', '.join(f'{k} {v * 1000:.0f} ms' for k, v in took.items())
