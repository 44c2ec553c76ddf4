# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs scenarios, one after the other or side by side, each in a laboratory of its own."""
import argparse
import contextlib
import functools
import glob
import importlib.util
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import namedtuple

from . import pool
from .flavours import FLAVOURS, prepared
from .lab import Failure, Lab, Skipped, fail_if_not_root

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCENARIOS = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'scenarios')
LOG_LINES = 40

Task = namedtuple('Task', 'name run flavour seed')


class Stopped(BaseException):
    """Ctrl-C or SIGTERM."""


def on_signal(number, frame):
    hold_signals()
    raise Stopped(signal.Signals(number).name)


def take_signals():
    for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, on_signal)


def hold_signals():
    """From here on we clean up, and nobody interrupts that."""
    for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, signal.SIG_IGN)


def load(name):
    spec = importlib.util.spec_from_file_location(name, os.path.join(SCENARIOS, name + '.py'))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def scenarios(only, everything):
    """[(name, function of a lab)]; a file with VARIANTS is several scenarios.

    Those of its LONG run with --long or when they are asked for by name.
    """
    found = []
    for f in sorted(os.listdir(SCENARIOS)):
        name, ext = os.path.splitext(f)
        if ext != '.py':
            continue
        module = load(name)
        found += [(f'{name}-{v}', functools.partial(module.run, variant=v))
                  for v in getattr(module, 'VARIANTS', ())
                  if everything or v not in getattr(module, 'LONG', ()) or f'{name}-{v}' in only
                  ] or [(name, module.run)]
    return [s for s in found if not only or any(o in s[0] for o in only)]


def is_alike(run):
    """Does the scenario, or of its variants this one, say that the flavour has no part in it?"""
    said = getattr(run, 'func', run).__globals__.get('ALIKE', False)
    return said if isinstance(said, bool) else run.keywords['variant'] in said


def remove_stale():
    """Directories of runners that were killed with SIGKILL; the kernel has removed all else."""
    for d in glob.glob(os.path.join(tempfile.gettempdir(), 'hamm-lab-*-*')):
        if not os.path.exists(f'/proc/{os.path.basename(d).split("-")[2]}'):
            shutil.rmtree(d, ignore_errors=True)


def tail(path, lines):
    with open(path, errors='replace') as f:
        return ''.join(f.readlines()[-lines:])


def show_failure(lab, name):
    """The story, the end of each log, and all of them copied to build/lab/NAME."""
    kept = os.path.join(ROOT, 'build', 'lab', name)
    shutil.rmtree(kept, ignore_errors=True)
    os.makedirs(kept)
    try:
        story = lab.story()
    except Exception as e:  # it failed already; this must not hide why
        story = f'no story: {e}'
    with open(os.path.join(kept, 'story'), 'w') as f:
        f.write(story + '\n')
    print('--- what was done and seen (seconds)')
    print('\n'.join(story.split('\n')[-120:]))
    for path in lab.logs():
        shutil.copy(path, kept)
        lines = LOG_LINES if path.endswith('.log') else 10
        if os.path.getsize(path):
            print(f'--- {os.path.basename(path)}, last {lines} lines')
            print(tail(path, lines).rstrip())
    if os.path.exists(lab.config):
        shutil.copy(lab.config, kept)
    print(f'--- complete logs: {os.path.relpath(kept, ROOT)}/', flush=True)


def keep(lab):
    print(f'kept, in {lab.directory}; a shell on a host:')
    for name, n in lab.namespaces.items():
        print(f'  {name:8} nsenter -t {n.holder} -a')
    print('Ctrl-C takes it down', flush=True)
    take_signals()
    signal.pause()


def run_one(task, args):
    """('ok', 'FAILED' or 'skipped', line)"""
    name, lab, began = task.name, None, time.monotonic()
    failure, skipped, figures, stopped = None, None, '', None
    try:
        lab = Lab(args.hamm, task.flavour, name, args.asan,
                  (lambda t: print(f'    {t}', flush=True)) if args.verbose else None)
        lab.random, lab.minutes = random.Random(task.seed), args.minutes
        lab.long = args.long
        figures = task.run(lab) or ''
        if lab.recorder:
            lab.assert_safe()
        lab.finish()
    except Stopped as e:
        stopped = e
    except Skipped as e:
        skipped = str(e)
    except Exception as e:  # a scenario's own mistake is a failure too
        failure = str(e) if isinstance(e, Failure) else traceback.format_exc()
    hold_signals()
    left = []
    try:
        if failure:
            print(f'FAILED {name}: {failure}', flush=True)
            if lab:
                show_failure(lab, name)
                if args.keep:
                    keep(lab)
    except Stopped as e:
        stopped = e
    finally:
        hold_signals()
        if lab:
            left = lab.close()
    if left:
        failure = failure or 'something is left behind'
        print('LEFT BEHIND: ' + '\n  '.join(left), flush=True)
    if stopped:
        raise stopped
    take_signals()
    took = time.monotonic() - began
    verdict = 'FAILED' if failure else 'skipped' if skipped else 'ok'
    figures = failure.strip().split('\n')[0][:150] if failure else skipped or figures
    seed = f'  (--seed {task.seed})' if failure else ''
    return verdict, f'{verdict:7} {name:28} {took:5.1f} s  {figures}{seed}'


