# SPDX-License-Identifier: GPL-2.0-or-later
from lab.clock import now


def run(lab):
    """The disk under the writer's binary log is full, under load: db2 becomes the writer.

    Not before that has lasted for the trap period of the mysql check. Its commits wait, so it is
    fenced as one that hangs; nothing it acknowledged is lost. It is named as full while it is; with
    room again and started it comes back as a replica.
    """
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
