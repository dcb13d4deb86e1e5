#!/bin/bash
# SPDX-License-Identifier: MIT
# --check passes a segment in use and fails damaged ones with a reason; --list-segments tells the two apart.
. "$(dirname "$0")/tools_prelude.sh"

segment=/dev/shm$PROMCB_SEGMENT
seq 2000 | sed 's/.*/component 0.00& success/' | "$tools/promcb-record" --stdin || fail "record"
seq 200 | sed 's/.*/component& 0.00& 503/' | "$tools/promcb-record" --stdin || fail "record"
"$tools/promcb-admin" reset component7 || fail "reset"
out=$("$tools/promcb-export" --check 2>&1) || fail "a good segment: $out"
[[ $out == ok* ]] || fail "a good segment: $out"
[ "$(wc -l <<<"$out")" = 1 ] || fail "a good segment: $out"

bad=/dev/shm${PROMCB_SEGMENT}_bad
failed() {
  "$tools/promcb-export" --check --segment="${PROMCB_SEGMENT}_bad" >"$scratch/out" 2>"$scratch/err"
  [ $? = 1 ] || fail "$1: passed"
  [ -s "$scratch/out" ] && fail "$1: $(cat "$scratch/out")"
  grep -q "^promcb-export: ." "$scratch/err" || fail "$1: says nothing"
  "$tools/promcb-export" --segment="${PROMCB_SEGMENT}_bad" >"$scratch/out" 2>"$scratch/err"
  [ $? -le 1 ] || fail "$1: an export died"
  return 0
}
: >"$bad" && failed "an empty file"
head -c 3000 "$segment" >"$bad" && failed "the beginning of a header"
head -c 9000 "$segment" >"$bad" && failed "a file cut short"
spoil() { # block size, block
  dd of="$bad" bs="$1" seek="$2" conv=notrunc status=none
}
cp "$segment" "$bad" && printf 'x' | spoil 1 0 && failed "another magic"
cp "$segment" "$bad" && printf '\377\377' | spoil 1 8 && failed "another version"
"$tools/promcb-export" --list-segments >"$scratch/list" || fail "list"
grep -q -P -e "^usable\t$PROMCB_SEGMENT$" "$scratch/list" || fail "not listed as usable: $(cat "$scratch/list")"
grep -q -P -e "^unusable\t${PROMCB_SEGMENT}_bad\t." "$scratch/list" ||
  fail "not listed as unusable: $(cat "$scratch/list")"

# Words of all kinds overwritten: an answer, and no crash.
size=$(stat -c %s "$segment")
RANDOM=7
for i in $(seq 150); do
  cp "$segment" "$bad"
  for _ in 1 2 3 4; do
    printf '\377\377\377\377' | spoil 4 $(((RANDOM * 32768 + RANDOM) % (size / 4)))
  done
  timeout 120 "$tools/promcb-export" --check --segment="${PROMCB_SEGMENT}_bad" >/dev/null 2>&1
  [ $? -le 1 ] || fail "round $i: --check died"
  timeout 120 "$tools/promcb-export" --segment="${PROMCB_SEGMENT}_bad" >/dev/null 2>&1
  [ $? -le 1 ] || fail "round $i: an export died"
done

# Cut short under a reader that has it mapped, again and again: told, survived, and followed by what comes next.
rm -f "$bad"
"$tools/promcb-export" --segment="${PROMCB_SEGMENT}_bad" --interval=0.001 --output="$scratch/m.prom" 2>"$scratch/err" &
background=$!
current() {
  grep -q -F "calls_total{component=\"round $1\"}" "$scratch/m.prom" 2>/dev/null
}
for i in 1 2 3 4 5 6; do
  seq 500 | sed "s/.*/round $i\t0.001\tsuccess/" | "$tools/promcb-record" --segment="${PROMCB_SEGMENT}_bad" --stdin ||
    fail "record"
  await current $i
  truncate -s $((i * 20000)) "$bad"
  sleep 0.02
  kill -0 "$background" || fail "the exporter died of a file cut short"
  rm -f "$bad"
done
kill "$background"
wait "$background" || fail "the exporter: exit $?"
background=
grep -q truncated "$scratch/err" || fail "it says nothing of a file cut short: $(cat "$scratch/err")"

# What others are recording right now is no finding.
while seq 500 | sed 's/.*/busy &\t0.001\t200/'; do :; done 2>/dev/null | "$tools/promcb-record" --stdin &
background=$!
await calls "busy 500" "[1-9][0-9]*"
for _ in $(seq 50); do
  "$tools/promcb-export" --check >"$scratch/out" 2>&1 || fail "while recording: $(cat "$scratch/out")"
done
kill "$background"
wait "$background" 2>/dev/null
background=
exit 0
