#!/bin/bash
# SPDX-License-Identifier: MIT
# A container with a clock of its own (CLOCK_MONOTONIC a day ahead, or behind): counts are exact, and the recent samples
# and the time of the last failure are those of the same real time, whoever reads.
. "$(dirname "$0")/tools_prelude.sh"
. "$(dirname "$0")/steady_prelude.sh"

need_root
ahead=(unshare --time --fork --monotonic 86400)
"${ahead[@]}" true 2>/dev/null || { echo "cannot make a time namespace"; exit 77; }

# value METRIC: of an export, here or in the other time namespace.
value() {
  "${@:2}" "$tools/promcb-export" >"$scratch/metrics" || fail "export"
  sed -n "s/^$1 //p" "$scratch/metrics"
}
p50='circuit_breaker_latency_seconds{component="clock",quantile="0.5"}'
p99='circuit_breaker_latency_seconds{component="clock",quantile="0.99"}'
failure='circuit_breaker_last_failure_timestamp_seconds{component="clock"}'
rate='circuit_breaker_recent_failure_rate{component="clock"}'

# everywhere METRIC MINIMUM MAXIMUM: its value lies between, for readers of both namespaces.
everywhere() {
  local value
  for value in "$(value "$1")" "$(value "$1" "${ahead[@]}")"; do
    awk -v value="$value" -v least="$2" -v most="$3" \
      'BEGIN { exit !(value != "" && value >= least && value <= most) }' ||
      fail "$4: $1 is ${value:-missing}, expected $2 to $3"
  done
}

start here "$steady" "$PROMCB_SEGMENT" clock 2
start there "${ahead[@]}" "$steady" "$PROMCB_SEGMENT" clock 2
began=$(date +%s)
# The newest thousand of both: 1 ms here, 1 s there.
tell here "calls 200"
everywhere "$p50" 0.0009 0.0011 "calls of here"
tell there "slow 1000"
calls clock 2400 || fail "calls: $(value 'circuit_breaker_calls_total{component="clock"}')"
everywhere "$p50" 0.9 1.1 "calls of there"
everywhere "$failure" "$((began - 2))" "$(($(date +%s) + 2))" "the last failure"
# 500 of each are the newest, in either order of time: here come the later ones.
tell here "calls 1000"
calls clock 4400 || fail "calls: $(value 'circuit_breaker_calls_total{component="clock"}')"
everywhere "$p50" 0.0009 0.0011 "later calls of here"
everywhere "$rate" 9 11 "later calls of here"

# A lane changes its namespace: its old samples are forgotten, its counts are not.
kill_producer there
start next "$steady" "$PROMCB_SEGMENT" clock 2
tell next "slow 1000"
calls clock 6400 || fail "calls after adoption: $(value 'circuit_breaker_calls_total{component="clock"}')"
everywhere "$p50" 0.9 1.1 "calls of the adopter"
kill_producer next
start again "${ahead[@]}" "$steady" "$PROMCB_SEGMENT" clock 2
tell again "calls 1000"
calls clock 8400 || fail "calls after adoption there: $(value 'circuit_breaker_calls_total{component="clock"}')"
everywhere "$p50" 0.0009 0.0011 "calls of the adopter there"

# A reset there, and here, forgets the samples of both, for readers of both.
for who in again here; do
  tell again "slow 50"
  tell here "slow 50"
  tell $who reset
  # A tick is a millisecond: what comes in the tick of the reset is not after it.
  tick=$(date +%s%N)
  until [ $(($(date +%s%N) - tick)) -gt 20000000 ]; do :; done
  tell here "calls 100"
  calls clock 200 || fail "calls after a reset: $(value 'circuit_breaker_calls_total{component="clock"}')"
  everywhere "$p99" 0.0009 0.0011 "after a reset in \"$who\""
  everywhere 'circuit_breaker_calls_total{component="clock"}' 200 200 "after a reset in \"$who\""
done

# Series have no clock of their own: the same for both, whoever counts, and whoever has the lane next.
tell here "series 20"
tell again "series 20"
kill_producer again
start last "${ahead[@]}" "$steady" "$PROMCB_SEGMENT" clock 2
tell last "series 20"
counted 60 6 || fail "series of two namespaces"
grep '^steady_' "$scratch/counted" >"$scratch/here"
"${ahead[@]}" "$tools/promcb-export" | grep '^steady_' >"$scratch/there"
filled "$scratch/here" || fail "no series"
cmp "$scratch/here" "$scratch/there" || fail "series differ by who reads"
finish here
exit 0