def parse(argv):
    p = argparse.ArgumentParser(prog='test/lab/run', description='scenarios on real servers in '
                                'network namespaces; see test/README.md')
    p.add_argument('--only', action='append', metavar='NAME', help='part of a name; repeatable')
    p.add_argument('--list', action='store_true', help='names and first lines, nothing else')
    p.add_argument('--repeat', type=int, default=1, metavar='N', help='each so many times')
    p.add_argument('--keep', action='store_true', help='leave a failed one up until Ctrl-C')
    p.add_argument('--asan', action='store_true', help='run build/asan/hamm')
    p.add_argument('--hamm', metavar='FILE', help='run this binary')
    p.add_argument('--seed', type=int, help='of random moments; printed when one fails')
    p.add_argument('--minutes', type=float, default=0.5, help='length of the memory scenario')
    p.add_argument('--long', action='store_true',
                   help='the long ones too, and those that wait, wait a minute')
    p.add_argument('--flavour', default='mariadb', choices=(*FLAVOURS, 'both'),
                   help='which servers: mariadb, the system\'s, or mysql, of Debian sid')
    p.add_argument('--once', action='store_true', help='with both: what says ALIKE, because the '
                   'flavour has no part in it, on the first only')
    p.add_argument('--jobs', type=int, default=1, metavar='N', help='so many side by side')
    p.add_argument('-v', '--verbose', action='store_true', help='say each step')
    args = p.parse_args(argv)
    if args.keep or args.verbose:
        args.jobs = 1
    args.hamm = os.path.abspath(args.hamm or os.path.join(
        ROOT, 'build', 'asan' if args.asan else 'dev', 'hamm'))
    return args


def tasks(found, flavours, args):
    """Every scenario on every flavour, as often as was asked for."""
    def seed():
        return args.seed if args.seed is not None else random.randrange(1 << 30)
    return [Task(name if f is flavours[0] else f'{name}@{f.name}', run, f, seed())
            for _ in range(args.repeat) for name, run in found for f in flavours
            if f is flavours[0] or not (args.once and is_alike(run))]


class Sum:
    """What has ended how."""

    def __init__(self):
        self.n, self.skipped = {'ok': 0, 'FAILED': 0, 'skipped': 0}, []

    def ended(self, task, answer):
        verdict, line = answer or ('FAILED', f'FAILED  {task.name}: its process died')
        self.n[verdict] += 1
        if verdict == 'skipped':
            self.skipped.append(task.name)
        print(line, flush=True)

    def close(self):
        if self.skipped:
            print('skipped, neither passed nor failed: ' + ', '.join(self.skipped))
        print(f'{self.n["ok"]} passed, {self.n["FAILED"]} failed', flush=True)
        return 1 if self.n['FAILED'] else 0


def run_all(found, args):
    ended = Sum()
    with contextlib.ExitStack() as stack:
        flavours = [stack.enter_context(prepared(f)) for f in
                    (FLAVOURS if args.flavour == 'both' else [args.flavour])]
        todo, work = tasks(found, flavours, args), functools.partial(run_one, args=args)
        if args.jobs > 1:
            pool.side_by_side(todo, work, args.jobs, ended.ended)
        else:
            for task in todo:
                ended.ended(task, work(task))
        hold_signals()
    return ended.close()


def main(argv):
    args = parse(argv)
    found = scenarios(args.only or (), args.long or args.list)
    if args.list:
        for name, run in found:
            doc = getattr(run, 'func', run).__doc__ or ''
            print(f'{name:28} {doc.strip().splitlines()[0]}')
        return 0
    if not found:
        sys.exit(f'no scenario is named like {args.only}')
    fail_if_not_root()
    remove_stale()
    take_signals()
    try:
        return run_all(found, args)
    except Stopped as e:
        print(f'stopped by {e}; everything is taken down', flush=True)
        return 130
