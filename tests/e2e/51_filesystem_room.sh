#!/bin/bash
# SPDX-License-Identifier: MIT
# File systems with too little room, at creation, in growth, at every step in between: no producer crashes, calls in the
# export and dropped calls are all calls that were recorded, the tools say what is wrong, and room that comes back is
# used without a restart. Sparse copies are read like others, and recorded into where their holes have no room.
if [ -z "${PROMCB_E2E_OWN_MOUNTS:-}" ]; then
  [ "$(id -u)" = 0 ] && unshare --mount true 2>/dev/null || { echo "needs root, and mounts of its own" >&2; exit 77; }
  PROMCB_E2E_OWN_MOUNTS=1 exec unshare --mount --propagation private bash "$0"
fi
. "$(dirname "$0")/tools_prelude.sh"

where=$scratch/volume
mkdir "$where"
mount -t tmpfs -o size=64k promcb-test "$where" || { echo "mount is not allowed" >&2; exit 77; }
umount "$where"
export PROMCB_SEGMENT=$where/segment
trap 'for job in $(jobs -p); do kill -KILL "$job" 2>/dev/null; done
  wait 2>/dev/null
  umount -l "$where" 2>/dev/null
  rm -rf "$scratch"' EXIT

# lines FROM TO EACH: calls of the components cFROM to cTO in turn.
lines() {
  awk -v from="$1" -v to="$2" -v each="$3" 'BEGIN {
    for (k = 0; k < each; k++)
      for (c = from; c <= to; c++)
        print "c" c, "0.001", k % 4 ? 200 : 500
  }'
}

# accounted [SEGMENT]: calls in the export and dropped ones.
accounted() {
  "$tools/promcb-export" --segment "${1:-$PROMCB_SEGMENT}" >"$scratch/metrics" 2>"$scratch/export.err" || return 1
  awk '/^circuit_breaker_calls_total{/ || /^promcb_dropped_calls_total / { n += $NF } END { print n + 0 }' \
    "$scratch/metrics"
}
is_accounted() {
  [ "$(accounted)" = "$1" ]
}
value() {
  sed -n "s/^$1 //p" "$scratch/metrics"
}
# few_lines WHAT: the 1st, 10th, 100th, ... line without room is quoted, and all are summed up at the end.
few_lines() {
  [ "$(wc -l <"$scratch/err")" -le 5 ] && tail -n 1 "$scratch/err" | grep -q 'of 2000 lines count as "_overflow"' ||
    fail "$1: $(cat "$scratch/err")"
}
# full: nothing more fits.
full() {
  dd if=/dev/zero of="$where/filler" bs=4k oflag=append conv=notrunc 2>/dev/null
}

# -- A tmpfs of every small size: where creation fails it is told, else every call is accounted for. ---------------
made=
for kilobytes in $(seq 8 40 1000); do
  mount -t tmpfs -o size=${kilobytes}k promcb-test "$where" || fail "mount"
  lines 1 40 50 | "$tools/promcb-record" --stdin 2>"$scratch/err"
  status=$?
  if [ ! -e "$PROMCB_SEGMENT" ]; then
    [ $status = 1 ] || fail "$kilobytes KiB: exit $status: $(cat "$scratch/err")"
    one_line "$kilobytes KiB"
    grep -q "not enough space for segment.*it begins with [0-9]* bytes" "$scratch/err" ||
      fail "$kilobytes KiB: $(cat "$scratch/err")"
    [ -z "$made" ] || fail "$kilobytes KiB are not enough, but less were"
    [ -z "$(ls -A "$where")" ] || fail "$kilobytes KiB: it left $(ls -A "$where")"
  else
    made=${made:-$kilobytes}
    [ $status = 0 ] || fail "$kilobytes KiB: exit $status: $(cat "$scratch/err")"
    is_accounted 2000 || fail "$kilobytes KiB: $(accounted) of 2000 calls; $(cat "$scratch/err")"
    [ "$(value promcb_components_rejected_total)" = 0 ] || few_lines "$kilobytes KiB, rejected"
    "$tools/promcb-export" --check >"$scratch/out" || fail "$kilobytes KiB: check: $(cat "$scratch/out")"
  fi
  umount "$where" || fail "umount"
done
[ -n "$made" ] && [ "$made" -gt 100 ] || fail "made at ${made:-no} KiB"

