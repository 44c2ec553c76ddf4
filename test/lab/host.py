# SPDX-License-Identifier: GPL-2.0-or-later
"""One host: its namespaces, its database server, its agent."""
import contextlib
import os
import shlex
import shutil
import subprocess

import pymysql

from . import server
from .clock import now

NOT_SENT = """table inet lab {{
    chain to {{ type filter hook input priority -400; ip saddr {{ {0} }} tcp dport 3306 drop; }}
    chain from {{ type filter hook output priority -400; ip daddr {{ {0} }} tcp sport 3306 drop; }}
}}
"""


class Host:
    def __init__(self, lab, name, address, id, more=()):
        self.lab, self.name, self.address, self.id = lab, name, address, id
        self.directory = os.path.join(lab.directory, name)
        os.makedirs(os.path.join(self.directory, 'state'))
        self.data = os.path.join(self.directory, 'data')
        self.has_server = name.startswith('db')
        if self.has_server:
            os.mkdir(self.data)
        self.ns = lab.make_namespace(name, [self.data] if self.has_server else [])
        lab.switch.plug(self.ns, name, address, more)
        self.socket = self.ns.root(server.SOCKET)
        self.flavour = lab.flavour
        if self.has_server:
            self.flavour.prepare_host(self)
        self.mysqld = self.agent = self.monitor = None

    def log(self, what):
        return os.path.join(self.lab.directory, f'{self.name}.{what}.log')

    # the server

    def prepare_data(self):
        """A fresh copy of the template, in a tmpfs of this host."""
        self.flavour.copy_template(self.ns.root(self.data))

    def fill_disk(self, where=None):
        """No room is left where the server writes, or in another tmpfs; until free_disk()."""
        where = where or self.data
        used = int(self.ns.run(['df', '-k', '--output=used', where])[1].split()[-1])
        self.ns.run(['mount', '-o', f'remount,size={used + 256}k', where])
        self.ns.run(['sh', '-c', f'cat /dev/zero > {where}/filler; true'])
        self.lab.mark(f'{self.name}: {where} is full')
        return used

    def free_disk(self, used, where=None):
        """used: what fill_disk() returned."""
        where = where or self.data
        self.ns.run(['rm', f'{where}/filler'])
        self.ns.run(['mount', '-o', f'remount,size={used + 102400}k', where])
        self.lab.mark(f'{self.name}: there is room again')

    def start_mysqld(self, *extra, replicate=True, writable=False, wait=10):
        """Starts the server with further lines for its my.cnf; wait=0 doesn't wait for it.
        replicate=False: its replication is not started; writable: read_only=0 in its my.cnf."""
        config = os.path.join(self.directory, 'my.cnf')
        more = [*self.lab.my_cnf, *extra, *(() if replicate else self.flavour.no_start),
                *(self.flavour.writable if writable else ())]
        self.flavour.write_config(config, self, self.lab.gtid, more)
        self.lab.mark(f'{self.name}: mysqld is started {" ".join(more)}'.rstrip())
        self.mysqld = self.ns.spawn(self.flavour.argv(self, config), f'{self.name} mysqld',
                                    self.log('mysqld'))
        if wait:
            self.wait_mysqld(wait)

    def start_mysqld_gated(self):
        """As its systemd unit would: ExecStartPre=hamm agent --may-start, then the server."""
        config = os.path.join(self.directory, 'my.cnf')
        gate = [self.lab.hamm, 'agent', '--may-start', '-c', self.lab.config, '--host', self.name]
        self.lab.mark(f'{self.name}: mysqld is started behind the gate')
        self.mysqld = self.ns.spawn(
            ['sh', '-c', f'{shlex.join(gate)} && exec "$@"', 'sh',
             *self.flavour.argv(self, config)], f'{self.name} mysqld', self.log('mysqld'))

    def wait_gate(self, said, seconds):
        self.wait_said('mysqld', said, seconds)

    def wait_said(self, what, said, seconds=5, times=1):
        """Until the log of that process has it so often."""
        def has_said():
            with open(self.log(what), errors='replace') as f:
                return f.read().count(said) >= times
        self.lab.wait_until(has_said, seconds, f'{what} of {self.name} says "{said}"')

    def wait_mysqld(self, seconds=10):
        self.lab.wait_until(self.answers, seconds, f'mysqld on {self.name} answers')

    def answers(self):
        if not self.mysqld.alive():
            raise AssertionError(f'mysqld on {self.name} ended, exit {self.mysqld.exit}')
        try:
            return self.sql('SELECT 1', timeout=1) != []
        except (pymysql.MySQLError, OSError):
            return False

    def kill_mysqld(self):
        """kill -9; the time it was done."""
        self.lab.mark(f'{self.name}: kill -9 mysqld')
        at = now()
        self.mysqld.kill()
        return at

    def sql(self, statement, timeout=5):
        return server.query(self.socket, statement, timeout)

    def value(self, expression):
        return self.sql(f'SELECT {expression} AS v')[0]['v']

    def shell(self, command, timeout=120):
        """As an operator of this host, whose account is in ~/.my.cnf: (exit code, output)."""
        home = os.path.join(self.directory, 'home')
        os.makedirs(home, exist_ok=True)
        with open(os.path.join(home, '.my.cnf'), 'w') as f:
            f.write(f'[client]\nsocket={server.SOCKET}\nuser=admin\npassword={server.ADMIN}\n')
        self.flavour.install_clients(self, home)
        self.lab.mark(f'{self.name}: {command}')
        return self.ns.run(['env', f'HOME={home}', f'PATH={home}:{os.environ["PATH"]}', 'sh', '-c',
                            command], timeout, check=False)

    def read_only(self):
        """True, False or None (no answer)."""
        try:
            return bool(self.value('@@read_only'))
        except (pymysql.MySQLError, OSError):
            return None

    def gtid(self):
        """All transactions it has, by GTID."""
        return self.value(self.flavour.gtid)

    def extra_gtid(self, than):
        """What it has committed last and the other has not, as hamm names it."""
        return self.flavour.extra(self, self.lab.host(than))

    def coordinates(self):
        """(file, position) at which its binary log ends."""
        row = self.sql(self.flavour.coordinates)[0]
        return row['File'], row['Position']

    def replication(self):
        """SHOW REPLICA STATUS, its columns named as MySQL 8.4 does on either flavour: Source_Host,
        Replica_IO_Running ...; {} if it is no replica or does not answer."""
        try:
            return self.flavour.status(self.sql(self.flavour.status_sql))
        except (pymysql.MySQLError, OSError):
            return {}

    def follows(self, name):
        """Does it replicate, without error, from that host?"""
        r = self.replication()
        return (r.get('Source_Host') == self.lab.host(name).address and
                r.get('Replica_IO_Running') == r.get('Replica_SQL_Running') == 'Yes')

    def replicate_from(self, name, at=None, **options):
        """Without GTID from `at` (file, position), or from the beginning of that host's binary log.
        options: retry_count=3, ssl=1 ... for the flavour's CHANGE statement."""
        self.sql(self.flavour.follow(self.lab.host(name).address, self.lab.gtid, at, **options))
        self.start_replication()

    def start_replication(self, thread=''):
        """thread: '' for both, SQL_THREAD or IO_THREAD."""
        self.sql(self.flavour.start(thread))

    def stop_replication(self, thread=''):
        self.sql(self.flavour.stop(thread))

    def withhold(self, *names):
        """From now on its binary log reaches none of these hosts, and nobody there notices."""
        self.lab.mark(f'{self.name}: nothing is sent to {", ".join(names)} any more')
        receivers = ', '.join(self.lab.host(name).address for name in names)
        self.ns.run(['nft', '-f', '-'], stdin=NOT_SENT.format(receivers))

    def send_again(self):
        self.ns.run(['nft', 'delete', 'table', 'inet', 'lab'])

    def purge(self):
        """Of its binary logs only the newest is left."""
        newest = self.sql('SHOW BINARY LOGS')[-1]['Log_name']
        self.lab.mark(f'{self.name}: binary logs before {newest} are purged')

        def purged():
            self.sql(f"PURGE BINARY LOGS TO '{newest}'")  # not those that are being sent
            return self.sql('SHOW BINARY LOGS')[0]['Log_name'] == newest
        self.lab.wait_until(purged, 5, f'{self.name} has purged its binary logs')

    @contextlib.contextmanager
    def agent_away(self):
        """For what an administrator does in several steps, and its agent would put right between.
        It is stopped for less than a lease."""
        self.agent.stop()
        try:
            yield
        finally:
            self.agent.cont()

    def forget_replication(self):
        self.sql(self.flavour.reset())

    def has_all_of(self, name):
        """Does it have all that the other has?"""
        if self.lab.gtid:
            return self.gtid() == self.lab.host(name).gtid()
        r = self.replication()
        return (r.get('Relay_Source_Log_File'), r.get('Exec_Source_Log_Pos')) == \
            self.lab.host(name).coordinates()

    def open_writes(self):
        self.sql('SET GLOBAL read_only = 0')  # on MySQL this takes super_read_only off, too

    def close_writes(self):
        """read_only, and super_read_only where there is such a thing."""
        self.sql(self.flavour.read_only_on)

    def change_here(self, *statements):
        """As an administrator on this server alone: not in its binary log, whatever read_only.
        Its agent is stopped meanwhile: where super_read_only has to be off for it, that would be
        put right at once, and the administrator's connection ended."""
        self.agent.stop()
        try:
            connection = server.connect(self.socket, 5)
            with connection, connection.cursor() as cursor:
                for s in (*self.flavour.root_may_write, 'SET sql_log_bin = 0', *statements,
                          *self.flavour.root_may_not):
                    cursor.execute(s)
        finally:
            self.agent.cont()

    def make_anew(self, source):
        """What an operator does with a server that has transactions of its own: with the agent
        stopped, a fresh one with the data of `source` and the GTID that belongs to it."""
        self.agent.terminate()
        self.mysqld.terminate(10)
        for name in os.listdir(self.ns.root(self.data)):
            path = os.path.join(self.ns.root(self.data), name)
            (shutil.rmtree if os.path.isdir(path) else os.unlink)(path)
        self.prepare_data()
        self.start_mysqld(replicate=False)
        with server.connect(self.lab.host(source).socket, 30) as there, there.cursor() as c:
            rows, gtid = self.flavour.snapshot(c)
        self.open_writes()
        with server.connect(self.socket, 30) as here, here.cursor() as c:
            c.execute('SET sql_log_bin = 0')
            c.execute('CREATE DATABASE app')
            c.execute('CREATE TABLE app.writes (id BIGINT PRIMARY KEY) ENGINE=InnoDB')
            for i in range(0, len(rows), 5000):
                c.execute(f"INSERT INTO app.writes VALUES ({'),('.join(rows[i:i + 5000])})")
            c.execute(self.flavour.have_gtid(gtid))
        self.close_writes()
        self.start_agent()

    # hamm

    def _start(self, what, *more, config=None):
        argv = [self.lab.hamm, what, '-c', config or self.lab.config, *more,
                '--state-dir', os.path.join(self.directory, 'state')]
        self.lab.mark(f'{self.name}: {what} is started')
        process = self.ns.spawn(argv, f'{self.name} {what}', self.log(what), env={
            'ASAN_OPTIONS': 'detect_leaks=1:abort_on_error=0:exitcode=99',
            'UBSAN_OPTIONS': 'print_stacktrace=1'})
        setattr(self, what, process)
        return process

    def start_agent(self):
        return self._start('agent', '--host', self.name)

    def start_monitor(self, *more, config=None):
        return self._start('monitor', *more, config=config)

    def kill(self, what):
        """kill -9 of 'mysqld', 'agent' or 'monitor'; the time it was done."""
        self.lab.mark(f'{self.name}: kill -9 {what}')
        at = now()
        getattr(self, what).kill()
        return at

    def stop(self, what):
        """SIGSTOP; the time it was done."""
        self.lab.mark(f'{self.name}: SIGSTOP {what}')
        at = now()
        getattr(self, what).stop()
        return at

    def cont(self, what):
        self.lab.mark(f'{self.name}: SIGCONT {what}')
        at = now()
        getattr(self, what).cont()
        return at

    # its cable

    def cut(self):
        """The cable is pulled; the time it was done."""
        self.lab.mark(f'{self.name}: cable pulled')
        at = now()
        self.lab.switch.cut(self.name)
        return at

    def silence(self):
        self.lab.mark(f'{self.name}: cut off behind the next switch (its link stays up)')
        at = now()
        self.lab.switch.silence(self.name)
        return at

    def heal(self):
        self.lab.mark(f'{self.name}: cable back')
        self.lab.switch.heal(self.name)

    def addresses(self):
        """IPv4 addresses its kernel has on the network."""
        done = subprocess.run(['nsenter', '-t', str(self.ns.holder), '-n', '--',
                               'ip', '-4', '-o', 'addr', 'show', 'dev', 'eth0'],
                              stdout=subprocess.PIPE, text=True)
        return [line.split()[3].split('/')[0] for line in done.stdout.splitlines()]
