#!/bin/bash
# SPDX-License-Identifier: MIT
# The arrows between the wings of lib/, and the order inside of the recording wing. A wing includes itself, the public
# headers and the wings that this table gives it. What follows from it needs no list of its own: reading and recording
# never meet, renderers know the model alone, and tools build against the public headers.
set -u
cd "${PROMCB_SOURCE:-$(dirname "$0")/../..}" || exit 1
failed=0
fail() {
  echo "$*"
  failed=1
}

wings='base
format  base
model   base
segment base|format
record  base|format|model|segment
read    base|format|model
render  base|model'
# In the recording wing, every module includes those before it and never one after it, in its header and in its source.
order='pin process attachment lock lane part row home table spec series family registry hints names handle detach
recorder open component entry record prepare timer known policy cell declare errors find metric resetter remove reset
state episode window guard breaker'

listed=none
while read -r wing may; do
  listed="$listed $wing"
  [ -d "lib/$wing" ] || fail "lib/$wing: listed in $0, and not there"
  # Every header by its directory, of a wing that may be named, and there.
  while IFS=: read -r file line header; do
    case $header in
    */*) ;;
    *) fail "$file:$line includes \"$header\": name its directory" && continue ;;
    esac
    [[ ${header%%/*} =~ ^($wing${may:+|$may})$ ]] ||
      fail "$file:$line includes \"$header\": $wing may include ${may:-only itself}"
    [ -e "lib/$header" ] || fail "$file:$line includes \"$header\", which is not there"
  done < <(grep -HnoP '^#include "\K[^"]+' "lib/$wing"/*.[ch] | grep -v ':promcb_revision\.h$')
done <<<"$wings"

for directory in lib/*/; do
  wing=$(basename "$directory")
  [ "$wing" = man ] || [[ " $listed " == *" $wing "* ]] || fail "$directory is no wing of the table in $0"
done
[ -z "$(ls lib/*.[ch] 2>/dev/null)" ] || fail "lib/ has files outside of its wings: $(ls lib/*.[ch])"

before=
for name in $order; do
  for file in lib/record/"$name".[ch]; do
    [ -e "$file" ] || continue
    for header in $(grep -oP '^#include "record/\K[a-z_]+(?=\.h")' "$file"); do
      [[ " $before $name " == *" $header "* ]] || fail "$file includes record/$header.h, which comes after it"
    done
  done
  before="$before $name"
done
for file in lib/record/*.[ch]; do
  name=$(basename "${file%.[ch]}")
  [[ " ${order//$'\n'/ } " == *" $name "* ]] || fail "$file has no place in the order of $0"
done

# Public headers include public headers alone; tools those and their own.
for file in $(grep -lE '^#include "' include/promcb/*.h); do
  fail "$file includes a header that is not public"
done
while IFS=: read -r file line header; do
  fail "$file:$line includes \"$header\": tools know the public headers alone"
done < <(grep -HnoP "^#include \"\K(${listed// /|})/[^\"]+" tools/*.[ch] tools/*/*.[ch] | sed 's/"$//')
exit $failed