# -- Full at every page while a producer lives; then more room, which it uses. -------------------------------------
mkfifo "$scratch/pipe"
for free in 0 1 2 3 5 12 18 34; do
  mount -t tmpfs -o size=1m promcb-test "$where" || fail "mount"
  "$tools/promcb-record" --stdin <"$scratch/pipe" 2>"$scratch/live" &
  live=$!
  exec 9>"$scratch/pipe"
  lines 1 3 20 >&9
  await is_accounted 60
  full
  truncate -s -$((free * 4096)) "$where/filler"
  lines 1 60 40 >&9
  # Another comes when all is full, and has no lane.
  lines 30 90 10 | "$tools/promcb-record" --stdin 2>"$scratch/err" || fail "another: $? $(cat "$scratch/err")"
  "$tools/promcb-record" c1 --latency=1 --success || fail "one call on a full file system"
  await is_accounted 3071
  kill -0 "$live" || fail "$free pages: the producer is gone"
  mount -o remount,size=8m "$where" || fail "remount"
  sent=3071
  for _ in $(seq 200); do
    echo "late$sent 0.5 200" >&9
    sent=$((sent + 1))
    await is_accounted $sent
    grep -q '^circuit_breaker_calls_total{component="late' "$scratch/metrics" && break
    sleep 0.05
  done
  grep -q '^circuit_breaker_calls_total{component="late' "$scratch/metrics" || fail "$free pages: no recovery"
  lines 1 90 10 >&9
  exec 9>&-
  wait "$live" || fail "$free pages: the producer ended with $?: $(cat "$scratch/live")"
  is_accounted $((sent + 900)) || fail "$free pages: $(accounted) of $((sent + 900)) calls"
  [ "$(value promcb_dropped_calls_total)" = 0 ] || fail "$free pages: dropped calls"
  [ "$(value 'circuit_breaker_calls_total{component="c90"}')" -ge 10 ] || fail "$free pages: no c90 after recovery"
  umount "$where" || fail "umount"
done

# -- 64 MiB, most of it taken, and more asked for by four producers than there is. ---------------------------------
mount -t tmpfs -o size=64m promcb-test "$where" || fail "mount"
head -c $((56 << 20)) /dev/zero >"$where/filler"
for _ in 1 2 3 4; do
  lines 1 900 40 | "$tools/promcb-record" --stdin 2>>"$scratch/err" &
done
wait
is_accounted 144000 || fail "64 MiB: $(accounted) of 144000 calls"
[ "$(df --output=avail -B1 "$where" | tail -n 1)" -ge $((2 << 20)) ] || fail "64 MiB: nothing was left to others"
"$tools/promcb-export" --check >"$scratch/out" || fail "64 MiB: check: $(cat "$scratch/out")"

# -- Copies with holes, and without: read alike, and recorded into where there is no room for the holes. ------------
same() {
  "$tools/promcb-export" --segment "$1" |
    grep -v -e '^promcb_scrape_duration_seconds ' -e '^promcb_segment_bytes{kind="used"}'
}
rm "$where/filler"
rm "$PROMCB_SEGMENT"
lines 1 5 8 | "$tools/promcb-record" --stdin || fail "record"
cp --sparse=always "$PROMCB_SEGMENT" "$where/sparse"
cp --sparse=never "$PROMCB_SEGMENT" "$where/dense"
[ "$(stat -c %b "$where/sparse")" -lt "$(stat -c %b "$where/dense")" ] || fail "the copy is not sparse"
same "$PROMCB_SEGMENT" >"$scratch/original"
for copy in sparse dense; do
  same "$where/$copy" | cmp - "$scratch/original" || fail "the $copy copy reads otherwise"
done
mount -o remount,size=4m "$where" || fail "remount"
for free in $(seq 0 4) $(seq 5 3 80); do
  cp --sparse=always "$PROMCB_SEGMENT" "$where/sparse"
  full
  truncate -s -$((free * 4096)) "$where/filler"
  lines 1 8 5 | "$tools/promcb-record" --segment "$where/sparse" --stdin 2>"$scratch/err"
  status=$?
  now=$(accounted "$where/sparse") || fail "a sparse copy, $free pages: $(cat "$scratch/err" "$scratch/export.err")"
  case $status:$now in
  0:80) ;;
  1:40) grep -q "has holes" "$scratch/err" || fail "a sparse copy, $free pages: $(cat "$scratch/err")" ;;
  *) fail "a sparse copy, $free pages: exit $status, $now calls: $(cat "$scratch/err")" ;;
  esac
  rm "$where/sparse" "$where/filler"
done
[ $status = 0 ] || fail "a sparse copy: not even $free pages were enough"
umount "$where"
exit 0
