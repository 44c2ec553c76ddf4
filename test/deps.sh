#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The architecture as a test: what a folder of src/ includes must be in its USES list in
# CMakeLists.txt. One exception: engine/ may include proto/msg.h, which is plain data.
# usage: deps.sh [ROOT]
set -eu
cd "${1:-$(dirname "$0")/..}"

uses=$(mktemp)
trap 'rm -f "$uses"' EXIT
# one line for each part: "part word word ..."; the words of main.c are those of target hamm
tr '\n' ' ' <CMakeLists.txt | tr ')' '\n' |
    sed -n -e 's/.*hamm_part(\([a-z]*\) *\(USES\)\{0,1\}\(.*\)/\1 \3/p' \
        -e 's/.*target_link_libraries(hamm \(.*\)/main \1 base/p' >"$uses"

find src -name '*.[ch]' | sort | xargs awk -v uses="$uses" '
BEGIN {
    library["PkgConfig::UV"] = "uv"
    library["PkgConfig::MARIADB"] = "mysql mariadb"
    library["PkgConfig::YAML"] = "yaml"
    library["PkgConfig::URING"] = "liburing"
    library["PkgConfig::OPENSSL"] = "openssl"
    library["PkgConfig::NFTABLES"] = "nftables"
    library["PkgConfig::JANSSON"] = "jansson"
    library["PkgConfig::ZLIB"] = "zlib"
    for (name in library) {
        n = split(library[name], headers, " ")
        for (i = 1; i <= n; i++)
            owner[headers[i]] = name
    }
    while ((getline line < uses) > 0) {
        n = split(line, word, " ")
        part[word[1]] = 1
        may[word[1], word[1]] = 1
        for (i = 2; i <= n; i++)
            may[word[1], word[i]] = 1
    }
    # pure folders: no sockets, threads, files or clocks, whoever offers them
    split("engine gtid proto", names, " ")
    for (i in names)
        pure[names[i]] = 1
}
function bad(what) {
    printf "%s:%d: %s\n", FILENAME, FNR, what
    failed = 1
}
FNR == 1 {
    n = split(FILENAME, path, "/")
    folder = n == 2 ? "main" : path[2]
    if (!(folder in part))
        bad("folder " folder " is not in CMakeLists.txt")
}
/^[ \t]*#[ \t]*include[ \t]*"/ {
    split($0, quoted, "\"")
    if (quoted[2] !~ /\//) {
        bad("name the folder: #include \"" folder "/" quoted[2] "\"")
        next
    }
    other = quoted[2]
    sub(/\/.*/, "", other)
    if (folder == "engine" && quoted[2] == "proto/msg.h")
        next
    if (!((folder, other) in may))
        bad(folder " may not use " other " (#include \"" quoted[2] "\")")
}
/^[ \t]*#[ \t]*include[ \t]*</ {
    split($0, angled, /[<>]/)
    header = angled[2]
    stem = header
    sub(/\.h$/, "", stem)
    if (!(stem in owner))
        sub(/\/.*/, "", stem)
    if (stem in owner && !((folder, owner[stem]) in may))
        bad(folder " may not use " owner[stem] " (#include <" header ">)")
    if (folder in pure && (header ~ /^sys\/(socket|epoll|stat|time|types|uio|un|wait)\.h/ ||
        header ~ /^(pthread|poll|unistd|fcntl|signal|net|netdb|netinet|arpa)[\/.]/))
        bad(folder " is pure: no #include <" header ">")
}
END { exit failed }
'
