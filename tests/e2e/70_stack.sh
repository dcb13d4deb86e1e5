#!/bin/bash
# SPDX-License-Identifier: MIT
# The monitoring stack for real: see 70_stack.py. And that its files are what their programs take.
. "${0%/*}/tools_prelude.sh"
PATH=$PATH:/usr/sbin
for program in prometheus promtool prometheus-alertmanager amtool python3; do
  command -v $program >/dev/null || { echo "$program is not installed"; exit 77; }
done
monitoring=$PROMCB_SOURCE/tools/monitoring

promtool check config "$monitoring/prometheus.yml" >"$scratch/out" 2>&1 || fail "$(cat "$scratch/out")"
# This Prometheus is older than the keys of the other: all but those must hold.
sed '/_histograms:/d' "$monitoring/prometheus-3.8.yml" >"$scratch/prometheus.yml"
cp -r "$monitoring/rules.yml" "$monitoring/alerts.yml" "$monitoring/targets" "$scratch"
promtool check config "$scratch/prometheus.yml" >"$scratch/out" 2>&1 || fail "$(cat "$scratch/out")"
diff <(grep -v -e '^#' -e '_histograms:' "$monitoring/prometheus-3.8.yml") \
  <(grep -v '^#' "$monitoring/prometheus.yml") ||
  fail "the configurations for two versions differ in more than histograms"
amtool check-config "$monitoring/alertmanager.yml" >"$scratch/out" 2>&1 || fail "$(cat "$scratch/out")"
(cd "$PROMCB_SOURCE/tests/monitoring" && promtool test rules ./*_test.yml) >"$scratch/out" 2>&1 ||
  fail "$(cat "$scratch/out")"
# What an open breaker explains, and a target that is down: alerts are matched by their whole names.
inhibited() { # N: what the Nth rule names
  local expression
  expression=$(sed -n "s/^ *target_matchers: \['alertname =~ \"\(.*\)\"'\]$/\1/p" "$monitoring/alertmanager.yml" |
    sed -n "$1p")
  sed -n 's/^ *- alert: //p' "$monitoring/alerts.yml" | grep -x -E -e "$expression" | sort | tr '\n' ' '
}
[ "$(inhibited 1)" = "CallsFailing CircuitBreakerFlapping CircuitBreakerRefusing ErrorBudgetBurns \
ErrorBudgetBurnsFast HighFailureRate " ] ||
  fail "an open breaker inhibits $(inhibited 1)"
[ "$(inhibited 2)" = "$(sed -n 's/^ *- alert: \(Promcb\)/\1/p' "$monitoring/alerts.yml" | sort | tr '\n' ' ')" ] ||
  fail "a target that is down inhibits $(inhibited 2)"
# Every rule has a test.
for rule in $(sed -n 's/^ *- \(record\|alert\): //p' "$monitoring"/*.yml); do
  grep -q -e "\b$rule\b" "$PROMCB_SOURCE"/tests/monitoring/*_test.yml || fail "$rule has no test"
done
# What the compose file and the Dockerfile name exists.
for flag in $(grep -h '^[^#]*promcb-sidecar' "$monitoring/compose.yaml" "$monitoring/Dockerfile" |
  grep -o -e "--[a-z.-]*=" | sort -u); do
  "$tools/sidecar/promcb-sidecar" --help | grep -q -e "$flag" || fail "the sidecar has no $flag"
done
for file in $(grep -o '\./[a-z-]*\(\.[a-z]*\)\?:' "$monitoring/compose.yaml" | tr -d :); do
  [ -e "$monitoring/$file" ] || fail "the compose file names $file"
done

# A session of its own, so that all of it goes together.
setsid timeout -k 5 800 /usr/bin/python3 "${0%.sh}.py" "$PROMCB_SOURCE" "$PROMCB_BUILD" "$scratch" &
group=$!
wait $group
status=$?
kill -KILL -- "-$group" 2>/dev/null
rm -f "/dev/shm${PROMCB_SEGMENT}"_[ab]
[ $status = 0 ] || fail "status $status; logs: $(tail -n 3 "$scratch"/*.log)"
