#!/bin/bash
# SPDX-License-Identifier: MIT
# Producers and readers that see another boot id, or none, on one clock all the same: what ProcSubset=pid of systemd
# hides, and what a container that is booted has of its own. The recent calls of each are those of all.
. "$(dirname "$0")/tools_prelude.sh"
. "$(dirname "$0")/steady_prelude.sh"

need_root
unshare -m true 2>/dev/null || { echo "cannot make mounts"; exit 77; }
cat /proc/sys/kernel/random/uuid >"$scratch/boot_id"

# A world of its own for COMMAND...
hidden() {
  exec unshare -m bash -c 'mount -t proc -o subset=pid proc /proc && ! [ -e /proc/sys ] && exec "$@"' - "$@"
}
booted() {
  exec unshare -m bash -c 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"' "$scratch/boot_id" "$@"
}
here() {
  exec "$@"
}
(hidden true) 2>/dev/null || { echo "the kernel has no subset=pid"; exit 77; }
(booted true) 2>/dev/null || { echo "cannot mount over the boot id"; exit 77; }

p50='circuit_breaker_latency_seconds{component="clock",quantile="0.5"}'
rate='circuit_breaker_recent_failure_rate{component="clock"}'

# everywhere METRIC VALUE WHEN: for readers of all worlds.
everywhere() {
  local reader value
  for reader in here hidden booted; do
    value=$("$reader" "$tools/promcb-export" | sed -n "s/^$1 //p")
    awk -v value="${value:-NaN}" -v expected="$2" \
      'BEGIN { exit !(value != "NaN" && value - expected < expected / 100 && expected - value < expected / 100) }' ||
      fail "$3, read in \"$reader\": $1 is ${value:-missing}, expected $2"
    ("$reader" "$tools/promcb-export" --check) >"$scratch/out" 2>&1 || fail "$3: $(cat "$scratch/out")"
  done
}

for directory in /dev/shm /var/tmp; do
  case $directory in
  /dev/shm) PROMCB_SEGMENT=/promcb_e2e_$$ file=/dev/shm/promcb_e2e_$$ ;;
  # A file that outlives boots: there the clocks tell.
  *) PROMCB_SEGMENT=$directory/promcb_e2e_$$ file=$PROMCB_SEGMENT ;;
  esac
  export PROMCB_SEGMENT
  mounts=()
  if ! "$tools/promcb-admin" create --lanes 4 2>"$scratch/err"; then
    grep -q "cannot reserve space" "$scratch/err" && continue
    fail "create in $directory: $(cat "$scratch/err")"
  fi
  # One after the other, each in the lane of the one before it; and one beside them.
  start beside here "$steady" "$PROMCB_SEGMENT" clock
  tell beside "calls 100"
  total=100
  for world in here hidden booted hidden here booted here; do
    start $world$total $world "$steady" "$PROMCB_SEGMENT" clock
    tell $world$total "calls 100"
    everywhere "$p50" 0.001 "$directory, \"$world\" after $total calls"
    everywhere "$rate" 10 "$directory, \"$world\" after $total calls"
    # The rate is that of 1,000 calls at most: none of those before it were forgotten.
    recent=$("$tools/promcb-export" --format json | sed -n 's/.*"recent_calls": *\([0-9]*\).*/\1/p')
    [ -z "$recent" ] || [ "$recent" = $((total + 100)) ] || fail "$recent recent calls of $((total + 100))"
    kill_producer $world$total
    total=$((total + 100))
  done
  calls clock $total || fail "calls: $("$tools/promcb-export" | grep 'total{component="clock"')"
  "$tools/promcb-export" | grep -q '^promcb_lanes_undated 0$' || fail "some lanes are undated"
  lanes=$("$tools/promcb-admin" info | sed -n 's/^lanes idle  *\([0-9]*\) .*/\1/p')
  [ "$lanes" = 1 ] || fail "$lanes lanes instead of one were taken over"
  finish beside
  rm -f "$file"
done
exit 0
