#!/bin/bash
# SPDX-License-Identifier: MIT
# One call, state or log line per process; all that was recorded is exact.
. "$(dirname "$0")/tools_prelude.sh"

record payment_api --latency=0.025 --success
record payment_api --latency 1 --failure
record --latency=2.5e-3 --success payment_api
record --segment="$PROMCB_SEGMENT" payment_api --latency=0.000000001 --success
has 'circuit_breaker_calls_total{component="payment_api"} 4'
has 'circuit_breaker_failures_total{component="payment_api"} 1'
has 'circuit_breaker_latency_seconds_sum{component="payment_api"} 1.027500001'

record payment_api --state=open
has 'circuit_breaker_state{component="payment_api",state="open"} 1'
record payment_api --state=open
record payment_api --state=half_open
record payment_api --state=closed
has 'circuit_breaker_state{component="payment_api",state="closed"} 1'
for state in closed open half_open; do
  has "circuit_breaker_state_transitions_total{component=\"payment_api\",state=\"$state\"} 1"
done

for level in debug info warning error; do
  record payment_api --log=$level
done
record payment_api --log=error
has 'log_entries_total{component="payment_api",level="debug"} 1'
has 'log_entries_by_level{component="payment_api",level="debug"} 1'
has 'log_entries_total{component="payment_api",level="error"} 2'
has 'log_entries_by_level{component="payment_api",level="error"} 2'

record together --latency=3 --failure --state=open --log=error
has 'circuit_breaker_failures_total{component="together"} 1'
has 'circuit_breaker_state{component="together",state="open"} 1'
has 'log_entries_by_level{component="together",level="error"} 1'

# A name that looks like an option, and one with blanks.
record --latency=1 --success -- --odd
has 'circuit_breaker_calls_total{component="--odd"} 1'
record 'GET /a b' --latency=1 --success
has 'circuit_breaker_calls_total{component="GET /a b"} 1'

for name in "" $'line\nfeed' $'\377' "$(printf '%0128d' 0)"; do
  "$tools/promcb-record" "$name" --latency=1 --success 2>"$scratch/err"
  [ $? = 1 ] || fail "the name '$name' was taken"
  one_line "the name '$name'"
done

# With labels: another component, in every format. Braces of another kind are part of the name.
record 'db{op="read", az="1"}' --latency=1 --success
record 'db{az="1",op="read"}' --latency=1 --failure
record db --latency=1 --success
record 'GET /users/{id}' --latency=1 --success
record 'db{op=read}' --success
has 'circuit_breaker_calls_total{component="db",az="1",op="read"} 2'
has 'circuit_breaker_state{component="db",az="1",op="read",state="closed"} 1'
has 'circuit_breaker_calls_total{component="db"} 1'
has 'circuit_breaker_calls_total{component="GET /users/{id}"} 1'
has 'circuit_breaker_calls_total{component="db{op=read}"} 1'
"$tools/promcb-export" --match='op="read"' --format=json |
  jq -e '.["db{az=\"1\",op=\"read\"}"] | .component == "db" and .labels == {"az": "1", "op": "read"} and
    .total_calls == 2' >"$scratch/out" || fail "JSON with labels"
"$tools/promcb-admin" list --components | matches 'db{az="1",op="read"}' || fail "list --components"
"$tools/promcb-export" --check || fail "--check with labels"
"$tools/promcb-record" 'db{le="1"}' --latency=1 --success 2>"$scratch/err"
[ $? = 1 ] || fail "the label le was taken"
one_line "the label le"
grep -q 'no label of a component is called component, segment, ' "$scratch/err" || fail "le: $(cat "$scratch/err")"
has 'circuit_breaker_calls_total{component="_overflow"} 5'

# Many processes at once lose nothing.
for _ in $(seq 8); do
  (for _ in $(seq 25); do "$tools/promcb-record" crowd --latency=0.001 --success || exit 1; done) &
done
wait
has 'circuit_breaker_calls_total{component="crowd"} 200'
has 'circuit_breaker_latency_seconds_sum{component="crowd"} 0.2'

# Longer than a latency can be: recorded as the longest, and said so.
"$tools/promcb-record" backup --latency=7200 --success 2>"$scratch/err" || fail "a job of two hours"
one_line "a job of two hours"
grep -q -e '--latency=7200: latencies above 1099.5 s' "$scratch/err" || fail "two hours: $(cat "$scratch/err")"
has 'promcb_saturated_calls_total 1'

# Root records into another user's segment, and is warned.
if [ "$(id -u)" = 0 ]; then
  "$tools/promcb-record" owned --log=info 2>"$scratch/err" || fail "record"
  filled "$scratch/err" && fail "a segment of its own: $(cat "$scratch/err")"
  chown 65534 "/dev/shm$PROMCB_SEGMENT"
  "$tools/promcb-record" owned --log=info 2>"$scratch/err" || fail "record into another user's segment"
  one_line "another user's segment"
  grep -q 'belongs to user 65534' "$scratch/err" || fail "another user's segment: $(cat "$scratch/err")"
fi

# An error is counted by its type, and is no call but with --failure.
"$tools/promcb-record" 'errors{op="read"}' --error=rejected || fail "record"
"$tools/promcb-record" 'errors{op="read"}' --failure --error=timeout || fail "record"
has 'circuit_breaker_errors_total{component="errors",op="read",type="rejected"} 1'
has 'circuit_breaker_errors_total{component="errors",op="read",type="timeout"} 1'
has 'circuit_breaker_errors_total{component="errors",op="read",type="other"} 0'
has 'circuit_breaker_calls_total{component="errors",op="read"} 1'
has 'circuit_breaker_failures_total{component="errors",op="read"} 1'
exit 0
