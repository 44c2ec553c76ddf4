# SPDX-License-Identifier: GPL-2.0-or-later
import re

ROUNDS = 10


def run(lab):
    """move-role writer db2 and back, ten times under load: nothing acknowledged is lost.

    The answer prints each step in milliseconds; afterwards the others follow the new writer.
    """
    lab.start()
    client = lab.client()
    gaps = []
    for _ in range(ROUNDS):
        for to, old in (('db2', 'db1'), ('db1', 'db2')):
            at = lab.mark(f'move-role writer {to}')
            code, text = lab.ctl('move-role', 'writer', to)
            lab.check(code == 0, f'move-role writer {to}: exit {code}: {text}')
            lab.check(re.search(r'\d+(\.\d+)? ?ms', text), f'no steps in ms: {text}')
            client.wait_acked(20, server=to)
            gaps.append(client.gap(at)[0])
            lab.wait_until(lambda: lab.host(old).follows(to) and lab.host('db3').follows(to), 10,
                           f'{old} and db3 follow {to}', lab.status_text)
    client.stop()
    lab.assert_nothing_lost(client, 'db1')
    for other in ('db2', 'db3'):
        lab.wait_until(lambda: not client.lost(other), 5, f'{other} has every acknowledged row')
    gaps.sort()
    return (f'{len(gaps)} moves, gap median {gaps[len(gaps) // 2]:.3f} s, '
            f'longest {gaps[-1]:.3f} s, {len(client.acks)} rows')
