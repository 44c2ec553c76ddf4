# SPDX-License-Identifier: GPL-2.0-or-later
import os

from lab.receipts import each, last_of, logged, of_server

VARIANTS = ('agents', 'monitor')
ALIKE = ('monitor',)


def state(host, size):
    """A tmpfs of its own under its state directory."""
    path = os.path.join(host.directory, 'state')
    host.ns.run(['mount', '-t', 'tmpfs', '-o', f'mode=755,size={size}', 'lab', path])
    return path


def agents(lab):
    lab.start(hamm=False)
    places = {h: state(h, '64m') for h in lab.dbs()}
    lab.write_config()
    lab.start_hamm()
    one, two = lab.host('db1'), lab.host('db2')
    client = lab.client()
    client.wait_acked(50, server='db1')
    used = {h: h.fill_disk(places[h]) for h in lab.dbs()}
    for h in lab.dbs():
        lab.wait_until(lambda h=h: f'{places[h]} is full (' in lab.must_ctl('explain', h.name), 15,
                       f'explain names the disk of {h.name}', lab.status_text)
    lab.mark(lab.status_text())
    for h in lab.dbs():  # with nothing but what it has on a full disk
        h.kill('agent')
        h.start_agent()
    lab.wait_online('db1', 'db2', 'db3')
    lab.check(lab.writer() == 'db1', 'the writer moved')
    client.wait_acked(20, server='db1')
    one.withhold('db2', 'db3')
    lab.sleep(0.3 + lab.random.uniform(0, 0.3))
    had = logged(two)
    at = one.kill_mysqld()
    lab.wait_writer('db2', 20)
    client.wait_acked(50, server='db2')
    client.stop()
    one.send_again()
    gap = client.gap(at - 0.1)[0]
    lab.assert_nothing_lost(client, 'db2')
    with open(one.log('agent')) as f:
        lab.check('from memory: state_dir has no room' in f.read(), 'its agent does not say so')
    receipt = last_of(lab, 'db1')
    one.start_mysqld()
    lab.wait_back('db1', 'db2', 30)
    got = of_server(one, logged(two) - had)
    lab.check(got and each(receipt['salvaged']) == got, f'db2 got {sorted(got)}: {receipt}')
    three = lab.host('db3')  # a host that is new: nowhere to keep whom it obeys
    three.kill('agent')
    os.remove(os.path.join(three.ns.root(places[three]), 'shop.db3.agent.journal'))
    three.ns.run(['sh', '-c', f'cat /dev/zero >> {places[three]}/filler; true'])
    three.start_agent()
    said = f'the journal in {places[three]} cannot be written, so no new monitor is obeyed'
    lab.wait_until(lambda: said in lab.must_ctl('explain', 'db3'), 10, 'explain says so',
                   lambda: lab.must_ctl('explain', 'db3'))
    for h in lab.dbs():
        h.free_disk(used[h], places[h])
    for h in lab.dbs():
        lab.wait_until(lambda h=h: places[h] not in lab.must_ctl('explain', h.name), 15,
                       f'explain of {h.name} is quiet', lab.status_text)
    lab.wait_online('db1', 'db2', 'db3')
    return f'gap {gap:.2f} s, {len(got)} transactions handed over from memory'


def monitor(lab):
    lab.start(hamm=False)
    mon, two = lab.host('mon1'), lab.host('db2')
    place = state(mon, '128k')  # less than a journal keeps for itself
    lab.write_config()
    lab.start_hamm()
    client = lab.client()
    client.wait_acked(50, server='db1')
    used = mon.fill_disk(place)
    full = f'monitor mon1: {place} is full ('
    lab.wait_until(lambda: full in lab.status_text(), 15, 'status names the disk', lab.status_text)
    lab.mark(lab.status_text())
    named = f'the journal in {place} cannot be written (No space left on device)'

    def decided():  # until what it has of its last block is used
        lab.must_ctl('mode', 'manual')
        lab.must_ctl('mode', 'active')
        return named in lab.status_text()
    lab.wait_until(decided, 15, 'status names it', lab.status_text)
    lab.mark(lab.status_text())
    client.wait_acked(50, server='db1')
    at = lab.host('db1').kill_mysqld()
    lab.sleep(4)
    lab.check(not lab.spans('writable', host='db2') and two.read_only(),
              'db2 was ordered by who may forget it')
    mon.free_disk(used, place)
    lab.wait_writer('db2', 10)
    client.wait_acked(50, server='db2')
    lab.wait_until(lambda: named not in lab.status_text() and full not in lab.status_text(), 5,
                   'status is quiet', lab.status_text)
    client.stop()
    lab.assert_nothing_lost(client, 'db2')
    return f'gap {client.gap(at - 0.1)[0]:.2f} s, 4 s and more of it without room'


def run(lab, variant):
    """The disks under state_dir are full: agents go on, a monitor orders nothing and says why.

    agents: those of all three hosts, also of the writer's that dies. They name it, start again,
    and what only the dead server's binary log holds is handed over all the same, through memory.
    monitor: its journal can't be written when the writer dies: nobody else opens, status says so;
    with room again db2 does.
    """
    return (agents if variant == 'agents' else monitor)(lab)
