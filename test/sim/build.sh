#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds only the simulator: build.sh SOURCE_TREE OUTPUT [compiler flags]
set -eu
tree=$1 out=$2
shift 2
limits=$(mktemp -d)
trap 'rm -rf "$limits"' EXIT
sh "$tree/test/sim/limits.sh" "$tree" "$limits"
cc -std=gnu17 -O3 -march=native -fno-pie -no-pie -flto=auto -g \
    -Wall -Wextra -Wshadow -D_GNU_SOURCE "$@" -I"$limits" -I"$tree/src" -I"$tree/test/sim" \
    -o "$out" "$tree"/test/sim/*.c "$tree"/src/engine/*.c "$tree"/src/gtid/*.c "$tree"/src/base/*.c
