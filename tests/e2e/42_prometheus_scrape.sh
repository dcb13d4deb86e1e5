#!/bin/bash
# SPDX-License-Identifier: MIT
# A real Prometheus scrapes what promcb-export --output writes, served as a file by nginx, and answers the queries and
# alert conditions that users of the Python collector have, with the numbers that were recorded.
. "${0%/*}/tools_prelude.sh"
PATH=$PATH:/usr/sbin
for program in promtool nginx; do
  command -v $program >/dev/null || { echo "$program is not installed"; exit 77; }
done
. "${0%/*}/prometheus_prelude.sh"

record() { # component, calls, seconds, outcome
  yes "$1"$'\t'"$3"$'\t'"$4" | head -n "$2" | "$tools/promcb-record" --stdin || fail "promcb-record of $1"
}
# 3 of 4 succeed; all are slow; "shaky \"one\"" is half-open after it was open.
record payment_api 75 0.05 success
record payment_api 25 0.2 failure
record slow_report 10 3 success
record 'shaky "one"' 2 0.001 502
"$tools/promcb-record" payment_api --state=open || fail "state"
"$tools/promcb-record" 'shaky "one"' --state=open || fail "state"
"$tools/promcb-record" 'shaky "one"' --state=half_open || fail "state"
"$tools/promcb-record" payment_api --log=error || fail "log"

mkdir "$scratch/www" "$scratch/temporary"
cat >"$scratch/nginx.conf" <<CONF
daemon off;
pid $scratch/nginx.pid;
error_log $scratch/nginx.log warn;
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path $scratch/temporary/body;
  proxy_temp_path $scratch/temporary/proxy;
  fastcgi_temp_path $scratch/temporary/fastcgi;
  uwsgi_temp_path $scratch/temporary/uwsgi;
  scgi_temp_path $scratch/temporary/scgi;
  server {
    listen 127.0.0.1:$metrics_port;
    location = /metrics {
      types { }
      default_type "text/plain; version=0.0.4; charset=utf-8";
      alias $scratch/www/metrics.prom;
    }
  }
}
CONF
cat >"$scratch/prometheus.yml" <<CONF
global:
  scrape_interval: 1s
  scrape_timeout: 1s
  evaluation_interval: 1s
rule_files: [$scratch/alerts.yml]
scrape_configs:
  - job_name: mcp_server
    static_configs:
      - targets: ['127.0.0.1:$metrics_port']
CONF
# The guide's alerts, without their patience.
cat >"$scratch/alerts.yml" <<'CONF'
groups:
  - name: circuit_breakers
    rules:
      - alert: CircuitBreakerOpen
        expr: circuit_breaker_state{state="open"} > 0
        annotations: { summary: 'Circuit breaker of {{ $labels.component }} is open' }
      - alert: HighFailureRate
        expr: circuit_breaker_failure_rate > 10
        annotations: { summary: '{{ $labels.component }} fails' }
      - alert: LatencySpike
        expr: circuit_breaker_latency_seconds_avg > 1.0
        annotations: { summary: '{{ $labels.component }} is slow' }
CONF
chmod -R go+rX "$scratch"
promtool check config "$scratch/prometheus.yml" >"$scratch/check.log" 2>&1 || fail "promtool check config"

"$tools/promcb-export" --output="$scratch/www/metrics.prom" --interval=0.5 2>"$scratch/export.log" &
exporter=$!
children+=($exporter)
nginx -e "$scratch/nginx.log" -c "$scratch/nginx.conf" -p "$scratch" &
children+=($!)
for _ in $(seq 100); do
  curl -sf -o /dev/null "http://127.0.0.1:$metrics_port/metrics" && break
  sleep 0.1
done
begin_prometheus

# Every answer is asked for again until it is right: a scrape and a rule may be a second away.
python3 - "$address" "$tools/promcb-record" <<'PYTHON' || fail "Prometheus says otherwise"
import json
import math
import subprocess
import sys
import time
import urllib.parse
import urllib.request

address, recorder = sys.argv[1:3]
deadline = time.monotonic() + 90
NAMES = ("payment_api", "slow_report", 'shaky "one"')


