# SPDX-License-Identifier: GPL-2.0-or-later
from lab.lab import SEEN_S, WRITER, out

VARIANTS = ('replica', 'candidate')
ALIKE = True


def run(lab, variant):
    """The monitor and another host's agent are killed at once, under load.

    replica: db3 is no candidate and nobody's promise depends on it: the writer stays and serves;
    then the agent comes back, then the monitor, and nothing moves. candidate: with db2's agent
    gone too nobody is left to promise db1 anything: it must let go within its lease, and nobody
    takes the address; once the monitor is back, somebody serves again and no row is lost.
    """
    lab.start()
    client = lab.client()
    mon, other = lab.host('mon1'), lab.host('db3' if variant == 'replica' else 'db2')
    lab.sleep(0.5 + lab.random.uniform(0, 0.5))
    at = mon.kill('monitor')
    other.kill('agent')
    if variant == 'candidate':
        lab.wait_until(lambda: lab.holder_now(WRITER) is None, 2 * out(), 'db1 lets go')
        last = lab.last_seen(WRITER, 'db1')
        lab.check(last - at <= out() + SEEN_S, f'db1 was reached for {last - at:.2f} s')
        lab.wait_until(lab.host('db1').read_only, 5, 'db1 turns read-only by itself')
    lab.sleep(2 * out())
    lab.mark('the agent is back')
    other.start_agent()
    lab.sleep(out() + 1)
    if variant == 'replica':
        lab.assert_undisturbed(client, at)
    else:
        held = [s for s in lab.spans('arp', 'icmp', what=WRITER) if s[4] > last + SEEN_S]
        lab.check(not held, f'without a monitor somebody took the address: {held}')
    back = lab.mark('the monitor is back')
    mon.start_monitor()
    lab.wait_until(lambda: lab.writer() is not None, 15, 'there is a writer', lab.status_text)
    writer = lab.writer()
    lab.wait_writer(writer, 10)
    lab.wait_online('db1', 'db2', 'db3')
    client.wait_acked(20, server=writer)
    if variant == 'replica':
        lab.sleep(out() + 1)
        lab.assert_undisturbed(client, at)
        figures = f'longest gap {client.gap(at)[0]:.3f} s'
    else:
        figures = (f'out after {last - at:.2f} s, {writer} serves '
                   f'{lab.first_seen(WRITER, writer, back) - back:.2f} s after the monitor is back')
    client.stop()
    lab.assert_nothing_lost(client, writer)
    return figures
