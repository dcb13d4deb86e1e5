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
# It notices within a second.
noticed() {
  echo 'live 1 200' >&9
  [ -e "$file" ]
}
await noticed
# What was sent meanwhile is counted before this is.
echo 'last 1 200' >&9
await calls last 1
before=$("$tools/promcb-export" | sed -n 's/^circuit_breaker_calls_total{component="live"} //p')
awk 'BEGIN { for (i = 0; i < 20000; i++) print "live 1 200" }' >&9
exec 9>&-
wait "$background" || fail "the producer: exit $?"
background=
has "circuit_breaker_calls_total{component=\"live\"} $((before + 20000))"

"$tools/promcb-admin" remove || fail "remove after the producer"
[ -e "$file" ] && fail "the segment is still there"
succeeds "$tools/promcb-admin" remove 2>/dev/null && fail "removed twice"
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

# What is left of a segment that was written over, or emptied, is removed by force, and no other file is.
left() { # WHAT, then the user that asks
  "$tools/promcb-record" live --latency=1 --success || fail "recording"
  chmod 666 "$file"
  case $1 in
  "written over")
    printf 'Hello from a library that prints to standard output, as libraries do\n' |
      dd of="$file" conv=notrunc status=none
    ;;
  emptied) : >"$file" ;;
  esac
  succeeds "$tools/promcb-export" >/dev/null 2>"$scratch/err" && fail "$1: exported"
  grep -q "remove --force" "$scratch/err" || [ "$1" = emptied ] || fail "$1: no hint: $(cat "$scratch/err")"
  succeeds "$tools/promcb-admin" remove 2>"$scratch/err" && fail "$1: removed without force"
  one_line "$1: not one line"
  grep -q -e "--force" "$scratch/err" || fail "$1: no hint: $(cat "$scratch/err")"
}
for what in "written over" emptied; do
  left "$what"
  if [ "$(id -u)" = 0 ]; then
    succeeds setpriv --reuid=65534 --clear-groups "$tools/promcb-admin" remove --force 2>"$scratch/err" &&
      fail "$what: removed by a stranger"
    grep -q "user 0's" "$scratch/err" || fail "$what: a stranger is told $(cat "$scratch/err")"
  fi
  "$tools/promcb-admin" remove --force || fail "$what: remove --force"
  [ -e "$file" ] && fail "$what: the file is still there"
done
head -c 300000 /dev/urandom >"$file"
succeeds "$tools/promcb-admin" remove --force 2>"$scratch/err" && fail "a file that never was a segment is removed"
one_line "not one line"
grep -q "with rm" "$scratch/err" || fail "no hint to rm: $(cat "$scratch/err")"
[ "$(stat -c %s "$file")" = 300000 ] || fail "the file is gone"
rm "$file"
mkfifo "$file"
succeeds "$tools/promcb-admin" remove --force 2>"$scratch/err" && fail "a FIFO is removed"
grep -q "not a regular file" "$scratch/err" || fail "it says $(cat "$scratch/err")"
rm "$file"
exit 0
