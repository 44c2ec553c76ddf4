# SPDX-License-Identifier: GPL-2.0-or-later
import os
import re
import stat

from lab.server import ADMIN

VARIANTS = ('discard', 'bring-in')
OWN = [-i for i in range(1, 6)]


def printed(text, after):
    """The commands that `explain` prints below the line that begins so."""
    lines = iter(text.split('\n'))
    for line in lines:
        if line.strip().startswith(after):
            break
    out = []
    for line in lines:
        if not line.startswith('    '):
            break
        out.append(line.strip())
    return out


def kept(lab):
    """What status says of the file of db1's own transactions; None: nothing."""
    return next(h for h in lab.status()['hosts'] if h['name'] == 'db1').get('quarantine')


def carry_out(lab, host, command):
    """As printed, in a shell of that host; (exit code, output)."""
    words = command.split('#')[0].split()
    if words[:2] == ['hamm', 'ctl']:
        lab.wait_until(lambda: lab.ctl(*words[2:])[0] == 0, 20, command, lab.status_text)
        return 0, ''
    if words[0] == 'systemctl':
        lab.check(words[2] == 'hamm-agent@shop', command)
        host.agent.terminate() if words[1] == 'stop' else host.start_agent()
        return 0, ''
    command = command.replace('USER', 'admin').replace('PASSWORD', ADMIN)
    return host.shell(command)


def rows(host):
    return {r['id'] for r in host.sql('SELECT id FROM app.writes')}


def discard(lab, one, text):
    for command in printed(text, 'to discard them'):
        clone = 'CLONE INSTANCE' in command  # nobody is there who starts mysqld again
        one.mysqld.expected = clone
        code, said = carry_out(lab, one, command)
        lab.check(not code or clone and 'ERROR 3707' in said, f'{command}: exit {code}: {said}')
        if clone:
            one.mysqld.wait(60)
            one.start_mysqld()
    lab.wait_online('db1')


def bring_in(lab, one, text):
    command, = printed(text, 'to bring them into db2')
    two, three = lab.host('db2'), lab.host('db3')
    file, at = two.coordinates()
    code, said = carry_out(lab, one, command)
    lab.check(not code, f'{command}: exit {code}: {said}')
    logged = two.sql(f"SHOW BINLOG EVENTS IN '{file}' FROM {at}")
    lab.check({e['Server_id'] for e in logged} == {two.id},
              f'no replica may take them for its own: {logged}')
    for h in (two, three):
        lab.wait_until(lambda h=h: rows(h) >= set(OWN), 5, f'{h.name} has the rows')
    lab.check(three.follows('db2'), 'db3 does not replicate any more')


def run(lab, variant):
    """The writer is cut off, and comes back with transactions that nobody received.

    Its agent keeps exactly these in a file, once, whatever restarts; status and explain name it and
    what can be done. discard: it is made anew by the commands as they are printed. bring-in: first
    they are brought into the writer, as printed too.
    """
    lab.start(my_cnf=('binlog_format = ROW',))
    one, two, three = map(lab.host, ('db1', 'db2', 'db3'))
    one.sql(f"CREATE USER admin@'%' IDENTIFIED BY '{ADMIN}'")
    one.sql("GRANT ALL ON *.* TO admin@'%' WITH GRANT OPTION")
    client = lab.client()
    client.wait_acked(100, server='db1')
    one.silence()
    for i in OWN:
        one.sql(f'INSERT INTO app.writes VALUES ({i})')
    one.sql('CREATE DATABASE mine')
    lab.wait_writer('db2')
    client.wait_acked(50, server='db2')
    one.heal()
    lab.wait_state('db1', 'REPLICATION_FAIL', 30)
    lab.wait_until(lambda: kept(lab), 20, 'db1 has kept its own transactions', lab.status_text)

    path, text = kept(lab)['file'], lab.must_ctl('explain', 'db1')
    lab.check(path, f'they are not kept: {kept(lab)}')
    lab.check(path in lab.status_text() and path in text, f'{path} is not named: {text}')
    lab.check(stat.S_IMODE(os.stat(path).st_mode) == 0o600, f'anybody may read {path}')
    look, = printed(text, 'to look at them')
    shown = carry_out(lab, one, look)[1]
    inside = {int(i) for i in re.findall(r'^###   @1=(-?\d+)', shown, re.M)}
    alone = rows(one) - rows(two)
    lab.check(set(OWN) <= alone, f'only on db1: {alone}')
    lab.check(inside == alone, f'only on db1: {alone}; in the file: {inside}: {shown}')
    lab.check('CREATE DATABASE mine' in shown, f'a statement is not in the file: {shown}')

    files = sorted(os.listdir(os.path.dirname(path)))
    one.kill('agent')
    one.start_agent()
    lab.host('mon1').kill('monitor')
    lab.host('mon1').start_monitor()
    lab.wait_until(lambda: lab.ctl('ping')[0] == 0, 10, 'the monitor answers')
    lab.wait_until(lambda: kept(lab) and kept(lab)['file'] == path, 20, 'it is known again',
                   lab.status_text)
    lab.check(sorted(os.listdir(os.path.dirname(path))) == files, 'it was kept twice')
    lab.mark(text)
    client.wait_acked()
    client.stop()

    if variant == 'bring-in':
        bring_in(lab, one, text)
    discard(lab, one, text)
    lab.wait_until(lambda: one.follows('db2') and three.follows('db2'), 10, 'both follow db2')
    lab.wait_until(lambda: rows(one) == rows(two) == rows(three), 5, 'all have the same rows')
    for h in (one, two, three):
        brought = {rows(h) >= set(OWN), bool(h.sql("SHOW DATABASES LIKE 'mine'"))}
        lab.check(brought == {variant == 'bring-in'}, f'the own transactions on {h.name}')
    lab.check(os.path.exists(path), 'the file is gone')
    return f'{len(alone)} rows kept, {len(shown)} bytes shown; db1 ONLINE again'
