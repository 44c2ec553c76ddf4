# SPDX-License-Identifier: GPL-2.0-or-later
"""Namespaces without names.

A host is a small process (its holder: pid 1 of its own pid namespace) that keeps a network, a
mount and a pid namespace alive. Nothing is bound under /run/netns and no link is made in the
machine's own network, so there is nothing that could stay behind: when a holder dies, the kernel
ends every process of that host and its interfaces vanish. Holders die with the process that
started them (PR_SET_PDEATHSIG), even if that is killed with SIGKILL.

Processes are started by the main thread only: PDEATHSIG is about the starting *thread*.
"""
import contextlib
import ctypes
import glob
import os
import signal
import subprocess
import threading
import time

from .clock import now

CLONE_NEWPID, CLONE_NEWNET = 0x20000000, 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
spawn_lock = threading.Lock()
own_net = os.open('/proc/self/ns/net', os.O_RDONLY | os.O_CLOEXEC)


def setns(fd, kind):
    if libc.setns(fd, kind):
        code = ctypes.get_errno()
        raise OSError(code, 'setns: ' + os.strerror(code))


def _join(path, kind):
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        setns(fd, kind)
    finally:
        os.close(fd)


@contextlib.contextmanager
def inside_net(holder):
    """This thread is in the network of `holder` (a pid): for opening sockets there."""
    with spawn_lock:
        _join(f'/proc/{holder}/ns/net', CLONE_NEWNET)
        try:
            yield
        finally:
            setns(own_net, CLONE_NEWNET)


class Process:
    """A child in some host. A thread waits for it, so it is never left a zombie."""

    def __init__(self, popen, name, log):
        self.popen, self.name, self.log = popen, name, log
        self.pid = popen.pid
        self.ended_at = None
        self.expected = False  # its end was asked for
        self.waiter = threading.Thread(target=self._wait, daemon=True)
        self.waiter.start()

    def _wait(self):
        self.popen.wait()
        self.ended_at = now()

    @property
    def exit(self):
        """None while it runs; else the exit code, or minus the signal."""
        return self.popen.returncode

    def alive(self):
        return self.popen.returncode is None

    def signal(self, number):
        if self.alive():
            self.popen.send_signal(number)

    def stop(self):
        self.signal(signal.SIGSTOP)

    def cont(self):
        self.signal(signal.SIGCONT)

    def kill(self):
        """SIGKILL, and wait until it is gone."""
        self.expected = True
        self.signal(signal.SIGKILL)
        self.waiter.join(10)

    def terminate(self, seconds=5):
        """SIGTERM; SIGKILL after so many seconds. The exit code."""
        self.expected = True
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)
        self.waiter.join(seconds)
        if self.alive():
            self.kill()
        return self.exit

    def wait(self, seconds):
        self.waiter.join(seconds)
        return self.exit

    def where(self):
        """What each of its threads waits in, for a process that should have ended."""
        told, pids = '', [self.pid]
        for pid in pids:
            for task in glob.glob(f'/proc/{pid}/task/*'):
                try:
                    with open(f'{task}/children') as f:
                        pids += map(int, f.read().split())
                    with open(f'{task}/comm') as f, open(f'{task}/syscall') as g:
                        told += f'\n  {os.path.basename(task)} {f.read().strip()}: '
                        told += g.read().strip()
                    with open(f'{task}/stack') as f:
                        told += ' ' + ' < '.join(line.split()[-1] for line in f)
                except OSError:
                    continue
        return told


