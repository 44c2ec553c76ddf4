# SPDX-License-Identifier: GPL-2.0-or-later
"""The laboratory: makes the cluster of one scenario, breaks it on request, and takes it down."""
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from . import ns, server
from .client import Client
from .clock import now
from .host import Host
from .net import Switch

WRITER, READERS = '10.77.0.100', ['10.77.0.103', '10.77.0.104']
WRITER6 = 'fd00:77::100'
HOSTS = {'mon1': '10.77.0.1', 'db1': '10.77.0.11', 'db2': '10.77.0.12', 'db3': '10.77.0.13',
         'client': '10.77.0.50'}
POLL_S = 0.01
SEEN_S = 0.1  # so much later than it came the witness may note an answer
PLAIN = re.compile(r'^[A-Za-z0-9_./-][A-Za-z0-9_./:-]*$')


LEASE_S = {'nft': 2.0, 'lifetime': 3.0}


def out(gate='nft', lease=None):
    """Design 7: how long after its moment a lease is surely over, seconds."""
    return (lease or LEASE_S[gate]) * 1.0204 + {'nft': 0.05, 'lifetime': 1.3}[gate]


class Failure(AssertionError):
    """A scenario's expectation that did not come true."""


class Skipped(Exception):
    """This machine lacks what the scenario needs."""


def address6(address):
    """A host's IPv6 address: that of 10.77.0.11 is fd00:77::11."""
    return 'fd00:77::' + address.split('.')[-1]


def flow(value):
    """One value as YAML in one line."""
    if isinstance(value, dict):
        return '{ ' + ', '.join(f'{k}: {flow(v)}' for k, v in value.items()) + ' }'
    if isinstance(value, (list, tuple)):
        return '[' + ', '.join(map(flow, value)) + ']'
    if isinstance(value, bool):
        return 'true' if value else 'false'
    return str(value) if PLAIN.match(str(value)) else json.dumps(str(value))


def yaml(tree):
    """Two levels in lines, the rest in flow style."""
    lines = []
    for key, value in tree.items():
        if isinstance(value, dict):
            lines += [f'{key}:'] + [f'  {k}: {flow(v)}' for k, v in value.items()]
        else:
            lines.append(f'{key}: {flow(value)}')
    return '\n'.join(lines) + '\n'


