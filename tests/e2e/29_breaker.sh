#!/bin/bash
# SPDX-License-Identifier: MIT
# One breaker for pre-forked workers whose server is away, and comes back: it opens, refuses, and closes; and all that
# is exported adds up.
. "${0%/*}/tools_prelude.sh"
here=${0%/*}
python=/usr/bin/python3

# value SERIES: of an export.
value() {
  "$tools/promcb-export" | awk -v series="$1" 'index($0, series " ") == 1 { print substr($0, length(series) + 2) }'
}
# more SERIES NUMBER: whether it is more than that.
more() {
  awk -v value="$(value "$1")" -v than="$2" 'BEGIN { exit !(value != "" && value + 0 > than) }'
}

port=$("$python" "$here/free_ports.py" 1) || fail "no port"
"$PROMCB_BUILD/tools/examples/promcb-client" "$port" 600 2>"$scratch/err" &
background=$!
refused='circuit_breaker_not_permitted_calls_total{component="server",reason="open"}'
await more "$refused" 0
await more 'circuit_breaker_probes_total{component="server",result="bad"}' 0
has 'circuit_breaker_threshold{component="server",kind="failure_ratio"} 0.3'
has 'circuit_breaker_mode{component="server",mode="automatic"} 1'
more 'circuit_breaker_failures_by_class_total{component="server",class="connect"}' 19 ||
  fail "fewer failures than it takes"
"$tools/promcb-export" --format=openmetrics | grep -q '^circuit_breaker_permitted_calls_total{component="server"} ' ||
  fail "OpenMetrics has no breaker"

"$python" - "$port" <<'END' &
import socket
import sys
server = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=1000)
while True:
    server.accept()[0].close()
END
server=$!
closed='circuit_breaker_state{component="server",state="closed"}'
await more "$closed" 0
await more 'circuit_breaker_successes_total{component="server"}' 100
kill "$server"
wait "$server" 2>/dev/null
await more 'circuit_breaker_state_transitions_total{component="server",state="open"}' 1

# All workers end at once, wherever they are. What was let through was recorded, but for the call that each was in.
kill_workers() {
  for child in $(cat /proc/"$background"/task/*/children); do
    kill -KILL "$child"
  done
}
kill_workers
wait "$background" || fail "the client: $(cat "$scratch/err")"
background=
begun=$(value 'circuit_breaker_permitted_calls_total{component="server"}')
calls=$(value 'circuit_breaker_calls_total{component="server"}')
[ "$begun" -ge "$calls" ] && [ "$begun" -le $((calls + 4)) ] ||
  fail "$begun calls were let through, and $calls were recorded"
"$tools/promcb-export" --check >"$scratch/check" || fail "check: $(cat "$scratch/check")"
