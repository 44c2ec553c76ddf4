# SPDX-License-Identifier: GPL-2.0-or-later
from lab.lab import SEEN_S, WRITER, out

VARIANTS = ('ruleset', 'chains', 'roles')
DAMAGE = {
    'ruleset': ['flush ruleset'],
    'chains': ['flush chain inet hamm_shop to', 'flush chain inet hamm_shop from',
               'flush chain arp hamm_shop to', 'flush chain arp hamm_shop from'],
    'roles': ['flush set inet hamm_shop role4', 'flush set arp hamm_shop role4'],
}
ALIKE = True


def run(lab, variant):
    """An administrator empties the gate, all of it or its rules only, beside 6,000 rules of others.

    The agent notices and mends it without a gap for clients; stopped soon after, with mysqld open
    for writes and the address still on, the kernel must keep the lease all the same.
    """
    lab.start(hamm=False)
    one = lab.host('db1')
    others = ''.join(f'add table ip t{i}\nadd chain ip t{i} c\n' + ''.join(
        f'add rule ip t{i} c ip saddr 192.0.2.{k} accept\n' for k in range(60))
        for i in range(100))
    one.ns.run(['nft', '-f', '-'], stdin=others)
    lab.write_config()
    lab.start_hamm()
    client = lab.client()

    # the address outlives the gate by itself, so that it alone is looked at
    for _ in range(3):
        at = lab.mark(f'nft: {variant} is flushed')
        one.ns.run(['nft', '; '.join(DAMAGE[variant])])
        lab.sleep(0.3 + lab.random.uniform(0, 0.2))
        lab.check(lab.holder_now(WRITER) == 'db1', 'db1 lost the address')
        lab.assert_undisturbed(client, at)
        gap = client.gap(at)[0]
    at = one.stop('agent')
    lab.wait_writer('db2', 20)
    last = lab.last_seen(WRITER, 'db1')
    lab.check(last - at <= out() + SEEN_S, f'db1 was reached {last - at:.2f} s after the stop')
    client.wait_acked(20, server='db2')
    client.stop()
    lab.assert_nothing_lost(client, 'db2')
    return f'mended with a gap of {gap:.3f} s, db1 reached for {last - at:.2f} s after the stop'
