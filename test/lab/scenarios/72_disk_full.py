# SPDX-License-Identifier: GPL-2.0-or-later
import contextlib

import pymysql

from lab.lab import Failure

RETRY_S = 60  # how long either server sleeps before it tries to write again


def run(lab):
    """The disk under the writer's binary log is full: status and explain name it while it is.

    Nobody else becomes the writer by that, and once there is room the same one goes on.
    """
    lab.start()
    one = lab.host('db1')
    client = lab.client()
    client.wait_acked(100, server='db1')
    used = int(one.ns.run(['df', '-k', '--output=used', one.data])[1].split()[-1])
    one.ns.run(['mount', '-o', f'remount,size={used + 256}k', one.data])
    one.ns.run(['sh', '-c', f'cat /dev/zero > {one.data}/filler; true'])
    lab.mark(f'{one.data} is full')
    named = f'{one.data} is full ('
    lab.wait_until(lambda: named in lab.status_text(), 15, 'status names it', lab.status_text)
    text = lab.must_ctl('explain', 'db1')
    lab.check(named in text, f'explain does not name it: {text}')
    client.stop()  # each of its tries takes a connection until there is room
    with contextlib.suppress(pymysql.MySQLError):
        one.sql('INSERT INTO app.writes VALUES (-1)', timeout=2)
        raise Failure('a commit did not wait')
    shown = lab.status_text()
    lab.mark(shown)
    lab.check('NO WRITER' in shown, f'it is said to be open for writes: {shown}')
    one.ns.run(['rm', f'{one.data}/filler'])
    one.ns.run(['mount', '-o', f'remount,size={used + 102400}k', one.data])
    lab.mark('there is room again')
    lab.wait_until(lambda: named not in lab.status_text(), 15, 'status is quiet', lab.status_text)
    lab.wait_until(lambda: 'NO WRITER' not in lab.status_text(), RETRY_S + 10,
                   'db1 is open for writes', lab.status_text)
    again = lab.client()
    again.wait_acked(50, server='db1')
    again.stop()
    lab.assert_nothing_lost(client, 'db1')
    lab.assert_nothing_lost(again, 'db1')
    return shown.split('\n')[1]
