# SPDX-License-Identifier: GPL-2.0-or-later
"""Scenarios side by side, each in a process of its own; what one prints is kept together."""
import ctypes
import json
import os
import shutil
import signal
import sys
import tempfile

PR_SET_PDEATHSIG = 1


class Worker:
    """A child that does work(task) with its output in a file, and hands back what that returns."""

    def __init__(self, task, work):
        self.task = task
        self.output, self.answer = tempfile.TemporaryFile('w+'), tempfile.TemporaryFile('w+')
        sys.stdout.flush()
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            self._run(parent, work)

    def _run(self, parent, work):
        code = 1
        try:
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() == parent:
                os.dup2(self.output.fileno(), 1)
                os.dup2(self.output.fileno(), 2)
                json.dump(work(self.task), self.answer)
                self.answer.flush()
                code = 0
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def ended(self, status):
        """Shows its output; what work() returned, None if it did not."""
        self.output.seek(0)
        shutil.copyfileobj(self.output, sys.stdout)
        self.answer.seek(0)
        return json.loads(self.answer.read()) if status == 0 else None


def side_by_side(tasks, work, n, on_end):
    """work(task) for each, n at a time; on_end(task, what it returned or None if it died).
    An exception here ends all of them in good order first."""
    waiting, running = list(tasks), {}
    try:
        while waiting or running:
            while waiting and len(running) < n:
                worker = Worker(waiting.pop(0), work)
                running[worker.pid] = worker
            pid, status = os.wait()
            if worker := running.pop(pid, None):
                on_end(worker.task, worker.ended(status))
    except BaseException:
        for pid in running:
            os.kill(pid, signal.SIGTERM)
        for pid in running:
            os.waitpid(pid, 0)
        raise
