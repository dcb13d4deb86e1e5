#!/bin/bash
# SPDX-License-Identifier: MIT
# --output replaces a file at once: whole at every moment, mode 0644, nothing left beside it; a failure leaves it as
# it was.
. "$(dirname "$0")/tools_prelude.sh"

for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
  echo "component number $i 0.$i success"
done | "$tools/promcb-record" --stdin --names-with-blanks || fail "record"

mkdir "$scratch/textfile"
file=$scratch/textfile/promcb.prom
alone() {
  [ "$(ls -A "$scratch/textfile")" = promcb.prom ] || fail "beside the file: $(ls -A "$scratch/textfile")"
}
(umask 077 && exec "$tools/promcb-export" --output="$file") >"$scratch/out" 2>&1 ||
  fail "export: $(cat "$scratch/out")"
filled "$scratch/out" && fail "export with --output printed $(cat "$scratch/out")"
[ "$(stat -c %a "$file")" = 644 ] || fail "mode $(stat -c %a "$file")"
alone
grep -q 'circuit_breaker_calls_total{component="component number 12"} 1' "$file" || fail "the file lacks a component"
(cd "$scratch/textfile" && "$tools/promcb-export" --output=promcb.prom) || fail "a relative name"
alone

# Whoever reads while it is being replaced finds whole bodies.
lines=$(wc -l <"$file")
"$tools/promcb-export" --output="$file" --interval=0.001 &
background=$!
for i in $(seq 300); do
  [ "$(wc -l <"$file")" = "$lines" ] || fail "a part of a file was seen"
  for name in "$scratch"/textfile/*.prom; do
    [ "$name" = "$file" ] || fail "a second file for the collector: $name"
  done
done
kill "$background"
wait "$background" || fail "SIGTERM: exit $?"
background=
alone

# A symbolic link stays, and what it leads to is replaced.
mkdir "$scratch/elsewhere"
ln -s "$file" "$scratch/elsewhere/link.prom"
echo old >"$file"
"$tools/promcb-export" --output="$scratch/elsewhere/link.prom" || fail "through a link"
[ -L "$scratch/elsewhere/link.prom" ] || fail "the link was replaced"
grep -q circuit_breaker_calls_total "$file" || fail "what the link leads to was not replaced"
[ "$(ls -A "$scratch/elsewhere")" = link.prom ] || fail "left beside the link"
alone

refused() {
  succeeds "$tools/promcb-export" "$@" >"$scratch/out" 2>"$scratch/err" && fail "$*: succeeded"
  one_line "$*"
}
cp "$file" "$scratch/before"
refused --output="$scratch/no/such/directory/x.prom"
refused --output="$scratch/textfile"
mkfifo "$scratch/fifo"
refused --output="$scratch/fifo"
refused --output="$scratch/fifo" --interval=1
[ -p "$scratch/fifo" ] || fail "a pipe was replaced"
refused --output=/dev/full
[ -c /dev/full ] || fail "a device was replaced"
refused --output="$file" --segment=/promcb_e2e_other_$$
cmp -s "$file" "$scratch/before" || fail "a failed export changed the file"
# A file that may not grow stands for a full disk.
(trap '' XFSZ && ulimit -f 1 && "$tools/promcb-export" --output="$file") 2>"$scratch/err" &&
  fail "a full disk went unnoticed"
grep -q "cannot write" "$scratch/err" || fail "a full disk: $(cat "$scratch/err")"
cmp -s "$file" "$scratch/before" || fail "a full disk cut the file short"
alone
"$tools/promcb-export" --output=- | grep -q circuit_breaker_calls_total || fail "--output=- is not standard output"
# Two exports in one textfile directory: no series is in both, and promtool takes what the node exporter makes of them.
"$tools/promcb-record" x --latency=1 --success || fail record
mkdir "$scratch/labelled"
for app in shop mail; do
  "$tools/promcb-export" --label=app=$app --output="$scratch/labelled/$app.prom" || fail "--label"
done
for app in shop mail; do
  grep -v '^#' "$scratch/labelled/$app.prom" >"$scratch/series" || fail "no series of $app"
  matches -v -F "{app=\"$app\"" "$scratch/series" && fail "without the label"
done
sed -e '/^#/d' -e 's/ [^ ]*$//' "$scratch"/labelled/*.prom | sort | uniq -d >"$scratch/doubled"
filled "$scratch/doubled" && fail "twice: $(cat "$scratch/doubled")"
for label in app =x le=1 segment=x component=x version=1 1a=b __a=1 a-b=c app= "app=$(printf '\377')" \
  "$(head -c 64 /dev/zero | tr '\0' a)=x" "a=$(head -c 256 /dev/zero | tr '\0' b)"; do
  succeeds "$tools/promcb-export" --label="$label" >"$scratch/out" 2>"$scratch/err" &&
    fail "--label=$label was accepted"
  grep -q -F NAME=VALUE "$scratch/err" || fail "--label=$label: $(cat "$scratch/err")"
done
exit 0
