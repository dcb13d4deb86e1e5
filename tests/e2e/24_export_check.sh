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
  filled "$scratch/out" && fail "$1: $(cat "$scratch/out")"
  grep -q "^promcb-export: ." "$scratch/err" || fail "$1: says nothing"
  "$tools/promcb-export" --segment="${PROMCB_SEGMENT}_bad" >"$scratch/out" 2>"$scratch/err"
  [ $? -le 1 ] || fail "$1: an export died"
  return 0
}
: >"$bad" || fail "no empty file"
failed "an empty file"
head -c 3000 "$segment" >"$bad" || fail head
failed "the beginning of a header"
head -c 9000 "$segment" >"$bad" || fail head
failed "a file cut short"
# spoiled OFFSET BYTES: a copy with other bytes there.
spoiled() {
  cp --sparse=never "$segment" "$bad" && printf "$2" | dd of="$bad" bs=1 seek="$1" conv=notrunc status=none ||
    fail "spoil $1"
  succeeds cmp -s "$segment" "$bad" && fail "$1: nothing is spoiled"
}
spoiled 0 x
failed "another magic"
spoiled 8 '\377\377'
failed "another version"
"$tools/promcb-export" --list-segments >"$scratch/list" || fail "list"
grep -q -P -e "^usable\t$PROMCB_SEGMENT$" "$scratch/list" || fail "not listed as usable: $(cat "$scratch/list")"
grep -q -P -e "^unusable\t${PROMCB_SEGMENT}_bad\t." "$scratch/list" ||
  fail "not listed as unusable: $(cat "$scratch/list")"

# Words of all kinds overwritten: an answer, and no crash. A copy with holes would be refused before anybody looks at
# its words. (fuzz_segment tries far more of it, in one process.)
cp --sparse=never "$segment" "$bad" || fail cp
"$tools/promcb-export" --check --segment="${PROMCB_SEGMENT}_bad" >"$scratch/out" || fail "a copy"
used_bytes=$(($(stat -c %b "$segment") * 512))
python3 - "$tools/promcb-export" "$bad" "$(scaled 150)" $used_bytes <<'PYTHON' || fail "with words overwritten"
import os
import random
import subprocess
import sys

export, path, rounds, used_bytes = *sys.argv[1:3], *map(int, sys.argv[3:])
file = os.open(path, os.O_RDWR)
random.seed(7)
found = 0
for number in range(rounds):
    # Half of them among the tables, which come first.
    places = [random.randrange(used_bytes // (32, 1)[i % 2] // 4) * 4 for i in range(4)]
    words = [os.pread(file, 4, place) for place in places]
    for place in places:
        os.pwrite(file, b"\xff" * 4, place)
    for options in (["--check"], []):
        status = subprocess.run([export, "--segment=" + path, *options], stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL, timeout=120).returncode
        assert status in (0, 1), f"round {number}: {options}: status {status}"
        found += status
    for place, word in zip(places, words):
        os.pwrite(file, word, place)
assert found or rounds < 100, "none of them was noticed"
print(f"{rounds} spoiled copies, {found} answers that tell of it")
PYTHON
"$tools/promcb-export" --check --segment="${PROMCB_SEGMENT}_bad" >"$scratch/out" || fail "a copy that was mended"

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
for _ in $(seq "$(scaled 50)"); do
  "$tools/promcb-export" --check >"$scratch/out" 2>&1 || fail "while recording: $(cat "$scratch/out")"
done
kill "$background"
wait "$background" 2>/dev/null
background=
exit 0
