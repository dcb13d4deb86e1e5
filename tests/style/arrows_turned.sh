#!/bin/bash
# SPDX-License-Identifier: MIT
# arrows.sh sees each arrow that is turned round: every include that it forbids is written into a copy, one by one.
set -u
cd "${PROMCB_SOURCE:-$(dirname "$0")/../..}" || exit 1
here=$PWD
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch/tests/style" && cp -r lib include tools "$scratch" || exit 1
failed=0

# arrows FILE LINE: what arrows.sh says when FILE has LINE as well.
arrows() {
  cp "$1" "$scratch/$1" && echo "$2" >>"$scratch/$1"
  PROMCB_SOURCE=$scratch bash "$here/tests/style/arrows.sh" >"$scratch/out" 2>&1
  local status=$?
  cp "$1" "$scratch/$1"
  return $status
}

turned() {
  arrows "$1" "$2" && { echo "$1 may include $2, says arrows.sh"; failed=1; }
}

PROMCB_SOURCE=$scratch bash "$here/tests/style/arrows.sh" || exit 1
for pair in 'base format' 'format model' 'model format' 'segment record' 'segment read' 'segment model' 'record read' \
  'record render' 'read record' 'read segment' 'render read' 'render format' 'render segment'; do
  read -r from to <<<"$pair"
  from=$(find "lib/$from" -name '*.h' | LC_ALL=C sort | head -n 1)
  to=$(find "lib/$to" -name '*.h' | LC_ALL=C sort | head -n 1)
  turned "$from" "#include \"${to#lib/}\""
done
turned lib/record/process.h '#include "record/entry.h"'
turned lib/base/hash.c '#include "clock.h"'
turned include/promcb/promcb.h '#include "base/hash.h"'
turned tools/export.c '#include "format/layout.h"'
turned tools/sidecar/main.c '#include "read/catalog.h"'
exit $failed
