#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# MariaDB's plugins of the version that is installed, for its key management: from the package that
# would also start a server here, unpacked beside the system into /var/cache/hamm-test (or
# HAMM_MARIADB_PLUGINS). Prints their directory. Exit 1 where it can't be had.
set -eu
version=$(dpkg-query -W -f '${Version}' mariadb-server-core)
root=${HAMM_MARIADB_PLUGINS:-/var/cache/hamm-test}/mariadb-${version#*:}
if [ ! -e "$root/usr/lib/mysql/plugin/file_key_management.so" ]; then
    mkdir -p "$root"
    new=$(mktemp -d "$root.XXXXXX")
    trap 'rm -rf "$new"' EXIT
    chmod 755 "$new"
    fetch() {
        (cd "$new" && apt-get -o APT::Sandbox::User=root download "mariadb-server=$version") \
            >"$new/log" 2>&1 </dev/null
    }
    if ! fetch && ! { apt-get update >"$new/log" 2>&1 </dev/null && fetch; }; then
        tail -n 5 "$new/log" >&2
        echo "the package mariadb-server $version cannot be had" >&2
        exit 1
    fi
    dpkg -x "$new"/mariadb-server_*.deb "$new/all"
    mkdir -p "$root/usr/lib/mysql"
    mv -T "$new/all/usr/lib/mysql/plugin" "$root/usr/lib/mysql/plugin" 2>/dev/null || true
fi
[ -e "$root/usr/lib/mysql/plugin/file_key_management.so" ]
echo "$root/usr/lib/mysql/plugin"
