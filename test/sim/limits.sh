#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# limits.sh SOURCE_TREE TO_DIRECTORY: copies of the two headers that say how big everything may get,
# with limits that fit the simulator's clusters. The engines are compiled with these, so that their
# state stays in the processor's cache; the sanitizer build has the real ones.
set -eu
tree=$1 to=$2
mkdir -p "$to/proto" "$to/gtid"
shrink() { # FILE NAME OLD NEW ...
    from="$tree/src/$1" out="$to/$1"
    shift
    cp "$from" "$out.new"
    while [ $# -gt 0 ]; do
        grep -q "$1 $2" "$out.new" || { echo "$from: no '$1 $2'"; exit 1; }
        sed -i "s/$1 $2/$1 $3/" "$out.new"
        shift 3
    done
    cmp -s "$out.new" "$out" && rm "$out.new" || mv "$out.new" "$out"
}
shrink proto/msg.h 'HOSTS_MAX =' 64 12 'SLOTS_MAX =' 64 6 'GTID_LEN =' 4096 768
shrink gtid/gtid.h GTID_RANGES_MAX 256 16
