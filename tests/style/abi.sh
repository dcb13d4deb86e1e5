#!/bin/bash
# SPDX-License-Identifier: MIT
# The ABI is the one that is stored in tests/golden/libpromcb.abi, but for functions that came to it (which are what
# style_exports holds against lib/promcb.map): what may change, and when, says include/promcb/promcb.h, Versions.
#
#   tests/style/abi.sh --renew [BUILD]   stores the one of a build (build/gcc), on purpose
set -u
renew=
[ "${1-}" != --renew ] || { renew=yes; shift; }
cd "${PROMCB_SOURCE:-$(dirname "$0")/../..}" || exit 1
build=${1:-${PROMCB_BUILD:-build/gcc}}
# The library once more, with what debuggers know of its types.
library=$build/tests/libpromcb-abi.so
stored=tests/golden/libpromcb.abi
for tool in abidw abidiff; do
  command -v $tool >/dev/null || { echo "$tool is not installed"; exit 77; }
done
# Newer ones do not see all types of a library by newer compilers: what is stored is as 2.2 writes it, Debian 12's.
version=$(abidw --version | grep -oE '[0-9]+\.[0-9]+' | head -n 1)
[ "$version" = 2.2 ] || { echo "the ABI was stored by libabigail 2.2, this is: $version"; exit 77; }
[ -z "$renew" ] || ninja -C "$build" tests/libpromcb-abi.so >/dev/null || exit 1
[ -e "$library" ] || { echo "$library: not built"; exit 1; }
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

abidw --headers-dir include/promcb --drop-private-types --exported-interfaces-only --no-show-locs --no-corpus-path \
  --no-comp-dir-path --no-elf-needed --type-id-style hash "$library" >"$scratch/abi" 2>"$scratch/err" ||
  { cat "$scratch/err"; exit 1; }
# An empty one would differ from nothing.
for name in promcb_open promcb_thread promcb_reader_open; do
  grep -q "name='$name'" "$scratch/abi" || { echo "abidw sees no $name in $library"; exit 1; }
done
for name in promcb_options promcb_summary; do
  grep -q "name='$name' size-in-bits='[1-9]" "$scratch/abi" || { echo "abidw sees no struct $name"; exit 1; }
done
if [ -n "$renew" ]; then
  cp "$scratch/abi" $stored && echo "$stored is that of $build"
  exit
fi
abidiff --no-added-syms --no-architecture "$stored" "$scratch/abi" >"$scratch/diff" 2>&1
status=$?
[ $status -eq 0 ] && exit 0
cat "$scratch/diff"
echo "The ABI is not that of $stored (abidiff: $status). If promcb.h, Versions, allows that: tests/style/abi.sh --renew"
exit 1
