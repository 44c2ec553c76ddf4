# SPDX-License-Identifier: GPL-2.0-or-later
from lab.receipts import assert_lost, each, last_of, logged, wait_noticed

VARIANTS = ('encrypted', 'purged')
SALVAGE_S = 20


def of_db1(lab, key):
    return next(h for h in lab.status()['hosts'] if h['name'] == 'db1').get(key)


def run(lab, variant):
    """kill -9 of the writer while nobody receives from it, and its binary log can't be handed over.

    encrypted: so are the binary logs. purged: its server has purged what db2 lacks. The reason is
    told, db2 fetches what db3 has received more, and opens without waiting for salvage_timeout. The
    receipt says what is lost as far as it is known; db1, started again, makes that exact, to the
    GTID, and stays out. Why its own transactions are kept in no file is told too.
    """
    lab.start(encrypted=variant == 'encrypted', failover={'salvage_timeout': f'{SALVAGE_S}s'})
    one = lab.host('db1')
    client = lab.client()
    client.wait_acked(30)
    one.withhold('db2')
    client.wait_acked(30)
    one.withhold('db3')
    client.wait_acked(30)
    one.sql('FLUSH BINARY LOGS')
    had = logged(one)
    if variant == 'purged':
        one.purge()
    client.wait_acked(30)
    wait_noticed(lab, 'db1')
    at = one.kill_mysqld()
    lab.wait_writer('db2', SALVAGE_S)
    client.wait_acked(50, server='db2')
    client.stop()
    gap = client.gap(at - 0.1)[0]
    lab.check(gap < SALVAGE_S / 2, f'{gap:.1f} s without a writer: it waited for what cannot be')
    receipt, events = last_of(lab, 'db1'), lab.ctl('events', '-n', '60')[1]
    lab.check('cannot be had: ' in events or 'cannot have' in events, f'not told: {events}')
    lab.check('db2 fetches from db3' in events, f'db3 has more: {events}')
    lab.check(variant in events and variant in receipt['lost_why'], f'{receipt}, {events}')
    if variant == 'encrypted':
        tail = of_db1(lab, 'tail')
        lab.check(tail['state'] == 'failed' and variant in tail['why'], f'status: {tail}')
        lab.check(f'its binary log cannot be read: {tail["why"]}' in lab.status_text(), 'status')
    lab.mark(lab.ctl('receipts')[1])

    one.send_again()
    one.start_mysqld()
    lab.wait_state('db1', 'REPLICATION_FAIL', 20)
    lost = each(assert_lost(lab, 'db1', 'db2', purged=had)['lost'])
    least = each(receipt['lost'] or receipt.get('lost_at_least'))
    lab.check(least and least <= lost, f'named at once: {sorted(least)}, later {sorted(lost)}')
    lab.check(lab.assert_loss_told(client, 'db1', 'db2') >= 60, 'these were acknowledged')
    lab.wait_until(lambda: of_db1(lab, 'quarantine'), 15, 'it is told why they are not kept',
                   lab.status_text)
    kept = of_db1(lab, 'quarantine')
    lab.check(not kept['file'] and variant in kept['why'], f'{kept}')
    return f'gap {gap:.3f} s, {len(lost)} lost, {len(least)} of them named at once'
