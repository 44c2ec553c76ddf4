# SPDX-License-Identifier: GPL-2.0-or-later
"""What a client saw: rows acknowledged, the longest gap, rows lost."""
import os
import sys
from collections import namedtuple

from .clock import now

Ack = namedtuple('Ack', 'time row server')


class Client:
    def __init__(self, lab, address, period_ms, first):
        self.lab, self.address = lab, address
        self.path = os.path.join(lab.directory, f'client-{first}.acks')
        self.acks, self.errors, self.connects = [], [], []
        self.offset, self.rest, self.stopped_at = 0, '', None
        self.process = lab.namespace('client').spawn(
            ['/usr/bin/python3', '-m', 'lab.writer', address, 'app', lab.passwords['app'],
             str(period_ms), str(first)], f'client-{first}', self.path,
            env={'PYTHONPATH': os.path.dirname(os.path.dirname(__file__))})

    def read(self):
        """Takes in what the process has printed since the last time."""
        with open(self.path) as f:
            f.seek(self.offset)
            text = self.rest + f.read()
            self.offset = f.tell()
        lines = text.split('\n')
        self.rest = lines.pop()
        for line in lines:
            kind, _, rest = line.partition(' ')
            if kind == 'A':
                when, row, server = rest.split()
                self.acks.append(Ack(float(when), int(row), int(server)))
            elif kind == 'C':
                when, server = rest.split()
                self.connects.append((float(when), int(server)))
            elif kind == 'E':
                when, _, why = rest.partition(' ')
                self.errors.append((float(when), why))
        if not self.process.alive() and not self.process.expected:
            raise AssertionError(f'the client died: {text[-500:]}')
        return self.acks

    def wait_acked(self, more=20, seconds=5, server=None):
        """Waits until so many further rows are acknowledged (by that host's server)."""
        start = len(self.read())
        want = server and self.lab.host(server).id

        def enough():
            return sum(want in (None, a.server) for a in self.read()[start:]) >= more
        where = f' by {server}' if server else ''
        self.lab.wait_until(enough, seconds, f'{more} more rows acknowledged{where}',
                            lambda: self.story(3))

    def gap(self, since=0.0, until=None):
        """The longest time without an acknowledged row, seconds; (length, when it began)."""
        end = until or self.stopped_at or now()
        times = [a.time for a in self.read() if since <= a.time <= end]
        if not times:
            return end - since, since
        points = [since or times[0], *times, end]
        pairs = zip(points, points[1:])
        return max((b - a, a) for a, b in pairs)

    def stop(self):
        if self.stopped_at is None:
            self.stopped_at = now()
            self.process.kill()
            self.read()

    def lost(self, host):
        """Rows that were acknowledged and are not on that host's server."""
        acks = list(self.read())  # before asking the server: the client may be writing on
        there = {r['id'] for r in self.lab.host(host).sql('SELECT id FROM app.writes')}
        return [a for a in acks if a.row not in there]

    def story(self, n=5):
        self.read()
        last = f'last row acknowledged {now() - self.acks[-1].time:.2f} s ago by server ' \
               f'{self.acks[-1].server}' if self.acks else 'no row acknowledged yet'
        return '; '.join([f'client: {last}'] + [e[1] for e in self.errors[-n:]])
