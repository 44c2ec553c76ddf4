# SPDX-License-Identifier: GPL-2.0-or-later
import json
import re

from lab import server
from lab.lab import READERS, WRITER, Failure

VARIANTS = ('well', 'badly')

# what a good set-up has besides the laboratory's own configuration
GOOD = {'db1': ['auto_increment_increment = 2', 'auto_increment_offset = 1',
                'event_scheduler = OFF'],
        'db2': ['auto_increment_increment = 2', 'auto_increment_offset = 2',
                'event_scheduler = OFF'],
        'db3': ['event_scheduler = OFF']}
# what is wrong here, and which checks must say so
BAD = {
    'mariadb': {
        'db1': ['sync_binlog = 0', 'log_slave_updates = 0', 'read_only = 0', 'server_id = 4',
                'rpl_semi_sync_master_enabled = 1', 'rpl_semi_sync_master_timeout = 1000',
                'rpl_semi_sync_master_wait_no_slave = 0', 'binlog_expire_logs_seconds = 3600'],
        'db2': ['server_id = 4', 'event_scheduler = ON', 'gtid_strict_mode = 0',
                'innodb_flush_log_at_trx_commit = 2', 'gtid_domain_id = 3',
                'binlog_ignore_db = scratch'],
        'db3': ['replicate_ignore_db = scratch', 'skip_log_bin']},
    'mysql': {
        'db1': ['sync_binlog = 0', 'log_replica_updates = 0', 'super_read_only = 0',
                'read_only = 0', 'server_id = 4', 'rpl_semi_sync_source_enabled = 1',
                'rpl_semi_sync_source_timeout = 1000',
                'rpl_semi_sync_source_wait_no_replica = 0', 'binlog_expire_logs_seconds = 3600'],
        'db2': ['server_id = 4', 'event_scheduler = ON', 'relay_log_recovery = 0',
                'innodb_flush_log_at_trx_commit = 2', 'binlog_ignore_db = scratch'],
        'db3': ['replicate_ignore_db = scratch', 'skip_log_bin']}}
FOUND = {('db1', 'sync_binlog', 'fail'), ('db1', 'read_only at start', 'fail'),
         ('db1', 'server_id', 'fail'), ('db2', 'server_id', 'fail'),
         ('db1', 'semi-sync', 'fail'), ('db2', 'semi-sync', 'fail'),
         ('db1', 'binlog expiry', 'warn'), ('db2', 'event_scheduler', 'warn'),
         ('db2', 'innodb_flush_log_at_trx_commit', 'fail'), ('db2', 'binlog filters', 'fail'),
         ('db3', 'replication filters', 'fail'), ('db3', 'log_bin', 'warn'),
         ('db1', 'auto_increment', 'warn'), ('db2', 'auto_increment', 'warn'),
         ('db1', 'monitor account', 'fail'), ('db1', 'replication may read', 'fail'),
         ('db2', 'agent sets read_only', 'fail'), ('db2', 'agent sees clients', 'fail'),
         ('db1', f'interface of {WRITER}', 'warn'), ('db1', f'who has {READERS[1]}', 'fail')}
FOUND_BY = {
    'mariadb': {('db1', 'log_slave_updates', 'fail'), ('db2', 'gtid_strict_mode', 'warn'),
                ('db2', 'gtid_domain_id', 'warn')},
    'mysql': {('db1', 'log_replica_updates', 'fail'), ('db2', 'relay_log_recovery', 'warn')}}
PRIVILEGES = {'mariadb': ('READ_ONLY ADMIN', 'PROCESS'),
              'mysql': ('SYSTEM_VARIABLES_ADMIN', 'PROCESS')}
STATEMENT = re.compile(r"((?:SET|GRANT|STOP|START|CHANGE|CREATE|ALTER|INSTALL)\b[^;:]*);")


def preflight(lab, host):
    """(exit code, results), and the same exit code without --json."""
    argv = [lab.hamm, 'preflight', '-c', lab.config]
    code, text = lab.host(host).ns.run([*argv, '--json'], 60, check=False)
    try:
        said = json.loads(text)
    except ValueError:
        raise Failure(f'preflight on {host}: exit {code}: {text}') from None
    lab.check(said['schema'] == 1 and said['cluster'] == 'shop', f'preflight --json: {said}')
    plain, lab.said = lab.host(host).ns.run(argv, 60, check=False)
    lab.check(plain == code, f'preflight on {host}: exit {code} with --json, else {plain}')
    with open(f'{lab.directory}/preflight.{host}.log', 'a') as f:
        f.write(f'exit {code}\n{lab.said}\n')
    return code, said['results']


def quietly(host, statement):
    """On this host alone: two masters that both write would not be well afterwards."""
    with server.connect(host.socket, 30) as c, c.cursor() as cursor:
        cursor.execute('SET sql_log_bin = 0')
        cursor.execute(statement)


def cnf(lines, more):
    """The lines of my.cnf after a fix: 'key = value, ...' or 'without key'."""
    for item in more.split(', '):
        key = item.removeprefix('without ').split(' = ')[0].strip()
        lines = [line for line in lines if line.split(' = ')[0] not in (key, f'skip_{key}')]
        if not item.startswith('without'):
            lines = [*lines, item]
    return lines


