# SPDX-License-Identifier: GPL-2.0-or-later
from lab.clock import now
from lab.lab import LEASE_S

VARIANTS = ('salvaged', 'monitor-dead', 'agent-dead', 'replica', 'passive')
ALIKE = ('monitor-dead', 'agent-dead', 'replica', 'passive')
SALVAGE_S = 4
AGENT_RETURNS_S = 5  # how long a gate waits for an agent that does not run


def salvaged(lab):
    one = lab.host('db1')
    client = lab.client()
    client.wait_acked(30)
    one.withhold('db2', 'db3')
    lab.sleep(0.3 + lab.random.uniform(0, 0.3))
    lab.host('mon1').stop('monitor')  # else it may be over before the gate is asked
    at = one.kill_mysqld()
    one.start_mysqld_gated()
    one.wait_gate('waits: it died as the writer', 1)
    lab.host('mon1').cont('monitor')
    lab.wait_writer('db2', 20)
    one.send_again()
    one.wait_gate('may start: the monitor lets it start', 5)
    waited = now() - at
    one.wait_mysqld(30)
    client.wait_acked(50, server='db2')
    client.stop()
    lab.assert_nothing_lost(client, 'db2')
    lab.wait_back('db1', 'db2', 30)
    lab.check(lab.state('db1') == 'ONLINE', f'db1 is {lab.state("db1")}')
    lab.assert_nothing_lost(client, 'db1')
    return f'it waited for {waited:.1f} s, nothing was lost'


def run(lab, variant):
    """A crashed server is started at once, behind the start gate as its systemd unit would do it.

    salvaged: it was the writer, and its binary log alone has the last rows: it may start when db2
    has them, and comes back with nothing that db2 lacks.
    monitor-dead: it was the writer and no monitor is heard: it may start after salvage_timeout.
    agent-dead: the agent died with it: it may start when the agent had its time to come back.
    replica: it was not the writer: it may start at once.
    passive: the monitor orders nothing, so nobody waits for it.
    Each comes back into service by itself.
    """
    lab.start(failover={'salvage_timeout': f'{SALVAGE_S}s'})
    if variant == 'salvaged':
        return salvaged(lab)
    host = lab.host('db3' if variant == 'replica' else 'db1')
    client = lab.client()
    client.wait_acked(20)
    client.stop()
    lab.wait_until(lambda: not client.lost('db2'), 5, 'db2 has every row')
    if variant == 'monitor-dead':
        heard = lab.host('mon1').kill('monitor')
        lab.sleep(0.5)
    if variant == 'passive':
        lab.must_ctl('set-passive')
    if variant == 'agent-dead':
        heard = host.kill('agent')
        lab.host('mon1').kill('monitor')
    at = host.kill_mysqld()
    host.start_mysqld_gated()
    if variant == 'passive':
        host.wait_gate('may start: the monitor is passive and orders nothing', 3)
    elif variant == 'replica':
        host.wait_gate('it did not die as the writer', 3)
    elif variant == 'monitor-dead':
        host.wait_gate('waits: it died as the writer', 2)
        host.wait_gate('salvage_timeout', 2 * SALVAGE_S)
        said = LEASE_S['nft'] / 6  # its last word: each lease/12, and one may be under way
        lab.check(now() - heard >= SALVAGE_S - said, 'it did not wait for the monitor')
    else:
        host.wait_gate('waits: it was the writer; the agent does not run', 3)
        host.wait_gate('may start: the agent does not run', 2 * AGENT_RETURNS_S)
        lab.check(now() - heard >= AGENT_RETURNS_S, 'it did not wait for the agent')
    waited = now() - at
    host.wait_mysqld(30)  # crash recovery takes as long as it takes
    if variant == 'agent-dead':
        host.start_agent()
    if variant == 'passive':
        lab.must_ctl('mode', 'active')
    elif variant != 'replica':
        lab.host('mon1').start_monitor()
    client = lab.client()
    client.wait_acked(20, seconds=30)
    lab.wait_online('db1', 'db2', 'db3', seconds=60)
    client.stop()
    lab.assert_nothing_lost(client, lab.writer())
    return f'it waited for {waited:.1f} s'
