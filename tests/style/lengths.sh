#!/bin/bash
# SPDX-License-Identifier: MIT
# A room has at most 500 lines, or says in its header comment why it has more ("500 lines").
set -u
cd "${PROMCB_SOURCE:-$(dirname "$0")/../..}" || exit 1
failed=0
for file in $(find lib include tools bench -name '*.[ch]'); do
  lines=$(wc -l <"$file")
  [ "$lines" -gt 500 ] || continue
  sed -n '1,/^#/p' "$file" | grep -q '500 lines' && continue
  echo "$file has $lines lines, and its header comment does not say why it has over 500 lines"
  failed=1
done
exit $failed
