#!/bin/bash
# SPDX-License-Identifier: MIT
# Every test that lies in a test directory is one that meson runs.
set -u
cd "${PROMCB_SOURCE:-$(dirname "$0")/../..}" || exit 1
failed=0
for file in tests/unit/test_*.{c,cpp} tests/{stress,crash,fuzz}/*.c tests/style/*.{sh,py} tests/e2e/[0-9]*.sh; do
  [ -e "$file" ] || continue
  [ "$file" != tests/style/files.sh ] || continue # the others' list of files
  grep -qFe "${file##*/}'" -e "'$(basename "$file" .c)'" tests/meson.build "${file%/*}/meson.build" 2>/dev/null || {
    echo "$file: in no meson.build, so nobody runs it"
    failed=1
  }
  case $file in *.sh | *.py) [ -x "$file" ] || { echo "$file: not executable"; failed=1; } ;; esac
done
exit $failed
