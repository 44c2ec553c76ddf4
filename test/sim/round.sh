#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A scenario that is written and read again gives the same run: round.sh TEST_SIM
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for seed in 1 2 3 5 8 13 17 29 31 47; do
    "$1" --write "$work/a" --seed $seed
    "$1" --scenario "$work/a" --verbose >"$work/read" || true
    "$1" --scenario "$work/a" --write "$work/b" >"$work/again" || true
    cmp "$work/a" "$work/b"
    "$1" --seed $seed --raw --verbose >"$work/seed" || true
    grep -v -e '^---' -e '^seed' "$work/read" >"$work/x"
    head -n "$(wc -l <"$work/x")" "$work/seed" >"$work/y"
    cmp "$work/x" "$work/y"
done
# and one that must fail does so, with the same words
for seed in 1 2 3 4 5 6 7 8; do
    if "$1" --break --seed $seed >"$work/out"; then continue; fi
    sed -n '/^# test_sim/,/^---/p' "$work/out" | grep -v '^---' >"$work/shrunk"
    verdict=$(sed -n '/^# test_sim/,$p' "$work/out" | grep '^---')
    "$1" --break --scenario "$work/shrunk" >"$work/read" || true
    [ "$(tail -n 1 "$work/read")" = "$verdict" ] || { echo "not the same: $verdict"; exit 1; }
    exit 0
done
echo 'nothing failed though a promise was broken on purpose'
exit 1
