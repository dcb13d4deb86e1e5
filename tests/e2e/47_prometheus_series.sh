#!/bin/bash
# SPDX-License-Identifier: MIT
# Eight processes count in the same series, with names and label values of every odd kind; a real Prometheus scrapes
# them from the sidecar, and its API has every byte of them, and increase() is what was recorded between two scrapes. So
# does another, which has native histograms, by protobuf.
# PROMCB_SERIES: how many; 100,000 is the long version.
. "${0%/*}/tools_prelude.sh"
. "${0%/*}/prometheus_prelude.sh"
count=${PROMCB_SERIES:-3000}
processes=8
series() {
  python3 "${0%/*}/47_prometheus_series.py" "$@"
}

record() { # phase
  local recorders=() number
  series lines "$count" "$1" >"$scratch/lines" || fail "no lines"
  for number in $(seq $processes); do
    "$tools/promcb-record" --stdin <"$scratch/lines" 2>"$scratch/record$number.log" &
    recorders+=($!)
  done
  for number in "${recorders[@]}"; do
    wait "$number" || fail "promcb-record ended with $?"
  done
  for number in $(seq $processes); do
    filled "$scratch/record$number.log" && fail "promcb-record complained"
  done
  return 0
}

"$tools/promcb-admin" create --max-bytes=$((64 * 1024 * 1024 + count * 4096)) || fail "create"
record 1
"$tools/promcb-export" --check >"$scratch/check.log" || fail "check"
"$tools/sidecar/promcb-sidecar" --web.listen-address="127.0.0.1:$metrics_port" 2>"$scratch/sidecar.log" &
children+=($!)
interval=$((1 + count / 10000))s
cat >"$scratch/prometheus.yml" <<CONF
global: {scrape_interval: $interval, scrape_timeout: $interval}
scrape_configs:
  - job_name: series
    static_configs:
      - targets: ['127.0.0.1:$metrics_port']
CONF
begin_prometheus
text=$address
prometheus_port=$("${0%/*}/free_ports.py" 1)
address=http://127.0.0.1:$prometheus_port
begin_prometheus native --enable-feature=native-histograms
from=$(series compare "$text" "$count" $processes 1) || fail "after the first phase"
from_native=$(series compare "$address" "$count" $processes 1) || fail "after the first phase, by protobuf"
record 2
series compare "$text" "$count" $processes 2 >"$scratch/until" || fail "after the second phase"
series compare "$address" "$count" $processes 2 >"$scratch/until" || fail "after the second phase, by protobuf"
series increase "$text" "$count" $processes "$from" || fail "increase()"
series histograms "$text" "$count" $processes "$from" >"$scratch/classic" || fail "classic histograms"
series histograms "$address" "$count" $processes "$from_native" >"$scratch/native" || fail "native histograms"
grep -q classic "$scratch/classic" || fail "not classic: $(cat "$scratch/classic")"
grep -q native "$scratch/native" || fail "not native: $(cat "$scratch/native")"
cat "$scratch/classic" "$scratch/native"
echo "$count series of $processes processes, byte for byte"
exit 0
