#!/bin/bash
# SPDX-License-Identifier: MIT
# The top level holds what was agreed on, and nothing else.
set -u
cd "${PROMCB_SOURCE:-$(dirname "$0")/../..}" || exit 1
agreed='lib|include|tools|bench|tests|meson\.build|meson_options\.txt|[A-Z]+\.md|LICENSE|\..+'
if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
  entries=$(git ls-files --cached --others --exclude-standard | cut -d/ -f1 | sort -u)
else
  entries=$(ls -A | grep -vx build)
fi
if grep -vxE "$agreed" <<<"$entries"; then
  echo "the entries above do not belong at the top level"
  exit 1
fi
for needed in README.md LICENSE CHANGELOG.md CONTRIBUTING.md meson.build .ci/run tools/quickstart.sh tools/test.sh; do
  [ -e "$needed" ] || { echo "$needed is not there"; exit 1; }
done
