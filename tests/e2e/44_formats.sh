#!/bin/bash
# SPDX-License-Identifier: MIT
# One segment says the same in text 0.0.4, OpenMetrics and protobuf; promtool, the strict OpenMetrics parser and protoc
# have nothing to say about them.
. "${0%/*}/tools_prelude.sh"
python=/usr/bin/python3
for program in promtool protoc $python; do
  command -v $program >/dev/null || { echo "$program is not installed"; exit 77; }
done
$python -c 'import google.protobuf, prometheus_client.openmetrics.parser' 2>/dev/null ||
  { echo "python3-protobuf or python3-prometheus-client is not installed"; exit 77; }
here=${0%/*}
protoc -I "$here" --python_out="$scratch" "$here/metrics.proto" || fail "protoc"

# compare OPTION...: one export in each format; nobody records in between. Whether they are the same is asked at the
# end: to start a process with three parsers takes longer than to compare.
compared=0
compare() {
  local format
  compared=$((compared + 1))
  mkdir "$scratch/$compared" && echo "$*" >"$scratch/$compared/options" || fail mkdir
  for format in text openmetrics protobuf; do
    "$tools/promcb-export" --format $format "$@" >"$scratch/$compared/$format" || fail "--format $format $*"
  done
  promtool check metrics <"$scratch/$compared/text" >"$scratch/lint" 2>&1 || fail "promtool: $(cat "$scratch/lint")"
  filled "$scratch/lint" && fail "promtool is not silent: $(cat "$scratch/lint")"
}

# Nothing; one quiet component; names of every kind; many components; each schema.
"$tools/promcb-admin" create || fail "create"
compare
"$tools/promcb-record" --log=info quiet || fail "record"
compare
for name in 'say "hello"' 'back\slash' '{}' '# HELP' 'naïve café' '組件 🚀' "$(printf 'x%.0s' $(seq 127))"; do
  "$tools/promcb-record" --latency=0.025 --success -- "$name" || fail "$name"
  "$tools/promcb-record" --latency=0 --success -- "$name" || fail "$name"
  "$tools/promcb-record" --latency=1.5 --failure -- "$name" || fail "$name"
done
"$tools/promcb-record" --state=open quiet || fail "state"
compare
components=$(scaled 500) lines=$(scaled 60000)
for schema in 3 4 5; do
  "$tools/promcb-admin" remove --force >/dev/null || fail "remove"
  "$tools/promcb-admin" create --schema $schema || fail "create --schema $schema"
  awk -v components="$components" -v lines="$lines" 'BEGIN { srand(1); for (i = 0; i < lines; i++)
    printf "c%d %.9f %s\n", i % components, exp(rand() * 40 - 21) / 100, rand() < 0.1 ? "failure" : "success" }' |
    "$tools/promcb-record" --stdin || fail "record many"
  for classic in 0 1 2 3; do
    compare --classic-schema $classic
  done
  compare --compat=none
done
# Few components, and every bound that there may be.
"$tools/promcb-admin" remove --force >/dev/null || fail "remove"
awk 'BEGIN { srand(2); for (i = 0; i < 6000; i++)
  printf "c%d %.9f %s\n", i % 5, exp(rand() * 28 - 21), rand() < 0.1 ? "failure" : "success" }' |
  "$tools/promcb-record" --stdin || fail "record"
for range in 1us:100ms 1ns:1024s 1s:1024s; do
  compare --classic-schema 3 --classic-range $range
done
compare --label='app=a "label" \ of 組'
[ $compared -ge 20 ] || fail "$compared exports were compared"
seq -f "$scratch/%.0f" $compared | xargs $python "$here/formats.py" "$scratch" || fail "formats differ"
