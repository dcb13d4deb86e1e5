# SPDX-License-Identifier: MIT
# What the tests with a real Prometheus share, sourced after tools_prelude.sh: it, and what it scrapes, on two ports.
# Processes in $children end with the test, and who fails shows their logs.
for program in prometheus curl python3; do
  command -v $program >/dev/null || { echo "$program is not installed"; exit 77; }
done
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
read -r metrics_port prometheus_port < <("${0%/*}/free_ports.py" 2)
address=http://127.0.0.1:$prometheus_port

# begin_prometheus [NAME OPTION...]: by $scratch/prometheus.yml, until it answers.
begin_prometheus() {
  prometheus --config.file="$scratch/prometheus.yml" --storage.tsdb.path="$scratch/tsdb${1-}" "${@:2}" \
    --web.listen-address="127.0.0.1:$prometheus_port" --log.level=warn >"$scratch/prometheus${1-}.log" 2>&1 &
  local server=$!
  children+=($server)
  for _ in $(seq 300); do
    curl -sf "$address/-/ready" >/dev/null && return
    kill -0 $server 2>/dev/null || fail "Prometheus does not start"
    sleep 0.1
  done
}
