#!/bin/bash
# SPDX-License-Identifier: MIT
# The library exports the names of lib/promcb.map, no more and no less, and all of them begin with promcb_.
set -u
cd "${PROMCB_SOURCE:-$(dirname "$0")/../..}" || exit 1
library=${PROMCB_BUILD:-build}/lib/libpromcb.so
[ -e "$library" ] || { echo "$library: not built"; exit 1; }
named=$(sed -n '/^global:/,/^local:/s/^[[:space:]]*\([A-Za-z0-9_]*\);.*/\1/p' lib/promcb.map | LC_ALL=C sort)
exported=$(nm -D --defined-only "$library" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | LC_ALL=C sort)
if [ "$named" != "$exported" ]; then
  echo "lib/promcb.map (<) and the exported names (>) differ:"
  diff <(echo "$named") <(echo "$exported")
  exit 1
fi
if grep -v '^promcb_' <<<"$exported"; then
  echo "the names above do not begin with promcb_"
  exit 1
fi
# Every one of them is declared in a public header.
for name in $exported; do
  grep -qw "$name" include/promcb/*.h || { echo "$name is exported, and in no public header"; exit 1; }
done
echo "$(wc -l <<<"$exported") exported names"
