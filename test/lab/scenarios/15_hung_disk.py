# SPDX-License-Identifier: GPL-2.0-or-later
import contextlib
import os
import subprocess

from lab.lab import WRITER, Skipped

ALIKE = True


def disk(lab, name, hosts):
    """A file system of its own under the state directories of those hosts."""
    image = os.path.join(lab.directory, f'{name}.image')
    with open(image, 'wb') as f:
        f.truncate(8 << 20)
    subprocess.run(['mkfs.ext4', '-q', image], check=True)
    made = subprocess.run(['losetup', '-f', '--show', image], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    if made.returncode:
        raise Skipped(f'it needs loop devices: {made.stdout.strip()}')  # containers have none
    loop = made.stdout.strip()
    for h in hosts:
        lab.host(h).ns.run(['mount', loop, os.path.join(lab.host(h).directory, 'state')])
    subprocess.run(['losetup', '-d', loop], check=True)  # goes when the last mount does


@contextlib.contextmanager
def hung(lab, name):
    host = lab.host(name)
    state = os.path.join(host.directory, 'state')
    lab.mark(f'the disk of {name} hangs')
    host.ns.run(['fsfreeze', '-f', state])
    try:
        yield
    finally:
        lab.mark(f'the disk of {name} goes on')
        host.ns.run(['fsfreeze', '-u', state])


def run(lab):
    """Disks hang under every journal: the loops go on, and what isn't remembered isn't done.

    A new reign that no agent can write down is not obeyed: the writer lives on promises. A monitor
    that cannot write orders nothing: a dead writer is replaced when the disk goes on.
    """
    lab.start(hamm=False)
    disk(lab, 'agents', ('db1', 'db2', 'db3'))
    disk(lab, 'monitor', ('mon1',))
    lab.write_config()
    lab.start_hamm()
    client, mon = lab.client(), lab.host('mon1')

    at = lab.mark('a new reign, which no agent can write down')
    with hung(lab, 'db1'):
        mon.kill('monitor')
        mon.start_monitor()
        lab.sleep(4)
        lab.check(lab.holder_now(WRITER) == 'db1', 'db1 lost the address')
        lab.check(lab.writer() is None, 'the monitor is obeyed')
    lab.wait_until(lambda: lab.writer() == 'db1', 5, 'the agents obey', lab.status_text)
    lab.assert_undisturbed(client, at)
    gap = client.gap(at)[0]
    lab.wait_online('db1', 'db2', 'db3')

    with hung(lab, 'mon1'):
        died = lab.host('db1').kill_mysqld()
        lab.sleep(1.5)
        lab.check(not lab.spans('writable', host='db2'), 'db2 was ordered by who may forget it')
    room = lab.mark('the disk goes on')
    lab.wait_writer('db2', 5)
    client.wait_acked(20, server='db2')
    took = lab.first_seen(WRITER, 'db2', died) - room
    client.stop()
    return f'gap {gap:.3f} s while nobody is obeyed; failover {took:.3f} s after the disk went on'
