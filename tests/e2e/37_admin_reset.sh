#!/bin/bash
# SPDX-License-Identifier: MIT
# reset forgets one component or all, keeps states, and makes no segment.
. "$(dirname "$0")/tools_prelude.sh"

refused() {
  succeeds "$tools/promcb-admin" "$@" 2>"$scratch/err" && fail "$*: succeeded"
  one_line "$*"
}

refused reset --all
[ -e "/dev/shm$PROMCB_SEGMENT" ] && fail "reset made a segment"
printf 'one 0.5 200\none 0.25 503\ntwo 1 200\nthree 1 503\n' | "$tools/promcb-record" --stdin || fail "record"
"$tools/promcb-record" three --state=open --log=error || fail "record"

"$tools/promcb-admin" reset one || fail "reset"
hasnt 'calls_total{component="one"}'
has 'circuit_breaker_calls_total{component="two"} 1'
refused reset four
grep -q '"four"' "$scratch/err" || fail "of an unknown component: $(cat "$scratch/err")"
hasnt four
echo 'one 2 200' | "$tools/promcb-record" --stdin || fail "record"
has 'circuit_breaker_calls_total{component="one"} 1'
has 'circuit_breaker_failures_total{component="one"} 0'
has 'circuit_breaker_latency_seconds_sum{component="one"} 2'
has 'circuit_breaker_call_duration_seconds_bucket{component="one",le="1.0"} 0'
has 'circuit_breaker_call_duration_seconds_bucket{component="one",le="+Inf"} 1'

"$tools/promcb-admin" reset -a || fail "reset --all"
hasnt 'component="one"'
hasnt 'component="two"'
# An open breaker stays, or an alert would fall silent.
has 'circuit_breaker_state{component="three",state="open"} 1'
has 'circuit_breaker_calls_total{component="three"} 0'
has 'log_entries_by_level{component="three",level="error"} 0'
"$tools/promcb-admin" reset --all && "$tools/promcb-admin" reset three || fail "reset again"
echo 'three 3 503' | "$tools/promcb-record" --stdin || fail "record"
has 'circuit_breaker_calls_total{component="three"} 1'
"$tools/promcb-export" --check >/dev/null || fail "check"
exit 0
