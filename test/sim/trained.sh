#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# trained.sh OUTPUT: the simulator for long runs. It is compiled by what it was seen to do: a fifth
# faster than the one that the tests build.
set -eu
tree=$(cd "$(dirname "$0")/../.." && pwd)
out=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" # where profiles are written and looked for
sh "$tree/test/sim/limits.sh" "$tree" limits
tune=
[ "$(uname -m)" != x86_64 ] || tune=-mtune=skylake # as in sim.cmake

build() { # FLAG ...
    flags="-std=gnu17 -O3 -march=native $tune -fno-pie -no-pie -flto=auto -g -w -D_GNU_SOURCE $*"
    rm -f ./*.o
    for c in $(cd "$tree" && echo test/sim/*.c src/engine/*.c src/gtid/*.c src/base/*.c); do
        echo "$tree/$c $(echo "$c" | tr / -).o"
    done | xargs -n 2 -P "$(nproc)" sh -c \
        "cc $flags -Ilimits -I'$tree/src' -I'$tree/test/sim' -c \"\$0\" -o \"\$1\""
    # shellcheck disable=SC2086
    cc $flags -o test_sim ./*.o
}

build -fprofile-generate -fprofile-update=single
./test_sim --from 1000 --runs 300 >&2
build -fprofile-use
mv test_sim "$out"
