# SPDX-License-Identifier: GPL-2.0-or-later
from lab.lab import SEEN_S, WRITER, out

AWAY_S, LONG_S = 15, 60
ALIKE = True


def run(lab):
    """The monitor is killed for 15 s (--long: a minute): nothing moves. Then db1 is cut off too.

    Under load the writer lives on the promise of its partner: it keeps the address and stays open,
    and the client hears of nothing; the monitor comes back, and still nothing moves. Once more
    without a monitor, and cut off from partners while clients still reach it, the writer must
    fence itself within its lease; when all is back, there is one writer again.
    """
    lab.start()
    one, mon = lab.host('db1'), lab.host('mon1')
    client = lab.client()
    lab.sleep(0.5 + lab.random.uniform(0, 0.5))
    away = LONG_S if lab.long else AWAY_S
    at = mon.kill('monitor')
    lab.sleep(away)
    lab.assert_undisturbed(client, at)
    gap = client.gap(at)[0]
    mon.start_monitor()
    lab.wait_until(lambda: lab.writer() == 'db1', 10, 'the monitor knows the writer')
    lab.sleep(out() + 1)  # whatever a new reign waits for is over
    lab.assert_undisturbed(client, at)
    lab.wait_online('db1', 'db2', 'db3')

    mon.kill('monitor')
    lab.sleep(1 + lab.random.uniform(0, 0.5))
    for other in ('db2', 'db3', 'mon1'):
        lab.switch.cut_between('db1', other)
    cut = lab.mark('db1 is cut off from db2, db3 and mon1; the client still reaches it')
    lab.wait_until(lambda: lab.holder_now(WRITER) is None, 2 * out(), 'db1 gives up the address')
    last = lab.last_seen(WRITER, 'db1')
    lab.check(last - cut <= out() + SEEN_S, f'db1 was reached for {last - cut:.2f} s')
    lab.wait_until(one.read_only, 5, 'db1 turns read-only by itself')
    lab.sleep(1)
    lab.check(not lab.spans('arp', what=WRITER, host='db2'), 'db2 took it without a monitor')

    lab.mark('the network is whole again, the monitor is back')
    lab.switch.heal_between()
    mon.start_monitor()
    client.wait_acked(50, seconds=20)
    lab.assert_nothing_lost(client, lab.writer())
    return (f'longest gap {gap:.3f} s in {away} s without a monitor; cut off: out after '
            f'{last - cut:.2f} s')
