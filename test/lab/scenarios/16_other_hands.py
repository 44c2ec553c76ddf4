# SPDX-License-Identifier: GPL-2.0-or-later
import glob

from lab.lab import LEASE_S, READERS, WRITER

ALIKE = True
STORM = 1000  # twice as many messages: a netlink socket's 208 KiB hold some 270

def run(lab):
    """What an administrator's hands do to addresses, interfaces and servers is put right.

    On the writer: the address taken off, also amid more changes than netlink can tell; the
    interface down and up, and renamed. On others: the writer's address added, writes opened, the
    server started writable; an agent killed, its lease record damaged, the address left over. The
    address is back while the lease it was held under still runs, so the role never moves.
    """
    lab.start()
    one, two, three = (lab.host(h) for h in ('db1', 'db2', 'db3'))
    client = lab.client()

    def ip(host, *commands):
        host.ns.run(['ip', '-batch', '-'], stdin='\n'.join(commands) + '\n')

    def back(what):
        lab.wait_until(lambda: WRITER in one.addresses(), LEASE_S['nft'], f'{what}: put back')
        client.wait_acked(20, server='db1')

    began = lab.mark('the address is taken off')
    for _ in range(3):
        ip(one, f'addr del {WRITER}/24 dev eth0')
        back('taken off')
        lab.sleep(lab.random.uniform(0, 0.3))
    one.stop('agent')
    storm = [f'{verb} 198.51.100.{i % 250 + 1}/32 dev lo' for i in range(STORM)
             for verb in ('addr add', 'addr del')]
    ip(one, *storm[:STORM], f'addr del {WRITER}/24 dev eth0', *storm[STORM:])
    one.cont('agent')
    back('taken off in a storm')
    ip(one, 'link set eth0 down', 'link set eth0 up')
    back('down and up')
    ip(one, 'link set eth0 down', 'link set eth0 name eth7', 'link set eth7 up')
    lab.sleep(0.5)
    ip(one, 'link set eth7 down', 'link set eth7 name eth0', 'link set eth0 up')
    client.wait_acked(20, server='db1')
    gap = client.gap(began)[0]
    lab.check(not lab.spans('arp', 'icmp', what=WRITER, host='db2'), 'the role moved')

    lab.mark('the writer\'s address is added on db2; db3 is opened for writes')
    ip(two, f'addr add {WRITER}/24 dev eth0')
    three.open_writes()
    lab.wait_until(three.read_only, 1, 'db3 is read-only again')
    three.kill_mysqld()
    three.start_mysqld(writable=True)
    lab.wait_until(three.read_only, 2, 'db3, started writable, is read-only')

    lab.mark('db2: agent killed, record damaged, address left over, writable')
    two.kill('agent')
    records = glob.glob(two.ns.root('/run/hamm/*.lease'))
    lab.check(records, 'no lease record')
    for path in records:
        with open(path, 'r+b') as f:
            f.write(b'\xff' * 32768)
    two.open_writes()
    ip(two, f'addr replace {WRITER}/24 dev eth0', f'addr replace {READERS[0]}/24 dev eth0')
    two.start_agent()
    lab.wait_until(lambda: two.read_only() and WRITER not in two.addresses(), 2,
                   'db2 is fenced')
    client.wait_acked(20, server='db1')
    lab.wait_online('db1', 'db2', 'db3')
    client.stop()
    lab.check(not lab.spans('arp', 'icmp', what=WRITER, host='db2'), 'db2 answered for the address')
    lab.assert_nothing_lost(client, 'db1')
    return f'gap {gap:.3f} s'
