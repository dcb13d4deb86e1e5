#!/bin/bash
# SPDX-License-Identifier: MIT
# An ordering access has two sides. Each carries the pair's tag, and the pair is explained once: in lib/format/layout.h
# if it is of the segment, in the header comment of its module if it stays inside of one process.
set -u
cd "${PROMCB_SOURCE:-$(dirname "$0")/../..}" || exit 1
exec awk '
function tags_of(line, found) {
  while (match(line, /\[[A-Z][A-Z]+\]/)) {
    found[substr(line, RSTART + 1, RLENGTH - 2)] = 1
    line = substr(line, RSTART + RLENGTH)
  }
}
FNR == 1 { file = FILENAME; in_head = 1; last_comment = -100; in_comment = 0 }
in_head && /^#/ { in_head = 0 }
{
  is_comment = in_comment || /^[ \t]*\/[*]/ || /[ \t]\/[*].*[*]\//
  if (/\/[*]/) in_comment = 1
  if (/[*]\//) in_comment = 0
}
is_comment {
  delete found
  tags_of($0, found)
  for (tag in found) {
    if (in_head) {
      # An explanation begins its line.
      if ($0 ~ "^ [*] +(- )?\\[" tag "\\]") explained[tag] = file
    } else if (file ~ /\.c$/ || file ~ /inline\.h$/) {
      sides[tag]++
      where[tag] = where[tag] " " file ":" FNR
      last_comment = FNR
    }
  }
}
# A tag covers the accesses of the lines that follow it.
!is_comment && file ~ /\.c$/ && /promcb_(load|store|cas|add)(32)?(_pointer)?_(acquire|release|acq_rel)\(/ {
  ordering++
  if (FNR - last_comment > 12) { untagged++; print file ":" FNR ": an ordering access without its tag: " $0 }
}
END {
  for (tag in sides) {
    if (sides[tag] < 2) { print "[" tag "] stands on one side only:" where[tag]; failed = 1 }
    if (!(tag in explained)) { print "[" tag "] is explained nowhere:" where[tag]; failed = 1 }
  }
  for (tag in explained)
    if (!(tag in sides)) { print "[" tag "] is explained in " explained[tag] " and stands nowhere"; failed = 1 }
  if (untagged) { print untagged " of " ordering " ordering accesses carry no tag"; failed = 1 }
  exit failed
}' lib/*/*.[ch] include/promcb/inline.h
