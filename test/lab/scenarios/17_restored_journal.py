# SPDX-License-Identifier: GPL-2.0-or-later
import os
import shutil

from lab.lab import WRITER, out

VARIANTS = ('older', 'same')
ALIKE = True


def run(lab, variant):
    """A monitor gets its journal back from a backup: it must not reign as if it remembered all.

    Since the backup db2 was away and db1, the writer, went on alone. Now db1 is cut off from
    everybody but its clients: what the old journal says of db2 would make a second writer. `same`:
    the reign that begins with it has the number of one that the agents know.
    """
    lab.start()
    mon, one = lab.host('mon1'), lab.host('db1')
    journal = os.path.join(mon.directory, 'state', 'shop.mon1.monitor.journal')
    client = lab.client()
    lab.sleep(0.5)
    shutil.copy(journal, journal + '.backup')
    for _ in range({'older': 2, 'same': 1}[variant]):
        mon.kill('monitor')
        mon.start_monitor()
        lab.wait_until(lambda: lab.writer() == 'db1', 5, 'the monitor knows the writer')
    lab.sleep(0.5)
    lab.host('db2').cut()
    lab.sleep(4)  # db2 is taken out of the electorate

    lab.mark('db1 is cut off from all but the client, db2 is back, the journal is an old one')
    mon.kill('monitor')
    for other in ('db2', 'db3', 'mon1'):
        lab.switch.cut_between('db1', other)
    lab.host('db2').heal()
    shutil.copy(journal + '.backup', journal)
    mon.start_monitor()
    lab.sleep(2 * out() + 1)
    lab.check(lab.holder_now(WRITER) == 'db1', 'db1, which holds it alone, lost the address')
    lab.check(not lab.spans('writable', host='db2'), 'db2 was opened for writes')

    lab.mark('db1 is reached again')
    lab.switch.heal_between()
    lab.wait_until(lambda: lab.writer() == 'db1', 10, 'the monitor reigns', lab.status_text)
    client.wait_acked(20, server='db1')
    client.stop()
    lab.assert_nothing_lost(client, 'db1')
    return 'one writer'
