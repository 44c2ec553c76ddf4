# SPDX-License-Identifier: GPL-2.0-or-later
"""Everything a port may meet that is none of ours.

usage: strangers.py N_IDLE TARGET[,...] SOURCE_ADDRESS...   (targets are words with a colon)
Says `all there` when N_IDLE connections have been made, and goes on with the rest until killed.
"""
import os
import random
import resource
import socket
import subprocess
import sys
import time

TLS_HALF = b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'  # a ClientHello that never ends
TEXTS = (b'GET / HTTP/1.0\r\n\r\n', b'\0\0\0\x10{"kind":"hello"}', b'\0\0\0', b'\xff' * 4096,
         TLS_HALF, b'PING\n')


def connect(target, source, timeout=2.0):
    s = socket.socket()
    s.settimeout(timeout)
    s.bind((source, 0))
    s.connect(target)
    return s


def idle(n, targets, sources):
    kept = []
    for i in range(n):
        try:
            kept.append(connect(targets[i % len(targets)], sources[i // 2 % len(sources)]))
        except OSError as e:
            print(f'connection {i}: {e}', flush=True)
    return kept


def wrong_key(target, source):
    """TLS 1.3 with a key that is not the cluster's."""
    return subprocess.Popen(
        ['openssl', 's_client', '-connect', '%s:%d' % target, '-bind', source, '-tls1_3',
         '-psk', os.urandom(32).hex(), '-psk_identity', 'hamm:shop:0123456789abcdef'],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main(n, *words):
    resource.setrlimit(resource.RLIMIT_NOFILE, (n + 1000, max(n + 1000, 20000)))
    targets = [(w.split(':')[0], int(w.split(':')[1])) for w in words if ':' in w]
    sources = [w for w in words if ':' not in w]
    began = time.monotonic()
    kept = idle(n, targets, sources)
    print(f'{len(kept)} all there in {time.monotonic() - began:.1f} s', flush=True)
    half = []
    while True:
        for target in targets:
            source = random.choice(sources)
            try:
                s = connect(target, source)
                s.sendall(random.choice((*TEXTS, os.urandom(500))))
                half.append(s)
            except OSError:
                pass
            child = wrong_key(target, source)
            try:
                child.wait(2)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        for s in half[:-50]:
            s.close()
        half = half[-50:]
        time.sleep(0.05)


if __name__ == '__main__':
    main(int(sys.argv[1]), *sys.argv[2:])