class Namespace:
    """One host's namespaces, with a tmpfs on /run, and what was started in them."""

    def __init__(self, name, mark, tmpfs=()):
        """mark: NAME=VALUE for every process's environment, so that leftovers can be found."""
        self.name, self.processes = name, []
        self.env = dict(os.environ)
        self.env.update([mark.split('=', 1)], LC_ALL='C.UTF-8')
        mounts = ' && '.join(f'mount -t tmpfs -o mode=755 lab {d}' for d in ('/run', *tmpfs))
        script = (f'{mounts} && mkdir -p /run/hamm /run/mysqld && ip link set lo up && '
                  f'echo ready && exec sleep infinity >/dev/null')
        self.unshare = subprocess.Popen(
            ['setpriv', '--pdeathsig', 'KILL',
             'unshare', '--net', '--mount', '--pid', '--fork', '--kill-child=KILL',
             '--mount-proc', '--propagation', 'private', 'sh', '-c', script],
            env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, start_new_session=True)
        said = self.unshare.stdout.readline().strip()
        if said != 'ready':
            self.unshare.kill()
            self.unshare.wait()
            raise RuntimeError(f'host {name}: its namespaces could not be made: {said}')
        self.unshare.stdout.close()  # what unshare remarks on the end of its child is not wanted
        with open(f'/proc/{self.unshare.pid}/task/{self.unshare.pid}/children') as f:
            self.holder = int(f.read().split()[0])
        self.net_inode = os.stat(f'/proc/{self.holder}/ns/net').st_ino

    def root(self, path):
        """A path of this host as seen from outside."""
        return f'/proc/{self.holder}/root{path}'

    def _argv(self, argv):
        return ['nsenter', '-t', str(self.holder), '-n', '-m', '--', *argv]

    def spawn(self, argv, name, log, stdin=subprocess.DEVNULL, stdout=None, env=None):
        """Starts a child of ours in this host; output is appended to the file `log`."""
        assert threading.current_thread() is threading.main_thread()
        with open(log, 'ab') as out, spawn_lock:
            _join(f'/proc/{self.holder}/ns/pid', CLONE_NEWPID)
            try:
                popen = subprocess.Popen(self._argv(argv), stdin=stdin, stdout=stdout or out,
                                         stderr=out, env={**self.env, **(env or {})},
                                         start_new_session=True)
            finally:
                _join('/proc/self/ns/pid', CLONE_NEWPID)
        process = Process(popen, name, log)
        self.processes.append(process)
        return process

    def run(self, argv, timeout=30, check=True, stdin=None):
        """Runs a short command in this host: (exit code, its output, stderr included)."""
        with spawn_lock:
            _join(f'/proc/{self.holder}/ns/pid', CLONE_NEWPID)
            try:
                popen = subprocess.Popen(self._argv(argv), stdout=subprocess.PIPE, env=self.env,
                                         stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                                         stderr=subprocess.STDOUT, text=True)
            finally:
                _join('/proc/self/ns/pid', CLONE_NEWPID)
        try:
            text, _ = popen.communicate(stdin, timeout)
        except BaseException:
            popen.kill()
            popen.wait()
            raise
        if check and popen.returncode:
            raise RuntimeError(f'{self.name}: {" ".join(argv)}: exit {popen.returncode}: {text}')
        return popen.returncode, text

    def close(self):
        for p in self.processes:
            p.expected = True
        for pid in (self.holder, self.unshare.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.unshare.wait()
        for p in self.processes:
            p.waiter.join(10)


def leftovers(mark, inodes):
    """What is still there of a run: processes with its mark or in its networks.

    The kernel gives the number of a network that is gone to the next one: what bears the mark of
    another laboratory, side by side with this one, is that one's.
    """
    found = []
    name = mark.split('=', 1)[0].encode() + b'='
    for pid in filter(str.isdigit, os.listdir('/proc')):
        if int(pid) == os.getpid():
            continue
        try:
            inode = os.stat(f'/proc/{pid}/ns/net').st_ino
            with open(f'/proc/{pid}/environ', 'rb') as f:
                marks = [w for w in f.read().split(b'\0') if w.startswith(name)]
            with open(f'/proc/{pid}/cmdline', 'rb') as f:
                words = f.read().replace(b'\0', b' ').decode(errors='replace')
        except OSError:
            continue
        if mark.encode() in marks or (inode in inodes and not marks):
            found.append(f'process {pid}: {words.strip()}')
    return found


def wait_no_leftovers(mark, inodes, seconds=5):
    end = time.monotonic() + seconds
    while True:
        found = leftovers(mark, inodes)
        if not found or time.monotonic() > end:
            return found
        time.sleep(0.05)
