#!/bin/bash
# SPDX-License-Identifier: MIT
# Segments are removed and made anew under producers: what was recorded is in one of them, exactly. Segments are
# truncated, deleted and replaced under readers: each answers with numbers or with one sentence.
. "$(dirname "$0")/tools_prelude.sh"
. "$(dirname "$0")/steady_prelude.sh"

directory=/dev/shm${PROMCB_SEGMENT}_generations
mkdir "$directory" || fail "mkdir"
trap '[ -z "$background" ] || { kill "$background"; wait "$background"; }
  at_end
  rm -rf "$scratch" "$directory"' EXIT
export PROMCB_SEGMENT=$directory/segment

# calls_of SEGMENT
calls_of() {
  "$tools/promcb-export" --segment "$1" 2>/dev/null |
    sed -n 's/^circuit_breaker_calls_total{component="moved"} //p'
}

# They look once a second.
noticed() {
  tell one "calls 10000"
  tell two "calls 10000"
  [ -e "$PROMCB_SEGMENT" ]
}

start one "$steady" "$PROMCB_SEGMENT" moved 3
start two "$steady" "$PROMCB_SEGMENT" moved 2
tell one "calls 1000"
tell two "calls 1000"
for round in 1 2 3; do
  # By another name the removed one can still be read.
  ln "$PROMCB_SEGMENT" "$directory/old$round" || fail "ln"
  "$tools/promcb-admin" remove --force || fail "remove"
  await noticed
  tell one "calls 100000"
  in_one=${answer#recorded }
  tell two "calls 100000"
  in_two=${answer#recorded }
  sum=$(calls_of "$PROMCB_SEGMENT")
  [ "${sum:-0}" -gt 0 ] || fail "round $round: nothing in the new segment"
  for old in "$directory"/old*; do
    sum=$((sum + $(calls_of "$old")))
  done
  [ $sum = $((${in_one% refused*} + ${in_two% refused*})) ] ||
    fail "round $round: $sum calls in all generations, recorded were $in_one and $in_two"
done
# Deleted by hand, too: what came before is gone with the file, and recording goes on.
rm "$PROMCB_SEGMENT"
await noticed
# The other one, too.
sleep 1.1
noticed
before=$(calls_of "$PROMCB_SEGMENT")
tell one "calls 1000"
tell two "calls 1000"
[ "$(calls_of "$PROMCB_SEGMENT")" = $((before + 5000)) ] || fail "calls after a deletion"

# A reader of logs that gets a line now and then: the first that comes a second later is in the new segment.
mkfifo "$scratch/lines"
"$tools/promcb-record" --stdin --segment "$directory/seldom" <"$scratch/lines" 2>"$scratch/err" &
background=$!
exec 9>"$scratch/lines"
echo 'moved 0.5 200' >&9
seldom() {
  [ "$(calls_of "$directory/seldom")" = "$1" ]
}
await seldom 1
rm "$directory/seldom"
sleep 1.1
echo 'moved 0.5 200' >&9
await seldom 1
exec 9>&-
wait "$background" || fail "promcb-record: exit $?: $(cat "$scratch/err")"
background=

# Readers of a file that changes under them. Producers of it there are none: they would be killed by SIGBUS.
finish one
finish two
whole=$directory/whole
victim=$directory/victim
start three "$steady" "$whole" moved 3
tell three "calls 1000"
tell three "components 200"
finish three
cp "$whole" "$victim"
bytes=$(stat -c %s "$whole")
(
  trap 'exit 0' TERM
  n=1
  while :; do
    n=$(((n * 1103515245 + 12345) % 2147483648))
    case $((n / 65536 % 5)) in
    # Never longer again: what is filled up with zeros, or copied over itself, looks like a segment with less in it.
    0) truncate -c -s "<$((n % bytes))" "$victim" 2>/dev/null ;;
    1) truncate -c -s 0 "$victim" 2>/dev/null ;;
    2 | 3) cp "$whole" "$victim.new" && mv "$victim.new" "$victim" ;;
    4) rm -f "$victim" ;;
    esac
  done
) &
background=$!
good=0 refused=0
"$tools/promcb-export" --segment "$whole" | grep -c '^circuit_breaker_calls_total' >"$scratch/whole"
# Both are met.
for ((round = 0; round < 50 || (round < 5000 && (good == 0 || refused == 0)); round++)); do
  "$tools/promcb-export" --segment "$victim" >"$scratch/metrics" 2>"$scratch/err"
  status=$?
  case $status in
  0)
    good=$((good + 1))
    grep -c '^circuit_breaker_calls_total' "$scratch/metrics" | cmp -s - "$scratch/whole" ||
      fail "half of a segment was exported"
    ;;
  1)
    refused=$((refused + 1))
    one_line "a truncated segment"
    ;;
  *) fail "exit $status: $(cat "$scratch/err")" ;;
  esac
  "$tools/promcb-admin" info --segment "$victim" >/dev/null 2>"$scratch/err"
  status=$?
  [ $status -le 1 ] || fail "info: exit $status: $(cat "$scratch/err")"
done
kill "$background"
wait "$background" 2>/dev/null
background=
cp "$whole" "$victim.new" && mv "$victim.new" "$victim"
[ "$(calls_of "$victim")" = 3000 ] || fail "the whole one, after all"
[ $good -gt 0 ] && [ $refused -gt 0 ] || fail "$good whole exports and $refused refused: one kind was not met"
echo "$good whole exports, $refused refused"
exit 0
