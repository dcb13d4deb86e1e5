#!/bin/bash
# SPDX-License-Identifier: MIT
# Eight processes count in the same series, with names and label values of every odd kind; a real Prometheus scrapes
# them from the sidecar, and its API has every byte of them, and increase() is what was recorded between two scrapes.
# PROMCB_SERIES: how many; 100,000 is the long version.
. "${0%/*}/tools_prelude.sh"
for program in prometheus curl python3; do
  command -v $program >/dev/null || { echo "$program is not installed"; exit 77; }
done
count=${PROMCB_SERIES:-3000}
processes=8
children=()
finish() {
  [ ${#children[@]} -eq 0 ] || kill -TERM "${children[@]}" 2>/dev/null
  wait
  rm -rf "$scratch" "/dev/shm$PROMCB_SEGMENT"
}
trap finish EXIT
trap 'exit 1' INT TERM
fail() {
  echo "FAIL: $*" >&2
  tail -n 20 "$scratch"/*.log >&2 2>/dev/null
  exit 1
}
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
read -r metrics_port prometheus_port < <("${0%/*}/free_ports.py" 2)
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
prometheus --config.file="$scratch/prometheus.yml" --storage.tsdb.path="$scratch/tsdb" \
  --web.listen-address="127.0.0.1:$prometheus_port" --log.level=warn >"$scratch/prometheus.log" 2>&1 &
children+=($!)
address=http://127.0.0.1:$prometheus_port
for _ in $(seq 300); do
  curl -sf "$address/-/ready" >/dev/null && break
  kill -0 "${children[1]}" 2>/dev/null || fail "Prometheus does not start"
  sleep 0.1
done
from=$(series compare "$address" "$count" $processes 1) || fail "after the first phase"
record 2
series compare "$address" "$count" $processes 2 >"$scratch/until" || fail "after the second phase"
series increase "$address" "$count" $processes "$from" || fail "increase()"
echo "$count series of $processes processes, byte for byte"
exit 0
