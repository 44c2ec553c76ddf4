# SPDX-License-Identifier: GPL-2.0-or-later
"""One host: its namespaces, its database server, its agent."""
import os
import shutil
import subprocess

import pymysql

from . import server
from .clock import now


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
        self.mysqld = self.agent = self.monitor = None

    def log(self, what):
        return os.path.join(self.lab.directory, f'{self.name}.{what}.log')

    # the server

    def prepare_data(self):
        """A fresh copy of the template, in a tmpfs of this host."""
        shutil.copytree(self.lab.template, self.ns.root(self.data), dirs_exist_ok=True)

    def start_mysqld(self, *extra, wait=10):
        """Starts the server with further lines for its my.cnf; wait=0 doesn't wait for it."""
        config = os.path.join(self.directory, 'my.cnf')
        with open(config, 'w') as f:
            f.write(server.CONFIG.format(data=self.data, socket=server.SOCKET, id=self.id,
                                         address=self.address, extra='\n'.join(extra)))
        self.lab.mark(f'{self.name}: mysqld is started {" ".join(extra)}'.rstrip())
        self.mysqld = self.ns.spawn(['mariadbd', f'--defaults-file={config}'],
                                    f'{self.name} mysqld', self.log('mysqld'))
        if wait:
            self.wait_mysqld(wait)

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

    def read_only(self):
        """True, False or None (no answer)."""
        try:
            return bool(self.value('@@read_only'))
        except (pymysql.MySQLError, OSError):
            return None

    def replication(self):
        """SHOW SLAVE STATUS, or {} if it is no replica or does not answer."""
        try:
            rows = self.sql('SHOW SLAVE STATUS')
        except (pymysql.MySQLError, OSError):
            return {}
        return rows[0] if rows else {}

    def follows(self, name):
        """Does it replicate, without error, from that host?"""
        r = self.replication()
        return (r.get('Master_Host') == self.lab.host(name).address and
                r.get('Slave_IO_Running') == r.get('Slave_SQL_Running') == 'Yes')

    def replicate_from(self, name):
        self.sql(f"CHANGE MASTER TO MASTER_HOST='{self.lab.host(name).address}', "
                 f"MASTER_USER='hamm_repl', MASTER_PASSWORD='{server.PASSWORDS['repl']}', "
                 f"MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1, MASTER_HEARTBEAT_PERIOD=0.5")
        self.sql('START SLAVE')

    def make_anew(self, source):
        """What an operator does with a server that has transactions of its own: with the agent
        stopped, a fresh one with the data of `source` and the GTID that belongs to it."""
        self.agent.terminate()
        self.mysqld.terminate(10)
        for name in os.listdir(self.ns.root(self.data)):
            path = os.path.join(self.ns.root(self.data), name)
            (shutil.rmtree if os.path.isdir(path) else os.unlink)(path)
        self.prepare_data()
        self.start_mysqld('skip_slave_start = 1')
        with server.connect(self.lab.host(source).socket, 30) as there, there.cursor() as c:
            c.execute('START TRANSACTION WITH CONSISTENT SNAPSHOT')
            c.execute("SHOW STATUS LIKE 'binlog_snapshot_%'")
            at = dict(c.fetchall())
            c.execute('SELECT id FROM app.writes')
            rows = [str(row[0]) for row in c.fetchall()]
            c.execute('SELECT BINLOG_GTID_POS(%s, %s)',
                      (at['Binlog_snapshot_file'], int(at['Binlog_snapshot_position'])))
            gtid = c.fetchone()[0]
        with server.connect(self.socket, 30) as here, here.cursor() as c:
            c.execute('SET sql_log_bin = 0')
            c.execute('CREATE DATABASE app')
            c.execute('CREATE TABLE app.writes (id BIGINT PRIMARY KEY) ENGINE=InnoDB')
            for i in range(0, len(rows), 5000):
                c.execute(f"INSERT INTO app.writes VALUES ({'),('.join(rows[i:i + 5000])})")
            c.execute(f"SET GLOBAL gtid_slave_pos = '{gtid}'")
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
