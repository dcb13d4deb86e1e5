#!/bin/bash
# SPDX-License-Identifier: MIT
# remove refuses while a producer lives, unless forced; then recording goes on in a new segment.
. "$(dirname "$0")/tools_prelude.sh"

file=/dev/shm$PROMCB_SEGMENT

mkfifo "$scratch/pipe"
"$tools/promcb-record" --stdin <"$scratch/pipe" &
background=$!
exec 9>"$scratch/pipe"
echo 'live 1 200' >&9
await calls live 1
"$tools/promcb-admin" info | grep -q '^producers  *1 ' || fail "no producer: $("$tools/promcb-admin" info)"
"$tools/promcb-admin" info | grep -q '^lanes live  *1 ' || fail "no live lane: $("$tools/promcb-admin" info)"
"$tools/promcb-admin" remove 2>"$scratch/err"
[ $? = 1 ] || fail "removed under a producer"
one_line "not one line"
grep -q -e "--force" "$scratch/err" || fail "no hint to --force: $(cat "$scratch/err")"
has 'circuit_breaker_calls_total{component="live"} 1'
# A refused remove is no harm to the producer.
echo 'live 1 200' >&9
await calls live 2

"$tools/promcb-admin" remove --force || fail "remove --force"
[ -e "$file" ] && fail "the segment is still there"
# It notices within 65,536 calls of a lane.
awk 'BEGIN { for (i = 0; i < 200000; i++) print "live 1 200" }' >&9
exec 9>&-
wait "$background" || fail "the producer: exit $?"
background=
calls=$("$tools/promcb-export" | sed -n 's/^circuit_breaker_calls_total{component="live"} //p')
[ "${calls:-0}" -ge 134464 ] && [ "$calls" -le 200000 ] ||
  fail "${calls:-none} of 200,000 calls are in the new segment"

"$tools/promcb-admin" remove || fail "remove after the producer"
[ -e "$file" ] && fail "the segment is still there"
"$tools/promcb-admin" remove 2>/dev/null && fail "removed twice"
# One that was killed is no producer.
"$tools/promcb-record" --stdin <"$scratch/pipe" &
background=$!
exec 9>"$scratch/pipe"
echo 'live 1 200' >&9
await calls live 1
kill -KILL "$background"
wait "$background" 2>/dev/null
background=
exec 9>&-
"$tools/promcb-admin" remove || fail "remove after a producer was killed"
exit 0
