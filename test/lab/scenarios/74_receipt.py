# SPDX-License-Identifier: GPL-2.0-or-later
from lab.receipts import assert_lost, each, last_of, logged

VARIANTS = ('cable', 'monitor-restarts')
ALIKE = ('monitor-restarts',)
NOBODY_RECEIVES = """table inet lab {
    chain to { type filter hook input priority -400;
               ip saddr { 10.77.0.12, 10.77.0.13 } tcp dport 3306 drop; }
    chain from { type filter hook output priority -400;
                 ip daddr { 10.77.0.12, 10.77.0.13 } tcp sport 3306 drop; }
}
"""


def run(lab, variant):
    """A cable takes dozens of transactions that nobody else has: their receipt names each of them.

    For a moment before the cable neither db2 nor db3 receives anything. db2 opens without: the
    receipt says that it is not known what is lost, and what is lost at least. When db1 is back the
    receipt names what only its binary log has, to the GTID. monitor-restarts: the monitor is killed
    and started between the two.
    """
    lab.start()
    client = lab.client()
    client.wait_acked(30)
    lab.host('db1').ns.run(['nft', '-f', '-'], stdin=NOBODY_RECEIVES)
    lab.sleep(0.3 + lab.random.uniform(0, 0.3))
    had = logged(lab.host('db2'))
    lab.host('db1').cut()
    lab.wait_writer('db2', 15)
    receipt = last_of(lab, 'db1')
    least = each(receipt.get('lost_at_least'))
    lab.check(receipt['lost'] is None and receipt['lost_why'] == 'db1 was not reached' and least,
              f'receipt: {receipt}')
    client.wait_acked(50, server='db2')
    client.stop()
    if variant == 'monitor-restarts':
        lab.host('mon1').kill('monitor')
        lab.host('mon1').start_monitor()
        lab.wait_until(lambda: lab.writer() == 'db2' and lab.status().get('reigning'), 15,
                       'the monitor reigns again', lab.status_text)
    lab.host('db1').ns.run(['nft', 'delete', 'table', 'inet', 'lab'])
    lab.host('db1').heal()
    lab.wait_state('db1', 'REPLICATION_FAIL', 15)
    whole = assert_lost(lab, 'db1', 'db2')
    lost = each(whole['lost'])
    lab.check(least <= lost and not lost & had and len(lab.extra_rows('db1', 'db2')) == len(lost),
              f'least {sorted(least)}, had {sorted(lost & had)}, receipt {whole}')
    for key in ('number', 'trigger', 'began', 'phases', 'salvaged', 'evidence', 'to'):
        lab.check(whole[key] == receipt[key], f'{key}: {receipt} became {whole}')
    lab.mark(lab.ctl('receipts')[1])
    return f'{len(lost)} transactions on db1 alone, named ({len(least)} of them at once)'
