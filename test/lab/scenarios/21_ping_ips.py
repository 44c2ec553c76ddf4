# SPDX-License-Identifier: GPL-2.0-or-later
import os

from lab.lab import HOSTS, READERS, WRITER, out

VARIANTS = ('pulled', 'silent')
ALIKE = True


def run(lab, variant):
    """The monitor's own cable: it judges nobody, kills nobody, and moves nothing when it is back.

    None of ping_ips answers, so the fault is the monitor's. Afterwards each check begins anew: one
    that fails for less than its trap period trips nothing, one that fails longer does.
    """
    program, called = f'{lab.directory}/kill', f'{lab.directory}/kill.calls'
    with open(program, 'w') as f:
        f.write(f'#!/bin/sh\necho "$@" >> {called}\n')
    os.chmod(program, 0o755)
    lab.start(failover={'ping_ips': [HOSTS['client'], '10.77.0.250'], 'kill_host': program})
    mon, three, client = lab.host('mon1'), lab.host('db3'), lab.client()

    def events():
        return lab.must_ctl('events', '-n', '200')

    def states():
        return {h['name']: h['state'] for h in lab.status()['hosts']}

    def holders():
        return {ip: lab.holder_now(ip) for ip in (WRITER, *READERS)}

    lab.check('network' not in events(), 'the network is spoken of while it is up')
    lab.wait_until(lambda: None not in holders().values(), 2, 'all addresses are answered for')
    held, told = holders(), len(events().split('\n'))
    at = mon.cut() if variant == 'pulled' else mon.silence()
    lab.wait_until(lambda: 'own network is down' in events(), 5, 'it says so', events)
    for _ in range(6):
        lab.sleep(out() / 2)
        lab.check(set(states().values()) == {'ONLINE'}, f'judged in the dark: {states()}')
    mon.heal()
    back = lab.mark('the cable of the monitor is back')
    lab.wait_until(lambda: 'own network is up again' in events(), 5, 'it says so', events)
    lab.sleep(2 * out())
    lab.check(set(states().values()) == {'ONLINE'}, f'judged after the return: {states()}')
    new = [e for e in events().split('\n')[told - 1:] if ' is ' in e and 'network' not in e]
    lab.wait_until(lambda: holders() == held, 2, f'all is where it was, {held}', holders)
    for ip in (WRITER, *READERS):
        lab.check({s[2] for s in lab.spans('arp', what=ip) if s[4] > at} == {held[ip]},
                  f'{ip} moved')
    lab.check(not [e for e in new if 'OFFLINE' in e], f'states changed: {new}')
    lab.check(not os.path.exists(called), 'kill_host was called')
    gap = client.gap(at)[0]
    lab.check(gap < 0.5, f'the client waited {gap:.2f} s')

    three.silence()
    lab.sleep(0.7)
    three.heal()
    lab.sleep(2)
    lab.check(states()['db3'] == 'ONLINE', f'a moment tripped a check: {states()}')
    three.silence()
    lab.wait_state('db3', 'HARD_OFFLINE')
    three.heal()
    lab.wait_online('db3')
    client.stop()
    lab.assert_nothing_lost(client, 'db1')
    return f'gap {gap:.3f} s in {back - at:.1f} s without network; checks work afterwards'
