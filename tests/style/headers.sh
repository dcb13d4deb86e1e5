#!/bin/bash
# SPDX-License-Identifier: MIT
# Every public header compiles alone, as C11 and as C++17, with gcc and clang; the program in promcb.h compiles and
# runs.
set -u
cd "${PROMCB_SOURCE:-$(dirname "$0")/../..}" || exit 1
build=${PROMCB_BUILD:-build}
failed=0
warnings='-Wall -Wextra -Wpedantic -Wundef -Wcast-qual -Werror'

compiles() { # compiler, standard, language, header
  if ! printf '#include <promcb/%s>\n#include <promcb/%s>\n' "$4" "$4" |
    "$1" -std="$2" $warnings -D_GNU_SOURCE -Iinclude -O2 -fsyntax-only -x "$3" -; then
    echo "$4 does not compile alone: $1 -std=$2"
    failed=1
  fi
}
for header in include/promcb/*.h; do
  for compiler in gcc clang; do
    command -v $compiler >/dev/null && compiles $compiler c11 c "${header##*/}"
  done
  for compiler in g++ clang++; do
    command -v $compiler >/dev/null && compiles $compiler c++17 c++ "${header##*/}"
  done
done
[ $failed -eq 0 ] || exit 1

# The program is the first block of the header comment that is indented by five.
temporary=$(mktemp -d)
segment=/promcb-style-$$
trap 'rm -rf "$temporary" "/dev/shm$segment"' EXIT
awk '/^ \*     #include <promcb/ { inside = 1 }
     inside && /^ \* [^ ]/ { exit }
     inside { sub(/^ \*( {5})?/, ""); lines = lines $0 "\n"; if ($0 != "") last = length(lines) }
     END { printf "%s", substr(lines, 1, last) }' include/promcb/promcb.h >"$temporary/program.c"
lines=$(wc -l <"$temporary/program.c")
if [ "$lines" -lt 10 ] || [ "$lines" -gt 20 ]; then
  echo "the program in promcb.h has $lines lines, 10 to 20 are expected"
  exit 1
fi
grep -q 'promcb_open(NULL, ' "$temporary/program.c" || { echo "the program in promcb.h names a segment"; exit 1; }
for compiler in gcc clang; do
  command -v $compiler >/dev/null || continue
  rm -f "/dev/shm$segment"
  $compiler -std=c11 $warnings -Iinclude -o "$temporary/program" "$temporary/program.c" -L"$build/lib" -lpromcb \
    -Wl,-rpath,"$build/lib" || { echo "the program in promcb.h does not compile with $compiler"; exit 1; }
  PROMCB_SEGMENT=$segment "$temporary/program" || { echo "the program in promcb.h failed: status $?"; exit 1; }
  calls=$("$build/tools/promcb-export" --segment="$segment" |
    awk '/^circuit_breaker_(calls|failures)_total[{]component="payment_api"[}]/ { printf "%s ", $2 }')
  if [ "$calls" != "1000 100 " ]; then
    echo "the program in promcb.h recorded \"$calls\": calls and failures, 1000 and 100, are expected"
    exit 1
  fi
done
