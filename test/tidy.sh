#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The style as a test. Hard limits fail: file 800 lines, function 120, line 100, the licence line
# on top, nothing left "to do", clang-format's layout. A function over 70 lines is mentioned.
# usage: tidy.sh [ROOT]
set -u
cd "${1:-$(dirname "$0")/..}" || exit 1
failed=0

code=$(find src test -name '*.[ch]' | sort)
scripts=$(find .ci test docker config -type f \
    \( -name '*.py' -o -name '*.sh' -o -name '*.cmake' -o -name '*.sql' -o -path '*/run' \
    -o -name demo \) 2>/dev/null | sort)

# shellcheck disable=SC2086
awk '
function bad(what) { printf "%s:%d: %s\n", FILENAME, FNR, what; failed = 1 }
function finish() {
    if (name == "") return
    if (!licensed) { printf "%s:1: no SPDX-License-Identifier line\n", name; failed = 1 }
    if (count > 800) { printf "%s: %d lines, over 800\n", name, count; failed = 1 }
}
FNR == 1 { finish(); name = FILENAME; licensed = 0; began = 0; c = name ~ /\.[ch]$/ }
{ count = FNR }
FNR <= 2 && /SPDX-License-Identifier: GPL-2.0-or-later/ { licensed = 1 }
# tables of goldens in unit tests have the length they have
length($0) > 100 && FILENAME !~ /^test\/unit\// { bad(length($0) " columns, over 100") }
/[ \t]$/ { bad("blanks at the end of the line") }
/(^|[^A-Za-z])(TO[D]O|FIX[M]E|XX[X])([^A-Za-z]|$)/ { bad("left undone") }
c && /^{/ { began = FNR }
c && /^}/ && began {
    lines = FNR - began + 1
    if (lines > 120) bad("function of " lines " lines, over 120")
    else if (lines > 70)
        printf "%s:%d: note: function of %d lines, over 70\n", FILENAME, began, lines
    began = 0
}
END { finish(); exit failed }
' $code $scripts || failed=1

if command -v clang-format >/dev/null; then
    # shellcheck disable=SC2086
    clang-format --dry-run -Werror $code || failed=1
else
    echo "clang-format is not installed: layout not looked at"
fi
exit $failed
