# SPDX-License-Identifier: GPL-2.0-or-later
import threading

VARIANTS = ('mysqld', 'agent', 'hung')
ALIKE = ('agent', 'hung')


def run(lab, variant):
    """The new writer breaks in the middle of a planned move: the old one has the role again.

    Its mysqld is killed, its agent is killed, or its mysqld is stopped, at a moment drawn from the
    first tenths of a second of the move. Exit 1 with the reason, or the move was over before:
    either way there is one writer, writes flow, nothing is lost.
    """
    lab.start()
    two = lab.host('db2')
    client = lab.client()
    answer = []
    at = lab.mark('move-role writer db2')
    move = threading.Thread(target=lambda: answer.append(lab.ctl('move-role', 'writer', 'db2')))
    move.start()
    lab.wait_until(lambda: lab.when('db1', 'server: read_only=1', at) or answer, 10,
                   'db1 blocks writes', lab.status_text)
    if variant == 'mysqld':
        two.kill_mysqld()
    elif variant == 'agent':
        two.kill('agent')
    else:
        two.stop('mysqld')
        two.mysqld.expected = True  # its agent kills it
    move.join(60)
    lab.check(answer, 'no answer')
    code, text = answer[0]
    lab.mark(f'exit {code}: {text}')
    lab.check(code in (0, 1), f'exit {code}: {text}')
    lab.check(code == 0 or 'ERROR: Role' in text, f'no reason: {text}')
    if variant == 'agent':
        two.start_agent()
        lab.wait_until(lambda: lab.writer() in ('db1', 'db2'), 15, 'there is a writer',
                       lab.status_text)
        writer = lab.writer()
    else:
        writer = 'db1'
    lab.wait_writer(writer, 15)
    client.wait_acked(50, 10, server=writer)
    gap = client.gap(at)[0]
    if variant != 'agent':
        two.start_mysqld()
    lab.wait_online('db1', 'db2', 'db3')
    lab.wait_until(lambda: lab.host('db3').follows(writer), 10, f'db3 follows {writer}',
                   lab.status_text)
    client.stop()
    lab.assert_nothing_lost(client, writer)
    return f'exit {code}, {writer} is the writer, gap {gap:.2f} s'
