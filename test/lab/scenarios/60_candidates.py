# SPDX-License-Identifier: GPL-2.0-or-later
from lab import server

VARIANTS = ('filter', 'delayed', 'broken', 'no-binlog')

SAYS = {'filter': 'another filter', 'delayed': 'behind', 'broken': 'stopped on an error',
        'no-binlog': 'log_bin off'}


def spoil(lab, two, variant):
    if variant == 'filter':
        with two.agent_away():
            two.stop_replication()
            two.sql(lab.flavour.ignore_db('scratch'))
            two.start_replication()
    elif variant == 'delayed':
        with two.agent_away():
            two.stop_replication()
            two.sql(f'{lab.flavour.change}{lab.flavour.source}_DELAY = 8')
            two.start_replication()
    elif variant == 'broken':
        with two.agent_away(), server.connect(two.socket, 5) as there, there.cursor() as c:
            for statement in ('SET GLOBAL read_only = 0', 'SET sql_log_bin = 0',
                              'RENAME TABLE app.writes TO app.hidden', lab.flavour.read_only_on):
                c.execute(statement)
    else:
        two.agent.terminate()
        two.mysqld.terminate(10)
        two.start_mysqld('skip_log_bin', replicate=False)
        two.start_agent()


def run(lab, variant):
    """db2 would be the next writer, but for one thing: by itself it never is.

    filter: it leaves a database out that the writer has; delayed: it is kept behind; broken: its
    applier stopped on an error; no-binlog: nobody could follow it. (One stopped by hand is put
    right in active mode: 44; the rule is in scenario/fit-applier-stopped.) Status
    names it, a move is refused with it; when db1 dies nobody is the writer until the operator
    forces it.
    """
    lab.start()
    two = lab.host('db2')
    client = lab.client()
    lab.mark(f'db2: {variant}')
    spoil(lab, two, variant)

    def barred():
        return [h['barred'] for h in lab.status()['hosts'] if h['name'] == 'db2'][0]
    lab.wait_until(lambda: SAYS[variant] in barred(), 15, 'status says why db2 is barred',
                   lab.status_text)
    if variant == 'no-binlog':
        lab.wait_online('db2')
    code, said = lab.ctl('move-role', 'writer', 'db2')
    lab.check(code == 1 and lab.writer() == 'db1', f'it was moved to db2: {said}')
    lab.check('db2 cannot get it' in lab.ctl('explain', 'writer')[1], 'explain does not say so')
    client.wait_acked()
    client.stop()
    lab.host('db1').kill_mysqld()
    lab.sleep(4)
    lab.check(lab.writer() is None and two.read_only(), 'db2 became the writer by itself')
    lab.wait_until(lambda: 'db2 cannot get it' in lab.ctl('explain', 'writer')[1], 5,
                   'explain says so, while its server is not just being asked', lab.status_text)
    lab.must_ctl('move-role', '--force', 'writer', 'db2')
    lab.wait_writer('db2', 20)
    return f'refused: {said.strip()}'
