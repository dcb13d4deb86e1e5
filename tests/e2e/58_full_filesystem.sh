#!/bin/bash
# SPDX-License-Identifier: MIT
# A file system without room: the tools say so in a sentence that has the numbers; producers record what they can as
# _overflow, and their components are had once there is room. (Every allocation in turn: torture_room.)
. "$(dirname "$0")/tools_prelude.sh"
. "$(dirname "$0")/steady_prelude.sh"

need_root
mkdir "$scratch/small"
mounted -t tmpfs -o size=64k none "$scratch/small" || { echo "cannot mount a tmpfs"; exit 77; }
export PROMCB_SEGMENT=$scratch/small/segment

for command in "promcb-admin create" "promcb-record once --latency=0.1 --success"; do
  # shellcheck disable=SC2086
  succeeds "$tools"/$command 2>"$scratch/err" && fail "$command: made a segment where there is no room"
  one_line "$command"
  grep -q "not enough space for segment $PROMCB_SEGMENT: it begins with [0-9]* bytes" "$scratch/err" ||
    fail "$command: $(cat "$scratch/err")"
  [ -z "$(ls "$scratch/small")" ] || fail "$command left something: $(ls "$scratch/small")"
done
mount -o remount,size=500k "$scratch/small" || fail "remount"
start one "$steady" "$PROMCB_SEGMENT" kept 3
# In time, so that there are the families.
families() {
  tell one "series 1"
  [ "${answer##* }" != 1000000 ]
}
await families
tell one "calls 100"
tell one "components 100"
refused=${answer##* }
[ "$refused" -gt 0 ] && [ "$refused" -lt 100 ] || fail "$refused of 100 components refused"
has "circuit_breaker_calls_total{component=\"_overflow\"} $((refused * 70))"
has 'circuit_breaker_calls_total{component="kept"} 300'
has 'promcb_dropped_calls_total 0'
[ "$(number 'components rejected')" = "$refused" ] || fail "info: $("$tools/promcb-admin" info)"
# Series, in what room is left.
tell one "series 2000"
refused=${answer##* }
[ "$refused" -gt 0 ] || fail "2000 series are not too many"
tell one "series 2000"
counted 4001 401 || fail "counts are missing, or there twice"
has 'promcb_dropped_values_total 0'
"$tools/promcb-export" --check >"$scratch/out" || fail "--check: $(cat "$scratch/out")"
# The same process, with room.
mount -o remount,size=8m "$scratch/small" || fail "remount"
recovered() {
  tell one "components 100"
  [ "${answer##* }" = 0 ]
}
await recovered
series_recovered() {
  tell one "series 2000"
  again=$((again + 1))
  [ "${answer##* }" = 0 ]
}
again=0
await series_recovered
counted $((4001 + again * 2000)) $((401 + again * 200)) || fail "with room, counts are missing, or there twice"
[ "$(grep -c '^steady_total{which="kept-' "$scratch/counted")" = 2000 ] || fail "series are missing"
[ "$("$tools/promcb-export" | grep -c '^circuit_breaker_calls_total{component="kept-')" = 100 ] ||
  fail "components are missing"
tell one "calls 100"
has 'circuit_breaker_calls_total{component="kept"} 600'
has 'promcb_dropped_calls_total 0'
finish one
exit 0
