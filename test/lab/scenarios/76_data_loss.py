# SPDX-License-Identifier: GPL-2.0-or-later
import os
import re

from lab.lab import WRITER
from lab.receipts import assert_lost, each, last_of, logged, wait_noticed

ALIKE = True
VARIANTS = ('never', 'never-purged', 'allow')
LONG = ('never-purged',)
SALVAGE_S = 1


def waiting(lab):
    """What status says that the writer role waits for; '' nothing."""
    return next((r.get('waiting') or '' for r in lab.status().get('roles', ())
                 if r['name'] == 'writer' and not r['host']), '')


def asked(lab, old, new, why):
    """Nobody opens; status, explain and events say why and what to do. That command's words."""
    lab.wait_until(lambda: '--accept-loss' in waiting(lab) and why in waiting(lab), 10,
                   f'it is asked what to do: {why}', lab.status_text)
    lab.sleep(SALVAGE_S)
    said = waiting(lab)
    found = re.search(rf'hamm ctl (move-role --force --accept-loss {old} writer {new})$', said)
    lab.check(found and 'at least' in said, f'asked: {said}')
    for words in (('status',), ('explain', 'writer'), ('events', '-n', '20')):
        lab.check(found[1] in lab.ctl(*words)[1], f'{words[0]}: {lab.ctl(*words)[1]}')
    lab.check(not lab.holder_now(WRITER) and all(h.read_only() is not False for h in lab.dbs()),
              'somebody opened')
    return found[1].split()


def refused(lab, words, why):
    code, said = lab.ctl(*words)
    lab.check(code == 1 and why in said, f'{words}: exit {code}: {said}')


def crash(lab, client, damage):
    """kill -9 of the writer, whose last transactions nobody has received. What its binary log held
    before the damage."""
    old = lab.host(lab.writer())
    old.withhold(*(h.name for h in lab.dbs() if h is not old))
    client.wait_acked(30, server=old.name)
    old.sql('FLUSH BINARY LOGS')
    had = logged(old)
    damage(old)
    client.wait_acked(10, server=old.name)
    wait_noticed(lab, old.name)
    old.kill_mysqld()
    return had


def index(host):
    """The file that says which files its binary log has."""
    return os.path.join(host.ns.root(host.data), 'bin.index')


def back(lab, host):
    host.send_again()
    host.start_mysqld_gated()
    host.wait_gate('may start', 5)
    host.wait_mysqld(30)


def never(lab, client):
    one = lab.host('db1')
    crash(lab, client, lambda h: os.rename(index(h), f'{index(h)}.away'))
    words = asked(lab, 'db1', 'db2', 'cannot be read')
    refused(lab, ['move-role', '--force', 'writer', 'db2'], ' '.join(words))
    refused(lab, ['move-role', '--force', '--accept-loss', 'db3', 'writer', 'db2'], "was 'db1'")
    os.rename(f'{index(one)}.away', index(one))
    back(lab, one)
    client.wait_acked(50, seconds=20)
    lab.wait_online('db1', 'db2', 'db3')
    lab.assert_nothing_lost(client, lab.writer())

    old = lab.writer()  # db1 itself, if it was ONLINE before db2 had fetched all from it
    new = 'db1' if old == 'db2' else 'db2'
    lab.check(old == 'db1' or last_of(lab, 'db1')['lost'] == 'none', 'something is told to be lost')
    lab.wait_until(lambda: lab.host(new).follows(old) and not client.lost(new), 10,
                   f'{new} has every row')
    had = crash(lab, client, lambda h: h.purge())
    lab.must_ctl(*asked(lab, old, new, 'purged'))
    lab.wait_writer(new)
    client.wait_acked(50, server=new)
    receipt = last_of(lab, old)
    lab.check('accepted' in receipt['lost_why'] and 'purged' in receipt['lost_why'], f'{receipt}')
    lab.host(old).send_again()
    return lab.host(old), new, had


def never_purged(lab, client):
    """Not even a replica could fetch from db1 now: it is the writer again."""
    crash(lab, client, lambda h: h.purge())
    asked(lab, 'db1', 'db2', 'purged')
    back(lab, lab.host('db1'))
    lab.wait_writer('db1', 20)
    client.wait_acked(50, server='db1')
    client.stop()
    lab.assert_nothing_lost(client, 'db1')
    return 'db1 is the writer again, nothing is lost'


def allow(lab, client):
    one = lab.host('db1')
    had = crash(lab, client, lambda h: None)
    lab.wait_writer('db2')
    one.send_again()
    client.wait_acked(50, server='db2')
    events, receipt = lab.ctl('events', '-n', '60')[1], last_of(lab, 'db1')
    lab.check('fetches from db1' not in events, f'it was fetched: {events}')
    lab.check(receipt['salvaged'] == 'none' and receipt['lost'] != 'none', f'receipt: {receipt}')
    return one, 'db2', had


def run(lab, variant):
    """The writer's mysqld dies, nobody has received its last transactions: data_loss decides.

    never: what can't be had stops the failover. Status, explain and events say why, what is lost as
    far as it is known, and the command that goes on without; nothing else does. First the server is
    started again: it is back in service and nothing is lost. Then the next writer dies, and the
    command is run as it is printed: the receipt says what that cost. allow: nobody waits for what
    the binary log holds. In both the old writer, when it is back, stays out with exactly these
    transactions.
    """
    lab.start(failover={'data_loss': variant.split('-')[0], 'salvage_timeout': f'{SALVAGE_S}s'})
    client = lab.client()
    client.wait_acked(30)
    if variant == 'never-purged':
        return never_purged(lab, client)
    old, new, had = never(lab, client) if variant == 'never' else allow(lab, client)
    client.stop()
    receipt = last_of(lab, old.name)
    lab.mark(lab.ctl('receipts')[1])
    old.start_mysqld()
    lab.wait_state(old.name, 'REPLICATION_FAIL', 20)
    lost = each(assert_lost(lab, old.name, new, purged=had)['lost'])
    least = each(receipt['lost'] or receipt.get('lost_at_least'))
    lab.check(least and least <= lost, f'named at once: {sorted(least)}, later {sorted(lost)}')
    lab.check(lab.assert_loss_told(client, old.name, new) >= 40, 'these were acknowledged')
    return f'{len(lost)} lost, {len(least)} of them named at once'
