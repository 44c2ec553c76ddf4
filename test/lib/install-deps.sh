#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Installs those packages of deps.txt that are missing. Says nothing when nothing is.
# A package that brings a service must not start it here: policy-rc.d forbids that for the time.
set -eu
missing=
for package in $(grep -v '^#' "$(dirname "$0")/deps.txt"); do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' ||
        missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
    echo "these packages are missing; run this as root, or: apt-get install$missing" >&2
    exit 1
fi
echo "installing:$missing"
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    trap 'rm -f $policy' EXIT
    trap 'exit 130' INT TERM
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
fi
log=$(mktemp)
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
if ! { apt-get update && apt-get install -y --no-install-recommends $missing; } \
    >"$log" 2>&1 </dev/null; then
    tail -n 40 "$log" >&2
    rm -f "$log"
    exit 1
fi
rm -f "$log"
