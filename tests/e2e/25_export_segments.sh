#!/bin/bash
# SPDX-License-Identifier: MIT
# promcb-export of several segments, by name and by pattern: one body, in every format, in which a label tells them
# apart; the same as the sidecar serves. One that is missing is told, and keeps none from being printed.
. "${0%/*}/tools_prelude.sh"
. "${0%/*}/sidecar_http.sh"

one=${PROMCB_SEGMENT}_one two=${PROMCB_SEGMENT}_two bad=${PROMCB_SEGMENT}_bad
trap '[ -z "$background" ] || kill -KILL "$background" 2>/dev/null
  rm -rf "$scratch" /dev/shm"$PROMCB_SEGMENT"*' EXIT

# export_to_out STATUS OPTION...
export_to_out() {
  local wanted=$1 status
  shift
  "$tools/promcb-export" "$@" >"$scratch/out" 2>"$scratch/err"
  status=$?
  [ $status = "$wanted" ] || fail "promcb-export $*: exit $status: $(cat "$scratch/err")"
  [ "$wanted" != 0 ] || [ ! -s "$scratch/err" ] || fail "promcb-export $*: $(cat "$scratch/err")"
}
line() {
  grep -q -x -F -e "$1" "$scratch/out" || fail "no line $1 in: $(head -c 3000 "$scratch/out")"
}

for name in "$one" "$two"; do
  "$tools/promcb-record" --segment="$name" both --latency=0.5 --success || fail record
done
"$tools/promcb-record" --segment="$two" other --latency=0.5 --failure || fail record

export_to_out 0 --segment="$one" --segment="$two"
line "circuit_breaker_calls_total{segment=\"$one\",component=\"both\"} 1"
line "circuit_breaker_failures_total{segment=\"$two\",component=\"other\"} 1"
line "promcb_up{segment=\"$one\"} 1"
[ "$(grep -c '^promcb_build_info' "$scratch/out")" = 1 ] || fail "build info twice"
# What changes from one snapshot to the next aside, a pattern finds the same, and the sidecar serves the same.
steady() {
  grep -v -E '^(promcb_scrape_duration|promcb_http|process_|# (HELP|TYPE|UNIT) (promcb_http|process_))' "$1"
}
mv "$scratch/out" "$scratch/by_name"
export_to_out 0 --segment="${PROMCB_SEGMENT}_*"
diff <(steady "$scratch/by_name") <(steady "$scratch/out") || fail "by pattern"
start --segment="${PROMCB_SEGMENT}_*" --web.disable-exporter-metrics
for format in text openmetrics; do
  accept=text/plain
  [ $format = text ] || accept='application/openmetrics-text;version=1.0.0'
  answers 200 /metrics -H "Accept: $accept"
  export_to_out 0 --segment="${PROMCB_SEGMENT#/}_[o]*" --segment="/dev/shm$two" --segment="${PROMCB_SEGMENT}_t*" \
    --format=$format --match=both
  grep -c "segment=\"/dev/shm$two\"" "$scratch/out" >/dev/null || fail "a path is its own label"
  export_to_out 0 --segment="$one" --segment="$two" --segment="$one" --format=$format
  diff <(steady "$scratch/out") <(steady "$scratch/body") || fail "$format of the sidecar"
