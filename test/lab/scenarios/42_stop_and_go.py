# SPDX-License-Identifier: GPL-2.0-or-later
from lab.lab import out

ROUNDS, LONG_ROUNDS = 2, 30


def open_writer(lab):
    """That is to stay so: one that must let go is not ONLINE any more."""
    name = lab.writer()
    stays = name and lab.state(name) == 'ONLINE' and lab.host(name).read_only() is False
    return name if stays else None


def stopped(lab, rnd):
    """One round: the writer's mysqld is stopped until after another has opened, then goes on."""
    old = lab.writer()
    new = 'db2' if old == 'db1' else 'db1'
    host = lab.host(old)
    client = lab.client()
    lab.sleep(0.2)
    stop = host.stop('mysqld')
    host.mysqld.expected = True  # its agent may kill it
    lab.sleep(lab.random.uniform(0.5, 2 * out() + 1))
    if host.mysqld.alive():
        host.cont('mysqld')
    seen = []
    lab.wait_until(lambda: seen.append(open_writer(lab)) or seen[-1], 20, 'there is a writer',
                   lab.status_text)
    writer = seen[-1]
    client.wait_acked(30, 10, server=writer)
    client.stop()
    if writer == new:
        opened = min(a.time for a in client.acks if a.server == lab.host(new).id and a.time > stop)
        late = [a for a in client.acks if a.server == host.id and a.time > opened]
        lab.check(not late, f'round {rnd}: {old} acknowledged {len(late)} rows after {new} opened')
    if not host.mysqld.alive():
        host.start_mysqld()
    lab.wait_back(old, writer, 20) if writer == new else None
    return client, old, writer


def run(lab):
    """SIGSTOP and SIGCONT of the writer's mysqld: after the new one opened the old commits nothing.

    It goes on at a moment between at once and after everything is over, perhaps killed before. The
    rows of each server tell who wrote them and when it was acknowledged. With --long 30 times.
    """
    lab.start(failover={'flap_count': 1000})
    moved = 0
    for rnd in range(LONG_ROUNDS if lab.long else ROUNDS):
        client, old, writer = stopped(lab, rnd)
        moved += old != writer
        if old != writer and lab.state(old) == 'REPLICATION_FAIL':
            lab.mark(f'{old} has a row nobody else has; it is made anew')
            lab.host(old).make_anew(writer)
        lab.wait_online('db1', 'db2', 'db3', seconds=30)
        lab.wait_until(lambda: lab.host(old if old != writer else
                                        ('db2' if writer == 'db1' else 'db1')).follows(writer),
                       20, f'the other follows {writer}', lab.status_text)
    return f'{rnd + 1} times, {moved} times another took over'
