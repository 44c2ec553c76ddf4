# SPDX-License-Identifier: GPL-2.0-or-later
import re

ROUNDS, LONG_ROUNDS = 10, 25


def middle(values):
    return sorted(values)[len(values) // 2]


def run(lab):
    """move-role writer db2 and back, ten times under load: nothing acknowledged is lost.

    The answer prints each step in milliseconds and how long writes were blocked; afterwards the
    others follow the new writer. With --long fifty moves in a row.
    """
    lab.start()
    client = lab.client()
    gaps, blocked = [], []
    for _ in range(LONG_ROUNDS if lab.long else ROUNDS):
        for to, old in (('db2', 'db1'), ('db1', 'db2')):
            at = lab.mark(f'move-role writer {to}')
            code, text = lab.ctl('move-role', 'writer', to)
            lab.check(code == 0, f'move-role writer {to}: exit {code}: {text}')
            lab.check(re.search(r'\d+(\.\d+)? ?ms', text), f'no steps in ms: {text}')
            ms = re.search(r'writes were blocked for (\d+) ms', text)
            lab.check(ms, f'it does not say how long writes were blocked: {text}')
            blocked.append(int(ms.group(1)))
            client.wait_acked(20, server=to)
            gaps.append(client.gap(at)[0])
            lab.wait_until(lambda: lab.host(old).follows(to) and lab.host('db3').follows(to), 10,
                           f'{old} and db3 follow {to}', lab.status_text)
    client.stop()
    lab.assert_nothing_lost(client, 'db1')
    for other in ('db2', 'db3'):
        lab.wait_until(lambda: not client.lost(other), 5, f'{other} has every acknowledged row')
    return (f'{len(gaps)} moves, writes blocked median {middle(blocked)} ms, longest '
            f'{max(blocked)} ms; gap median {middle(gaps):.3f} s, longest {max(gaps):.3f} s, '
            f'{len(client.acks)} rows')
