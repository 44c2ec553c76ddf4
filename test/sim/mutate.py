#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Plants each fault of the file `mutations` and proves that the simulator finds it.

mutate.py [--runs N] [--jobs N] [words of the name]
Compiles all once, then for each mutation what it changes, and looks for one that fails among the
first N seeds, however long that takes on this machine. Exit 1: one was not found, or its lines
are not in the source any more."""
import argparse
import concurrent.futures
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(os.path.dirname(HERE))
FLAGS = ['-std=gnu17', '-O1', '-w', '-D_GNU_SOURCE']


def read_mutations():
    out, path, old = [], None, None
    for line in open(os.path.join(HERE, 'mutations')):
        line = line.rstrip('\n')
        if line.startswith('= '):
            out.append((line[2:], [], []))
        elif line.startswith('* '):
            out[-1][2].extend(line[2:].split())
        elif line.startswith('@ '):
            path = line[2:]
        elif line.startswith('- '):
            old = line[2:]
        elif line.startswith('+'):
            out[-1][1].append((path, old, line[2:]))
    return out


def mutated(edits):
    """Texts of the changed files; a sentence if a line is not there exactly once."""
    texts = {}
    if not edits or not all(path for path, _, _ in edits):
        return 'it names no file, or changes nothing'
    for path, old, new in edits:
        if path not in texts:
            texts[path] = open(os.path.join(TREE, path)).read().split('\n')
        at = [i for i, line in enumerate(texts[path]) if line.strip() == old]
        if len(at) != 1:
            return f'{path}: {len(at)} times: {old}'
        texts[path][at[0]] = new
    return {path: '\n'.join(lines) for path, lines in texts.items()}


class Builder:
    def __init__(self, work):
        self.work = work
        self.sources = sorted(os.path.relpath(f, TREE) for d in
                              ('test/sim', 'src/engine', 'src/gtid', 'src/base')
                              for f in glob.glob(f'{TREE}/{d}/*.c'))
        subprocess.run(['sh', f'{HERE}/limits.sh', TREE, f'{work}/limits'], check=True)

    def compile(self, source, out, overlay=None):
        first = overlay or TREE
        file = os.path.join(first, source)
        if not os.path.exists(file):
            file = os.path.join(TREE, source)
        where = [f'-I{overlay}/src', f'-I{overlay}/test/sim'] if overlay else []
        # a header is looked for beside the file that includes it first, so only -I counts here
        return subprocess.run(['cc', *FLAGS, *where, f'-I{self.work}/limits', f'-I{TREE}/src',
                               f'-I{TREE}/test/sim', '-c', file, '-o', out],
                              capture_output=True, text=True)

    def object_of(self, source, directory):
        return os.path.join(directory, source.replace('/', '_')[:-2] + '.o')

    def all(self, pool):
        for r in pool.map(lambda s: self.compile(s, self.object_of(s, self.work)), self.sources):
            if r.returncode:
                sys.exit(r.stderr)

    def users(self, header):
        """Everything that may include it: found by its name, through other headers too."""
        names, grew = {header.split('src/')[-1].split('sim/')[-1]}, True
        files = {f: open(f).read() for d in ('test/sim', 'src/engine', 'src/gtid', 'src/base')
                 for f in glob.glob(f'{TREE}/{d}/*.[ch]')}
        users = set()
        while grew:
            grew = False
            for f, text in files.items():
                if f not in users and any(f'#include "{n}"' in text for n in names):
                    users.add(f)
                    names.add(os.path.relpath(f, TREE).split('src/')[-1].split('sim/')[-1])
                    grew = True
        return [os.path.relpath(f, TREE) for f in users if f.endswith('.c')]

    def build(self, texts, directory):
        overlay = os.path.join(directory, 'tree')
        changed = set()
        for path, text in texts.items():
            to = os.path.join(overlay, path)
            os.makedirs(os.path.dirname(to), exist_ok=True)
            open(to, 'w').write(text)
            changed |= set(self.users(path)) if path.endswith('.h') else {path}
        objects = []
        for s in self.sources:
            where = directory if s in changed else self.work
            if s in changed:
                r = self.compile(s, self.object_of(s, directory), overlay)
                if r.returncode:
                    return r.stderr
            objects.append(self.object_of(s, where))
        r = subprocess.run(['cc', '-o', f'{directory}/sim', *objects], capture_output=True,
                           text=True)
        return r.stderr if r.returncode else None


def prove(builder, name, edits, where, runs):
    texts = mutated(edits)
    if isinstance(texts, str):
        return False, f'STALE  {name}: {texts}'
    with tempfile.TemporaryDirectory(dir=builder.work) as directory:
        error = builder.build(texts, directory)
        if error:
            return False, f'NO BUILD  {name}: {error.splitlines()[0]}'
        start = time.monotonic()
        r = subprocess.run([f'{directory}/sim', '--from', '1', *where, '--runs', str(runs),
                            '--raw'], capture_output=True, text=True)
        took = time.monotonic() - start
        verdict = re.search(r'^seed (\d+) FAILED: (.*)', r.stdout, re.M)
        if verdict:
            said = f'seed {verdict[1]}: {verdict[2]}'
        elif r.returncode:
            said = 'it crashed: ' + (r.stderr.strip().splitlines() or ['?'])[-1]
        else:
            return False, f'MISSED {name}  ({took:.1f} s, {r.stdout.strip().splitlines()[-1]})'
        return True, f'found  {name}  ({took:.1f} s, {said[:100]})'


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--runs', type=int, default=3000)
    p.add_argument('--jobs', type=int, default=2)
    p.add_argument('words', nargs='?', default='')
    args = p.parse_args()
    begin = time.monotonic()
    global TREE
    with tempfile.TemporaryDirectory() as work, \
            concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for part in 'src/base', 'src/gtid', 'src/engine', 'src/proto', 'test/sim':
            shutil.copytree(f'{TREE}/{part}', f'{work}/tree/{part}')
        TREE = f'{work}/tree'  # whoever edits meanwhile changes nothing here
        builder = Builder(work)
        builder.all(pool)
        os.mkdir(f'{work}/sound')
        error = builder.build({}, f'{work}/sound')
        if error or subprocess.run([f'{work}/sound/sim', '--runs', '300', '--raw'],
                                   stdout=subprocess.DEVNULL, check=False).returncode:
            sys.exit(f'the simulator fails without any mutation: {error or ""}')
        jobs = [pool.submit(prove, builder, name, edits, where, args.runs)
                for name, edits, where in read_mutations() if args.words in name]
        good = True
        for j in jobs:
            ok, said = j.result()
            good = good and ok
            print(said, flush=True)
    print(f'{len(jobs)} mutations in {time.monotonic() - begin:.0f} s')
    return 0 if good else 1


sys.exit(main())