def get(path, **arguments):
    url = address + path + "?" + urllib.parse.urlencode(arguments)
    with urllib.request.urlopen(url, timeout=10) as answer:
        document = json.load(answer)
    assert document["status"] == "success", document
    return document["data"]


def instant(query, *labels):
    """component (and what other labels are asked for) -> value, of components that the test recorded."""
    out = {}
    for series in get("/api/v1/query", query=query)["result"]:
        metric = series["metric"]
        if metric.get("component") in NAMES:
            key = tuple(metric[label] for label in ("component",) + labels)
            out[key if labels else key[0]] = float(series["value"][1])
    return out


def until(what, ask, right):
    while True:
        answer = ask()
        if right(answer):
            return answer
        if time.monotonic() > deadline:
            print(f"{what}: {answer}", file=sys.stderr)
            sys.exit(1)
        time.sleep(0.2)


def expect(query, wanted, *labels, tolerance=1e-6):
    def right(answer):
        return answer.keys() == wanted.keys() and all(
            math.isclose(answer[key], wanted[key], rel_tol=tolerance, abs_tol=1e-12) for key in wanted)
    until(query, lambda: instant(query, *labels), right)


def by_name(payment, slow, shaky):
    return dict(zip(NAMES, (payment, slow, shaky)))


# The guide's queries.
expect('circuit_breaker_calls_total{job="mcp_server"}', by_name(100, 10, 2))
expect('circuit_breaker_failure_rate{job="mcp_server"}', by_name(25, 0, 100))
expect('100 - circuit_breaker_failure_rate', by_name(75, 100, 0))
expect('circuit_breaker_latency_seconds{component=~".+",quantile="0.95"}', by_name(0.2, 3, 0.001))
expect('circuit_breaker_latency_seconds{quantile="0.5"} * 1000', by_name(50, 3000, 1))
expect('circuit_breaker_latency_seconds_avg', by_name(0.0875, 3, 0.001))
expect('circuit_breaker_state', {
    (name, state): float(state == current)
    for name, current in by_name("open", "closed", "half_open").items() for state in ("closed", "open", "half_open")
}, "state")
expect('circuit_breaker_latency_seconds_sum / circuit_breaker_latency_seconds_count', by_name(0.0875, 3, 0.001))
expect('circuit_breaker_call_duration_seconds_bucket{le="+Inf"}', by_name(100, 10, 2))
expect('circuit_breaker_call_duration_seconds_bucket{le="0.0625"}', by_name(75, 0, 2))
expect('circuit_breaker_calls_failed + circuit_breaker_calls_success', by_name(100, 10, 2))
expect('sum by (component) (log_entries_total)', by_name(1, 0, 0))

# The guide's alerts fire for what they should, and for nothing else.
until("alerts", lambda: {(alert["labels"]["alertname"], alert["labels"]["component"])
                         for alert in get("/api/v1/alerts")["alerts"] if alert["state"] == "firing"},
      lambda firing: firing == {("CircuitBreakerOpen", "payment_api"), ("HighFailureRate", "payment_api"),
                                ("HighFailureRate", 'shaky "one"'), ("LatencySpike", "slow_report")})

# A rate is that of the failures which happen while Prometheus looks on, extrapolated.
rate = 'rate(circuit_breaker_calls_failed{job="mcp_server"}[1m])'
expect(rate, by_name(0, 0, 0))
subprocess.run([recorder, "--stdin"], input=b"payment_api 0.2 failure\n" * 60, check=True)
expect('circuit_breaker_calls_total', by_name(160, 10, 2))
grown = until(rate, lambda: instant(rate), lambda answer: answer["payment_api"] > 0)
assert 0.5 < grown["payment_api"] < 120 and grown["slow_report"] == 0, grown

# What was exported is well-formed to Prometheus, all of it, all the time.
assert until("up", lambda: get("/api/v1/query", query="min_over_time(up[1m])")["result"], len)[0]["value"][1] == "1"
for target in get("/api/v1/targets")["activeTargets"]:
    assert target["health"] == "up" and not target["lastError"], target
print("scraped and asked in", round(90 - (deadline - time.monotonic()), 1), "s")
PYTHON

kill -TERM $exporter
wait $exporter || fail "promcb-export: status $?"
children=("${children[@]:1}")
filled "$scratch/export.log" && fail "promcb-export complained"
exit 0
