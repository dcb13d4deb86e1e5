#!/bin/bash
# SPDX-License-Identifier: MIT
# On a pipe that stays open, what came is seen at once, whole lines or in pieces; a large stream is counted exactly.
. "$(dirname "$0")/tools_prelude.sh"

mkfifo "$scratch/pipe"
"$tools/promcb-record" --stdin <"$scratch/pipe" 2>"$scratch/err" &
background=$!
exec 9>"$scratch/pipe"
echo 'live 0.5 200' >&9
await calls live 1
printf 'live 0.5 200\nlive 0.' >&9
await calls live 2
printf '5 5' >&9
printf '03\nlive' >&9
await calls live 3
has 'circuit_breaker_failures_total{component="live"} 1'
printf ' 1 200' >&9
exec 9>&-
wait "$background" || fail "exit $?: $(cat "$scratch/err")"
background=
has 'circuit_breaker_calls_total{component="live"} 4'
has 'circuit_breaker_latency_seconds_sum{component="live"} 2.5'

# Killed without warning, it has lost nothing of what it had read.
"$tools/promcb-record" --stdin <"$scratch/pipe" 2>"$scratch/err" &
background=$!
exec 9>"$scratch/pipe"
seq 1000 | sed 's/.*/killed 0.001 200/' >&9
await calls killed 1000
kill -KILL "$background"
wait "$background" 2>/dev/null
background=
exec 9>&-
has 'circuit_breaker_calls_total{component="killed"} 1000'

# Standard input that does not block.
if command -v python3 >/dev/null; then
  python3 -c '
import os, subprocess, sys, time
read, write = os.pipe()
os.set_blocking(read, False)
child = subprocess.Popen([sys.argv[1], "--stdin"], stdin=read)
os.close(read)
for _ in range(3):
    time.sleep(0.05)
    os.write(write, b"nonblocking 1 success\n")
os.close(write)
sys.exit(child.wait())' "$tools/promcb-record" || fail "standard input that does not block"
  has 'circuit_breaker_calls_total{component="nonblocking"} 3'
fi

# Two streams of 300,000 lines over seven components, read in reads of all sizes.
stream() {
  awk 'BEGIN {
    for (i = 0; i < 300000; i++)
      printf "GET_/route/%d %.6f %d\n", i % 7, (i % 1000) / 1000000, i % 10 ? 200 : 503
  }'
}
stream >"$scratch/stream"
"$tools/promcb-record" --stdin <"$scratch/stream" &
background=$!
dd if="$scratch/stream" bs=4093 status=none | "$tools/promcb-record" --stdin || fail "a stream in pieces"
wait "$background" || fail "a stream at once"
background=
"$tools/promcb-export" --match=GET >"$scratch/metrics"
total() {
  awk -v name="$1{" 'index($0, name) == 1 { sum += $NF } END { printf "%.6f", sum }' "$scratch/metrics"
}
[ "$(total circuit_breaker_calls_total)" = 600000.000000 ] || fail "calls: $(total circuit_breaker_calls_total)"
[ "$(total circuit_breaker_failures_total)" = 60000.000000 ] ||
  fail "failures: $(total circuit_breaker_failures_total)"
[ "$(total circuit_breaker_latency_seconds_sum)" = 299.700000 ] ||
  fail "sum: $(total circuit_breaker_latency_seconds_sum)"
exit 0
