#!/bin/bash
# SPDX-License-Identifier: MIT
# A thousand scrapes a second and more, over keep-alive connections, while producers record and the sidecar is ended in
# their middle: no error, no answer cut short, flat memory, and counts that agree.
. "${0%/*}/tools_prelude.sh"
. "${0%/*}/sidecar_http.sh"
command -v wrk >/dev/null || { echo "wrk is not installed"; exit 77; }
seconds=${PROMCB_LOAD_SECONDS:-$(scaled 8)}

resident() {
  awk '/^RssAnon:/ { print $2 }' "/proc/$background/status"
}

# Every answer is a 200 whose length is what was said; wrk counts what is not.
cat >"$scratch/check.lua" <<'LUA'
function init() requests = 0; bad = 0 end
local accepts = {
  "text/plain", "application/openmetrics-text;version=1.0.0",
  "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
}
function request()
  requests = requests + 1
  return wrk.format("GET", "/metrics", { ["Accept"] = accepts[requests % 3 + 1], ["Accept-Encoding"] = "gzip" })
end
LUA

"$PROMCB_BUILD/tests/e2e_producers" "$PROMCB_SEGMENT" "$(scaled 3000000)" >"$scratch/expected" &
producers=$!
start --log.level=info
wrk -t1 -c16 -d"$(scaled 2)" -s "$scratch/check.lua" "$url/metrics" >"$scratch/wrk" 2>&1 ||
  fail "wrk: $(cat "$scratch/wrk")"
before=$(resident)
wrk -t1 -c16 -d"$seconds" -s "$scratch/check.lua" "$url/metrics" >"$scratch/wrk" 2>&1 ||
  fail "wrk: $(cat "$scratch/wrk")"
after=$(resident)
matches -q -E 'Non-2xx|Socket errors' "$scratch/wrk" && fail "$(cat "$scratch/wrk")"
rate=$(awk '/^Requests\/sec:/ { print int($2) }' "$scratch/wrk")
# A sanitizer keeps what was freed.
grep -q libasan "/proc/$background/maps" || [ "$after" -lt $((before + 8192)) ] ||
  fail "anonymous memory grew from $before to $after KiB"
wait $producers || fail "producers"
# What they recorded is what is served.
answers 200 /metrics
compared=0
while read -r name calls failures rest; do
  [[ $rest == *' '* || -z $failures ]] && continue
  grep -q -x -F "circuit_breaker_calls_total{component=\"$name\"} $calls" "$scratch/body" ||
    fail "$name: not $calls calls"
  compared=$((compared + 1))
done < <(grep -E '^[a-z]+ [0-9]+ [0-9]+ [0-9]+$' "$scratch/expected")
[ $compared = 3 ] || fail "the calls of $compared components, not of three, were compared"

# SIGTERM in the middle: whoever was answered was answered whole.
wrk -t1 -c16 -d"$((1 + $(scaled 2)))" -s "$scratch/check.lua" "$url/metrics" >"$scratch/wrk" 2>&1 &
load=$!
await grep -q . "/proc/$background/status"
(
  while kill -0 "$background" 2>/dev/null; do
    curl -s -o "$scratch/one" "$url/metrics" || echo "$?"
  done
) >"$scratch/ends" &
curls=$!
sleep 0.5 # of load, so that the end falls into it
stop
wait $load $curls
# 7: nobody listens any more; 52 and 56: a connection that was not yet answered; 18 would be half an answer.
matches -v -x -E '7|52|56' "$scratch/ends" && fail "curl ended with the above"
echo "$rate scrapes a second; anonymous memory $before KiB, then $after KiB"
