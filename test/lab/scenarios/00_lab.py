# SPDX-License-Identifier: GPL-2.0-or-later
import subprocess

from lab.lab import WRITER, Failure
from lab.clock import now


def address(host, verb):
    subprocess.run(['nsenter', '-t', str(host.ns.holder), '-n', 'ip', 'addr', verb,
                    f'{WRITER}/24', 'dev', 'eth0'], check=True)


def fails(check):
    try:
        check()
    except Failure:
        return True
    return False


def run(lab):
    """The laboratory itself, without hamm: it sees what it is meant to see.

    An address set by hand on db1: the client writes, db2 has the rows. Then on db2 too: the
    recorder must see two holders, and once db2 is writable, two writers. A row that only db1 has
    must be missed on db3. Cables, cuts and stops must do what they say.
    """
    lab.start(hamm=False)
    one, two, three = map(lab.host, ('db1', 'db2', 'db3'))
    one.open_writes()
    address(one, 'add')
    client = lab.client()
    client.wait_acked(50)
    lab.assert_safe()
    if lab.holder_now(WRITER) != 'db1' or WRITER not in one.addresses():
        raise Failure(f'holder: {lab.holder_now(WRITER)}')
    lab.wait_until(lambda: not client.lost('db3'), 5, 'db3 has every row')

    at = one.stop('mysqld')
    lab.sleep(0.3)
    one.cont('mysqld')
    client.wait_acked()
    if not 0.25 < client.gap(at)[0] < 1.5:
        raise Failure(f'mysqld was stopped for 0.3 s, the client saw {client.gap(at)[0]:.2f} s')

    one.cut()
    lab.wait_until(lambda: lab.holder_now(WRITER) is None, 2, 'a pulled cable silences db1')
    one.heal()
    client.wait_acked()
    one.silence()
    lab.wait_until(lambda: lab.holder_now(WRITER) is None, 2, 'a dead switch silences db1')
    one.heal()
    client.wait_acked(seconds=20)

    lab.switch.cut_between('db1', 'db3')
    lab.wait_until(lambda: not three.follows('db1'), 10, 'db3 is cut off from db1')
    client.wait_acked()
    lab.wait_until(lambda: client.lost('db3'), 5, 'rows are missing on db3')
    lab.switch.heal_between()
    lab.wait_until(lambda: three.follows('db1'), 10, 'db3 follows again')

    lab.assert_safe()
    at = now()
    address(two, 'add')
    lab.wait_until(lambda: fails(lambda: lab.assert_never_two_holders(WRITER)), 5,
                   'two holders are seen')
    lab.assert_never_two_writers(WRITER)
    two.open_writes()
    lab.wait_until(lambda: fails(lambda: lab.assert_never_two_writers(WRITER)), 5,
                   'two writers are seen')
    address(two, 'del')
    client.wait_acked(seconds=20, server='db1')
    client.stop()

    two.kill_mysqld()
    two.start_mysqld()
    if two.read_only() is not True:
        raise Failure('a restarted server is not read-only')
    recorded = lab.recorded()
    if not any(e[1] == 'db2' and e[2] == f'address - {WRITER}' for e in recorded['events']):
        raise Failure('the address that left db2 was not noted')
    lab.recorder.kill()
    lab.recorder.wait()
    lab.recorder = None  # it saw two writers, as it should
    return f'{len(client.acks)} rows, {recorded["rounds"]} rounds of probes'
