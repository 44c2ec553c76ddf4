# SPDX-License-Identifier: GPL-2.0-or-later
"""The witness: who holds an address as the network sees it, and who is open for writes.

A process of its own, so that nothing delays it. Started with one JSON object as its argument:
  {client: {holder, address}, hosts: {name: {holder, address, socket, id}}, ips: [...],
   period_ms, ips_reached: [...]}
Each period it
  * asks by ARP for every role address, from the client's interface: each hardware address that
    answers holds it ("arp");
  * sends an ICMP echo for the address straight to every host's hardware address: a host that
    answers is reached by a client with an old ARP entry, whoever wins ARP ("icmp");
  * asks every server for read_only, by its socket: "writable" when it is 0.
IPv6 addresses are asked for by neighbour solicitation; the answers count as "arp" too.
And it notes what netlink says about addresses on each host ("address").

A span [first, last] says that this was seen at first, at last and each time between; it ends
when nothing was seen for SPAN_S. On `dump` on stdin it prints one line of JSON:
  {spans: [[kind, what, host, first, last]], events: [[time, host, text]], rounds}
"""
import ctypes
import errno
import json
import select
import socket
import struct
import sys
import threading
import time

from lab.clock import now
from lab.net import mac_of
from lab.ns import inside_net
from lab.server import connect

SPAN_S = 0.06
ETH_P_ARP, ETH_P_IP, ETH_P_IPV6, BROADCAST = 0x0806, 0x0800, 0x86dd, b'\xff' * 6
RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR, RTM_NEWADDR, RTM_DELADDR = 0x10, 0x100, 20, 21
IFA_ADDRESS, IFA_LOCAL = 1, 2
ND_SOLICIT, ND_ADVERT, ECHO6, ECHO6_REPLY = 135, 136, 128, 129
ECHO_ID = 0x6c62


class Record:
    def __init__(self):
        self.lock = threading.Lock()
        self.open, self.closed, self.events, self.rounds = {}, [], [], 0

    def seen(self, kind, what, host, first, last):
        """`first`: since when this is sure if it is new; `last`: until when it is."""
        key = (kind, what, host)
        with self.lock:
            span = self.open.get(key)
            if span and first - span[1] <= SPAN_S:
                span[1] = max(span[1], last)
                return
            if span:
                self.closed.append([*key, *span])
            self.open[key] = [first, last]

    def event(self, host, text, when=None):
        with self.lock:
            self.events.append([when or now(), host, text])

    def dump(self):
        with self.lock:
            spans = self.closed + [[*key, *span] for key, span in self.open.items()]
            return {'spans': sorted(spans, key=lambda s: s[3]), 'events': sorted(self.events),
                    'rounds': self.rounds}


def packet_socket(holder, protocol):
    with inside_net(holder):
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(protocol))
        s.bind(('eth0', protocol))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    return s


def only(s, offset, protocol):
    """Lets only frames with that protocol through: ldb [offset]; jeq; ret all; ret none."""
    program = b''.join(struct.pack('HBBI', *i) for i in (
        (0x30, 0, 0, offset), (0x15, 0, 1, protocol), (0x06, 0, 0, 0x40000), (0x06, 0, 0, 0)))
    kept = ctypes.create_string_buffer(program)
    s.setsockopt(socket.SOL_SOCKET, 26, struct.pack('HxxxxxxP', 4, ctypes.addressof(kept)))


