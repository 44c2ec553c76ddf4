# SPDX-License-Identifier: GPL-2.0-or-later
from lab.lab import WRITER, out

VARIANTS = ('cable', 'agent')
ALIKE = True


def run(lab, variant):
    """The writer's partner is gone for good, later the monitor too: the writer stays.

    The monitor takes an unreachable candidate out of the electorate; then the holder needs nobody's
    promise when the monitor goes as well. Unreachable is a host that does not answer to connecting,
    and one that refuses.
    """
    lab.start()
    client = lab.client()
    two = lab.host('db2')
    if variant == 'cable':
        two.cut()
    else:
        two.kill('agent')
    lab.sleep(4 + lab.random.uniform(0, 0.5))
    at = lab.host('mon1').kill('monitor')
    lab.sleep(2 * out())
    lab.assert_undisturbed(client, at)
    lab.check(lab.holder_now(WRITER) == 'db1', 'db1 lost the address')
    lab.host('mon1').start_monitor()
    lab.wait_until(lambda: lab.writer() == 'db1', 5, 'the monitor knows the writer')
    lab.assert_undisturbed(client, at)
    gap = client.gap(at)[0]
    client.stop()
    lab.assert_nothing_lost(client, 'db1')
    return f'gap {gap:.3f} s in {2 * out():.1f} s without partner and monitor'
