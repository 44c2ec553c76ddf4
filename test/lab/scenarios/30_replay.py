# SPDX-License-Identifier: GPL-2.0-or-later
import os
import re

SUM = re.compile(r'^(\d+) inputs over .*, (\d+) decisions: all as recorded$', re.M)
ALIKE = True


def replay(lab, *words):
    """(text, number of inputs) of a recording of which all came out as recorded."""
    mon = lab.host('mon1')
    code, text = mon.ns.run([lab.hamm, 'replay', *words, os.path.join(mon.directory, 'state')],
                            60, check=False)
    lab.check(code == 0, f'hamm replay: exit {code}: {text[-2000:]}')
    found = SUM.search(text)
    lab.check(found, f'hamm replay says nothing of "all as recorded": {text[-500:]}')
    return text, int(found.group(1))


def run(lab):
    """A failover, then `hamm replay` tells it again from what the monitor recorded.

    While the monitor writes, after kill -9 and a new start, and after its end. Every decision
    comes out as it was recorded, and the events are those of `hamm ctl events`.
    """
    lab.start()
    client, mon = lab.client(), lab.host('mon1')
    lab.host('db1').kill_mysqld()
    lab.wait_writer('db2')
    client.wait_acked(50, server='db2')
    lab.sleep(2)
    said = lab.must_ctl('events', '-n', '1000').splitlines()
    text, first = replay(lab)
    missing = [line for line in said[:-5] if line not in text]  # the last are not flushed yet
    lab.check(not missing, f'{len(missing)} events are not replayed: {missing[:3]}')
    lab.check(any('db2' in line and 'writer' in line for line in said), 'there was no failover')

    lab.sleep(1.5)
    mon.kill('monitor')
    mon.start_monitor()
    lab.wait_until(lambda: lab.writer() == 'db2', 10, 'the monitor knows the writer')
    lab.sleep(2)
    text, second = replay(lab, '--verbose')
    lab.check(text.count('the monitor starts') == 2, 'the start after kill -9 is not told')
    lab.check(second > first, 'nothing was recorded after kill -9')
    lab.check('  order  db2: hold writer' in text, '--verbose tells no order')
    client.stop()
    if client.lost('db2'):  # replication is asynchronous
        lab.host('db1').start_mysqld()
        lab.assert_loss_told(client, 'db1', 'db2')
    state = os.path.join(mon.directory, 'state')
    size = sum(os.path.getsize(os.path.join(state, f)) for f in os.listdir(state)
               if '.inputs' in f)
    lab.finish()
    _, third = replay(lab)
    lab.check(third > second, 'the end of the monitor wrote nothing')
    return f'{third} inputs, {size / third:.0f} bytes each'
