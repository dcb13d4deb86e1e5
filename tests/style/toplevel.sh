#!/bin/bash
# SPDX-License-Identifier: MIT
# The top level holds what was agreed on, and nothing else.
set -u
export LC_ALL=C
cd "${PROMCB_SOURCE:-$(dirname "$0")/../..}" || exit 1
. tests/style/files.sh
agreed='lib|include|tools|bench|tests|meson\.build|meson_options\.txt|[A-Z]+\.md|LICENSE|\..+'
entries=$(project_files | cut -d/ -f1 | sort -u)
if grep -vxE "$agreed" <<<"$entries"; then
  echo "the entries above do not belong at the top level"
  exit 1
fi
for needed in README.md LICENSE CHANGELOG.md CONTRIBUTING.md meson.build .ci/run tools/quickstart.sh tools/test.sh; do
  [ -e "$needed" ] || { echo "$needed is not there"; exit 1; }
done
# Where git is not installed, or refuses, the same files are the project's.
# shellcheck disable=SC2317
without_git=$(git() { return 1; }; project_files | sort)
if grep -m 3 -E '^(\.git|build)/' <<<"$without_git"; then
  echo "the files above are taken for the project's where there is no git"
  exit 1
fi
if missing=$(comm -13 <(echo "$without_git") <(project_files | sort) | grep -m 3 .) && [ -e "$missing" ]; then
  echo "$missing is not taken for the project's where there is no git"
  exit 1
fi
