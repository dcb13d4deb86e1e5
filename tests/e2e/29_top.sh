#!/bin/bash
# SPDX-License-Identifier: MIT
# promcb-top: tables and JSON against what was recorded, a dead service's segment, and a terminal.
. "${0%/*}/tools_prelude.sh"
for program in python3 jq; do
  command -v $program >/dev/null || { echo "$program is not installed"; exit 77; }
done
top=$tools/top/promcb-top

succeeds "$top" --once >"$scratch/out" 2>"$scratch/err" && fail "a segment that is not there"
one_line "no segment"
{ seq 97 | sed 's/.*/payment_api 0.001 success/'; seq 3 | sed 's/.*/payment_api 8 failure/'; } |
  "$tools/promcb-record" --stdin || fail record
"$tools/promcb-record" quiet --success || fail record
"$tools/promcb-record" breaker --state=open || fail record

# -- A file of a service that is gone: everything since its creation, exactly ------------------------------------------
cp "/dev/shm$PROMCB_SEGMENT" "$scratch/segment" || fail cp
(cd "$scratch" && "$top" --format=json segment) >"$scratch/json" || fail "a file"
jq -e '.components | map({key: .name, value: .}) | from_entries | .payment_api.window as $w |
  $w.calls == 100 and $w.failed == 3 and $w.p50[0] <= 0.001 and $w.p50[1] >= 0.001 and
  $w.p99[0] <= 8 and $w.p99[1] >= 8 and $w.p999 == null and .quiet.calls == 1 and .breaker.breaker.state == "open"' \
  "$scratch/json" >/dev/null || fail "not what was recorded: $(cat "$scratch/json")"
jq -e '.components[0].name == "breaker" and .components[1].name == "payment_api"' "$scratch/json" >/dev/null ||
  fail "not what is wrong first: $(cat "$scratch/json")"
"$top" --once "$scratch/segment" >"$scratch/out" || fail "a file as a table"
grep -q '^ payment_api  *-  *3\.00  *-  *' "$scratch/out" || fail "the table: $(cat "$scratch/out")"
"$top" --check-breakers "$scratch/segment" >"$scratch/out"
[ $? = 3 ] || fail "--check-breakers"
head -c 4096 /dev/urandom >"$scratch/noise"
succeeds "$top" --once "$scratch/noise" >"$scratch/out" 2>"$scratch/err" && fail "noise is shown"
one_line "noise"

# -- Live: what came in between ----------------------------------------------------------------------------------------
"$top" --count=600 --interval=0.2 --format=json >"$scratch/json" 2>"$scratch/err" &
background=$!
# tables NUMBER: whether so many are there.
tables() {
  [ "$(grep -c '^{' "$scratch/json")" -ge "$1" ]
}
await tables 1
seq 1000 | sed 's/.*/payment_api 0.002 success/' | "$tools/promcb-record" --stdin || fail record
# In whichever tables the calls are: the totals in the end have all of them, and a window has some.
seen() {
  jq -e -s 'any(.[]; any(.components[]; .name == "payment_api" and .calls == 1100 and .window.calls > 0))' \
    "$scratch/json" >/dev/null 2>&1
}
await seen
kill "$background"
wait "$background" 2>/dev/null
background=
succeeds "$top" --once >/dev/full 2>"$scratch/err" && fail "a full disk is no error"
one_line "a full disk"
"$top" --once --match='pay*' --sort=name --window=all --interval=0.2 >"$scratch/out" || fail "--match"
matches -q quiet "$scratch/out" && fail "--match shows others"

# -- Recorded: what came in between, to the last call, whatever becomes of who recorded it -----------------------------
"$top" --count=600 --interval=0.2 --record="$scratch/tape" >/dev/null 2>"$scratch/err" &
background=$!
# recorded FILTER: what all of the recording says of payment_api.
recorded() {
  "$top" --window=all --format=json "$scratch/tape" >"$scratch/json" 2>"$scratch/said" &&
    jq -e ".history.columns as \$columns | .components[] | select(.name == \"payment_api\") | $1" "$scratch/json" \
      >/dev/null
}
await recorded '$columns > 0'
{ seq 2000 | sed 's/.*/payment_api 0.002 success/'; echo payment_api 8 failure; } | "$tools/promcb-record" --stdin ||
  fail record
await recorded '.window.calls == 2001'
kill -KILL "$background"
wait "$background" 2>/dev/null
background=
recorded '.window.calls == 2001 and .window.failed == 1 and .calls == 3101 and .window.p50[1] >= 0.002' ||
  fail "not what was recorded: $(cat "$scratch/json")"
"$top" "$scratch/tape" >"$scratch/out" || fail "a recording as a table"
grep -q payment_api "$scratch/out" || fail "the table of a recording: $(cat "$scratch/out")"
# Of one that is not whole, all that is; and none that is damaged.
head -c -1 "$scratch/tape" >"$scratch/cut"
"$top" --once "$scratch/cut" >"$scratch/out" || fail "a recording that was cut"
grep -q payment_api "$scratch/out" || fail "the table of a recording that was cut: $(cat "$scratch/out")"
{ head -c 60 "$scratch/tape"; printf damaged; tail -c +68 "$scratch/tape"; } >"$scratch/damaged"
succeeds "$top" --once "$scratch/damaged" >"$scratch/out" 2>"$scratch/err" && fail "a damaged recording is shown"
one_line "a damaged recording"
succeeds "$top" --once --record="$scratch/tape" >"$scratch/out" 2>"$scratch/err" && fail "a recording is written over"
one_line "a recording that is there"
succeeds "$top" --once --interval=0.2 --record=/dev/full >"$scratch/out" 2>"$scratch/err" &&
  fail "a recording to nowhere"
one_line "a recording to nowhere"

# -- A terminal --------------------------------------------------------------------------------------------------------
mkdir "$scratch/terminal"
python3 "${0%/*}/29_top.py" "$top" payment_api "$scratch/terminal" || fail "in a terminal"
exit 0
