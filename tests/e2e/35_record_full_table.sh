#!/bin/bash
# SPDX-License-Identifier: MIT
# When the table of components is full, calls count as _overflow, which is told at 1, 10, ... and summed up; nothing is
# lost, and no state is misplaced.
. "$(dirname "$0")/tools_prelude.sh"

"$tools/promcb-admin" create --components=8 || fail "create"
seq 100 | sed 's/.*/component_& 0.5 success/' | "$tools/promcb-record" --stdin 2>"$scratch/err" ||
  fail "exit $?: $(cat "$scratch/err")"
[ "$(wc -l <"$scratch/err")" = 3 ] && grep -q '9[0-9] of 100 lines count as "_overflow"' "$scratch/err" ||
  fail "warnings: $(cat "$scratch/err")"
"$tools/promcb-export" >"$scratch/metrics" || fail "export"
calls=$(awk '/^circuit_breaker_calls_total{/ { sum += $NF } END { print sum }' "$scratch/metrics")
[ "$calls" = 100 ] || fail "$calls of 100 calls are left"
grep -q 'circuit_breaker_calls_total{component="_overflow"} 9[0-9]' "$scratch/metrics" ||
  fail "no overflow: $(grep calls_total "$scratch/metrics")"

"$tools/promcb-record" another --latency=1 --success 2>"$scratch/err" || fail "one call: exit $?"
grep -q "_overflow" "$scratch/err" || fail "warning: $(cat "$scratch/err")"
"$tools/promcb-record" another -- sh -c 'exit 3' 2>"$scratch/err"
[ $? = 3 ] || fail "a command"
succeeds "$tools/promcb-record" another --state=open 2>"$scratch/err" &&
  fail "a state was told for a component that is none"
has 'circuit_breaker_state{component="_overflow",state="open"} 0'
"$tools/promcb-export" --check >/dev/null || fail "check"
exit 0
