# SPDX-License-Identifier: GPL-2.0-or-later
from lab.clock import now

SECONDS = 6


def run(lab):
    """Six seconds of everything at once, at random: at no instant two writers or two holders.

    Agents, monitor and servers are stopped, killed and started, servers open for writes; cables are
    cut; addresses and the gate are removed. --seed repeats the choices, not the races.
    """
    lab.start()
    client = lab.client()
    dbs = [lab.host(n) for n in ('db1', 'db2', 'db3')]
    pick, later = lab.random, []

    def in_a_while(what, longest=3.0):
        later.append((now() + pick.uniform(0.05, longest), what))

    def again(host, what):
        def start():
            process = getattr(host, what)
            if not process.alive():
                getattr(host, f'start_{what}')(
                    **({'writable': True, 'wait': 0} if what == 'mysqld' else {}))
        return start

    def stop(host, what):
        host.stop(what)
        in_a_while(lambda: host.cont(what))

    def kill(host, what):
        host.kill(what)
        in_a_while(again(host, what), 1.5)

    def cut(host):
        host.cut()
        in_a_while(host.heal)

    def isolate(host):
        for other in (*dbs, lab.host('mon1')):
            if other is not host:
                lab.switch.cut_between(host.name, other.name)
        in_a_while(lab.switch.heal_between)

    def hands(host):
        lab.mark(f'{host.name}: gate and addresses removed by hand')
        host.ns.run(['sh', '-c', 'nft flush ruleset; for a in $(ip -4 -o addr show dev eth0 | '
                     'awk \'{print $4}\' | grep 10.77.0.10); do ip addr del $a dev eth0; done'])

    faults = [lambda: stop(pick.choice(dbs), 'agent'), lambda: kill(pick.choice(dbs), 'agent'),
              lambda: stop(lab.host('mon1'), 'monitor'), lambda: kill(lab.host('mon1'), 'monitor'),
              lambda: stop(pick.choice(dbs), 'mysqld'), lambda: kill(pick.choice(dbs), 'mysqld'),
              lambda: cut(pick.choice(dbs)), lambda: isolate(pick.choice(dbs)),
              lambda: hands(pick.choice(dbs))]
    for h in dbs:
        h.mysqld.expected = True  # a hung one is killed by its agent
    end, n = now() + SECONDS, 0
    while now() < end:
        lab.sleep(pick.uniform(0.02, 0.5))
        for entry in [e for e in later if e[0] <= now()]:
            later.remove(entry)
            entry[1]()
        pick.choice(faults)()
        n += 1
        for h in dbs:
            h.mysqld.expected = True
    for _, what in later:
        what()
    lab.switch.heal_between()
    lab.sleep(2)
    for h in dbs:
        h.mysqld.expected = True
        again(h, 'mysqld')()
        h.mysqld.expected = True
    lab.sleep(1)
    client.stop()
    return f'{n} faults, {len(client.acks)} rows'
