#!/bin/bash
# SPDX-License-Identifier: MIT
#
# On machines that cannot share a segment with the others, 32 bits wide or big-endian, meson refuses to build, and a
# program that includes promcb.h does not compile; both say why.
set -u
cd "${PROMCB_SOURCE:-$(dirname "$0")/../..}" || exit 1
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
failed=0
tried=0

# compiler, meson's CPU family, its order of bytes
refuse() {
  command -v "$1" >/dev/null || {
    echo "there is no $1"
    return
  }
  tried=$((tried + 1))
  cat >"$directory/$2.ini" <<INI
[binaries]
c = '$1'
cpp = '$1'
ar = 'ar'
[properties]
skip_sanity_check = true
needs_exe_wrapper = true
[host_machine]
system = 'linux'
cpu_family = '$2'
cpu = '$2'
endian = '$3'
INI
  if meson setup --cross-file "$directory/$2.ini" "$directory/$2" >"$directory/log" 2>&1; then
    echo "$1: meson sets it up"
    failed=1
  elif ! grep -q 'ERROR: Problem encountered: promcb needs a 64-bit little-endian machine' "$directory/log"; then
    echo "$1: meson refuses for another reason:"
    tail -n 5 "$directory/log"
    failed=1
  fi
  for header in promcb.h reader.h admin.h; do
    if printf '#include <promcb/%s>\n' "$header" |
      "$1" -Iinclude -fsyntax-only -x c - >"$directory/log" 2>&1; then
      echo "$1: a program that includes $header compiles"
      failed=1
    elif ! grep -q '#error "promcb needs a 64-bit little-endian machine' "$directory/log"; then
      echo "$1: $header is refused for another reason:"
      head -n 5 "$directory/log"
      failed=1
    fi
  done
}

refuse i686-linux-gnu-gcc x86 little
refuse s390x-linux-gnu-gcc s390x big
if [ $failed -eq 0 ] && [ $tried -eq 0 ]; then
  echo "a compiler for a machine that is refused is not installed"
  exit 77
fi
exit $failed
