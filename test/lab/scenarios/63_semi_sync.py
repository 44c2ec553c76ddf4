# SPDX-License-Identifier: GPL-2.0-or-later
from lab.receipts import assert_lost, logged

VARIANTS = ('on', 'off')
LONG_N, N = 50, 3


def lines(names):
    """my.cnf of all: they acknowledge, and as the writer they wait before anybody sees a commit."""
    return (f"loose_{names['source']}_wait_point = AFTER_SYNC",
            f"loose_{names['source']}_timeout = 60000", f"loose_{names['replica']}_enabled = 1")


def switch_on(lab, writer):
    """On the writer alone: elsewhere the applier would wait for replicas, too."""
    for h in lab.dbs():
        h.sql(f"SET GLOBAL {lab.flavour.semi_sync['source']}_enabled = {int(h.name == writer)}")
    for h in lab.dbs():
        if h.name != writer:
            with h.agent_away():
                h.stop_replication('IO_THREAD')
                h.start_replication('IO_THREAD')


def semi(lab, name):
    return [h['semi_sync'] for h in lab.status()['hosts'] if h['name'] == name][0] or {}


def pull(lab, old, new, with_semi):
    """One cable; returns how many rows are lost (told), how many extra rows the old writer has."""
    if with_semi:
        switch_on(lab, old)
        lab.wait_until(lambda: semi(lab, old).get('active') and semi(lab, old)['clients'] and
                       not semi(lab, old)['warning'], 15,
                       f'commits on {old} wait for replicas', lab.status_text)
    before = logged(lab.host(old))
    client = lab.client()
    client.wait_acked(20, server=old)
    lab.sleep(lab.random.uniform(0, 0.3))
    lab.host(old).cut()
    lab.wait_writer(new, 20)
    client.wait_acked(20, server=new)
    lab.host(old).heal()
    lab.wait_back(old, new, 20)
    client.wait_acked()
    client.stop()
    lost = client.lost(new)
    if with_semi:
        lab.check(not lost, f'{len(lost)} acknowledged rows are lost: {[a.row for a in lost[:5]]}')
    lab.assert_loss_told(client, old, new)
    extra = lab.extra_rows(old, new)
    receipt = assert_lost(lab, old, new, before)
    lab.check(receipt.get('lost_count', 0) == len(extra), f'{len(extra)} rows, {receipt}')
    if lab.state(old) == 'REPLICATION_FAIL':
        told = [h['extra_gtid'] for h in lab.status()['hosts'] if h['name'] == old][0]
        lab.check(lab.flavour.count(told) == len(extra),
                  f'{len(extra)} rows are on {old} alone, told: {told}')
        lab.mark(f'{old} is made anew')
        lab.host(old).make_anew(new)
        lab.wait_online(old)
    else:
        lab.check(not extra, f'{old} is {lab.state(old)} and has {len(extra)} rows of its own')
    return len(lost), len(extra)


def run(lab, variant):
    """The writer's cable is pulled, again and again (3 times; --long: 50), under load.

    on: replicas acknowledge each commit (semi-sync, AFTER_SYNC): no acknowledged row is ever lost.
    off: what is lost is what hamm says, to the GTID. In both what the old writer has alone is told,
    and nobody takes it over; the receipt of each failover names it, to the GTID.
    """
    with_semi = variant == 'on'
    lab.start(failover={'auto_set_online': '1s', 'flap_count': 0},
              my_cnf=lines(lab.flavour.semi_sync) if with_semi else ())
    old, new = 'db1', 'db2'
    lost = alone = 0
    times = LONG_N if lab.long else N
    for _ in range(times):
        a, b = pull(lab, old, new, with_semi)
        lost, alone = lost + a, alone + b
        old, new = new, old
        lab.wait_until(lambda: lab.host(new).follows(old) and lab.host('db3').follows(old), 15,
                       f'{new} and db3 follow {old}', lab.status_text)
    return (f'{times} cables: {lost} acknowledged rows lost, {alone} rows on old writers alone, '
            'told')
