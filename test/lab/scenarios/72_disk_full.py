# SPDX-License-Identifier: GPL-2.0-or-later
import contextlib

import pymysql

from lab.clock import now
from lab.lab import Failure

VARIANTS = ('writer', 'both')
LONG = ('both',)
RETRY_S = 60  # how long either server sleeps before it tries to write again


def writer(lab):
    lab.start(checks={'mysql': {'trap_period': '4s'}})
    one = lab.host('db1')
    client = lab.client()
    client.wait_acked(100, server='db1')
    one.mysqld.expected = True  # that it ends: the agent kills it
    at = now()
    used = one.fill_disk()
    named = f'{one.data} is full ('
    lab.wait_until(lambda: named in lab.status_text(), 15, 'status names it', lab.status_text)
    text = lab.must_ctl('explain', 'db1')
    lab.check(named in text, f'explain does not name it: {text}')
    lab.mark(lab.must_ctl('explain', 'writer'))
    lab.wait_writer('db2', 20)
    client.wait_acked(50, server='db2')
    gap = client.gap(at)[0]
    lab.check(gap > 4, f'db1 lost the role after {gap:.1f} s, sooner than the trap period says')
    told = lab.ctl('events', '-n', '60')[1]
    lab.check('writer: db1 must let go, its disk is full' in told, f'not for that reason: {told}')
    lab.assert_nothing_lost(client, 'db2')
    text = lab.status_text()
    lab.mark(text)
    lab.check('never the writer by itself: the disk with the binary log of db1 is full' in text,
              f'db1 is not named any more: {text}')
    with open(one.log('agent')) as f:
        killed = 'killing it' in f.read()
    one.free_disk(used)
    if killed:
        one.start_mysqld()
    back = lab.wait_back('db1', 'db2')
    lab.wait_until(lambda: named not in lab.status_text(), 15, 'status is quiet', lab.status_text)
    client.wait_acked(20, server='db2')
    client.stop()
    lab.assert_nothing_lost(client, 'db2')
    return f'gap {gap:.2f} s, db1 was {"killed" if killed else "made read-only"}, {back}'


def both(lab):
    lab.start(checks={'mysql': {'trap_period': '3s'}})
    one, two = lab.host('db1'), lab.host('db2')
    client = lab.client()
    client.wait_acked(100, server='db1')
    two_used = two.fill_disk()
    barred = 'the disk with the binary log of db2 is full; free space there'
    lab.wait_until(lambda: f'never the writer by itself: {barred}' in lab.status_text(), 15,
                   'status names db2', lab.status_text)
    used = one.fill_disk()
    why = f'has it and its disk is full, and nobody else can take it: {barred}'
    lab.wait_until(lambda: why in lab.status_text(), 15, 'status says why', lab.status_text)
    client.stop()  # each of its tries takes a connection until there is room
    with contextlib.suppress(pymysql.MySQLError):
        one.sql('INSERT INTO app.writes VALUES (-1)', timeout=2)
        raise Failure('a commit did not wait')
    lab.sleep(9)  # three trap periods
    shown = lab.status_text()
    lab.mark(shown)
    lab.check(f'{one.data} is full (' in shown and why in shown, f'db1 is not named: {shown}')
    lab.check(why in lab.must_ctl('explain', 'writer'), 'explain does not say why')
    lab.check(barred in lab.ctl('move-role', 'writer', 'db2')[1], 'move-role does not say why')
    lab.check(one.mysqld.alive(), 'its mysqld was killed')
    lab.check('writer: db1 must let go' not in lab.ctl('events', '-n', '60')[1], 'it moved')
    one.free_disk(used)
    lab.wait_until(lambda: 'NO WRITER' not in lab.status_text(), RETRY_S + 10,
                   'db1 is open for writes', lab.status_text)
    again = lab.client()
    again.wait_acked(50, server='db1')
    two.free_disk(two_used)
    lab.wait_until(lambda: barred not in lab.status_text(), 15, 'db2 is fit', lab.status_text)
    again.stop()
    lab.wait_online('db1', 'db2', 'db3', seconds=RETRY_S + 20)  # MariaDB answers nothing until then
    lab.wait_until(lambda: two.has_all_of('db1'), RETRY_S + 10, 'db2 has every row',
                   lab.status_text)  # MySQL's answers, its applier sleeps
    lab.must_ctl('move-role', 'writer', 'db2')
    lab.wait_writer('db2')
    for each in (client, again):
        lab.assert_nothing_lost(each, 'db2')
    return shown.split('\n')[1]


def run(lab, variant):
    """The disk under the writer's binary log is full, under load: db2 becomes the writer.

    writer: not before that has lasted for the trap period of the mysql check. Its commits wait, so
    it is fenced as one that hangs; nothing it acknowledged is lost. It is named as full while it
    is; with room again and started it comes back as a replica.
    both: the disks of both candidates are full: nothing moves, both are named, with the next step.
    Once db1 has room its commits go on; db2, with room again, may become the writer as before.
    """
    return (writer if variant == 'writer' else both)(lab)
