# SPDX-License-Identifier: GPL-2.0-or-later
import re

from lab.lab import READERS, WRITER

ALIKE = True


def run(lab):
    """The monitor is stopped for a while, again and again: nobody moves, no connection is given up.

    Woken up it reads what came meanwhile before it finds agents silent or leases over.
    """
    lab.start()
    client = lab.client()
    mon = lab.host('mon1')
    lab.sleep(0.5)
    began = lab.mark('the monitor is stopped and goes on, eight times')
    holders = {ip: lab.holder_now(ip) for ip in (WRITER, *READERS)}
    with open(mon.log('monitor')) as f:
        before = len(f.read())
    for _ in range(8):
        mon.stop('monitor')
        lab.sleep(lab.random.uniform(0.3, 1.3))
        mon.cont('monitor')
        lab.sleep(lab.random.uniform(0.05, 0.4))
    lab.sleep(0.5)
    lab.assert_undisturbed(client, began)
    gap = client.gap(began)[0]
    client.stop()
    for ip, name in holders.items():
        others = [s for s in lab.spans('arp', what=ip) if s[2] != name and s[4] > began]
        lab.check(not others, f'{ip} moved from {name}')
    with open(mon.log('monitor')) as f:
        lost = re.findall(r'.*(?:disconnected|says nothing|given to|let go).*', f.read()[before:])
    lab.check(not lost, 'the woken monitor: ' + '; '.join(lost[:3]))
    lab.wait_online('db1', 'db2', 'db3')
    lab.assert_nothing_lost(client, 'db1')
    return f'gap {gap:.3f} s'
