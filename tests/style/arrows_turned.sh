#!/bin/bash
# SPDX-License-Identifier: MIT
# arrows.sh sees each arrow that is turned round: includes that it forbids are written into a copy, and it names
# every one of them.
set -u
cd "${PROMCB_SOURCE:-$(dirname "$0")/../..}" || exit 1
here=$PWD
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch/tests/style" && cp -r lib include tools "$scratch" || exit 1
failed=0

wrong=()
# turned FILE INCLUDE: writes it in.
turned() {
  wrong+=("$1" "$2")
  echo "#include \"$2\"" >>"$scratch/$1"
}

PROMCB_SOURCE=$scratch bash "$here/tests/style/arrows.sh" || exit 1
for pair in 'base format' 'format model' 'model format' 'segment record' 'segment read' 'segment model' 'record read' \
  'record render' 'read record' 'read segment' 'render read' 'render format' 'render segment'; do
  read -r from to <<<"$pair"
  from=$(find "lib/$from" -name '*.h' | LC_ALL=C sort | head -n 1)
  to=$(find "lib/$to" -name '*.h' | LC_ALL=C sort | head -n 1)
  turned "$from" "${to#lib/}"
done
turned lib/record/process.h record/entry.h
turned lib/base/hash.c clock.h
turned include/promcb/promcb.h base/hash.h
turned tools/export.c format/layout.h
turned tools/sidecar/main.c read/catalog.h

PROMCB_SOURCE=$scratch bash "$here/tests/style/arrows.sh" >"$scratch/out" 2>&1
[ $? = 1 ] || { echo "arrows.sh ends well: $(cat "$scratch/out")"; exit 1; }
for ((i = 0; i < ${#wrong[@]}; i += 2)); do
  # Of a public header it names the file alone.
  grep -qE "^${wrong[i]}(:[0-9]+)? includes (\"?${wrong[i + 1]}\"?|a header that is not public)" "$scratch/out" ||
    { echo "${wrong[i]} may include ${wrong[i + 1]}, says arrows.sh"; failed=1; }
done
# Nothing else is wrong.
[ "$(wc -l <"$scratch/out")" = $((${#wrong[@]} / 2)) ] || { cat "$scratch/out"; failed=1; }
exit $failed
