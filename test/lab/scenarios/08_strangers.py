# SPDX-License-Identifier: GPL-2.0-or-later
import os
import socket
import time

SOURCES = [f'10.77.0.{n}' for n in range(200, 212)]
IDLE = 10_000
LINES_MAX = 300  # once for each address, kind and minute; twelve addresses and a few kinds
ALIKE = True


def lines(lab):
    total = 0
    for h in lab.hosts.values():
        for what in ('agent', 'monitor'):
            if getattr(h, what):
                with open(h.log(what), 'rb') as f:
                    total += f.read().count(b'\n')
    return total


def control_socket(lab):
    """Frames that are none, on the control socket: no TLS is in the way there."""
    path = lab.host('mon1').ns.root('/run/hamm/shop.sock')
    kept = []
    for text in (b'\0\0\0', b'\0\0\0\x40{"half":', b'\xff\xff\xff\xff', b'\0\0\0\0',
                 b'\0\0\0\x02[]', b'\0\0\0\x02{}', b'\0\0\0\x05{"a":', os.urandom(300)):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(1)
        s.connect(path)
        s.sendall(text)
        kept.append(s)
    return kept


def run(lab):
    """Garbage, a wrong key, half a frame and 10,000 idle connections: service is unharmed.

    All of it goes to the writer's agent (9989) and the monitor (9988), from twelve addresses.
    The client sees nothing of it, ctl answers, the logs stay short, and then a failover works
    while the connections are still there.
    """
    lab.start(client_addresses=SOURCES)
    client = lab.client()
    before, at = lines(lab), lab.mark('strangers come')
    here = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    strangers = lab.namespace('client').spawn(
        ['/usr/bin/python3', '-m', 'lab.strangers', str(IDLE), '10.77.0.11:9989', '10.77.0.1:9988',
         *SOURCES], 'strangers', os.path.join(lab.directory, 'strangers.log'),
        env={'PYTHONPATH': here})
    kept = control_socket(lab)

    def all_there():
        with open(strangers.log) as f:
            return 'all there' in f.read()
    lab.wait_until(all_there, 60, f'{IDLE} connections are made')
    lab.sleep(2)
    asked = time.monotonic()
    lab.check(lab.status().get('mode') == 'active', 'status does not answer')
    answered = time.monotonic() - asked
    gap = client.gap(at)[0]
    lab.assert_undisturbed(client, at)
    lab.check(lab.writer() == 'db1', 'the role moved')
    said = lines(lab) - before
    lab.check(said <= LINES_MAX, f'{said} log lines about strangers')

    killed = lab.host('db1').kill_mysqld()
    lab.wait_writer('db2')
    client.wait_acked(50, server='db2')
    failover = client.gap(killed - 0.1)[0]
    client.stop()
    if client.lost('db2'):  # replication is asynchronous
        lab.host('db1').start_mysqld()
        lab.assert_loss_told(client, 'db1', 'db2')
    for s in kept:
        s.close()
    strangers.kill()
    return (f'{said} log lines, gap {gap:.3f} s, status in {answered * 1000:.0f} ms, '
            f'failover gap {failover:.3f} s')
