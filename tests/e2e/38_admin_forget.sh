#!/bin/bash
# SPDX-License-Identifier: MIT
# forget takes components and series out of every export, by name, by labels and by age; who records there again begins
# at 0, and what is still in use stays.
. "$(dirname "$0")/tools_prelude.sh"

refused() {
  succeeds "$tools/promcb-admin" forget "$@" 2>"$scratch/err" >"$scratch/out" && fail "forget $*: succeeded"
  one_line "forget $*"
}
# forgets WHAT ARGUMENTS: prints that.
forgets() {
  local what=$1
  shift
  "$tools/promcb-admin" forget "$@" >"$scratch/out" || fail "forget $*"
  [ "$(cat "$scratch/out")" = "forgot $what" ] || fail "forget $*: $(cat "$scratch/out"), not: forgot $what"
}
add() {
  "$tools/promcb-record" --add "$@" || fail "record $*"
}

refused --idle=30d
[ -e "/dev/shm$PROMCB_SEGMENT" ] && fail "forget made a segment"
add 'jobs_total{queue="mail",host="a"}' 5
add 'jobs_total{queue="mail",host="b"}' 6
add 'jobs_total{queue="image",host="a"}' 7
add 'jobs_total{colour="red"}' 8
add waiting 3
add 'kept_total{queue="mail"}' 9
printf 'db{op="read"} 1 200\ndb{op="write"} 1 200\ndb 1 200\nother 1 200\n' |
  "$tools/promcb-record" --stdin || fail "record"
for op in read write; do
  "$tools/promcb-record" "db{op=\"$op\"}" --success || fail "record"
done

# By labels, in any order, some of them or all.
forgets '0 components, 1 series' 'jobs_total{queue="mail", host="a"}'
hasnt 'host="a",queue="mail"'
has 'jobs_total{host="b",queue="mail"} 6'
forgets '0 components, 1 series' 'jobs_total{host="a"}'
hasnt 'queue="image"'
refused 'jobs_total{queue="image"}'
grep -q 'no component and no series' "$scratch/err" || fail "of what is gone: $(cat "$scratch/err")"
refused jobs
# It begins anew.
add 'jobs_total{queue="image",host="a"}' 2
has 'jobs_total{host="a",queue="image"} 2'
# All of a name, whatever its labels are called.
forgets '0 components, 3 series' jobs_total
hasnt jobs_total{
has 'kept_total{queue="mail"} 9'
forgets '0 components, 1 series' waiting
hasnt waiting

forgets '1 component, 0 series' 'db{op="read"}'
hasnt 'op="read"'
has 'circuit_breaker_calls_total{component="db",op="write"} 2'
forgets '2 components, 0 series' db
hasnt 'component="db"'
has 'circuit_breaker_calls_total{component="other"} 1'
"$tools/promcb-record" 'db{op="read"}' --success || fail "record"
has 'circuit_breaker_calls_total{component="db",op="read"} 1'
# An open breaker stays, or an alert would fall silent; and that is said.
"$tools/promcb-record" 'db{op="read"}' --state=open || fail "record"
"$tools/promcb-admin" forget db >/dev/null 2>"$scratch/err" || fail "forget an open one"
one_line "forget an open one"
has 'circuit_breaker_state{component="db",op="read",state="open"} 1'

# By age: what was noted before, and is what it was.
"$tools/promcb-record" busy --log=info || fail "record"
add 'jobs_total{queue="still"}' 1
add 'jobs_total{queue="busy"}' 1
add waiting 4
add empty 4
add empty -4
"$tools/promcb-record" --set backup_timestamp_seconds 5 || fail "record"
forgets '0 components, 0 series' --idle=1d
add 'jobs_total{queue="busy"}' 1
forgets '0 components, 0 series' --idle=1d
add 'jobs_total{queue="busy"}' 1
forgets '1 component, 3 series' --idle=0s
hasnt 'component="other"'
hasnt 'queue="still"'
hasnt kept_total
hasnt empty
has 'jobs_total{queue="busy"} 3'
has 'waiting 4'
has 'backup_timestamp_seconds 5'
has 'log_entries_total{component="busy",level="info"} 1'
has 'circuit_breaker_state{component="db",op="read",state="open"} 1'
forgets '0 components, 1 series' --idle=0s
hasnt 'queue="busy"'
"$tools/promcb-export" --check >/dev/null || fail "check"
exit 0
