#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Plants each fault of the file `mutations`, builds only the simulator and proves that it finds it:
# name, seed, seconds. mutate.sh [seconds for each] [words of the name]
# Exit 1: one was not found, or its lines are not in the source any more.
here=$(cd "$(dirname "$0")" && pwd)
tree=$(cd "$here/../.." && pwd)
limit=${1:-60}
only=${2:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
awk '/^= /{n++; name=substr($0,3)} n{f=sprintf("%s/m%02d", work, n); print > f}' \
    work="$work" "$here/mutations"
missed=0
for m in "$work"/m??; do
    name=$(sed -n 's/^= //p' "$m")
    case $name in *"$only"*) ;; *) continue ;; esac
    rm -rf "$work/tree"
    mkdir -p "$work/tree/test"
    cp -r "$tree/src" "$work/tree/src"
    cp -r "$tree/test/sim" "$work/tree/test/sim"
    if ! python3 - "$work/tree" "$m" <<'PY'; then
import sys
tree, path, old, edits = sys.argv[1], None, None, []
for line in open(sys.argv[2]):
    line = line.rstrip('\n')
    if line.startswith('@ '):
        path = line[2:]
    elif line.startswith('- '):
        old = line[2:]
    elif line.startswith('+'):
        edits.append((path, old, line[2:]))
for path, old, new in edits:
    lines = open(f'{tree}/{path}').read().split('\n')
    at = [i for i, l in enumerate(lines) if l.strip() == old]
    if len(at) != 1:
        sys.exit(f'{path}: {len(at)} times: {old}')
    lines[at[0]] = new
    open(f'{tree}/{path}', 'w').write('\n'.join(lines))
PY
        echo "STALE  $name"
        missed=1
        continue
    fi
    if ! sh "$here/build.sh" "$work/tree" "$work/sim" -w 2>"$work/errors"; then
        echo "NO BUILD  $name: $(head -1 "$work/errors")"
        missed=1
        continue
    fi
    start=$(date +%s)
    "$work/sim" --from 1 --runs 1000000 --seconds "$limit" >"$work/out" 2>&1
    took=$(($(date +%s) - start))
    found=$(sed -n -e 's/^seed \([0-9]*\) FAILED: \(.*\)/seed \1: \2/p' \
        -e 's/^.*engine.*: \(.*failed\).*/check: \1/p' "$work/out" | head -1 | cut -c1-110)
    if [ -n "$found" ]; then
        echo "found  $name  ($took s, $found)"
    elif ! grep -q ' runs, ' "$work/out"; then
        echo "found  $name  ($took s, it crashed: $(tail -1 "$work/out" | cut -c1-90))"
    else
        echo "MISSED $name  ($took s, $(tail -1 "$work/out"))"
        missed=1
    fi
done
exit $missed
