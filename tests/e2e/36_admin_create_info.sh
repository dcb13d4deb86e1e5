#!/bin/bash
# SPDX-License-Identifier: MIT
# A segment is created with the sizes, mode and owner asked for, once; info tells them.
. "$(dirname "$0")/tools_prelude.sh"

file=/dev/shm$PROMCB_SEGMENT
value() {
  sed -n "s/^$1  *//p" "$scratch/info"
}
is() {
  "$tools/promcb-admin" info >"$scratch/info" || fail "info"
  [ "$(value "$1")" = "$2" ] || fail "$1 is $(value "$1"), not $2"
}
starts() {
  "$tools/promcb-admin" info >"$scratch/info" || fail "info"
  [[ $(value "$1") == "$2"* ]] || fail "$1 is $(value "$1"), not $2"
}

out=$(umask 077; "$tools/promcb-admin" create 2>&1) || fail "create: $out"
[ -n "$out" ] && fail "create said $out"
[ "$(stat -c %a "$file")" = 640 ] || fail "mode $(stat -c %a "$file")"
[ "$(stat -c %u "$file")" = "$(id -u)" ] || fail "owner"
starts segment "$file"
starts "memory at most" "32.0 MiB (33554432 bytes)"
starts "recent samples" "1000 "
starts window "600 "
starts "lanes at most" 256
starts components "0 of at most 102"
succeeds "$tools/promcb-admin" create 2>"$scratch/err" && fail "created twice"
one_line "created twice"
"$tools/promcb-admin" remove || fail "remove"

"$tools/promcb-admin" --segment="$PROMCB_SEGMENT" create --max-bytes=64M --components=100 --lanes=8 \
  --recent-samples=500 --window=any --schema=5 --mode=0660 --owner="$(id -un)" --group="$(id -g)" || fail "create"
[ "$(stat -c %a:%u:%g "$file")" = "660:$(id -u):$(id -g)" ] || fail "mode or owner: $(stat -c %a:%u:%g "$file")"
starts "memory at most" "64.0 MiB (67108864 bytes)"
starts components "0 of at most "
starts "lanes at most" 8
starts "recent samples" "500 "
is window "calls of any age"
is "histogram schema" 5
"$tools/promcb-record" component --latency=1 --success || fail "record"
starts components "1 of at most "
starts "lanes idle" "1 "
starts producers "0 "
printf 'component x 200\ncomponent 5000 200\n' | "$tools/promcb-record" --stdin 2>/dev/null
starts "rejected calls" "0 "
starts "bad lines" "1 "
starts "saturated calls" "1 "
starts families "0 "
starts "series rejected" "0 "
"$tools/promcb-export" --check >/dev/null || fail "check"
# The same as JSON: what is in no lines is null.
if command -v jq >/dev/null; then
  "$tools/promcb-admin" info --format=json >"$scratch/json" || fail "info --format=json"
  [ "$(jq -r '[.segment, .format, .max_bytes, .components, .lanes_max, .recent_samples, .window_seconds, .schema,
    .bad_lines, .saturated_calls, .producers, .lanes_idle] | map(tostring) | join(" ")' <"$scratch/json")" = \
    "$file $(value format) 67108864 1 8 500 null 5 1 1 0 1" ] || fail "JSON: $(cat "$scratch/json")"
  [ "$(jq '.created | floor' <"$scratch/json")" = "$(date +%s -d "$(value created)")" ] || fail "JSON: created"
  # As many facts as there are lines, and two that the lines have in one of theirs or leave out.
  [ "$(jq length <"$scratch/json")" = $(($(wc -l <"$scratch/info") + 2)) ] || fail "JSON: $(cat "$scratch/json")"
  # A path may have bytes that JSON has not.
  odd=$scratch/$'a"\\\t\377\303\251'
  "$tools/promcb-admin" create --segment="$odd" 2>"$scratch/err" || fail "create $odd"
  [ "$("$tools/promcb-admin" info --segment="$odd" --format=json | jq -r .segment)" = \
    "$scratch/"$'a"\\\t\357\277\275\303\251' ] || fail "JSON of an odd path"
fi
"$tools/promcb-admin" remove || fail "remove"

if [ "$(id -u)" = 0 ] && id nobody >/dev/null 2>&1; then
  "$tools/promcb-admin" create --owner=nobody --group="$(id -gn nobody)" || fail "create for another"
  [ "$(stat -c %U "$file")" = nobody ] || fail "owner $(stat -c %U "$file")"
  "$tools/promcb-admin" remove || fail "remove"
fi
for size in 1K 100T 17G; do
  succeeds "$tools/promcb-admin" create --max-bytes=$size 2>"$scratch/err" && fail "created with $size"
  [ -e "$file" ] && fail "left with $size"
done
# What does not fit says what would, and that does.
succeeds "$tools/promcb-admin" create --components=65000 2>"$scratch/err" && fail "65000 components in 32 MiB"
one_line "65000 components"
least=$(sed -n 's/.*need at least \([0-9]*K\)$/\1/p' "$scratch/err")
[ -n "$least" ] || fail "it does not say what would do: $(cat "$scratch/err")"
"$tools/promcb-admin" create --components=65000 --max-bytes="$least" || fail "$least do not do"
"$tools/promcb-admin" remove || fail "remove"
# A place where no file can be made is not a segment that is missing.
succeeds "$tools/promcb-admin" create --segment=/proc/app 2>"$scratch/err" && fail "a segment in /proc"
matches -q "no such segment" "$scratch/err" && fail "of /proc: $(cat "$scratch/err")"
succeeds "$tools/promcb-record" --segment=/proc/app x --log=info 2>"$scratch/err" && fail "a segment in /proc"
matches -q "no such segment" "$scratch/err" && fail "of /proc: $(cat "$scratch/err")"
"$tools/promcb-admin" create --max-bytes=16m --window=30 || fail "create"
starts window "30 "
starts "memory at most" "16.0 MiB"
exit 0
