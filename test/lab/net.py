# SPDX-License-Identifier: GPL-2.0-or-later
"""The network of a laboratory: one bridge, one cable for each host."""
import subprocess
import time

BRIDGE = 'br0'


def mac_of(address):
    """Hardware addresses that can be read: 10.77.0.11 is 02:00:0a:4d:00:0b."""
    return '02:00:' + ':'.join(f'{int(n):02x}' for n in address.split('.'))


class Switch:
    def __init__(self, namespace):
        self.ns = namespace
        self._in('ip', '-batch', '-', text=f'link add {BRIDGE} type bridge forward_delay 0 '
                 f'mcast_snooping 0\nlink set {BRIDGE} up\n')
        self._in('nft', 'add table bridge lab; add chain bridge lab cuts '
                 '{ type filter hook forward priority 0; }')

    def _in(self, *argv, text=None, net=None):
        """Runs a command in the switch's network, in the machine's own pid and mount namespace."""
        done = subprocess.run(['nsenter', '-t', str(net or self.ns.holder), '-n', '--', *argv],
                              input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True)
        if done.returncode:
            raise RuntimeError(f'{" ".join(argv)}: {text or ""}: {done.stdout}')
        return done.stdout

    def plug(self, namespace, name, address, more=()):
        self._in('ip', '-batch', '-', text=f'''
link add {name} type veth peer name eth0 address {mac_of(address)} netns {namespace.holder}
link set {name} master {BRIDGE}
link set {name} up
''')
        self._in('ip', '-batch', '-', net=namespace.holder, text='link set eth0 up\n' + ''.join(
            f'addr add {a}/64 dev eth0 nodad\n' if ':' in a else f'addr add {a}/24 dev eth0\n'
            for a in (address, *more)))

    def cut(self, name):
        """The cable is pulled: both ends lose their carrier."""
        self._in('ip', 'link', 'set', name, 'down')

    def silence(self, name):
        """The port forwards nothing, but both ends see a link: a fault further away."""
        self._in('bridge', 'link', 'set', 'dev', name, 'state', '0')

    def heal(self, name):
        self._in('ip', 'link', 'set', name, 'up')
        for _ in range(20):  # until it has its carrier the bridge may refuse
            try:
                return self._in('bridge', 'link', 'set', 'dev', name, 'state', '3')
            except RuntimeError as e:
                trouble = e
                time.sleep(0.01)
        raise trouble

    def cut_between(self, a, b, both=True):
        """Nothing gets from a to b (nor back, if both)."""
        for x, y in ((a, b), (b, a))[:2 if both else 1]:
            self._in('nft', f'add rule bridge lab cuts iifname "{x}" oifname "{y}" drop')

    def heal_between(self):
        """Ends every cut_between."""
        self._in('nft', 'flush chain bridge lab cuts')
