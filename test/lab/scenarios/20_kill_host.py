# SPDX-License-Identifier: GPL-2.0-or-later
import os

from lab.lab import WRITER, out

VARIANTS = ('works', 'fails', 'hangs', 'manual')
LONG = ('fails', 'hangs', 'manual')
PROGRAM = {'works': 'echo outlet 7 is off',
           'fails': 'echo the power strip does not answer >&2; exit 3',
           'hangs': 'echo $$ > {dir}/kill.pid; sleep 1000',
           'manual': ''}
TOLD = {'works': 'kill_host says it is dead: outlet 7 is off',
        'fails': 'kill_host failed: exit 3: the power strip does not answer',
        'hangs': 'kill_host failed: still running after 30 s: killed'}
ALIKE = True


def run(lab, variant):
    """The writer's host is cut off: kill_host is called once, and nothing depends on its answer.

    works: its last line is an event; fails: so is how it failed; hangs: db2 takes over while it
    runs, and it is killed after its time; manual: nobody's power is touched while hamm is told to
    keep its hands off, and once the lease is over there is no need to.
    """
    calls_path, program = f'{lab.directory}/kill.calls', f'{lab.directory}/kill'
    with open(program, 'w') as f:
        f.write(f'#!/bin/sh\necho "$@" >> {calls_path}\n'
                f'{PROGRAM[variant].format(dir=lab.directory)}\n')
    os.chmod(program, 0o755)

    def calls():
        try:
            with open(calls_path) as f:
                return f.read().split('\n')[:-1]
        except FileNotFoundError:
            return []

    def events():
        return lab.must_ctl('events', '-n', '200')

    lab.start(failover={'kill_host': program})
    one, client = lab.host('db1'), lab.client()
    if variant == 'manual':
        lab.must_ctl('mode', 'manual')
    at = one.cut()
    if variant == 'manual':
        lab.wait_state('db1', 'HARD_OFFLINE')
        lab.sleep(2 * out())
        lab.check(not calls(), f'called in manual mode: {calls()}')
        lab.check(not lab.spans('arp', what=WRITER, host='db2'), 'the role moved in manual mode')
        at = lab.mark('active mode')
        lab.must_ctl('mode', 'active')
    else:
        lab.wait_until(calls, 5, 'kill_host is called', lab.status_text)
    lab.wait_writer('db2', 15)
    client.wait_acked(50, server='db2')
    gap = client.gap(at - 0.1)[0]
    if variant == 'hangs':
        with open(f'{lab.directory}/kill.pid') as f:
            pid = f.read().strip()
        mon = lab.host('mon1').ns
        lab.check(mon.run(['kill', '-0', pid], check=False)[0] == 0, 'it is not running any more')
        lab.check('kill_host failed' not in events(), 'its end is told before it ended')
        lab.wait_until(lambda: TOLD[variant] in events(), 32, TOLD[variant], events)
        lab.check(mon.run(['kill', '-0', pid], check=False)[0] != 0, 'it is still running')
    if variant != 'manual':
        lab.wait_until(lambda: TOLD[variant] in events(), 5, TOLD[variant], events)
    one.heal()
    back = lab.wait_back('db1', 'db2')
    lab.check(calls() == ([] if variant == 'manual' else ['db1 0']), f'called with {calls()}')
    client.stop()
    lost = lab.assert_loss_told(client, 'db1', 'db2')
    return f'gap {gap:.2f} s, called {len(calls())} times, {back}, {lost} rows lost and told'
