# SPDX-License-Identifier: GPL-2.0-or-later
from lab.clock import now
from lab.lab import READERS, WRITER, Failure, out

FAULTS, FEWER, LEASE_S = 20, 6, 0.8  # fewer on a server that takes seconds to start
TRAP_S = 0.5
SOON = {'period': '100ms', 'trap_period': f'{TRAP_S * 1000:.0f}ms', 'timeout': '400ms'}
CHECKS = {name: SOON for name in ('ping', 'mysql', 'rep_threads', 'rep_backlog')}
WHOLE_S = 30


def rows(host):
    return {r['id'] for r in host.sql('SELECT id FROM app.writes')}


class Story:
    """What was acknowledged and is gone, as hamm told it."""

    def __init__(self, lab):
        self.lab, self.client, self.told, self.anew = lab, lab.client(), set(), 0
        self.writer = self.since = None
        self.mended = set()  # and not yet seen in another state
        for h in lab.dbs():
            h.mysqld.expected = True

    def supervise(self):
        """As systemd would: a server that took too long to become read-only was killed."""
        for h in self.lab.dbs():
            if not h.mysqld.alive():
                self.lab.mark(f'{h.name}: mysqld is started again')
                h.start_mysqld(replicate=False)
            h.mysqld.expected = True

    def whole(self):
        """One writer, all others follow it, all are ONLINE, every address is held."""
        self.supervise()
        status = self.lab.status()
        state = {h['name']: h['state'] for h in status.get('hosts', [])}
        writer = next((r['host'] for r in status.get('roles', []) if r['name'] == 'writer'), None)
        for name, at in state.items():
            if at != 'REPLICATION_FAIL':
                self.mended.discard(name)
            elif writer and name not in self.mended and self.lab.host(name).answers():
                self.mend(name, writer)
        good = (writer and set(state.values()) == {'ONLINE'} and
                self.lab.holder_now(WRITER) == writer and
                self.lab.host(writer).read_only() is False and
                all(self.lab.holder_now(ip) for ip in READERS) and
                all(h.follows(writer) and h.read_only() for h in self.lab.dbs()
                    if h.name != writer))
        if not good or writer != self.writer:
            self.writer, self.since = writer if good else None, now()
        return good

    def settled(self):
        """Whole for so long that nothing of the fault can come any more: no lease that was
        granted before it runs, no trap."""
        return self.whole() and now() - self.since > out(lease=LEASE_S) + TRAP_S

    def mend(self, name, writer):
        """The operator: takes note of what it has alone, and makes the server anew."""
        told = [h['extra_gtid'] for h in self.lab.status()['hosts'] if h['name'] == name][0]
        extra = self.lab.extra_rows(name, writer)
        if not told and not extra:
            return  # it says something else; it may mend itself
        self.lab.check(told, f'rows {extra} are on {name} alone, and status does not say so')
        self.lab.mark(f'{name} is made anew; it alone has {len(extra)} rows, {told}')
        self.told |= set(extra)
        self.lab.host(name).make_anew(writer)
        self.mended.add(name)
        self.anew += 1

    def check(self, writer):
        """No acknowledged row is missing but those that were told; the others have them too.

        (A replication connection that was cut may need a few seconds until TCP tries again.)"""
        lost = {a.row for a in self.client.lost(writer)} - self.told
        self.lab.check(not lost, f'{sorted(lost)[:10]} were acknowledged, are not on {writer}, and '
                       'nobody said so')
        acked = {a.row for a in self.client.read()} - self.told
        for h in self.lab.dbs():
            if h.name != writer:
                self.lab.wait_until(lambda: acked <= rows(h), WHOLE_S, f'{h.name} has every row')


def faults(lab, writer):
    """[(name, how)]: each leaves things so that they can become whole by themselves."""
    pick = lab.random
    hosts = [lab.host(n) for n in ('db1', 'db2', 'db3')]
    mon, one = lab.host('mon1'), lab.host(writer)
    some = pick.choice([one, one, *hosts])  # rather the writer

    def again(host, what):
        getattr(host, f'start_{what}')(**({'replicate': False} if what == 'mysqld' else {}))

    def kill(host, what):
        host.kill(what)
        lab.sleep(pick.choice((0.1, out(lease=LEASE_S) + 0.5)))
        again(host, what)

    def stop(host, what):
        process = getattr(host, what)
        process.expected = process.expected or what == 'mysqld'  # a hung one is killed
        host.stop(what)
        lab.sleep(pick.uniform(0.1, 2.5))
        host.cont(what)
        lab.sleep(0.2)
        if not process.alive():
            again(host, what)

    def cable():
        pick.choice((some.cut, some.silence))()
        lab.sleep(pick.uniform(0.1, 2.5))
        some.heal()

    def hands():
        lab.mark(f'{writer}: the address is taken off by hand')
        one.ns.run(['ip', 'addr', 'del', f'{WRITER}/24', 'dev', 'eth0'], check=False)

    def from_monitor():
        lab.mark(f'{some.name} is cut off from the monitor')
        lab.switch.cut_between(some.name, 'mon1')
        lab.sleep(pick.uniform(0.1, 2.5))
        lab.mark('no more')
        lab.switch.heal_between()

    return [lambda: kill(some, 'mysqld'), lambda: kill(some, 'agent'),
            lambda: kill(mon, 'monitor'), lambda: stop(some, 'mysqld'), lambda: stop(some, 'agent'),
            lambda: stop(mon, 'monitor'), cable, hands, from_monitor]


def run(lab):
    """Random faults in a row under load; after each all is whole again, nothing is missing.

    kill -9 and SIGSTOP of mysqld, agent and monitor, cables, the address taken off by hand, a host
    cut off from the monitor only. Whole: one writer, the others ONLINE and following it. What an
    old writer had acknowledged and sent to nobody must be told by status with its GTIDs; that
    server is made anew, as an operator would. --seed repeats the choices; what makes it fast is its
    configuration: a lease of 0.8 s and traps of 0.5 s.
    """
    lab.start(failover={'lease': f'{LEASE_S * 1000:.0f}ms', 'auto_set_online': '200ms',
                        'flap_count': 0}, checks=CHECKS)
    story, writer, moves, slowest = Story(lab), 'db1', 0, 0.0
    count = FAULTS if lab.long or lab.flavour.name == 'mariadb' else FEWER
    for i in range(count):
        lab.sleep(lab.random.uniform(0.2, 0.7))
        lab.mark(f'fault {i + 1} of {count}')
        lab.random.choice(faults(lab, writer))()
        over, story.writer = now(), None
        try:
            lab.wait_until(story.settled, WHOLE_S, 'everything is whole', lab.status_text)
        except Failure as e:
            raise Failure(f'fault {i + 1}: {e}') from None
        before, writer, took = writer, story.writer, story.since - over
        story.client.wait_acked(20, 10, server=writer)
        story.check(writer)
        moves, slowest = moves + (before != writer), max(slowest, took)
    story.client.stop()
    lost = len({a.row for a in story.client.acks} & story.told)
    return (f'{count} faults, {moves} moves, whole after {slowest:.1f} s at most, '
            f'{len(story.client.acks)} rows, {lost} lost and told, {story.anew} servers made anew')
