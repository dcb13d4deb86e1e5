#!/bin/bash
# SPDX-License-Identifier: MIT
# --interval goes on until a signal, follows a segment that comes, goes and comes again, and tells each change once.
. "$(dirname "$0")/tools_prelude.sh"

exported() {
  grep -q "calls_total{component=\"$1\"}" "$scratch/m.prom" 2>/dev/null
}
said() {
  [ "$(wc -l <"$scratch/err")" = "$1" ]
}

"$tools/promcb-export" --interval=0.02 --output="$scratch/m.prom" 2>"$scratch/err" &
background=$!
await said 1
grep -q "there is no segment" "$scratch/err" || fail "of a missing segment: $(cat "$scratch/err")"
sleep 0.2
said 1 || fail "a missing segment was told more than once: $(cat "$scratch/err")"
"$tools/promcb-record" first --latency=1 --success || fail "record"
await exported first
await said 2
"$tools/promcb-admin" remove || fail "remove"
await said 3
exported first || fail "the file went with the segment"
"$tools/promcb-record" second --latency=1 --success || fail "record"
await exported second
exported first && fail "it went on with the removed segment"
# Recreated between two rounds, most often: no error, the new one.
"$tools/promcb-admin" remove && "$tools/promcb-record" third --latency=1 --success || fail "recreate"
await exported third
kill -TERM "$background"
wait "$background" || fail "SIGTERM: exit $?"
background=
[ $(($(wc -l <"$scratch/err") % 2)) = 0 ] || fail "errors and recoveries: $(cat "$scratch/err")"

# A directory that is not there ends it at the start, before it waits for ever.
timeout 120 "$tools/promcb-export" --interval=100 --output="$scratch/none/m.prom" 2>"$scratch/err"
[ $? = 1 ] || fail "no directory: it goes on"
one_line "no directory"
grep -q "there is no directory \"$scratch/none\"" "$scratch/err" || fail "no directory: $(cat "$scratch/err")"

# The same signals end it at once, however long the interval, on standard output as well. Background jobs of a script
# ignore SIGINT, so env resets it.
for signal in TERM INT; do
  rm -f "$scratch/out"
  env --default-signal=INT "$tools/promcb-export" --interval=1000 >"$scratch/out" 2>"$scratch/err" &
  background=$!
  await test -s "$scratch/out"
  kill -$signal "$background"
  wait "$background" || fail "$signal: exit $?"
  background=
  filled "$scratch/err" && fail "$signal: $(cat "$scratch/err")"
done

# Fractions: several bodies, all whole.
rm -f "$scratch/out"
"$tools/promcb-export" --interval=0.01 >"$scratch/out" 2>"$scratch/err" &
background=$!
bodies() {
  [ "$(grep -s -c '^# TYPE circuit_breaker_calls_total' "$scratch/out")" -ge 3 ] 2>/dev/null
}
await bodies
kill "$background"
wait "$background" || fail "exit $?"
background=
[ $(($(wc -l <"$scratch/out") % $("$tools/promcb-export" | wc -l))) = 0 ] || fail "a body in part"

# A reader that goes away is an error; one that is merely slow does not keep a signal away.
timeout 120 "$tools/promcb-export" --interval=0.01 2>"$scratch/err" | head -n 1 >/dev/null
[ "${PIPESTATUS[0]}" = 1 ] || fail "a closed pipe: exit ${PIPESTATUS[0]}"
mkfifo "$scratch/slow"
"$tools/promcb-export" --interval=0.001 >"$scratch/slow" 2>"$scratch/err" &
background=$!
exec 9<"$scratch/slow"
sleep 0.3
kill "$background"
wait "$background"
status=$?
background=
exec 9<&-
# 0 between two bodies, 1 in the middle of one.
[ $status = 0 ] || { [ $status = 1 ] && grep -q "middle of an export" "$scratch/err"; } ||
  fail "a slow reader: exit $status"
exit 0
