# SPDX-License-Identifier: GPL-2.0-or-later
"""What differs between MariaDB and MySQL: how a server is made and run, and what it is told.

Everything else of the laboratory asks the flavour of its `lab` (lab.flavour) and its hosts.
"""
import contextlib
import os
import re
import shutil
import subprocess
import tempfile

from .server import PASSWORDS, SOCKET

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BEFORE_ALL = 4  # the position in a binary log before its first transaction

COMMON = '''user = root
datadir = {data}
socket = {socket}
pid_file = /run/mysqld/mysqld.pid
port = 3306
server_id = {id}
report_host = {address}
log_bin = bin
relay_log = relay
sync_binlog = 1
innodb_flush_log_at_trx_commit = 1
max_connections = 100
skip_name_resolve = 1
read_only = 1
'''


def accounts(name):
    """config/grants-NAME.sql with the laboratory's passwords, one statement a line."""
    with open(os.path.join(ROOT, 'config', f'grants-{name}.sql')) as f:
        grants = f.read()
    for account in ('monitor', 'agent', 'repl'):
        grants = grants.replace(f'CHANGE-ME-{account}', PASSWORDS[account])
    grants += f'''
CREATE USER app@'%' IDENTIFIED BY '{PASSWORDS["app"]}';
GRANT SELECT, INSERT, UPDATE, DELETE ON app.* TO app@'%';
'''
    lines = (line.split('--')[0].strip() for line in grants.splitlines())
    return ' '.join(line for line in lines if line).replace(';', ';\n')


def run(what, argv, text=None):
    done = subprocess.run(argv, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True)
    if done.returncode or re.search(r'\bERROR\b', done.stdout):
        raise RuntimeError(f'{what}: exit {done.returncode}: {done.stdout[-3000:]}')