def mend(lab, results, lines):
    """Does what each line says, and starts anew what must be."""
    names = {}
    for r in results:
        if r['verdict'] == 'ok' or r['host'] not in lines:
            continue
        lab.check(r['fix'], f'no fix: {r}')
        lab.say(f'{r["host"]}: {r["fix"]}')
        named = re.search(r'in my\.cnf: ([^;]*)', r['fix'])
        if named:
            lines[r['host']] = cnf(lines[r['host']], named[1])
        if 'restart mysqld' in r['fix']:
            names[r['host']] = True
        lab.host(r['host']).open_writes()  # what it says of accounts is for the writer
        account = r['check'].split()[0].replace('replication', 'repl')
        for statement in STATEMENT.findall(r['fix']):
            if 'PASSWORD' in statement:
                statement = statement.replace('PASSWORD', lab.passwords[account])
            quietly(lab.host(r['host']), statement)
    for name in lines:
        lab.host(name).mysqld.terminate(20)
    for name in lines:
        lab.host(name).start_mysqld(*lines[name], wait=0)
    for name in lines:
        lab.host(name).wait_mysqld(20)


def start(lab, lines, **config):
    for h in lab.dbs():
        h.ns.run(['mount', '-o', 'remount,size=4g', h.data])  # room, whatever this machine has
        h.prepare_data()
        h.start_mysqld(*lines[h.name], wait=0)
    for h in lab.dbs():
        h.wait_mysqld(20)
    for name, source in (('db1', 'db2'), ('db2', 'db1'), ('db3', 'db1')):
        lab.host(name).replicate_from(source)
    lab.write_config(**config)
    lab.start_recorder()


def well(lab):
    start(lab, GOOD)
    lab.wait_until(lambda: all(lab.host(n).follows(s) for n, s in
                               (('db1', 'db2'), ('db2', 'db1'), ('db3', 'db1'))), 10, 'replication')
    n = 0
    for host in ('mon1', 'db1', 'db3'):
        code, results = preflight(lab, host)
        n += len(results)
        lab.check(code == 0 and {r['verdict'] for r in results} == {'ok'},
                  f'on {host}, exit {code}:\n{lab.said}')
    three = lab.host('db3')
    lab.check('not looked at: disks, role addresses and kernel of db1 db2;' in lab.said,
              f'on db3:\n{lab.said}')
    used = three.fill_disk()
    for verdict, words in (('fail', 'free, it is full: commits wait'), ('warn', 'less than one')):
        code, results = preflight(lab, 'db3')
        lab.check(code == (verdict == 'fail') and
                  [r for r in results if r['check'] == 'disk of the binary log' and
                   r['verdict'] == verdict and f'{three.data}, ' in r['why'] and words in r['why']],
                  f'a disk: exit {code}:\n{lab.said}')
        if verdict == 'fail':
            three.free_disk(used)
    three.stop('mysqld')
    code, results = preflight(lab, 'mon1')
    lab.check(code == 1 and [r for r in results if r['host'] == 'db3' and 'no answer' in r['why']],
              f'a stopped server: exit {code}:\n{lab.said}')
    three.cont('mysqld')
    return f'{n} checks are ok'


def badly(lab):
    bad, found_all = BAD[lab.flavour.name], FOUND | FOUND_BY[lab.flavour.name]
    lines = {name: [*bad[name]] for name in bad}
    start(lab, lines, roles={'writer': {'ips': [f'{WRITER}/16']}})
    one, two = lab.host('db1'), lab.host('db2')
    quietly(one, "ALTER USER hamm_monitor@'%' IDENTIFIED BY 'another'")
    quietly(one, "REVOKE REPLICATION SLAVE ON *.* FROM hamm_repl@'%'")
    two.open_writes()
    for privilege in PRIVILEGES[lab.flavour.name]:
        quietly(two, f"REVOKE {privilege} ON *.* FROM hamm_agent@'%'")
    two.close_writes()
    lab.host('client').ns.run(['ip', 'addr', 'add', f'{READERS[1]}/24', 'dev', 'eth0'])

    found = set()
    for host in ('mon1', 'db1'):
        code, results = preflight(lab, host)
        lab.check(code == 1, f'on {host}: exit {code}')
        found |= {(r['host'], r['check'], r['verdict']) for r in results}
    lab.check(found_all <= found, f'not found: {found_all - found}\n{lab.said}')
    return lines, len(found_all)


def run(lab, variant):
    """`hamm preflight` finds nothing wrong with a good set-up and every mistake of a bad one.

    well: then a disk becomes full, has little room, and a server stops: each is said.
    badly: two servers of one id, settings that lose transactions, semi-sync that waits for nobody,
    missing privileges, a wrong password, a stranger at a reader address. What the lines say is
    done, word for word, and then all is well.
    """
    lab.make_network()
    if variant == 'well':
        return well(lab)
    lines, mistakes = badly(lab)
    lab.host('client').ns.run(['ip', 'addr', 'del', f'{READERS[1]}/24', 'dev', 'eth0'])
    lab.write_config()
    for rounds in range(1, 4):
        results = [r for host in ('mon1', 'db1') for r in preflight(lab, host)[1]]
        if {r['verdict'] for r in results} == {'ok'}:
            return f'{mistakes} mistakes found and mended as it said, in {rounds - 1} rounds'
        mend(lab, results, lines)
        lab.sleep(2)
    raise Failure(f'still not well:\n{lab.said}')
