# SPDX-License-Identifier: GPL-2.0-or-later
from lab.lab import SEEN_S, WRITER, out

VARIANTS = ('cable', 'partial')
ALIKE = True


def run(lab, variant):
    """The monitor dies and the writer's host is isolated at once: it fences itself.

    cable: nobody reaches it any more; partial: clients do, and must lose it within the lease.
    Nobody else takes over: there is no monitor to say so. The network heals, and still nobody
    serves; the monitor comes back, and everything is whole again, without a lost row.
    """
    lab.start()
    one, mon = lab.host('db1'), lab.host('mon1')
    client = lab.client()
    lab.sleep(0.5 + lab.random.uniform(0, 0.5))
    at = mon.kill('monitor')
    if variant == 'cable':
        one.cut()
    else:
        for other in ('db2', 'db3', 'mon1'):
            lab.switch.cut_between('db1', other)
    cut = lab.mark('nobody can acknowledge anything to db1 any more')
    lab.wait_until(lambda: lab.holder_now(WRITER) is None, 2 * out(), 'db1 is out')
    last = lab.last_seen(WRITER, 'db1')
    lab.check(last - cut <= out() + SEEN_S, f'db1 was reached for {last - cut:.2f} s')
    lab.wait_until(lambda: one.read_only() and WRITER not in one.addresses(), 2 * out() + 5,
                   'db1 fences itself')
    lab.wait_until(lambda: lab.when('db1', 'server: read_only=1', at), 2, 'the witness saw it')
    closed = lab.when('db1', 'server: read_only=1', at)

    healed = lab.mark('the network is whole again; no monitor')
    one.heal()
    lab.switch.heal_between()
    lab.sleep(out() + 1)
    held = [s for s in lab.spans('arp', 'icmp', what=WRITER) if s[4] > healed]
    lab.check(not held, f'somebody has the address though nobody ordered it: {held}')
    lab.check(not [s for s in lab.spans('writable') if s[4] > healed], 'somebody is open')

    back = lab.mark('the monitor is back')
    mon.start_monitor()
    lab.wait_until(lambda: lab.writer() is not None, 15, 'there is a writer', lab.status_text)
    writer = lab.writer()
    lab.wait_writer(writer, 10)
    client.wait_acked(20, 10, server=writer)
    lab.wait_online('db1', 'db2', 'db3')
    for h in lab.dbs():
        lab.wait_until(lambda: h.name == writer or h.follows(writer), 10,
                       f'{h.name} follows {writer}', lab.status_text)
    client.stop()
    lab.assert_nothing_lost(client, writer)
    return (f'read-only after {closed - at:.2f} s, {writer} serves '
            f'{lab.first_seen(WRITER, writer, back) - back:.2f} s after the monitor is back')
