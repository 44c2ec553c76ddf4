# SPDX-License-Identifier: GPL-2.0-or-later
from lab.lab import READERS

ALIKE = True
VARIANTS = ('writer', 'keep', 'none')
LONG = ('keep', 'none')
CHECKS = {'rep_threads': {'period': '500ms', 'trap_period': '1500ms'},
          'rep_backlog': {'period': '500ms', 'trap_period': '1500ms'}}


def rename(host, old, new):
    """On this server alone; its applier stops at the next row, or can go on again."""
    host.change_here(f'RENAME TABLE app.{old} TO app.{new}')


def damage(host):
    rename(host, 'writes', 'gone')


def mend(host):
    rename(host, 'gone', 'writes')
    host.start_replication('SQL_THREAD')


def run(lab, variant):
    """No reader is fit: the addresses go to the writer, or stay, or vanish, as last_resort says.

    The readers are db2 and db3; on both the applier breaks (for the first minute of a source its
    replicas aren't judged). One that is mended for less than the trap period changes nothing;
    mended for good it gets both addresses, and the other its share when it is mended, too.
    """
    lab.start(checks=CHECKS, roles={'reader': {'hosts': ['db2', 'db3'], 'last_resort': variant}})
    two, three = lab.host('db2'), lab.host('db3')
    client = lab.client()

    def holders():
        return [lab.holder_now(ip) for ip in READERS]

    lab.wait_until(lambda: sorted(map(str, holders())) == ['db2', 'db3'], 5, 'one address each',
                   lab.status_text)
    held = holders()
    damage(two)
    lab.wait_state('db2', 'REPLICATION_FAIL', 70)
    lab.wait_until(lambda: holders() == ['db3', 'db3'], 5, 'db3 has both', lab.status_text)
    at = lab.mark('the applier of db3 breaks, too')
    damage(three)
    lab.wait_state('db3', 'REPLICATION_FAIL')
    wanted = {'writer': ['db1', 'db1'], 'keep': ['db3', 'db3'], 'none': [None, None]}[variant]
    lab.wait_until(lambda: holders() == wanted, 5, f'the readers are at {wanted}', lab.status_text)
    lab.sleep(1)
    lab.check(holders() == wanted, f'the readers do not stay at {wanted}: {holders()}')
    if variant != 'none':
        said = lab.must_ctl('explain', 'reader')
        lab.check('last_resort' in said, f'explain does not say why: {said}')

    lab.mark('the applier of db3 runs for a moment')
    mend(three)
    lab.sleep(0.6)
    damage(three)
    lab.sleep(2)  # a look each 0.5 s, and then a trap period until it is bad again
    lab.wait_state('db3', 'REPLICATION_FAIL')
    lab.check(holders() == wanted, f'a moment moved the readers: {holders()}')
    mended = lab.mark('the applier of db3 runs')
    mend(three)
    lab.wait_until(lambda: holders() == ['db3', 'db3'], 15, 'db3 has both', lab.status_text)
    took = lab.mark('db3 serves') - mended
    mend(two)
    lab.wait_until(lambda: sorted(map(str, holders())) == ['db2', 'db3'], 15, 'one address each',
                   lab.status_text)
    if variant == 'keep':
        lab.check(not lab.spans('arp', what=READERS[held.index('db3')], host='db1'), 'db1 took it')
    lab.assert_undisturbed(client, at)
    client.stop()
    lab.assert_nothing_lost(client, 'db1')
    return f'{variant}: back at db3 {took:.1f} s after it was mended'