done
stop
# One file of several names counts once: a name and its path, a link, a way through a directory that is a link.
ln "/dev/shm$one" "/dev/shm${one}_again"
ln -s /dev/shm "$scratch/linked"
start --segment="${PROMCB_SEGMENT}_*" --segment="/dev/shm$one" --segment="$scratch/linked$two" --web.share-ms=0
answers 200 /metrics
cp "$scratch/body" "$scratch/out"
[ "$(grep '^promcb_up' "$scratch/out")" = "promcb_up{segment=\"$one\"} 1
promcb_up{segment=\"$two\"} 1" ] || fail "one file twice: $(grep '^promcb_up' "$scratch/out")"
export_to_out 0 --segment="$scratch/linked$two" --segment="/dev/shm$two" --segment="$one" --segment="${one}_again"
[ "$(grep '^promcb_up' "$scratch/out")" = "promcb_up{segment=\"$scratch/linked$two\"} 1
promcb_up{segment=\"$one\"} 1" ] || fail "one file twice: $(grep '^promcb_up' "$scratch/out")"
# The other name goes on where the first one goes.
rm "/dev/shm$one"
answers 200 /metrics
grep -q -x -F -e "promcb_up{segment=\"${one}_again\"} 1" "$scratch/body" || fail "the other name is not served"
stop
mv "/dev/shm${one}_again" "/dev/shm$one"
export_to_out 0 --segment="$one" --segment="$two" --format=protobuf
grep -q -a -F "$two" "$scratch/out" || fail "protobuf has no labels"
export_to_out 0 --segment="$one" --segment="$two" --format=json
line_of_json=$(tr -d ' \n' <"$scratch/out")
case $line_of_json in
*"\"$one"both\"*"\"$two"both\"*"\"$two"other\"*) ;;
*) fail "json: $line_of_json" ;;
esac
# One that a pattern found has its label as well.
export_to_out 0 --segment="${PROMCB_SEGMENT}_o*"
line "promcb_up{segment=\"$one\"} 1"
export_to_out 0 --segment="$one"
line "promcb_up 1"

export_to_out 0 --segment="${PROMCB_SEGMENT}_*" --check
[ "$(grep -c '^ok ' "$scratch/out")" = 2 ] || fail "check: $(cat "$scratch/out")"
head -c 5000 /dev/urandom >"/dev/shm$bad"
export_to_out 1 --segment="$one" --segment="$bad" --check
line_count=$(grep -c '^ok ' "$scratch/out")
[ "$line_count" = 1 ] || fail "check: $(cat "$scratch/out")"

# What is no segment: by name it is told and has a promcb_up of 0, by pattern it is none.
export_to_out 1 --segment="$bad" --segment="$two"
one_line "no segment"
line "promcb_up{segment=\"$bad\"} 0"
line "circuit_breaker_calls_total{segment=\"$two\",component=\"both\"} 1"
export_to_out 0 --segment="${PROMCB_SEGMENT}_*"
matches -q -F -e "$bad" "$scratch/out" && fail "what is no segment has series"
rm "/dev/shm$bad"
export_to_out 1 --segment="$bad" --segment="${bad}_too"
filled "$scratch/out" && fail "nothing was read, and something printed"
export_to_out 1 --segment="${PROMCB_SEGMENT}_no_such_*"
one_line "a pattern that finds nothing"
grep -q 'no segment matches' "$scratch/err" || fail "a pattern that finds nothing: $(cat "$scratch/err")"
filled "$scratch/out" && fail "a pattern that finds nothing prints"

# A pattern is one in the environment as well. No segment is made whose name would be one; one that is there is opened.
cp "/dev/shm$one" "/dev/shm${PROMCB_SEGMENT}_o*e"
PROMCB_SEGMENT="${PROMCB_SEGMENT}_*" export_to_out 0
grep -q -F "promcb_up{segment=\"$one\"} 1" "$scratch/out" || fail "PROMCB_SEGMENT is no pattern: $(cat "$scratch/err")"
"$tools/promcb-record" --segment="${PROMCB_SEGMENT}_o*e" both --latency=1 --success || fail "a segment that is there"
rm "/dev/shm${PROMCB_SEGMENT}_o*e"
for name in 'x*' 'x?' 'x[a]'; do
  succeeds "$tools/promcb-record" --segment="${PROMCB_SEGMENT}_$name" a --log=info 2>"$scratch/err" && fail "made $name"
  grep -q 'take for a pattern' "$scratch/err" || fail "$name: $(cat "$scratch/err")"
  succeeds "$tools/promcb-admin" create --segment="${PROMCB_SEGMENT}_$name" 2>"$scratch/err" && fail "created $name"
done

# A name that makes no label: refused where it is given, passed over where it is found.
cp "/dev/shm$one" "/dev/shm$one"$'\xff'
export_to_out 0 --segment="${one}*"
[ "$(grep -c '^promcb_up{' "$scratch/out")" = 1 ] || fail "a label that is not UTF-8"
iconv -f UTF-8 -t UTF-8 "$scratch/out" >/dev/null || fail "a body that is not UTF-8"
for segment in "$one"$'\xff' '' "/$(printf '%0300d' 0)"; do
  export_to_out 2 --segment="$one" --segment="$segment"
  grep -q 'cannot be a label value' "$scratch/err" || fail "$(cat "$scratch/err")"
  succeeds timeout 120 "$sidecar" --segment="$one" --segment="$segment" 2>"$scratch/err" &&
    fail "the sidecar takes $segment"
  grep -q -e 'cannot be a label value' -e 'is empty' "$scratch/err" || fail "$(cat "$scratch/err")"
done
rm "/dev/shm$one"$'\xff'

# Again and again: segments come and go.
"$tools/promcb-export" --segment="${PROMCB_SEGMENT}_*" --interval=0.02 --output="$scratch/m.prom" 2>"$scratch/err" &
background=$!
shows() {
  [ "$(grep -c '^promcb_up{' "$scratch/m.prom" 2>/dev/null)" = "$1" ]
}
await shows 2
"$tools/promcb-record" --segment="${PROMCB_SEGMENT}_three" both --latency=1 --success || fail record
await shows 3
"$tools/promcb-admin" remove --segment="${PROMCB_SEGMENT}_three" >/dev/null || fail remove
await shows 2
"$tools/promcb-admin" remove --segment="$one" >/dev/null && "$tools/promcb-admin" remove --segment="$two" >/dev/null ||
  fail remove
told() {
  grep -q 'no segment matches' "$scratch/err"
}
await told
"$tools/promcb-record" --segment="$one" again --latency=1 --success || fail record
await grep -q 'component="again"' "$scratch/m.prom"
kill "$background"
wait "$background" || fail "exit $?"
background=
# One that goes between being found and being opened is told as well, by its name.
[ "$(grep -v -c 'there is no segment' "$scratch/err")" = 1 ] || fail "told more than once: $(cat "$scratch/err")"