class Lab:
    def __init__(self, hamm, flavour, name='lab', asan=False, say=None):
        """flavour: one of flavours.FLAVOURS, with its template made."""
        self.hamm, self.flavour, self.name, self.asan = hamm, flavour, name, asan
        self.gtid, self.my_cnf = True, ()
        self.say = say or (lambda text: None)
        self.passwords = server.PASSWORDS
        self.directory = tempfile.mkdtemp(prefix=f'hamm-lab-{os.getpid()}-')
        self.mark_env = f'HAMM_LAB={self.directory}'
        self.config = os.path.join(self.directory, 'cluster.yaml')
        self.shared = os.path.join(self.directory, 'shared')  # servers, too, see these files
        os.mkdir(self.shared)
        self.namespaces, self.hosts, self.clients, self.marks = {}, {}, [], []
        self.recorder = self.switch = None
        self.ipv6 = False
        self.inodes, self.rows, self.began = set(), 0, now()

    # making

    def make_namespace(self, name, tmpfs=()):
        made = ns.Namespace(name, self.mark_env, tmpfs)
        self.namespaces[name] = made
        self.inodes.add(made.net_inode)
        return made

    def namespace(self, name):
        return self.namespaces[name]

    def host(self, name):
        return self.hosts[name]

    def dbs(self):
        return [h for h in self.hosts.values() if h.has_server]

    def make_network(self, more_hosts=None, client_addresses=()):
        self.switch = Switch(self.make_namespace('switch'))
        for name, address in {**HOSTS, **(more_hosts or {})}.items():
            more = [address6(address)] if self.ipv6 else []
            self.hosts[name] = Host(self, name, address, int(address.split('.')[-1]),
                                    more + list(client_addresses if name == 'client' else ()))

    def start_servers(self):
        """Three servers; db1 and db2 replicate from each other, db3 from db1; db1 is writable."""
        for h in self.dbs():
            h.prepare_data()
            h.start_mysqld(wait=0)
        for h in self.dbs():
            h.wait_mysqld(20)
        one, two, three = map(self.host, ('db1', 'db2', 'db3'))
        one.open_writes()
        one.sql('CREATE DATABASE app')
        one.sql('CREATE TABLE app.writes (id BIGINT PRIMARY KEY) ENGINE=InnoDB')
        one.close_writes()
        two.replicate_from('db1')
        three.replicate_from('db1')
        one.replicate_from('db2')
        self.wait_until(lambda: two.follows('db1') and three.follows('db1') and
                        one.follows('db2'), 10, 'replication runs: db1 <-> db2, db1 -> db3')
        self.wait_until(lambda: two.has_all_of('db1') and three.has_all_of('db1'), 10,
                        'all three servers have the same data')

    def cluster(self, failover=None, checks=None, monitors=None, roles=None):
        """cluster.yaml as a tree; roles: {name: what is different about it}."""
        files = {n: os.path.join(self.directory, f'{n}.password')
                 for n in ('monitor', 'agent', 'repl')}
        tree = {
            'cluster': 'shop',
            'key_file': os.path.join(self.directory, 'cluster.key'),
            'monitors': {n: {'address': a} for n, a in
                         (monitors or {'mon1': HOSTS['mon1']}).items()},
            'mysql': {
                'port': 3306, 'socket': server.SOCKET,
                'monitor': {'user': 'hamm_monitor', 'password_file': files['monitor']},
                'agent': {'user': 'hamm_agent', 'password_file': files['agent']},
                'replication': {'user': 'hamm_repl', 'password_file': files['repl']},
            },
            'hosts': {
                'db1': {'address': HOSTS['db1'], 'mode': 'master', 'peer': 'db2'},
                'db2': {'address': HOSTS['db2'], 'mode': 'master', 'peer': 'db1'},
                'db3': {'address': HOSTS['db3'], 'mode': 'replica'},
            },
            'roles': {
                'writer': {'mode': 'exclusive', 'hosts': ['db1', 'db2'],
                           'ips': [f'{WRITER}/24', *([f'{WRITER6}/64'] if self.ipv6 else [])]},
                'reader': {'mode': 'balanced', 'hosts': ['db1', 'db2', 'db3'],
                           'ips': [f'{ip}/24' for ip in READERS]},
            },
            'active_master_role': 'writer',
            'failover': {'auto_set_online': '1s', **(failover or {})},
            'state_dir': '/var/lib/hamm',
        }
        if tls := self.flavour.tls(self.shared):
            tree['mysql']['tls'] = tls
        if checks:
            tree['checks'] = checks
        for name, more in (roles or {}).items():
            tree['roles'][name].update(more)
        self.apart = min(len(READERS), len(tree['roles']['reader']['hosts']))
        return tree

    def secret(self, name, text):
        path = os.path.join(self.directory, name)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 'w') as f:
            f.write(text)
        return path

    def write_config(self, path=None, **overrides):
        for name in ('monitor', 'agent', 'repl'):
            self.secret(f'{name}.password', self.passwords[name] + '\n')
        if not os.path.exists(os.path.join(self.directory, 'cluster.key')):
            code, key = self.host('mon1').ns.run([self.hamm, 'keygen'])
            self.secret('cluster.key', key)
        with open(path or self.config, 'w') as f:
            f.write(yaml(self.cluster(**overrides)))

    def start_recorder(self):
        plan = {'client': {'holder': self.namespace('client').holder, 'address': HOSTS['client'],
                           'address6': address6(HOSTS['client'])},
                'hosts': {h.name: {'holder': h.ns.holder, 'address': h.address,
                                   'socket': h.socket, 'id': h.id} for h in self.dbs()},
                'ips': self.ips(), 'ips_reached': self.writer_ips(), 'period_ms': 10}
        here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        env = {**os.environ, 'PYTHONPATH': here}
        env.update([self.mark_env.split('=', 1)])
        with open(os.path.join(self.directory, 'recorder.log'), 'w') as log:
            self.recorder = subprocess.Popen(
                ['setpriv', '--pdeathsig', 'KILL', '/usr/bin/python3', '-m', 'lab.recorder',
                 json.dumps(plan)], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=log, text=True, start_new_session=True)
        if self.recorder.stdout.readline().strip() != 'ready':
            raise Failure('the recorder did not start')

    def writer_ips(self):
        return [WRITER, *([WRITER6] if self.ipv6 else [])]

    def ips(self):
        return [*self.writer_ips(), *READERS]

    def start(self, hamm=True, more_hosts=None, client_addresses=(), ipv6=False, gtid=True,
              my_cnf=(), encrypted=False, **overrides):
        """Everything up: servers, recorder, agents and monitor, all hosts ONLINE, db1 writer.

        ipv6: every host has an address of that kind too, and so has the writer role.
        gtid=False: the servers replicate by file and position (on MySQL with gtid_mode=OFF).
        my_cnf: further lines for every server, whenever it is started.
        encrypted: so are the binary logs of all servers."""
        self.ipv6, self.gtid, self.my_cnf = ipv6, gtid, my_cnf
        if hamm and not os.access(self.hamm, os.X_OK):
            raise Failure(f'{self.hamm}: no such program; build it first')
        self.make_network(more_hosts, client_addresses)
        if encrypted:
            try:
                self.my_cnf = (*my_cnf, *self.flavour.encryption(self))
            except RuntimeError as e:
                raise Skipped(str(e)) from e
        self.start_servers()
        self.start_recorder()
        if hamm:
            self.write_config(**overrides)
            self.start_hamm()

    def start_hamm(self):
        for h in self.dbs():
            h.start_agent()
        self.host('mon1').start_monitor()
        self.wait_online('db1', 'db2', 'db3')
        if self.writer() != 'db1':
            self.must_ctl('move-role', 'writer', 'db1')
        self.wait_writer('db1', 10)
        self.wait_until(lambda: len({self.holder_now(ip) for ip in READERS} - {None}) == self.apart,
                        10, 'the reader addresses are held and spread', self.status_text)
        self.wait_until(lambda: self.host('db2').follows('db1') and self.host('db3').follows('db1'),
                        10, 'db2 and db3 follow db1', self.status_text)
        self.mark('the cluster is up')

    # asking

    def ctl(self, *words, host='mon1', json_out=False, timeout=60, config=None):
        """hamm ctl on that host: (exit code, text)."""
        argv = [self.hamm, 'ctl', '-c', config or self.config,
                *(['--json'] if json_out else []), *words]
        return self.host(host).ns.run(argv, timeout, check=False)

    def must_ctl(self, *words, **more):
        self.mark('ctl ' + ' '.join(words))
        code, text = self.ctl(*words, **more)
        if code:
            raise Failure(f'hamm ctl {" ".join(words)}: exit {code}: {text}')
        return text

    def status(self, host='mon1', config=None):
        """`status --json`, or {} while no monitor answers."""
        code, text = self.ctl('status', host=host, json_out=True, timeout=10, config=config)
        try:
            return json.loads(text[text.index('{'):]) if not code else {}
        except ValueError:
            raise Failure(f'status --json is no JSON: {text[:300]}') from None

    def status_text(self):
        return self.ctl('status', timeout=10)[1]

    def state(self, name):
        for h in self.status().get('hosts', []):
            if h['name'] == name:
                return h['state']
        return None

    def writer(self, host='mon1'):
        """The host that has the writer role, as the status of that monitor says."""
        for r in self.status(host).get('roles', []):
            if r['name'] == 'writer':
                return r['host']
        return None

    # waiting

    def wait_until(self, predicate, deadline, what, story=None):
        """Polls each 10 ms; after `deadline` seconds it fails and tells the story. How long."""
        began = now()
        while True:
            value = predicate()
            if value:
                return now() - began
            if now() - began > deadline:
                more = f'\n{story()}' if story else ''
                raise Failure(f'waited {deadline} s: {what}{more}')
            self.watch_processes()
            time.sleep(POLL_S)

    def wait_state(self, name, state, seconds=10):
        return self.wait_until(lambda: self.state(name) == state, seconds,
                               f'{name} is {state}', self.status_text)

    def wait_online(self, *names, seconds=20):
        """Waits until they are ONLINE; an AWAITING_RECOVERY is set online by the operator."""
        asked = set()

        def online():
            states = {h['name']: h['state'] for h in self.status().get('hosts', [])}
            for n in names:
                if states.get(n) == 'AWAITING_RECOVERY' and n not in asked and \
                        self.ctl('set-online', n)[0] == 0:
                    asked.add(n)
            return all(states.get(n) == 'ONLINE' for n in names)
        return self.wait_until(online, seconds, f'{", ".join(names)} ONLINE', self.status_text)

    def wait_writer(self, name, seconds=10):
        """Status says so, the network says so, and the server is open for writes."""
        def there():
            return (self.holder_now(WRITER) == name and self.host(name).read_only() is False and
                    self.writer() == name)
        return self.wait_until(there, seconds, f'{name} is the writer', self.status_text)

    def sleep(self, seconds):
        """Time passes; a process that dies meanwhile is noticed."""
        end = now() + seconds
        while now() < end:
            self.watch_processes()
            time.sleep(min(0.05, max(0, end - now())))

    def watch_processes(self):
        for n in self.namespaces.values():
            for p in n.processes:
                if not p.alive() and not p.expected:
                    raise Failure(f'{p.name} ended by itself, exit {p.exit}')

    # clients and the witness

    def client(self, address=WRITER, period_ms=3):
        self.rows += 10_000_000
        made = Client(self, address, period_ms, self.rows)
        self.clients.append(made)
        made.wait_acked(10, 5)
        return made

    def mark(self, text):
        """A line for the story: what the scenario did just now. The time."""
        at = now()
        self.marks.append([at, 'scenario', text])
        self.say(text)
        return at

    def recorded(self):
        self.recorder.stdin.write('dump\n')
        self.recorder.stdin.flush()
        ready, _, _ = select.select([self.recorder.stdout], [], [], 5)
        line = self.recorder.stdout.readline() if ready else ''
        if not line or 'error' in (data := json.loads(line)):
            raise Failure('the recorder died; see recorder.log')
        return data

    def spans(self, *kinds, what=None, host=None):
        """[kind, what, host, first, last] of what the recorder saw."""
        return [s for s in self.recorded()['spans'] if s[0] in kinds and
                what in (None, s[1]) and host in (None, s[2])]

    def holder_now(self, ip):
        """Who answered for the address in the last 60 ms: a name, or None."""
        t = now()
        found = {s[2] for s in self.spans('arp', what=ip) if t - s[4] < 0.06}
        return found.pop() if len(found) == 1 else None

    def last_seen(self, ip, host):
        """When the host last answered for the address, by ARP or by ICMP; 0.0 if never."""
        return max((s[4] for s in self.spans('arp', 'icmp', what=ip, host=host)), default=0.0)

    def first_seen(self, ip, host, after):
        """When the host first answered for the address after that time; None if it did not."""
        times = [max(s[3], after) for s in self.spans('arp', 'icmp', what=ip, host=host)
                 if s[4] >= after]
        return min(times, default=None)

    def assert_never_two_holders(self, ip=WRITER, since=0.0):
        """At no instant did two hosts answer for the address."""
        self._assert_apart([s for s in self.spans('arp', 'icmp', what=ip) if s[4] >= since],
                           f'two hosts hold {ip}')

    def assert_never_two_writers(self, ip=WRITER):
        """At no instant were two hosts both reached at the address and open for writes."""
        writable = self.spans('writable')
        both = []
        for held in self.spans('arp', 'icmp', what=ip):
            for w in writable:
                first, last = max(held[3], w[3]), min(held[4], w[4])
                if w[2] == held[2] and first <= last:
                    both.append(['writer', ip, held[2], first, last])
        self._assert_apart(both, f'two hosts are reached at {ip} and writable')

    def _assert_apart(self, spans, what):
        for i, a in enumerate(spans):
            for b in spans[i + 1:]:
                first, last = max(a[3], b[3]), min(a[4], b[4])
                if a[2] != b[2] and first <= last:
                    raise Failure(f'{what}: {a[2]} ({a[0]}) and {b[2]} ({b[0]}) for '
                                  f'{(last - first) * 1000:.0f} ms, from '
                                  f'{first - self.began:.3f} to {last - self.began:.3f}')

    def assert_together(self, *ips):
        """At no instant were these addresses on different hosts."""
        self._assert_apart([s for ip in ips for s in self.spans('arp', what=ip)],
                           f'{" and ".join(ips)} are not together')

    def assert_safe(self):
        """The promise that every scenario checks."""
        for ip in self.ips():
            self.assert_never_two_holders(ip)
        for ip in self.writer_ips():
            self.assert_never_two_writers(ip)

    def assert_undisturbed(self, client, since, host='db1', ip=WRITER):
        """The writer went on as if nothing were: its host kept the address and stayed open, no
        other had the address or was open, and no server and no gate told the client anything but
        success. (How long each answer took is the machine's affair: a client's own timeout is
        none.)"""
        for text in (f'address - {ip}', 'server: read_only=1'):
            at = self.when(host, text, since)
            self.check(not at, f'{host}: {text}, at {(at or 0) - self.began:.3f}')
        for kind in ('arp', 'icmp', 'writable'):
            others = {s[2] for s in self.spans(kind, what='' if kind == 'writable' else ip)
                      if s[2] != host and s[4] > since}
            self.check(not others, f'{kind} of {others} besides {host}')
        client.read()
        told = [why for at, why in client.errors if at > since and 'timed out' not in why]
        self.check(not told, f'the client was disturbed: {told[:3]}')

    def when(self, host, text, after=0.0):
        """When the recorder noted this about the host, first after that time; None if never."""
        return next((e[0] for e in self.recorded()['events']
                     if e[1] == host and e[2] == text and e[0] > after), None)

    def extra_rows(self, host, than):
        """Rows of the client that `host` has and `than` has not."""
        have, other = ({r['id'] for r in self.host(h).sql('SELECT id FROM app.writes')}
                       for h in (host, than))
        return sorted(have - other)

    def wait_back(self, name, writer, seconds=15):
        """An old writer is back: ONLINE and following, or REPLICATION_FAIL with reason.

        A row that was committed there in the very moment of the fault, acknowledged to nobody and
        received by nobody, makes it diverge; then hamm must say so. Which of the two it was.
        """
        host = self.host(name)

        def settled():
            return (self.state(name) == 'REPLICATION_FAIL' or
                    self.state(name) == 'ONLINE' and host.follows(writer) and host.read_only())
        self.wait_until(settled, seconds, f'{name} is back as a replica of {writer}',
                        self.status_text)
        if self.state(name) == 'ONLINE':
            return f'{name} back ONLINE'
        extra = self.extra_rows(name, writer)
        self.check(extra, f'{name} is REPLICATION_FAIL though it has no row that {writer} lacks')
        return f'{name} REPLICATION_FAIL, rightly: it alone has {len(extra)} unacknowledged rows'

    @staticmethod
    def check(condition, what):
        if not condition:
            raise Failure(what)

    def assert_nothing_lost(self, client, host):
        lost = client.lost(host)
        if lost:
            raise Failure(f'{len(lost)} acknowledged rows are not on {host}: '
                          f'{[a.row for a in lost[:10]]}, acknowledged by '
                          f'{sorted({a.server for a in lost})}')

    def assert_loss_told(self, client, old, writer):
        """Replication is asynchronous: what the old writer acknowledged in the moment of the fault
        may have reached nobody. Then hamm must know: the rows are the old writer's extra
        transactions, and status names them. How many rows that is."""
        lost = {a.row for a in client.lost(writer)}
        if not lost:
            return 0
        self.wait_state(old, 'REPLICATION_FAIL', 15)
        extra = self.extra_rows(old, writer)
        self.check(lost <= set(extra), f'{sorted(lost - set(extra))} are not even on {old}')
        told = [h['extra_gtid'] for h in self.status()['hosts'] if h['name'] == old][0]
        self.check(told, f'{len(lost)} acknowledged rows are lost and status does not say so')
        self.mark(f'{len(lost)} acknowledged rows are on {old} alone, told: {told}')
        return len(lost)

    def story(self):
        """What was done and seen, in order of time."""
        events = list(self.marks)
        if self.recorder and self.recorder.poll() is None:
            data = self.recorded()
            events += data['events']
            for kind, what, host, first, last in data['spans']:
                events += [[first, host, f'{kind} {what} from here'],
                           [last, host, f'{kind} {what} last seen']]
        return '\n'.join(f'{t - self.began:8.3f} {who:9} {text}' for t, who, text in sorted(events))

    def logs(self):
        """Paths of all logs; those of hamm come last, where a reader looks first."""
        found = (f for f in os.listdir(self.directory) if f.endswith(('.log', '.acks')))
        return [os.path.join(self.directory, f) for f in
                sorted(found, key=lambda f: (f.endswith(('agent.log', 'monitor.log')), f))]

    # ending

    def finish(self):
        """The end of a good run: clients and hamm end in order, everything hamm said is clean."""
        for c in self.clients:
            c.stop()
        ended = []
        for h in self.hosts.values():
            for what in ('monitor', 'agent'):
                p = getattr(h, what)
                if p and p.alive():
                    p.expected = True
                    p.signal(signal.SIGTERM)
                    p.cont()
                    ended.append(p)
        for p in ended:
            if p.wait(10) != 0:
                raise Failure(f'{p.name}: exit {p.exit} after SIGTERM, not 0{p.where()}')
        for path in self.logs():
            with open(path, errors='replace') as f:
                found = re.search(r'^.*(AddressSanitizer|LeakSanitizer|runtime error:|CHECK '
                                  r'failed).*$', f.read(), re.M)
            if found:
                raise Failure(f'{os.path.basename(path)}: {found.group(0)}')

    def close(self):
        """Takes everything down, whatever state it is in; what is still there afterwards."""
        if self.recorder:
            self.recorder.kill()
            self.recorder.wait()
            self.recorder.stdin.close()
            self.recorder.stdout.close()
        for n in reversed(list(self.namespaces.values())):
            n.close()
        found = ns.wait_no_leftovers(self.mark_env, self.inodes)
        with open('/proc/self/mountinfo') as f:
            found += [f'mount: {line.strip()}' for line in f if self.directory in line]
        shutil.rmtree(self.directory, ignore_errors=True)
        if os.path.exists(self.directory):
            found.append(f'directory: {self.directory}')
        return found


def fail_if_not_root():
    if os.geteuid():
        sys.exit('this makes network namespaces: run it as root')
