#!/bin/bash
# SPDX-License-Identifier: MIT
# --hide-idle leaves out what has not changed for a time, in exports again and again as in one, and in the sidecar; what
# changes is back, with its total.
. "${0%/*}/tools_prelude.sh"
. "${0%/*}/sidecar_http.sh"

"$tools/promcb-record" still --success || fail "record"
"$tools/promcb-record" open --state=open || fail "record"
"$tools/promcb-record" --add 'jobs_total{queue="mail"}' 1000 || fail "record"
"$tools/promcb-record" --add waiting 3 || fail "record"

exported() {
  cp "$scratch/again" "$scratch/seen"
}
scraped() {
  curl -s "$url/metrics" >"$scratch/seen"
}
# hidden HOW: whether there is the rest, and not what is idle.
hidden() {
  $1 && grep -q -x -F 'waiting 3' "$scratch/seen" && grep -q -F 'component="open"' "$scratch/seen" &&
    ! grep -q -e 'component="still"' -e '^jobs_total{' "$scratch/seen"
}
# back HOW: it goes on changing, so that it cannot be idle again before it is seen; more than before.
back() {
  "$tools/promcb-record" still --success && "$tools/promcb-record" --add 'jobs_total{queue="mail"}' 1 ||
    fail "record"
  $1 && grep -q -E '^jobs_total\{queue="mail"\} 1[0-9]*[1-9]$' "$scratch/seen" &&
    grep -q -E '^circuit_breaker_calls_total\{component="still"\} ([2-9]|[1-9][0-9])' "$scratch/seen"
}

# One export knows when components were called, and not since when series are as they are.
once() {
  "$tools/promcb-export" --hide-idle=1s >"$scratch/once" && ! grep -q 'component="still"' "$scratch/once"
}
await once
grep -q -x -F 'jobs_total{queue="mail"} 1000' "$scratch/once" || fail "one export hides a series"
"$tools/promcb-export" --hide-idle=1d >"$scratch/once" || fail "export"
grep -q -x -F 'circuit_breaker_calls_total{component="still"} 1' "$scratch/once" || fail "hidden within a day"

"$tools/promcb-export" --hide-idle=1s --interval=0.05 --output="$scratch/again" &
background=$!
await [ -e "$scratch/again" ]
await hidden exported
await back exported
await hidden exported
kill -TERM "$background" && wait "$background" || fail "exit $?"

start --segment="$PROMCB_SEGMENT" --hide-idle=1s
await hidden scraped
await back scraped
await hidden scraped
stop
exit 0