def from_script(name):
    """The directory that a script of test/lib makes and prints; RuntimeError if it can't."""
    made = subprocess.run(['sh', os.path.join(ROOT, 'test', 'lib', name)],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if made.returncode:
        raise RuntimeError(f'{name}: {made.stdout.strip()}')
    return made.stdout.split()[-1]


class Flavour:
    """A kind of server. `template` is a directory that make_template has filled."""
    replica, source = 'REPLICA', 'SOURCE'
    not_copied = ()  # files that belong to one server alone

    def __init__(self, template=None):
        self.template = template

    def copy_template(self, data):
        """A server's data directory from the template."""
        shutil.copytree(self.template, data, dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns(*self.not_copied))

    def write_config(self, path, host, gtid=True, more=()):
        text = self.config + (self.with_gtid if gtid else self.without_gtid)
        with open(path, 'w') as f:
            f.write(text.format(data=host.data, socket=SOCKET, id=host.id, address=host.address) +
                    '\n'.join(more) + '\n')

    def prepare_host(self, host):
        """Before a server is started there for the first time."""

    def install_clients(self, host, directory):
        """Makes that directory the first in which its clients are looked for."""

    def tls(self, directory):
        """`mysql.tls` of cluster.yaml, or None for its default; files it needs go there."""

    def encryption(self, lab):
        """Lines for my.cnf with which binary logs are encrypted; what they need is made on every
        host. RuntimeError if it can't be had."""

    def follow(self, address, gtid=True, at=None, **options):
        """The statement that names the source; options as in retry_count=5, ssl=1."""
        options = {'host': address, 'user': 'hamm_repl', 'password': PASSWORDS['repl'],
                   'connect_retry': 1, 'heartbeat_period': 0.5, **options}
        if not gtid:
            options['log_file'], options['log_pos'] = at or ('bin.000001', BEFORE_ALL)
        return self.change + ', '.join(
            [f'{self.source}_{k.upper()}={v if isinstance(v, (int, float)) else repr(v)}'
             for k, v in options.items()] + [self.auto_position[gtid]])

    def start(self, thread=''):
        """thread: '', 'SQL_THREAD' or 'IO_THREAD'."""
        return f'START {self.replica} {thread}'

    def stop(self, thread=''):
        return f'STOP {self.replica} {thread}'

    def reset(self):
        return f'RESET {self.replica} ALL'


class MariaDB(Flavour):
    name, title = 'mariadb', 'MariaDB'
    config = '[mariadbd]\n' + COMMON + '''tmpdir = {data}
log_slave_updates = 1
innodb_buffer_pool_size = 16M
innodb_log_file_size = 8M
innodb_log_buffer_size = 2M
key_buffer_size = 1M
aria_pagecache_buffer_size = 1M
slave_net_timeout = 4
performance_schema = 0
'''
    with_gtid = 'gtid_strict_mode = 1\ngtid_domain_id = 0\n'
    without_gtid = ''
    no_start = ('skip_slave_start = 1',)
    writable = ('read_only = 0',)
    replica, source = 'SLAVE', 'MASTER'
    change = 'CHANGE MASTER TO '
    auto_position = {True: 'MASTER_USE_GTID=slave_pos', False: 'MASTER_USE_GTID=no'}
    gtid = '@@gtid_current_pos'  # all it has
    coordinates = 'SHOW MASTER STATUS'
    read_only_on = 'SET GLOBAL read_only = 1'
    root_may_write = root_may_not = ()  # it always may
    semi_sync = {'source': 'rpl_semi_sync_master', 'replica': 'rpl_semi_sync_slave'}

    def make_template(self):
        run('mariadb-install-db',
            ['mariadb-install-db', '--no-defaults', '--user=root', f'--datadir={self.template}',
             '--auth-root-authentication-method=socket', '--auth-root-socket-user=root',
             '--skip-test-db', '--skip-name-resolve', '--force', '--innodb-log-file-size=8M',
             '--innodb-buffer-pool-size=16M'])
        run('accounts of config/grants-mariadb.sql',  # --bootstrap wants one statement a line
            ['mariadbd', '--no-defaults', '--user=root', f'--datadir={self.template}',
             '--bootstrap', '--innodb-log-file-size=8M', '--innodb-buffer-pool-size=16M'],
            'FLUSH PRIVILEGES;\n' + accounts(self.name))

    def argv(self, host, config):
        return ['mariadbd', f'--defaults-file={config}']

    def encryption(self, lab):
        keys = os.path.join(lab.shared, 'keys')
        with open(keys, 'w') as f:
            f.write(f'1;{os.urandom(32).hex()}\n')
        return (f'plugin_dir = {from_script("install-mariadb-plugins.sh")}',
                'plugin_load_add = file_key_management', f'file_key_management_filename = {keys}',
                'encrypt_binlog = 1')

    def status(self, rows):
        """SHOW SLAVE STATUS with the words of MySQL 8.4."""
        return {k.replace('Master', 'Source').replace('Slave', 'Replica'): v
                for k, v in rows[0].items()} if rows else {}

    status_sql = 'SHOW SLAVE STATUS'

    def extra(self, host, than):
        return host.value('@@gtid_binlog_pos')

    def snapshot(self, cursor):
        """Rows of app.writes, and the GTID that belongs to exactly them."""
        cursor.execute('START TRANSACTION WITH CONSISTENT SNAPSHOT')
        cursor.execute("SHOW STATUS LIKE 'binlog_snapshot_%'")
        at = dict(cursor.fetchall())
        cursor.execute('SELECT id FROM app.writes')
        rows = [str(row[0]) for row in cursor.fetchall()]
        cursor.execute('SELECT BINLOG_GTID_POS(%s, %s)',
                       (at['Binlog_snapshot_file'], int(at['Binlog_snapshot_position'])))
        return rows, cursor.fetchone()[0]

    def have_gtid(self, gtid):
        return f"SET GLOBAL gtid_slave_pos = '{gtid}'"

    def ignore_db(self, name):
        return f"SET GLOBAL replicate_ignore_db = '{name}'"

    def count(self, gtids):
        """How many transactions hamm names: 0-1-101..105,0-2-7."""
        spans = [item.split('-')[-1].split('..') for item in gtids.split(',')]
        return sum(int(s[-1]) - int(s[0]) + 1 for s in spans)


class MySQL(Flavour):
    """Its packages are unpacked beside the system (test/lib/install-mysql.sh), so it runs in a
    root of its own, made of binds in the host's mount namespace: the data directory and /run are
    found there by the same paths, and the process is /usr/sbin/mysqld by name and pid."""
    name, title = 'mysql', 'MySQL'
    config = '[mysqld]\n' + COMMON + '''super_read_only = 1
relay_log_recovery = 1
replica_net_timeout = 4
mysqlx = OFF
secure_file_priv = NULL
innodb_redo_log_capacity = 8M
innodb_buffer_pool_size = 32M
innodb_use_native_aio = 0
innodb_log_writer_threads = OFF
innodb_buffer_pool_load_at_startup = 0
innodb_buffer_pool_dump_at_shutdown = 0
table_open_cache = 100
table_definition_cache = 400
performance_schema_max_digest_length = 0
performance_schema_digests_size = 0
'''
    with_gtid = 'gtid_mode = ON\nenforce_gtid_consistency = ON\n'
    without_gtid = 'gtid_mode = OFF\nenforce_gtid_consistency = OFF\n'
    no_start = ('skip_replica_start = 1',)
    writable = ('read_only = 0', 'super_read_only = 0')
    change = 'CHANGE REPLICATION SOURCE TO GET_SOURCE_PUBLIC_KEY=1, '
    auto_position = {True: 'SOURCE_AUTO_POSITION=1', False: 'SOURCE_AUTO_POSITION=0'}
    gtid = "REPLACE(@@gtid_executed, '\\n', '')"
    coordinates = 'SHOW BINARY LOG STATUS'
    read_only_on = 'SET GLOBAL super_read_only = 1'
    root_may_write = ('SET @super = @@super_read_only', 'SET GLOBAL super_read_only = 0')
    root_may_not = ('SET GLOBAL super_read_only = @super',)
    semi_sync = {'source': 'rpl_semi_sync_source', 'replica': 'rpl_semi_sync_replica'}
    plugins = (('rpl_semi_sync_source', 'semisync_source.so'),
               ('rpl_semi_sync_replica', 'semisync_replica.so'))
    not_copied = ('auto.cnf',)  # the server's UUID
    status_sql = 'SHOW REPLICA STATUS'
    _packages = None

    @classmethod
    def packages(cls):
        """Where MySQL's packages are unpacked; RuntimeError if they can't be had."""
        if cls._packages is None:
            cls._packages = from_script('install-mysql.sh')
        return cls._packages

    def root_script(self, root, *shown):
        """Shell: mounts MySQL's root at `root`, with these directories in it by their own paths."""
        binds = ''.join(f'mkdir -p {root}{d} && mount --bind {d} {root}{d} && ' for d in shown)
        return (f'mkdir -p {root} && mount -t tmpfs -o mode=755 lab {root} && cd {root} && '
                f'mkdir usr etc proc dev tmp && chmod 1777 tmp && '
                f'for d in bin sbin lib lib64; do ln -s usr/$d $d; done && '
                f'for d in usr etc; do mount --bind {self.packages()}/$d $d; done && '
                f'for d in proc dev; do mount --rbind /$d $d; done && {binds}cd /')

    def make_template(self):
        work = self.template + '-work'
        data, root, config = self.template, f'{work}/root', f'{work}/my.cnf'
        server = f'chroot {root} /usr/sbin/mysqld --defaults-file={config}'
        os.mkdir(work)
        try:
            with open(config, 'w') as f:
                f.write(re.sub('\n(log_bin|super_|read_|pid_).*', '', self.config).format(
                    data=data, socket='/tmp/socket', id=1, address='127.0.0.1') +
                    'skip_log_bin\nskip_networking\npid_file = /tmp/pid\n')
            with open(f'{work}/init.sql', 'w') as f:
                f.writelines(f"INSTALL PLUGIN {p} SONAME '{file}';\n" for p, file in self.plugins)
                f.write(accounts(self.name) + 'SHUTDOWN;\n')
            run('a template of MySQL with the accounts of config/grants-mysql.sql',
                ['unshare', '--mount', '--propagation', 'private', 'sh', '-c',
                 f'{self.root_script(root, data, work)} && '
                 f'{server} --initialize-insecure && {server} --init-file={work}/init.sql'])
        finally:
            shutil.rmtree(work)

    def prepare_host(self, host):
        host.ns.run(['sh', '-c', self.root_script(self.root(host), host.directory, host.data,
                                                  host.lab.shared, '/run')])

    def tls(self, directory):
        """All servers have the template's certificates. Told no CA, libmariadb reads the system's
        for each connection, 16 ms of computing: too much for several labs side by side."""
        return {'mode': 'preferred', 'ca': shutil.copy(f'{self.template}/ca.pem', directory)}

    @staticmethod
    def root(host):
        return os.path.join(host.directory, 'root')

    def encryption(self, lab):
        """Which keyring is used is said in a file beside the program, so it stands alone in a
        directory of this host; where the keys are, in one beside the plugin."""
        plugins = os.path.join(lab.shared, 'plugins')
        os.mkdir(plugins)
        for so in ('component_keyring_file.so', 'component_reference_cache.so',
                   *(file for _, file in self.plugins)):
            shutil.copy(f'{self.packages()}/usr/lib/mysql/plugin/{so}', plugins)
        with open(os.path.join(plugins, 'component_keyring_file.cnf'), 'w') as f:
            f.write('{"path": "/run/mysqld/keyring", "read_only": false}')
        for h in lab.dbs():
            at = f'{self.root(h)}/usr/sbin'
            h.ns.run(['sh', '-c', f'mount -t tmpfs -o mode=755 lab {at} && touch {at}/mysqld && '
                      f'mount --bind {self.packages()}/usr/sbin/mysqld {at}/mysqld && '
                      f'cat > {at}/mysqld.my && chmod 444 {at}/mysqld.my'],
                     stdin='{"components": "file://component_keyring_file"}')
        return f'plugin_dir = {plugins}', 'binlog_encryption = ON'

    def install_clients(self, host, directory):
        for name in ('mysql', 'mysqlbinlog'):
            path = os.path.join(directory, name)
            with open(path, 'w') as f:
                f.write(f'#!/bin/sh\nexec chroot {self.root(host)} /usr/bin/{name} "$@"\n')
            os.chmod(path, 0o755)

    def argv(self, host, config):
        return ['chroot', self.root(host), '/usr/sbin/mysqld', f'--defaults-file={config}']

    def status(self, rows):
        return next((r for r in rows if not r['Channel_Name']), {})

    def extra(self, host, than):
        return host.value(f"GTID_SUBTRACT(@@gtid_executed, '{than.gtid()}')")

    def snapshot(self, cursor):
        cursor.execute('FLUSH TABLES WITH READ LOCK')
        cursor.execute('START TRANSACTION WITH CONSISTENT SNAPSHOT')
        cursor.execute(f'SELECT {self.gtid}')
        gtid = cursor.fetchone()[0]
        cursor.execute('UNLOCK TABLES')
        cursor.execute('SELECT id FROM app.writes')
        return [str(row[0]) for row in cursor.fetchall()], gtid

    def have_gtid(self, gtid):
        return f"SET GLOBAL gtid_purged = '{gtid}'"

    def ignore_db(self, name):
        return f'CHANGE REPLICATION FILTER REPLICATE_IGNORE_DB = ({name})'

    def count(self, gtids):
        """How many transactions hamm names: UUID:1-5:7,UUID:3."""
        spans = [s.split('-') for item in gtids.split(',') for s in item.split(':')[1:]]
        return sum(int(s[-1]) - int(s[0]) + 1 for s in spans)


FLAVOURS = {f.name: f for f in (MariaDB, MySQL)}


@contextlib.contextmanager
def prepared(name):
    """The flavour of that name, with a template that is gone afterwards."""
    template = tempfile.mkdtemp(prefix=f'hamm-lab-{os.getpid()}-template-')
    try:
        flavour = FLAVOURS[name](template)
        flavour.make_template()
        yield flavour
    finally:
        shutil.rmtree(template, ignore_errors=True)
