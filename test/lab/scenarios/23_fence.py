# SPDX-License-Identifier: GPL-2.0-or-later
from lab.lab import READERS, WRITER, out

ALIKE = True


def run(lab):
    """on_monitor_loss: fence. The monitor is killed: within the lease everybody lets go.

    Nobody asks anybody for a promise, the writer turns read-only, no address is left. When the
    monitor is back, so are they, the writer where it was.
    """
    lab.start(failover={'on_monitor_loss': 'fence'})
    one, mon = lab.host('db1'), lab.host('mon1')
    client = lab.client()
    at = mon.kill('monitor')
    lab.wait_until(lambda: all(lab.holder_now(ip) is None for ip in (WRITER, *READERS)), out() + 1,
                   'all addresses are given up')
    last = max(lab.last_seen(ip, h.name) for ip in (WRITER, *READERS) for h in lab.dbs())
    lab.check(last - at <= out() + 0.1, f'an address was held for {last - at:.2f} s')
    lab.wait_until(one.read_only, 2, 'db1 turns read-only by itself')
    lab.sleep(out())
    lab.check(not lab.spans('writable', host='db2'), 'db2 was open for writes')
    lab.check(not [s for s in lab.spans('arp') if s[4] > last + 0.1], 'somebody took an address')
    mon.start_monitor()
    lab.wait_writer('db1', 20)
    client.wait_acked(50, server='db1')
    lab.wait_until(lambda: all(map(lab.holder_now, READERS)), 10, 'the readers are back',
                   lab.status_text)
    client.stop()
    lab.assert_nothing_lost(client, 'db1')
    return f'out after {last - at:.2f} s, back with the monitor'
