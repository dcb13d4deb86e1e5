#!/bin/bash
# SPDX-License-Identifier: MIT
# The image builds where a build directory lies already: the commands of the Dockerfile's first stage, but for the
# packages, on a copy of the project in which quickstart.sh seems to have run. (No container engine is needed.)
. "${0%/*}/tools_prelude.sh"
. "$PROMCB_SOURCE/tests/style/files.sh"
command -v meson >/dev/null || { echo "meson is not installed"; exit 77; }

dockerfile=$PROMCB_SOURCE/tools/monitoring/Dockerfile
grep -q -x '/build' "$PROMCB_SOURCE/.dockerignore" || fail ".dockerignore lets build/ through"
commands=$(awk '/^FROM/ { stage++ } stage == 1 && /^RUN/ { inside = 1; sub(/^RUN /, "") }
  stage == 1 && inside { print; if (!/\\$/) inside = 0 }' "$dockerfile")
grep -q 'meson setup' <<<"$commands" || fail "no meson setup in the Dockerfile: $commands"
# Whatever the .dockerignore does, a directory with a name that was configured elsewhere is met.
mkdir -p "$scratch/src/build/meson-private" "$scratch/out"
(cd "$PROMCB_SOURCE" && project_files | tar -c -T - | tar -x -C "$scratch/src") || fail "copy"
touch "$scratch/src/build/build.ninja" "$scratch/src/build/meson-private/coredata.dat"
sed -e 's|^tools/packages.sh build|true|' -e "s|/build\b|$scratch/build|g" -e "s|/out\b|$scratch/out|g" \
  <<<"$commands" >"$scratch/commands"
(cd "$scratch/src" && sh -e "$scratch/commands") >"$scratch/log" 2>&1 || fail "$(tail -n 20 "$scratch/log")"
for program in promcb-sidecar promcb-export promcb-demo; do
  [ -x "$scratch/out/usr/local/bin/$program" ] || fail "no $program in the image"
done
# What the image starts.
command=$(sed -n 's/^CMD \["\([a-z-]*\)".*/\1/p' "$dockerfile")
"$scratch/out/usr/local/bin/$command" --version >/dev/null || fail "$command does not start"
exit 0
