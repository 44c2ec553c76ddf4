# SPDX-License-Identifier: GPL-2.0-or-later
from lab.lab import LEASE_S, SEEN_S, WRITER, WRITER6, out

VARIANTS = ('nft', 'lifetime')
ALIKE = True


def run(lab, variant):
    """The writer role has an IPv4 and an IPv6 address: they move together, whatever moves them.

    At no instant are they on two hosts. A planned move, mysqld killed, then the agent stopped so
    that only the kernel can take both addresses away. The witness asks for the IPv6 address by
    neighbour solicitation.
    """
    lab.start(ipv6=True, failover={'gate': variant, 'lease': f'{LEASE_S[variant]:.0f}s'})
    clients = [lab.client(WRITER), lab.client(WRITER6)]

    def together(host, at, seconds):
        lab.wait_until(lambda: lab.holder_now(WRITER6) == host, seconds, f'{host} has {WRITER6}',
                       lab.status_text)
        for c in clients:
            c.wait_acked(30, server=host)
        return max(c.gap(at - 0.1)[0] for c in clients)

    at = lab.mark('move-role')
    lab.must_ctl('move-role', 'writer', 'db2')
    moved = together('db2', at, 5)
    lab.must_ctl('move-role', 'writer', 'db1')
    together('db1', at, 5)

    at = lab.host('db1').stop('agent')
    lab.wait_writer('db2', 20)
    stopped = together('db2', at, 5)
    last = max(lab.last_seen(ip, 'db1') for ip in (WRITER, WRITER6))
    lab.check(last - at <= out(variant) + SEEN_S, f'db1 was reached for {last - at:.2f} s more')
    lab.assert_together(WRITER, WRITER6)
    for c in clients:
        c.stop()
        lab.assert_nothing_lost(c, 'db2')
    return f'gaps: moved {moved:.3f} s, agent stopped {stopped:.2f} s, out {last - at:.2f} s'
