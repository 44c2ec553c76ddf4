# SPDX-License-Identifier: GPL-2.0-or-later
import json
import re

ALIKE = True


def moves(lines):
    """What the story says of hosts' states and of who gets what, in its order, without times."""
    wanted = re.compile(r'(\S+ -> [A-Z_]+:|given to|must let go|let go by)')
    return [re.sub(r'\d+', 'N', line).split(' saw: ')[0] for line in lines if wanted.search(line)]


def run(lab):
    """What-if foretells a crash, then it happens: the same decisions in the same order.

    explain says which rule holds, before and after, what the others lack and what is waited for.
    Asking changes nothing.
    """
    lab.start()
    client = lab.client()
    client.wait_acked(50)
    before = lab.status()
    lab.mark('asking')
    text = lab.must_ctl('explain')
    lab.mark(f'explain:\n{text}')
    lab.check('[rule holds]' in text and 'epoch' in text, f'explain says {text!r}')
    text = lab.must_ctl('explain', 'writer')
    lab.mark(f'explain writer:\n{text}')
    lab.check('db2 could take it' in text, f'explain writer says {text!r}')
    for host in ('db1', 'db2', 'db3'):
        text = lab.must_ctl('explain', host)
        lab.mark(f'explain {host}:\n{text}')
        lab.check(f'{host}: ONLINE' in text and '[rule ' in text, f'explain {host}: {text!r}')
    told = lab.must_ctl('what-if', 'kill', 'db1')
    lab.mark(f'what-if kill db1:\n{told}')
    story = json.loads(lab.must_ctl('what-if', 'kill', 'db1', json_out=True))
    foretold = moves([line['text'] for line in story['story'] if line['kind'] == 'event'])
    lab.check(foretold, f'no decision in {told}')
    code, _ = lab.ctl('what-if', 'kill', 'db9')
    lab.check(code == 2, f'what-if of an unknown host: exit {code}')
    after = lab.status()
    lab.check([h['roles'] for h in before['hosts']] == [h['roles'] for h in after['hosts']] and
              before['epoch'] == after['epoch'], 'asking has moved something')

    lab.host('db1').kill_mysqld()
    lab.wait_writer('db2')
    client.wait_acked(50, server='db2')
    lab.wait_until(lambda: lab.host('db3').follows('db2'), 10, 'db3 follows db2', lab.status_text)
    events = lab.must_ctl('events', '-n', '200')
    happened = moves([line.split(' ', 1)[1] for line in events.splitlines()
                      if 'ONLINE' in line or 'writer' in line or 'reader' in line])
    text = lab.must_ctl('explain', 'db1')
    lab.mark(f'explain db1:\n{text}')
    lab.check('HARD_OFFLINE' in text and 'is exiting' in text, f'explain db1: {text!r}')
    client.stop()
    lab.mark('foretold:\n' + '\n'.join(foretold) + '\nhappened:\n' + '\n'.join(happened))
    missing = [one for one in foretold if not any(one in real for real in happened)]
    lab.check(not missing, f'foretold, but not seen: {missing}\nseen: {happened}')
    return f'{len(foretold)} decisions foretold and seen'
