# SPDX-License-Identifier: GPL-2.0-or-later
import os
import shutil
import signal

from lab.lab import WRITER

MONITORS = {f'mon{i}': f'10.77.0.{i}' for i in (1, 2, 3)}  # two there can't be; mon3 never runs
VARIANTS = ('other_name', 'same_name', 'take_over')
ALIKE = True


def passive(lab, host, why):
    """That monitor is passive, and its status says this."""
    lab.wait_until(lambda: lab.status(host=host).get('mode') == 'passive', 10,
                   f'the monitor on {host} is passive', lambda: lab.ctl('status', host=host)[1])
    text = lab.ctl('status', host=host)[1]
    lab.check(why in text, f'{host} does not say "{why}": {text}')


def reigns(lab, host, to, client):
    """That monitor reigns: it moves the writer when it is told to."""
    lab.must_ctl('move-role', 'writer', to, host=host)
    client.wait_acked(20, server=to)
    lab.check(lab.status(host=host).get('mode') == 'active', f'{host} is not active')


def let_in(lab, host):
    """A new monitor lets in by itself only who holds something, and not all have a reader."""
    for h in lab.status(host=host)['hosts']:
        if h['state'] == 'AWAITING_RECOVERY':
            lab.must_ctl('set-online', h['name'], host=host)


def again_on_its_machine(lab):
    """The first monitor a second time, where it runs already: the port is taken."""
    copy = f'{lab.directory}/mon1/again'
    shutil.copytree(f'{lab.directory}/mon1/state', copy)
    code, text = lab.host('mon1').ns.run(
        [lab.hamm, 'monitor', '-c', lab.config, '--state-dir', copy], 10, check=False)
    lab.check(code not in (0, -9) and text, f'a third on the same machine: exit {code}: {text}')


def run(lab, variant):
    """A second monitor is started by mistake, on another machine with a state directory of its own.

    other_name: it is in the configuration under a name of its own, has never reigned, and stays
    passive; also once more on the first one's machine, where the port is taken: refused. same_name:
    a copy of the first one's machine with its name and its state. With the address that belongs to
    that name it does not start; with another it begins a new reign, which the agents accept as
    that of a monitor that was moved; the first is passive and says that there is another of its
    name. take_over: the second is started with --take-over; it deposes the first, which says by
    whom. A deposed monitor that is started again does not come back. Nothing moves in any case
    until the operator says so, and only one of them can move anything.
    """
    lab.start(more_hosts={'mon2': MONITORS['mon2']}, monitors=MONITORS)
    one, second = lab.host('mon1'), lab.host('mon2')
    client = lab.client()
    if variant == 'same_name':
        shutil.copytree(os.path.join(one.directory, 'state'),
                        os.path.join(second.directory, 'state'), dirs_exist_ok=True)
        code, text = second.ns.run([lab.hamm, 'monitor', '-c', lab.config, '--name', 'mon1',
                                    '--state-dir', os.path.join(second.directory, 'state')], 10,
                                   check=False)
        lab.check(code == 1 and 'no interface of this host has' in text, f'a copy: {code}: {text}')
        moved = os.path.join(lab.directory, 'moved.yaml')
        lab.write_config(moved, monitors={**MONITORS, 'mon1': MONITORS['mon2'],
                                          'mon2': MONITORS['mon1']})
        at = lab.mark('a copy of mon1 is started on mon2, with the address changed to fit')
        second.start_monitor('--name', 'mon1', config=moved)
    elif variant == 'take_over':
        at = lab.mark('mon2 takes over')
        second.start_monitor('--take-over')
    else:
        at = lab.mark('mon2 is started')
        second.start_monitor()

    if variant == 'other_name':
        passive(lab, 'mon2', 'obeys monitor mon1')
        lab.sleep(5)
        passive(lab, 'mon2', 'obeys monitor mon1')
        code, text = lab.ctl('move-role', 'writer', 'db2', host='mon2')
        lab.check(code == 1, f'a passive monitor moves a role: exit {code}: {text}')
        lab.assert_undisturbed(client, at)
        again_on_its_machine(lab)
        reigns(lab, 'mon1', 'db2', client)
    else:
        why = {'same_name': 'has just heard another monitor named mon1',
               'take_over': 'deposed: '}[variant]
        passive(lab, 'mon1', why)
        lab.wait_until(lambda: lab.writer(host='mon2') == 'db1', 10, 'mon2 knows the writer',
                       lambda: lab.ctl('status', host='mon2')[1])
        lab.sleep(3)
        lab.assert_undisturbed(client, at)
        passive(lab, 'mon1', 'obeys monitor mon2' if variant == 'take_over' else why)
        code, text = lab.ctl('move-role', 'writer', 'db2')
        lab.check(code == 1, f'a deposed monitor moves a role: exit {code}: {text}')
        let_in(lab, 'mon2')
        reigns(lab, 'mon2', 'db2', client)
    gap = client.gap(at)[0]

    if variant == 'take_over':
        at = lab.mark('the deposed monitor is started again')
        one.monitor.expected = True
        one.monitor.signal(signal.SIGTERM)
        one.monitor.wait(10)
        one.start_monitor()
        passive(lab, 'mon1', 'obeys monitor mon2')
        lab.assert_undisturbed(client, at, host='db2')
        reigns(lab, 'mon2', 'db1', client)
    client.stop()
    writer = lab.holder_now(WRITER)
    lab.assert_nothing_lost(client, writer)
    return f'longest gap {gap:.3f} s, with a move'
