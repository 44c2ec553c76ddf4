#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Kept seeds, then fresh ones: run.sh [--binary TEST_SIM] [SECONDS]; SECONDS of fresh seeds are 20,
# or HAMM_SIM_SECONDS. The last line sums up: seed base, runs, hours, events, verdict; before it
# come failures, each with its scenario. Without --binary the simulator is built first.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
binary=
if [ "${1:-}" = --binary ]; then
    binary=$2
    shift 2
fi
seconds=${1:-${HAMM_SIM_SECONDS:-20}}
if [ -z "$binary" ]; then
    binary=$(mktemp)
    trap 'rm -f "$binary"' EXIT
    sh "$here/build.sh" "$here/../.." "$binary"
fi
"$binary" --seeds "$here/seeds" --fresh --seconds "$seconds"
