#!/bin/bash
# SPDX-License-Identifier: MIT
# What the documents say is there, is there: programs, scripts and the targets of local links.
set -u
cd "${PROMCB_SOURCE:-$(dirname "$0")/../..}" || exit 1
build=${PROMCB_BUILD:-build}
failed=0
fail() {
  echo "$*"
  failed=1
}

[ -e README.md ] || { echo "README.md: not there"; exit 1; }
for command in tools/quickstart.sh tools/test.sh; do
  grep -q "$command" README.md || fail "README.md does not tell of $command"
done
# What leads are lines of the examples, as they are.
excerpt=$(sed -n '/^# /,/^## /p' README.md | awk '/^```/ { inside = !inside; next } inside' | sed 's/^ *//')
[ -n "$excerpt" ] || fail "README.md does not begin with an example"
while IFS= read -r line; do
  sed 's/^[[:space:]]*//' tools/examples/*.c tools/examples/*.cpp | grep -q -x -F -e "$line" ||
    fail "README.md: in no example: $line"
done <<<"$excerpt"
lines=$(wc -l <README.md)
[ "$lines" -le 260 ] || fail "README.md has $lines lines, 260 are the most: details go into man pages"
# Its picture shows what promcb-top draws today.
tools/top/picture.py tests/golden/top/list-80x24.txt tests/golden/top/heat-80x24.txt | cmp -s - tools/top/picture.svg ||
  fail "tools/top/picture.svg is not what picture.py draws"
for document in *.md; do
  paths='(?<![\w/.-])(build/)?(tools|bench|tests|lib|include)/[\w./<*-]*[\w<*]'
  for path in $(grep -oP "$paths" "$document" | sort -u); do
    case $path in
    *'<'* | *'*'*) ;; # a pattern
    build/*) [ -e "$build/${path#build/}" ] || fail "$document: $path is not built" ;;
    *) [ -e "$path" ] || fail "$document: $path is not there" ;;
    esac
  done
  # Every program, wherever it is said to lie.
  for program in $(grep -oE '\bpromcb-[a-z]+' "$document" | sort -u); do
    grep -qE "executable\('$program'" tools/meson.build tools/*/meson.build 2>/dev/null ||
      find lib tools -name "$program.[1-9]" | grep -q . ||
      grep -qxF "Package: $program" tools/packages/debian/control || fail "$document: there is no $program"
  done
  # [text](target) and [text]: target, without anchors and what is elsewhere.
  for target in $(grep -oE '\]\([^) ]+\)|^\[[^]]+\]: [^ ]+' "$document" |
    sed -E 's/^\]\(//; s/\)$//; s/^\[[^]]+\]: //'); do
    case $target in
    http://* | https://* | mailto:*) ;;
    '#'*) ;;
    *) [ -e "${target%%#*}" ] || fail "$document: the link to $target leads nowhere" ;;
    esac
  done
done
exit $failed
