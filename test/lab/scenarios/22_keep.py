# SPDX-License-Identifier: GPL-2.0-or-later
from lab.lab import WRITER, out

VARIANTS = ('stays', 'dies')
ALIKE = True


def run(lab, variant):
    """on_monitor_loss: keep. The writer, cut off from everybody but its clients, serves on.

    stays: the monitor sees it vanish and gives the role to nobody. dies: the monitor is killed
    first, and comes back while the writer is still out of its sight: the same. It says what the
    operator may do, who does it once db1 is really off. In `stays` db1 comes back before that:
    nothing has moved.
    """
    lab.start(failover={'on_monitor_loss': 'keep'})
    one, mon = lab.host('db1'), lab.host('mon1')
    client = lab.client()
    at = lab.mark('begin')
    if variant == 'dies':
        mon.kill('monitor')
        lab.sleep(2 * out())
        lab.check(client.gap(at)[0] < 0.5, 'the client waited')
    for other in ('db2', 'db3', 'mon1'):
        lab.switch.cut_between('db1', other)
    lab.mark('db1 is cut off from db2, db3 and mon1; the client still reaches it')
    lab.sleep(2 * out())
    if variant == 'dies':
        mon.start_monitor()
        lab.wait_until(lab.status, 5, 'the monitor is back')
    lab.wait_state('db1', 'HARD_OFFLINE', 15)
    lab.sleep(2 * out())
    gap = client.gap(at)[0]
    lab.check(gap < 0.5, f'the client waited {gap:.2f} s')
    lab.check(lab.holder_now(WRITER) == 'db1' and one.read_only() is False,
              'db1 has given up the role')
    lab.check(not lab.spans('arp', what=WRITER, host='db2'), 'db2 took the address')
    lab.check(not lab.spans('writable', host='db2'), 'db2 was open for writes')
    said = lab.must_ctl('explain', 'writer')
    lab.check('move-role --force writer' in said and '--lost db1' in said,
              f'explain does not say what may be done: {said}')
    if variant == 'stays':
        lab.switch.heal_between()
        lab.mark('the network is whole again')
        lab.wait_online('db1', 'db2', 'db3')
        lab.sleep(out())
        lab.check(lab.writer() == 'db1', 'the role moved')
        gap = client.gap(at)[0]
        lab.check(gap < 0.5, f'the client waited {gap:.2f} s')
        client.stop()
        lab.assert_nothing_lost(client, 'db1')
        return f'gap {gap:.3f} s'

    said = lab.must_ctl('move-role', 'writer', 'db2')
    lab.check('--lost db1' in said, f'the answer does not say what it waits for: {said}')
    lab.sleep(out())
    lab.check(lab.holder_now(WRITER) == 'db1', 'it moved without --lost')
    one.cut()
    one.kill('agent')
    one.kill('mysqld')
    lab.sleep(out())
    lab.must_ctl('move-role', '--force', 'writer', 'db2', '--lost', 'db1')
    moved = lab.wait_writer('db2', 15)
    client.wait_acked(50, server='db2')
    return f'gap {gap:.3f} s till db1 was switched off; db2 open {moved:.2f} s after the order'