def checksum(data):
    total = sum(struct.unpack(f'!{len(data) // 2}H', data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff


def arp_request(mac, address, ip):
    return (BROADCAST + mac + struct.pack('!HHHBBH', ETH_P_ARP, 1, ETH_P_IP, 6, 4, 1) + mac +
            socket.inet_aton(address) + bytes(6) + socket.inet_aton(ip))


def echo_request(mac, address, to_mac, ip):
    icmp = struct.pack('!BBHHH', 8, 0, 0, ECHO_ID, 1)
    icmp = icmp[:2] + struct.pack('!H', checksum(icmp)) + icmp[4:]
    head = struct.pack('!BBHHHBBH', 0x45, 0, 20 + len(icmp), 0, 0, 64, 1, 0)
    head += socket.inet_aton(address) + socket.inet_aton(ip)
    head = head[:10] + struct.pack('!H', checksum(head)) + head[12:]
    return to_mac + mac + struct.pack('!H', ETH_P_IP) + head + icmp


def frame6(mac, address, to_mac, to, icmp):
    """An ICMPv6 message (with a checksum of 0) as a frame."""
    ends = socket.inet_pton(socket.AF_INET6, address) + to
    sum_ = checksum(ends + struct.pack('!II', len(icmp), 58) + icmp)
    return (to_mac + mac + struct.pack('!HIHBB', ETH_P_IPV6, 0x60000000, len(icmp), 58, 255) +
            ends + icmp[:2] + struct.pack('!H', sum_) + icmp[4:])


def solicitation(mac, address, ip):
    target = socket.inet_pton(socket.AF_INET6, ip)
    group = bytes.fromhex('ff0200000000000000000001ff') + target[13:]
    return frame6(mac, address, b'\x33\x33' + group[12:], group,
                  struct.pack('!BBHI', ND_SOLICIT, 0, 0, 0) + target + b'\1\1' + mac)


def echo6_request(mac, address, to_mac, ip):
    return frame6(mac, address, to_mac, socket.inet_pton(socket.AF_INET6, ip),
                  struct.pack('!BBHHH', ECHO6, 0, 0, ECHO_ID, 1))


def heard6(record, frame, t, mac, hosts, ips):
    """A frame of ICMPv6: an answer to one of the two above?"""
    if len(frame) < 62 or frame[:6] != mac:
        return
    kind, who = frame[54], hosts.get(frame[6:12], frame[6:12].hex(':'))
    if kind == ND_ADVERT and len(frame) >= 78:
        ip = socket.inet_ntop(socket.AF_INET6, frame[62:78])
        if ip in ips:
            record.seen('arp', ip, who, t, t)
    elif kind == ECHO6_REPLY and frame[58:60] == struct.pack('!H', ECHO_ID):
        record.seen('icmp', socket.inet_ntop(socket.AF_INET6, frame[22:38]), who, t, t)


def watch_network(record, plan):
    me = plan['client']
    mac = bytes.fromhex(mac_of(me['address']).replace(':', ''))
    hosts = {bytes.fromhex(mac_of(h['address']).replace(':', '')): name
             for name, h in plan['hosts'].items()}
    arp, icmp = packet_socket(me['holder'], ETH_P_ARP), packet_socket(me['holder'], ETH_P_IP)
    only(icmp, 23, 1)
    icmp6 = packet_socket(me['holder'], ETH_P_IPV6)
    only(icmp6, 20, 58)
    probes = [(icmp6, solicitation(mac, me['address6'], ip)) if ':' in ip else
              (arp, arp_request(mac, me['address'], ip)) for ip in plan['ips']]
    probes += [(icmp6, echo6_request(mac, me['address6'], to, ip)) if ':' in ip else
               (icmp, echo_request(mac, me['address'], to, ip))
               for ip in plan['ips_reached'] for to in hosts]
    period, due, announced = plan['period_ms'] / 1000, now(), {}
    while True:
        if now() >= due:
            for s, frame in probes:
                s.send(frame)
            record.rounds += 1
            due = max(due + period, now())
        ready, _, _ = select.select([arp, icmp, icmp6], [], [], max(0, due - now()))
        for s in ready:
            frame, t = s.recv(2048), now()
            if s is arp and len(frame) >= 42:
                ip, sender = socket.inet_ntoa(frame[28:32]), frame[22:28]
                who = hosts.get(sender, sender.hex(':'))
                if ip not in plan['ips']:
                    continue
                if frame[:6] == mac and frame[20:22] == b'\0\2':
                    record.seen('arp', ip, who, t, t)
                elif frame[28:32] == frame[38:42] and t - announced.get((ip, who), 0) > 3:
                    announced[ip, who] = t
                    record.event(who, f'announces {ip}', t)
            elif s is icmp6:
                heard6(record, frame, t, mac, hosts, plan['ips'])
            elif s is icmp and len(frame) >= 42 and frame[:6] == mac and frame[34] == 0:
                if frame[38:40] == struct.pack('!H', ECHO_ID):
                    ip = socket.inet_ntoa(frame[26:30])
                    record.seen('icmp', ip, hosts.get(frame[6:12], frame[6:12].hex(':')), t, t)


def watch_server(record, name, host, period):
    connection, before = None, None
    while True:
        asked = now()
        try:
            if connection is None:
                connection = connect(host['socket'], 1)
                cursor = connection.cursor()
            cursor.execute('SELECT @@read_only')
            value = cursor.fetchone()[0]
        except Exception:  # whatever it is: this server did not say that it is writable
            if connection is not None:  # a killed connection says nothing about the server
                connection = None
                continue
            value = None
        answered = now()
        if value != before:
            record.event(name, {None: 'server: no answer', 0: 'server: read_only=0',
                                1: 'server: read_only=1'}[value], answered)
            before = value
        if value == 0:
            # it was 0 at some moment between the two; the next answer makes the time between sure
            record.seen('writable', '', name, answered, asked)
        time.sleep(max(0.001, period - (now() - asked)))


def watch_addresses(record, name, host):
    with inside_net(host['holder']):
        s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        s.bind((0, RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR))
    there = set()
    while True:
        try:
            data, t = s.recv(65536), now()
        except OSError as e:
            if e.errno != errno.ENOBUFS:
                raise
            record.event(name, 'more was done to its addresses than netlink could tell', now())
            continue
        while len(data) >= 16:
            length, kind = struct.unpack_from('=IH', data)
            family, where = data[16], IFA_ADDRESS
            if family == socket.AF_INET:
                where = IFA_LOCAL
            at = 24  # header and struct ifaddrmsg
            while at + 4 <= length:
                size, what = struct.unpack_from('=HH', data, at)
                if what == where:
                    ip = socket.inet_ntop(family, data[at + 4:at + size])
                    if kind == RTM_NEWADDR and ip not in there:
                        there.add(ip)
                        record.event(name, f'address + {ip}', t)
                    elif kind == RTM_DELADDR:
                        there.discard(ip)
                        record.event(name, f'address - {ip}', t)
                at += (size + 3) & ~3 or 4
            data = data[(length + 3) & ~3:]


def main(plan):
    record, period = Record(), plan['period_ms'] / 1000
    threads = [(watch_network, (record, plan))]
    for name, host in plan['hosts'].items():
        threads += [(watch_server, (record, name, host, period)),
                    (watch_addresses, (record, name, host))]
    threads = [threading.Thread(target=f, args=a, daemon=True) for f, a in threads]
    for thread in threads:
        thread.start()
    print('ready', flush=True)
    for _ in sys.stdin:
        dead = [t for t in threads if not t.is_alive()]
        print(json.dumps({'error': 'a watching thread died'} if dead else record.dump()),
              flush=True)


if __name__ == '__main__':
    main(json.loads(sys.argv[1]))
