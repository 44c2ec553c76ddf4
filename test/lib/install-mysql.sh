#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# MySQL's server for the tests, which Debian 12 has not: sid's packages, unpacked beside the system
# into /var/cache/hamm-test/mysql (or HAMM_MYSQL_ROOT) and run from there by their own ld.so.
# Prints the directory. Exit 1 where it can't be had; the tests of MySQL are then left out, aloud.
set -eu
root=${HAMM_MYSQL_ROOT:-/var/cache/hamm-test/mysql}
if [ ! -x "$root/usr/sbin/mysqld" ]; then
    mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' |
        grep -m1 '/debian$' || true)
    [ -n "$mirror" ] || mirror=http://deb.debian.org/debian
    new=$root.new
    log=$(mktemp)
    trap 'rm -rf "$new" "$log"' EXIT
    rm -rf "$new"
    mkdir -p "$new"
    # the index of sid carries a date of expiry, and the machine's clock may be past it
    if ! mmdebstrap --variant=extract --aptopt='Acquire::Check-Valid-Until "false"' \
        --aptopt='APT::Install-Recommends "false"' \
        --include=mysql-server-core,mysql-client-core sid "$new" \
        "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror sid main" \
        >"$log" 2>&1 </dev/null; then
        tail -n 20 "$log" >&2
        echo "MySQL's packages cannot be had: its tests are left out" >&2
        exit 1
    fi
    for part in bin sbin lib lib64; do
        [ -e "$new/$part" ] || ln -s "usr/$part" "$new/$part"
    done
    mkdir -p "$new/tmp" "$new/data"
    chmod 1777 "$new/tmp"
    chmod 755 "$new"
    rm -rf "$root"
    mv "$new" "$root"
fi
echo "$root"
