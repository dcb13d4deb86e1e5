#!/bin/bash
# SPDX-License-Identifier: MIT
# Families of every kind, from the program that counts to what a scraper reads: the same in three formats, exact, and a
# process's gauges gone with it.
. "${0%/*}/tools_prelude.sh"
python=/usr/bin/python3
here=${0%/*}

# start ADD: in the background, until its input ends.
start() {
  mkfifo "$scratch/input" 2>/dev/null
  "$PROMCB_BUILD/tests/e2e_families" "$1" <"$scratch/input" >"$scratch/ready" 2>"$scratch/err" &
  background=$!
  exec 9>"$scratch/input"
  is_ready() {
    [ -s "$scratch/ready" ] || ! kill -0 "$background" 2>/dev/null
  }
  await is_ready
  [ -s "$scratch/ready" ] || fail "families: $(cat "$scratch/err")"
}

# One process of the past, and one that lives.
start 1
exec 9>&-
wait "$background" || fail "families: $(cat "$scratch/err")"
start 2
for line in 'proxy_sent_bytes_total{peer="10.0.0.7",zone="eu"} 3000' \
  'proxy_sent_bytes_total{peer="a \"quoted\" \\ name",zone="eu"} 3003' \
  'proxy_sent_bytes_total{peer="two\nlines",zone="eu"} 3006' 'proxy_sent_bytes_total{peer="zürich",zone="eu"} 3009' \
  'work_total 1.5' 'errors_total{queue="mail",type="timeout"} 6' 'errors_total{queue="mail",type="other"} 9' \
  'queue_jobs{queue="mail"} -4.5' 'queue_jobs{queue="logs"} 12' 'request_seconds_bucket{code="200",le="1.0"} 57' \
  'request_seconds_count{code="200"} 81' 'request_seconds_sum{code="200"} 11438.396227479' \
  'request_seconds_bucket{code="500",le="9.313225746154785e-10"} 3' 'ratios_bucket{le="0.25"} 0' \
  'ratios_bucket{le="0.3"} 3' 'ratios_bucket{le="+Inf"} 6' 'ratios_sum 23.4' 'message_bytes_bucket{le="64.0"} 21' \
  'message_bytes_bucket{le="1048576.0"} 63' 'message_bytes_count 66' 'wait_seconds_bucket{le="0.3"} 3' \
  'wait_seconds_bucket{le="1.0"} 6' 'connections 2.5' 'backup_timestamp_seconds 1700000000.25' \
  'app_build_info{version="1.2"} 1'; do
  has "$line"
done
"$tools/promcb-export" --check >"$scratch/check" || fail "check: $(cat "$scratch/check")"
mkdir "$scratch/all" && echo "families of every kind" >"$scratch/all/options" || fail mkdir
for format in text openmetrics protobuf; do
  "$tools/promcb-export" --format $format >"$scratch/all/$format" || fail "--format $format"
done
if command -v promtool protoc >/dev/null &&
  $python -c 'import google.protobuf, prometheus_client.openmetrics.parser' 2>/dev/null; then
  promtool check metrics <"$scratch/all/text" >"$scratch/lint" 2>&1 || fail "promtool: $(cat "$scratch/lint")"
  filled "$scratch/lint" && fail "promtool is not silent: $(cat "$scratch/lint")"
  protoc -I "$here" --python_out="$scratch" "$here/metrics.proto" || fail "protoc"
  $python "$here/formats.py" "$scratch" "$scratch/all" || fail "formats"
fi

# --match is of families, too, whatever the format, and how many there are is told of all.
for format in text openmetrics protobuf metrics; do
  "$tools/promcb-export" --format $format --match='work*' >"$scratch/matched" || fail "--match, $format"
  grep -aq work "$scratch/matched" || fail "--match lost a family, $format"
  matches -aq -e queue_jobs -e connections "$scratch/matched" && fail "--match let a family through, $format"
done
"$tools/promcb-export" >"$scratch/whole" && "$tools/promcb-export" --match='work*' >"$scratch/matched"
for family in promcb_families promcb_series; do
  [ "$(grep "^$family " "$scratch/matched")" = "$(grep "^$family " "$scratch/whole")" ] ||
    fail "--match changes $family"
done
[ "$(grep '^work' "$scratch/matched")" = 'work_total 1.5' ] || fail "--match: $(grep '^work' "$scratch/matched")"

# A segment that cannot be read is told.
"$tools/promcb-export" --segment="$PROMCB_SEGMENT" --segment="${PROMCB_SEGMENT}_none" --format metrics \
  >"$scratch/partial" 2>/dev/null
[ $? -eq 1 ] || fail "a segment that is none"
[ "$(jq '.unreadable_segments, (.families | length > 10)' "$scratch/partial" | tr '\n' ' ')" = '1 true ' ] ||
  fail "unreadable: $(cat "$scratch/partial")"

# A kill takes the gauges along, and nothing else.
kill -KILL "$background"
wait "$background" 2>/dev/null
exec 9>&-
background=
has 'work_total 1.5'
has 'backup_timestamp_seconds 1700000000.25'
matches -E '^(connections|app_build_info)\b' "$scratch/metrics" && fail "gauges of the dead"
exit 0
