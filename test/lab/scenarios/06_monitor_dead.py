# SPDX-License-Identifier: GPL-2.0-or-later
from lab.lab import WRITER, out

AWAY_S = 15


def run(lab):
    """The monitor is killed for 15 s: nothing moves, no gap. Then without it db1 is cut off.

    Without a monitor the writer lives on the promise of its partner. Cut off from monitor and
    partners while clients still reach it, it must fence itself within its lease; when all is
    back, there is one writer again.
    """
    lab.start()
    one, mon = lab.host('db1'), lab.host('mon1')
    client = lab.client()
    lab.sleep(0.5 + lab.random.uniform(0, 0.5))
    at = mon.kill('monitor')
    lab.sleep(AWAY_S)
    mon.start_monitor()
    lab.wait_until(lambda: lab.writer() == 'db1', 10, 'the monitor knows the writer')
    lab.sleep(3)
    gap = client.gap(at)[0]
    lab.check(gap < 0.5, f'the client waited {gap:.2f} s while the monitor was away')
    lab.check(not lab.spans('arp', what=WRITER, host='db2'), 'the address moved')
    lab.check(not lab.spans('writable', host='db2'), 'db2 was open for writes')
    lab.wait_online('db1', 'db2', 'db3')

    mon.kill('monitor')
    lab.sleep(1 + lab.random.uniform(0, 0.5))
    for other in ('db2', 'db3', 'mon1'):
        lab.switch.cut_between('db1', other)
    cut = lab.mark('db1 is cut off from db2, db3 and mon1; the client still reaches it')
    lab.wait_until(lambda: lab.holder_now(WRITER) is None, out() + 1, 'db1 gives up the address')
    last = lab.last_seen(WRITER, 'db1')
    lab.check(last - cut <= out() + 0.1, f'db1 was reached for {last - cut:.2f} s')
    lab.wait_until(one.read_only, 2, 'db1 turns read-only by itself')
    lab.sleep(1)
    lab.check(not lab.spans('arp', what=WRITER, host='db2'), 'db2 took it without a monitor')

    lab.mark('the network is whole again, the monitor is back')
    lab.switch.heal_between()
    mon.start_monitor()
    client.wait_acked(50, seconds=20)
    lab.assert_nothing_lost(client, lab.writer())
    return f'gap {gap:.3f} s in {AWAY_S} s without a monitor; cut off: out after {last - cut:.2f} s'
