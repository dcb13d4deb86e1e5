#!/bin/bash
# SPDX-License-Identifier: MIT
# A segment by a path on ext4, xfs and hugetlbfs: made, recorded into by two producers, one of them killed, read, taken
# over, full; always exact. Others are refused with a sentence.
. "$(dirname "$0")/tools_prelude.sh"
. "$(dirname "$0")/steady_prelude.sh"

need_root
tried=0
reserved_pages=0
# Pages are asked for on top of what others asked for, and given back.
more_pages=/proc/sys/vm/nr_overcommit_hugepages
give_back() {
  [ $reserved_pages = 0 ] || echo $(($(cat $more_pages) - reserved_pages)) >$more_pages
}
trap 'at_end; give_back; rm -rf "$scratch"' EXIT

# use KIND DIRECTORY: everything, in a segment there.
use() {
  local kind=$1
  PROMCB_SEGMENT=$2/segment
  "$tools/promcb-admin" create --max-bytes 256M --lanes 8 --components 64 2>"$scratch/err" ||
    fail "$kind: $(cat "$scratch/err")"
  start "$kind-one" "$steady" "$PROMCB_SEGMENT" disk 3
  start "$kind-two" "$steady" "$PROMCB_SEGMENT" disk 3
  tell "$kind-one" "calls 1000"
  tell "$kind-two" "calls 1000"
  tell "$kind-two" "components 20"
  calls disk 6000 || fail "$kind: $("$tools/promcb-export" | grep calls_total)"
  [ "$(number 'lanes live')" = 6 ] || fail "$kind: lanes: $("$tools/promcb-admin" info)"
  kill_producer "$kind-two"
  await eval '[ "$(number "lanes live")" = 3 ]'
  start "$kind-three" "$steady" "$PROMCB_SEGMENT" disk 5
  tell "$kind-three" "calls 1000"
  calls disk 11000 || fail "$kind, after a kill: $("$tools/promcb-export" | grep calls_total)"
  [ "$(number 'lanes live')" = 8 ] || fail "$kind: not taken over: $("$tools/promcb-admin" info)"
  tell "$kind-one" reset
  tell "$kind-three" "calls 10"
  calls disk 50 || fail "$kind, after a reset: $("$tools/promcb-export" | grep calls_total)"
  # No room left but what the segment has: nobody dies, and every call counts.
  # hugetlbfs cannot be written to, and ext4 has more than it says.
  fallocate -l $(($(stat -f -c '%a * %S' "$2"))) "$2/filler" 2>/dev/null
  dd if=/dev/zero of="$2/rest" bs=64K 2>/dev/null
  tell "$kind-three" "components 60"
  refused=${answer##* }
  tell "$kind-one" "calls 1000"
  calls disk 3050 || fail "$kind, full: $("$tools/promcb-export" | grep calls_total)"
  sum=$("$tools/promcb-export" | awk '/^circuit_breaker_calls_total/ { sum += $2 } END { print sum }')
  [ "$sum" = $((3050 + 20 * 70 + 60 * 70)) ] || fail "$kind, full: $sum calls in all, $refused components refused"
  "$tools/promcb-export" --check >/dev/null || fail "$kind: --check"
  finish "$kind-one"
  finish "$kind-three"
  "$tools/promcb-admin" remove || fail "$kind: remove"
  [ ! -e "$PROMCB_SEGMENT" ] || fail "$kind: still there"
  tried=$((tried + 1))
}

for kind in ext4 xfs; do
  # xfs makes nothing smaller.
  size=16M
  [ $kind = ext4 ] || size=300M
  mkdir "$scratch/$kind"
  truncate -s $size "$scratch/$kind.image"
  if ! command -v mkfs.$kind >/dev/null || ! mkfs.$kind -q "$scratch/$kind.image" >/dev/null 2>&1 ||
    ! mounted -o loop "$scratch/$kind.image" "$scratch/$kind"; then
    echo "$kind: no mkfs.$kind, or no loop device: left out"
    continue
  fi
  use $kind "$scratch/$kind"
done

mkdir "$scratch/huge"
page_kib=$(sed -n 's/^Hugepagesize: *\([0-9]*\) kB/\1/p' /proc/meminfo)
if [ "${page_kib:-0}" = 2048 ] && echo $(($(cat $more_pages) + 64)) 2>/dev/null >$more_pages && reserved_pages=64 &&
  mounted -t hugetlbfs -o size=120M none "$scratch/huge" && fallocate -l 120M "$scratch/huge/try" 2>/dev/null; then
  rm "$scratch/huge/try"
  use hugetlbfs "$scratch/huge"
else
  echo "hugetlbfs: cannot be mounted, or the kernel has no 60 huge pages: left out"
fi

# Where room cannot be reserved.
mkdir "$scratch/ram"
if mounted -t ramfs none "$scratch/ram"; then
  succeeds "$tools/promcb-admin" create --segment "$scratch/ram/segment" 2>"$scratch/err" &&
    fail "made a segment on ramfs"
  one_line "ramfs"
  grep -q "cannot reserve space" "$scratch/err" || fail "ramfs: $(cat "$scratch/err")"
  [ -z "$(ls "$scratch/ram")" ] || fail "something was left on ramfs"
fi
[ $tried -gt 0 ] || { echo "none of ext4, xfs and hugetlbfs can be tried"; exit 77; }
exit 0
