# SPDX-License-Identifier: GPL-2.0-or-later
"""What test/demo shows, once everything is built."""
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lab import runner  # noqa: E402
from lab.flavours import prepared  # noqa: E402
from lab.clock import now  # noqa: E402
from lab.lab import HOSTS, WRITER, Failure, Lab, fail_if_not_root  # noqa: E402

TTY = sys.stdout.isatty()


def colour(code, text):
    return f'\033[{code}m{text}\033[0m' if TTY else text


class Show:
    """Numbered steps with the time each took."""

    def __init__(self):
        self.n, self.began, self.lab = 0, now(), None

    def step(self, text):
        self.n += 1
        print(f'\n{colour("1", f"{self.n}. {text}")}', flush=True)

    def line(self, text):
        print(f'   {text}', flush=True)

    def block(self, text):
        for line in text.rstrip().split('\n'):
            self.line(colour('2', '| ') + line)


def status(show, lab):
    show.line('$ hamm ctl status')
    show.block(lab.ctl('status')[1])


def figure(seconds):
    return colour('1;32', f'{seconds * 1000:.0f} ms')


def crash_and_return(show, lab):
    client = lab.client()
    show.step(f'A client writes through {WRITER}; mysqld on db1 is killed (SIGKILL)')
    lab.sleep(1)
    at = lab.host('db1').kill_mysqld()
    lab.wait_writer('db2', 20)
    client.wait_acked(50, server='db2')
    lab.wait_until(lambda: lab.host('db3').follows('db2'), 10, 'db3 follows db2')
    gap = client.gap(at - 0.2)[0]
    status(show, lab)
    show.line(f'longest time without an acknowledged write: {figure(gap)}; '
              f'{len(client.read())} rows acknowledged, {len(client.lost("db2"))} of them missing')

    show.step('The old writer comes back (read_only = 0 in its my.cnf, to make it harder)')
    lab.host('db1').start_mysqld(writable=True)
    lab.wait_back('db1', 'db2', 30)
    status(show, lab)
    show.line(f'db1 is {"read-only" if lab.host("db1").read_only() else "WRITABLE"} and replicates '
              f'from db2')

    show.step('The role goes back, planned')
    at = now()
    show.line('$ hamm ctl move-role writer db1')
    show.block(lab.must_ctl('move-role', 'writer', 'db1'))
    client.wait_acked(50, server='db1')
    gap = client.gap(at)[0]
    client.stop()
    show.line(f'longest time without an acknowledged write: {figure(gap)} (this client notices a '
              f'new writer within 100 ms)')
    lab.assert_safe()
    show.line('at no instant did two hosts hold the address (asked each 10 ms by ARP and ICMP)')


def stay(show, lab):
    show.step('It stays up; Ctrl-C here takes it all down')
    show.line('in any other terminal:')
    show.line('')
    mon = lab.namespace('mon1').holder
    show.line(f"  alias ctl='sudo nsenter -t {mon} -a {lab.hamm} ctl -c {lab.config}'")
    show.line('  ctl status')
    show.line('  ctl move-role writer db2')
    show.line('  ctl --help')
    show.line('')
    inside = f'sudo nsenter -t {lab.namespace("client").holder} -a'
    show.line('  # the application, at the writer\'s address')
    show.line(f'  {inside} mariadb -h {WRITER} -u app -p{lab.passwords["app"]} app')
    show.line('')
    db1 = lab.host('db1')
    show.line('  # mysqld on db1 dies, and is started again')
    show.line(f"  sudo nsenter -t {db1.ns.holder} -a sh -c 'kill -9 $(cat /run/mysqld/mysqld.pid)'")
    start = ' '.join(lab.flavour.argv(db1, f'{db1.directory}/my.cnf'))
    show.line(f'  sudo nsenter -t {db1.ns.holder} -a setsid -f {start} >/dev/null 2>&1')
    show.line('')
    show.line('  # a shell on each host')
    for name in HOSTS:
        show.line(f'  {name:6}  {HOSTS[name]:10}  sudo nsenter -t {lab.namespace(name).holder} -a')
    show.line('')
    show.line(f'logs and cluster.yaml: {lab.directory}')
    signal.pause()


def play(show, words, flavour):
    show.step(f'Three {flavour.title} servers, a monitor and a client, each a host of its own')
    show.lab = lab = Lab(os.path.join(runner.ROOT, 'build', 'release', 'hamm'), flavour, 'demo')
    lab.start()
    show.line(f'up in {now() - show.began:.1f} s: db1 <-> db2, db3 replicates; '
              f'hamm agent on each, hamm monitor on mon1')
    status(show, lab)
    crash_and_return(show, lab)
    if '--stay' in words:
        stay(show, lab)


def main(words):
    fail_if_not_root()
    show, code = Show(), 1
    runner.remove_stale()
    runner.take_signals()
    try:
        with prepared(words[words.index('--flavour') + 1]
                      if '--flavour' in words else 'mariadb') as flavour:
            play(show, words, flavour)
        code = 0
    except runner.Stopped:
        code = 0 if '--stay' in words and show.n > 4 else 130
    except Failure as e:
        print(colour('31', f'\nthis did not work: {e}'))
        if show.lab:
            runner.show_failure(show.lab, 'demo')
    finally:
        runner.hold_signals()
        left = show.lab.close() if show.lab else []
        print('\n' + ('left behind: ' + '; '.join(left) if left else
                      'Everything is taken down; nothing is left.'), flush=True)
    return code


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
