# SPDX-License-Identifier: GPL-2.0-or-later
from lab.lab import LEASE_S, SEEN_S, WRITER, out

VARIANTS = ('nft', 'lifetime', 'ahead')
ALIKE = ('nft', 'lifetime')


def ahead(lab):
    one = lab.host('db1')
    client = lab.client()
    client.wait_acked(20)
    at = one.stop('agent')
    lab.sleep(out() / 2)
    one.withhold('db2', 'db3')
    lab.wait_writer('db2', 20)
    client.wait_acked(20, server='db2')
    client.stop()
    lab.check(lab.last_seen(WRITER, 'db1') < lab.first_seen(WRITER, 'db2', at), 'both had it')
    lost = client.lost('db2')
    lab.check(lost, 'db1 wrote nothing that db2 lacks')
    one.send_again()
    one.cont('agent')
    lab.wait_state('db1', 'REPLICATION_FAIL', 10)
    lab.check(not one.follows('db2'), 'it follows db2 with transactions that db2 lacks')
    lab.assert_loss_told(client, 'db1', 'db2')
    return f'{len(lost)} rows on db1 alone, told'


def run(lab, variant):
    """SIGSTOP of the writer's agent: the kernel keeps the lease, not the process.

    Nobody can close writes on db1 (its mysqld is up and open), but after the lease it is reached
    by nobody at the address; only then db2 takes over. Woken up, the agent fences before anything
    else. With the nftables gate, and with nothing but the address's own lifetime.
    ahead: the others did not get its last rows. Woken up, it is compared and stays out.
    """
    if variant == 'ahead':
        lab.start()
        return ahead(lab)
    lab.start(failover={'gate': variant, 'lease': f'{LEASE_S[variant]:.0f}s'})
    one = lab.host('db1')
    client = lab.client()
    lab.sleep(0.5 + lab.random.uniform(0, 0.5))
    at = one.stop('agent')
    lab.wait_writer('db2', 20)
    client.wait_acked(50, server='db2')
    last, taken = lab.last_seen(WRITER, 'db1'), lab.first_seen(WRITER, 'db2', at)
    lab.check(last - at <= out(variant) + SEEN_S, f'db1 was reached for {last - at:.2f} s more')
    lab.check(last < taken, 'db2 took the address before db1 was out')
    gap = client.gap(at - 0.1)[0]
    lab.sleep(lab.random.uniform(0, 1))

    woken = one.cont('agent')
    lab.wait_until(one.read_only, 3, 'the woken agent turns db1 read-only', lab.status_text)
    fenced = lab.when('db1', 'server: read_only=1', woken) or woken
    back = lab.wait_back('db1', 'db2')
    client.wait_acked()
    client.stop()
    lab.check(lab.last_seen(WRITER, 'db1') <= last, 'db1 answered for the address again')
    lab.check(lab.writer() == 'db2', 'the role moved when the agent came back')
    lab.assert_nothing_lost(client, 'db2')
    return (f'gap {gap:.2f} s, db1 reached for {last - at:.2f} s more, db2 {taken - last:.2f} s '
            f'later, fenced {fenced - woken:.2f} s after waking, {back}')
