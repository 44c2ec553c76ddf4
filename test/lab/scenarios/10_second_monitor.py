# SPDX-License-Identifier: GPL-2.0-or-later
import shutil

from lab.lab import WRITER

MONITORS = {'mon1': '10.77.0.1', 'mon2': '10.77.0.2', 'mon3': '10.77.0.3'}


def run(lab):
    """A second monitor is started by mistake: it stays passive and says so; nothing moves.

    On another machine of the same configuration, with a state directory of its own. And once
    more on the first one's machine, where the port is taken: refused, with a reason.
    """
    lab.start(more_hosts={'mon2': MONITORS['mon2']}, monitors=MONITORS)
    one, second = lab.host('mon1'), lab.host('mon2')
    client = lab.client()
    at = second.start_monitor() and lab.mark('the second monitor is there')
    lab.wait_until(lambda: lab.status(host='mon2').get('mode') == 'passive', 10,
                   'the second monitor is passive',
                   lambda: lab.ctl('status', host='mon2')[1])
    lab.sleep(5)
    lab.check(lab.status(host='mon2').get('mode') == 'passive', 'the second one is not passive')
    lab.check(lab.status().get('mode') == 'active', 'the first one is not active any more')
    with open(second.log('monitor')) as f:
        lab.check('passive' in f.read(), 'the second one does not say that it is passive')
    lab.check(not lab.spans('arp', what=WRITER, host='db2'), 'the address moved')
    gap = client.gap(at)[0]
    lab.check(gap < 0.5, f'the client waited {gap:.2f} s')

    copy = f'{lab.directory}/mon1/again'
    shutil.copytree(f'{lab.directory}/mon1/state', copy)
    code, text = one.ns.run([lab.hamm, 'monitor', '-c', lab.config, '--state-dir', copy], 10,
                            check=False)
    lab.check(code not in (0, -9) and text, f'a third on the same machine: exit {code}: {text}')

    lab.must_ctl('move-role', 'writer', 'db2')
    lab.wait_writer('db2')
    client.wait_acked(20, server='db2')
    client.stop()
    lab.assert_nothing_lost(client, 'db2')
    return f'gap {gap:.3f} s; the first one still moves roles'
