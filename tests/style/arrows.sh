#!/bin/bash
# SPDX-License-Identifier: MIT
# The arrows between rooms, as the compiler sees them: what a file includes, directly and through others.
set -u
cd "${PROMCB_SOURCE:-$(dirname "$0")/../..}" || exit 1
failed=0
fail() {
  echo "$*"
  failed=1
}

# Headers of promcb that each file includes, at any depth, by their names alone; the build makes one of them.
declare -A closure
for file in include/promcb/*.h lib/*.[ch] tools/*.[ch] tools/sidecar/*.[ch]; do
  list=$("${CC:-cc}" -D_GNU_SOURCE -Iinclude -Ilib -Itools -MM -MG "$file") || fail "$file: cannot be preprocessed"
  closure[$file]=
  for word in ${list//\\/ }; do
    [[ $word != *.h ]] || closure[$file]+=" ${word##*/}"
  done
done

# only FILE HEADERS: FILE includes nothing but these, at any depth.
only() {
  local header
  [ -e "$1" ] || { fail "$1: listed in $0, and not there"; return; }
  for header in ${closure[$1]}; do
    [[ " $2 " == *" $header "* ]] || fail "$1 includes $header: a leaf may include only $2"
  done
}

# never WHY FORBIDDEN FILE...
never() {
  local why=$1 forbidden=$2 file header
  shift 2
  for file; do
    [ -e "$file" ] || { fail "$file: listed in $0, and not there"; continue; }
    for header in ${closure[$file]}; do
      [[ " $forbidden " != *" $header "* ]] || fail "$file includes $header: $why"
    done
  done
}

public='promcb.h reader.h atomic.h bucket3.h inline.h inject.h admin.h'

# Leaves.
only include/promcb/atomic.h 'atomic.h'
only include/promcb/bucket3.h 'bucket3.h'
only include/promcb/promcb.h 'promcb.h'
only include/promcb/inline.h 'inline.h atomic.h bucket3.h inject.h promcb.h'
only include/promcb/reader.h 'reader.h promcb.h'
only include/promcb/admin.h 'admin.h promcb.h'
only lib/bucket.c 'bucket.h bucket3.h'
only lib/clock.c 'clock.h atomic.h'
only lib/hash.c 'hash.h'
only lib/cancel.h 'cancel.h'
only lib/select.c 'select.h'
only lib/protobuf.h 'protobuf.h'
only lib/descriptor.c 'descriptor.h'
only lib/pin.c 'pin.h atomic.h'
only lib/headroom.c 'headroom.h descriptor.h'
only lib/error.c 'promcb.h'
only lib/message.c 'message.h promcb.h'
only lib/name.c 'name.h message.h promcb.h'
only lib/sink.c 'sink.h sink_direct.h reader.h promcb.h'
only lib/layout.h "layout.h $public"

# Renderers and tools know the snapshot, or the public calls, and nothing of the segment.
never 'renderers and tools never see the layout' 'layout.h segment.h validate.h source.h image.h lane.h component.h' \
  lib/render*.[ch] lib/families.[ch] lib/sink*.[ch] lib/snapshot.[ch] lib/quantile.[ch] tools/*.[ch] \
  tools/sidecar/*.[ch]

# Recording and reading never meet.
recording='lock.h lane.h component.h recorder.h process.h open.h segment.h create.h'
reading='reader.h source.h image.h collect.h rings.h check.h snapshot.h quantile.h guard.h render.h render_text.h
  render_self.h families.h sink.h sink_direct.h'
never 'recording rooms never include reading rooms' "$reading" \
  lib/{record,state,reset,lane,lock,component,recorder,process,open,segment,create}.c
never 'reading rooms never include recording rooms' "$recording" \
  lib/{reader,source,image,collect,rings,check,snapshot,quantile,guard}.c lib/render*.c

# What a room includes itself, its header comment names, or that of its own header; or one of those includes it.
comment() {
  sed -n '1,/^#/{/^#/!p}' "$1" | grep -oE '\b[a-z0-9_]+\.h\b'
}
for file in lib/*.[ch] tools/*.[ch] tools/sidecar/*.[ch]; do
  own=${file%.[ch]}.h
  named=$( (comment "$file"; [ -e "$own" ] && comment "$own" && echo "${own##*/}") | sort -u)
  allowed=$named
  for header in $named; do
    for path in lib/"$header" tools/"$header" tools/sidecar/"$header" include/promcb/"$header"; do
      allowed="$allowed ${closure[$path]-}"
    done
  done
  allowed=" $(echo $allowed) "
  for header in $(sed -n 's/^#include "\([^"]*\)".*/\1/p; s/^#include <promcb\/\([^>]*\)>.*/\1/p' "$file"); do
    [[ $allowed == *" $header "* ]] || fail "$file includes $header, which its header comment does not name"
  done
done
exit $failed
