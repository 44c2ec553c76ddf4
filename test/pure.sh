#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A pure library calls nothing but itself, the C library's string functions and gtid.
# usage: pure.sh LIBRARY.a [further name pattern ...]
set -eu
library=$1
shift
[ -f "$library" ] || { echo "$library: no such library"; exit 1; }

own=$(mktemp)
trap 'rm -f "$own"' EXIT
nm -g --defined-only "$library" | awk 'NF == 3 { print $3 }' | sort -u >"$own"

more=$(printf '|%s' 'check_failed' "$@")
found=$(nm -u "$library" | awk '$1 == "U" { print $2 }' | sort -u | grep -vxF -f "$own" |
    grep -vxE "(__)?(mem(cpy|set|cmp|move|chr)|v?snprintf)(_chk)?|qsort|bsearch|llabs|labs|abs$(
    )|str(n?cmp|n?len|n?cpy|n?cat|r?chr|str|spn|cspn|pbrk|tou?ll?|casecmp|ncasecmp)(_chk)?$(
    )|__isoc23_strtou?ll?|__ctype_(b|tolower|toupper)_loc|__errno_location|(gtid|place)_[a-z0-9_]+$(
    )|__(asan|ubsan|sanitizer)_.*|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_$more" || true)
if [ -n "$found" ]; then
    echo "$(basename "$library") is pure; it may not call:"
    for name in $found; do
        echo "  $name, in$(nm -A -u "$library" | awk -v n="$name" -F '[: ]+' \
            '$NF == n { printf " %s", $2 }')"
    done
    exit 1
fi
