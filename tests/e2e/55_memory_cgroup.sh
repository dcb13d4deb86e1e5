#!/bin/bash
# SPDX-License-Identifier: MIT
# A memory cgroup that is nearly full, the producer's own or one above it: the segment does not grow into it, and leaves
# the application what it asks for next. The producer is not killed, calls are exact, and what was refused is had once
# there is room.
. "$(dirname "$0")/tools_prelude.sh"
. "$(dirname "$0")/steady_prelude.sh"

need_root
if grep -q __asan_init "$steady"; then
  echo "AddressSanitizer takes memory of its own, and does not ask the cgroup before"
  exit 77
fi
# Version 2 names the files of a group otherwise than version 1.
if [ -e /sys/fs/cgroup/memory/memory.limit_in_bytes ]; then
  root=/sys/fs/cgroup/memory limit=memory.limit_in_bytes usage=memory.usage_in_bytes
elif grep -q memory /sys/fs/cgroup/cgroup.subtree_control 2>/dev/null; then
  root=/sys/fs/cgroup limit=memory.max usage=memory.current
else
  echo "no memory cgroups are mounted under /sys/fs/cgroup"
  exit 77
fi
outer=$root/promcb-e2e-$$
trap 'at_end; rmdir "$outer/inner" "$outer" 2>/dev/null; rm -rf "$scratch" "/dev/shm$PROMCB_SEGMENT"' EXIT
mkdir "$outer" 2>/dev/null && {
  [ $limit = memory.limit_in_bytes ] || echo +memory >"$outer/cgroup.subtree_control"
} && mkdir "$outer/inner" && [ -e "$outer/inner/$limit" ] || { echo "cannot make memory cgroups"; exit 77; }

# into GROUP COMMAND...: runs it there.
into() {
  echo $BASHPID >"$1/cgroup.procs" || exit 1
  exec "${@:2}"
}

for limited in inner outer; do
  group=$outer
  [ $limited = outer ] || group=$outer/inner
  name=in_$limited
  "$tools/promcb-admin" create --lanes 16 --components 20000 --max-bytes 128M || fail "create"
  start $name into "$outer/inner" "$steady" "$PROMCB_SEGMENT" $name 4
  tell $name "calls 100"
  tell $name "series 1"
  # Room for the process, and not for a segment of 2,000 components, which would take 30 MiB.
  echo $(($(cat "$group/$usage") + (8 << 20))) >"$group/$limit" || fail "a limit on $group"
  tell $name "components 2000"
  refused=${answer##* }
  [ "$refused" -gt 0 ] ||
    fail "$limited: the limit was not in the way: $(cat "$group/$usage") of $(cat "$group/$limit")"
  tell $name "calls 1000"
  tell $name "series 3000"
  [ "${answer##* }" -gt 0 ] || fail "$limited: the limit was not in the way of series"
  counted 3001 301 || fail "$limited: series"
  tell $name "take 1"
  calls $name 4400 || fail "$limited: calls: $("$tools/promcb-export" | grep "total{component=\"$name\"")"
  has "circuit_breaker_calls_total{component=\"_overflow\"} $((refused * 70))"
  has "promcb_dropped_calls_total 0"
  "$tools/promcb-export" --check >/dev/null || fail "$limited: --check"
  grep -q "oom_kill [1-9]" "$group"/memory.oom_control "$group"/memory.events 2>/dev/null &&
    fail "$limited: somebody was killed"
  # Room again: it is looked for once a second.
  echo $(($(cat "$group/$usage") + (64 << 20))) >"$group/$limit" || fail "no more limit on $group"
  recovered() {
    tell $name "components 2000"
    [ "${answer##* }" = 0 ]
  }
  await recovered
  again=0
  series_recovered() {
    tell $name "series 1000"
    again=$((again + 1))
    [ "${answer##* }" = 0 ]
  }
  await series_recovered
  counted $((3001 + again * 1000)) $((301 + again * 100)) || fail "$limited: series, with room again"
  [ "$("$tools/promcb-export" | grep -c "^circuit_breaker_calls_total{component=\"$name-")" = 2000 ] ||
    fail "$limited: components are missing"
  finish $name
  "$tools/promcb-admin" remove || fail "remove"
done
exit 0
