#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The monitoring stack for real: producers, two sidecars, two Prometheus servers, Alertmanager and a webhook.

Usage: 70_stack.py SOURCE BUILD SCRATCH

Two "hosts" (segments with a sidecar each) are scraped by a Prometheus that asks for protobuf and stores native
histograms, and by one that asks for OpenMetrics; a relay that replaces the Accept header has it scrape text as well. What
they answer to the queries of the Python collector's guide, to every expression of the dashboard and to every recording rule is
held against what was recorded; the guide's alerts fire and resolve through Alertmanager. Rules are those that are
shipped, with their times divided.
"""
import http.server
import json
import math
import os
import re
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request

from free_ports import free_ports

source, build, scratch = sys.argv[1:]
monitoring = source + "/tools/monitoring"
tools = build + "/tools"
DEADLINE = time.monotonic() + 170
processes = []


def until(what, condition):
    """Waits for a condition; what it says when it holds is returned."""
    last = None
    while time.monotonic() < DEADLINE:
        try:
            last = condition()
            if last:
                return last
        except (OSError, AssertionError, KeyError, IndexError) as error:
            last = error
        time.sleep(0.1)
    raise SystemExit(f"in vain: {what}: {last}")


def start(*command):
    log = open(f"{scratch}/{os.path.basename(command[0])}.{len(processes)}.log", "wb")
    processes.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=scratch))
    return processes[-1]


# -- What is recorded ----------------------------------------------------------------------------------------------------

segments = [f"{os.environ['PROMCB_SEGMENT']}_{host}" for host in "ab"]
truth = {}  # (host, component): [latencies, failures]


def record(host, component, samples):
    """samples: (seconds, whether it succeeded)."""
    lines = "".join(f"{component}\t{seconds:.9f}\t{'success' if good else 'failure'}\n" for seconds, good in samples)
    subprocess.run([tools + "/promcb-record", "--stdin", "--segment=" + segments[host]], input=lines.encode(), check=True)
    entry = truth.setdefault((host, component), [[], 0])
    entry[0] += [seconds for seconds, _ in samples]
    entry[1] += sum(not good for _, good in samples)


def tool(name, host, *arguments):
    subprocess.run([f"{tools}/{name}", *arguments, "--segment=" + segments[host]], check=True)


def spread(count, low, high):
    return [low * (high / low) ** ((i + 0.5) / count) for i in range(count)]


record(0, "payment_api", [(seconds, i % 4 != 0) for i, seconds in enumerate(spread(400, 0.01, 0.2))])
record(1, "payment_api", [(seconds, True) for seconds in spread(1000, 0.05, 0.9)])
record(0, "slow_report", [(3.0, True)] * 10)
record(1, "search", [(seconds, True) for seconds in spread(300, 0.0005, 0.05)])
tool("promcb-record", 0, "payment_api", "--state=open")
tool("promcb-record", 0, "payment_api", "--log=error")
tool("promcb-record", 0, "payment_api", "--error=timeout")

# -- What is started -----------------------------------------------------------------------------------------------------

ports = free_ports(8)
host_ports, (native_port, classic_port, alert_port, hook_port, *relay_ports) = ports[:2], ports[2:]
for host in range(2):
    start(tools + "/sidecar/promcb-sidecar", f"--segment={segments[host]}",
          f"--web.listen-address=127.0.0.1:{host_ports[host]}")

heard = []


class Webhook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        heard.extend(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["alerts"])
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


class Relay(http.server.BaseHTTPRequestHandler):
    """Asks for text, whatever it is asked for."""

    def do_GET(self):
        target = host_ports[relay_ports.index(self.server.server_port)]
        request = urllib.request.Request(f"http://127.0.0.1:{target}{self.path}", headers={"Accept": "text/plain"})
        with urllib.request.urlopen(request, timeout=5) as answer:
            body = answer.read()
            self.send_response(200)
            self.send_header("Content-Type", answer.headers["Content-Type"])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_):
        pass


for port, handler in [(hook_port, Webhook)] + [(port, Relay) for port in relay_ports]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()

# The shipped files, with times divided: `for` by 30, intervals to a second.
for name in ("alerts.yml", "rules.yml"):
    text = open(f"{monitoring}/{name}").read()
    text = re.sub(r"for: 1m$", "for: 2s", text, flags=re.M)
    text = re.sub(r"for: (5|10)m$", "for: 4s", text, flags=re.M)
    text = re.sub(r"interval: 15s$", "interval: 1s", text, flags=re.M)
    open(f"{scratch}/{name}", "w").write(text)
text = open(monitoring + "/alertmanager.yml").read()
text = text.replace("http://localhost:5001/", f"http://127.0.0.1:{hook_port}/")
text = re.sub(r"group_wait: \w+", "group_wait: 0s", text)
text = re.sub(r"group_interval: \w+", "group_interval: 1s", text)
open(scratch + "/alertmanager.yml", "w").write(text)
start("prometheus-alertmanager", f"--config.file={scratch}/alertmanager.yml", f"--storage.path={scratch}/alerts",
      f"--web.listen-address=127.0.0.1:{alert_port}", "--cluster.listen-address=")


def prometheus(name, port, jobs, *flags):
    targets = "".join(
        f"  - job_name: {job}\n    static_configs: [{{targets: {[f'127.0.0.1:{p}' for p in where]}}}]\n"
        for job, where in jobs.items())
    open(f"{scratch}/{name}.yml", "w").write(
        "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\n"
        f"rule_files: [{scratch}/rules.yml, {scratch}/alerts.yml]\n"
        f"alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{alert_port}']}}]}}]}}\n"
        f"scrape_configs:\n{targets}")
    start("prometheus", f"--config.file={scratch}/{name}.yml", f"--storage.tsdb.path={scratch}/{name}",
          f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn", *flags)


prometheus("native", native_port, {"mcp_server": host_ports}, "--enable-feature=native-histograms")
prometheus("classic", classic_port, {"mcp_server": host_ports, "text": relay_ports})


def query(port, expression):
    """Label sets, without the name, to values."""
    url = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            data = json.load(answer)["data"]
    except urllib.error.HTTPError as error:
        # Prometheus says so until it has read what it stored.
        if error.code == 503:
            return {}
        raise SystemExit(f"{expression}: {error.read()}")
    found = {}
    for result in data["result"]:
        labels = tuple(sorted((k, v) for k, v in result["metric"].items() if k != "__name__"))
        found[labels] = float(result["value"][1]) if "value" in result else result["histogram"]
    return found


def labelled(found, **wanted):
    values = [value for labels, value in found.items() if wanted.items() <= dict(labels).items()]
    assert len(values) == 1, (wanted, found)
    return values[0]


def instance(host, job="mcp_server"):
    return f"127.0.0.1:{(relay_ports if job == 'text' else host_ports)[host]}"


# -- Three formats, one truth --------------------------------------------------------------------------------------------

stores = [("protobuf", native_port, "mcp_server"), ("OpenMetrics", classic_port, "mcp_server"), ("text", classic_port, "text")]


def scraped(port, count):
    return len([1 for value in query(port, "up").values() if value == 1]) == count


until("a scrape by the native Prometheus", lambda: scraped(native_port, 2))
until("a scrape by the classic Prometheus", lambda: scraped(classic_port, 4))
for name, port, job in stores:
    for (host, component), (latencies, failures) in truth.items():
        where = {"component": component, "instance": instance(host, job), "job": job}
        calls = len(latencies)

        def holds(expression, wanted, tolerance=0.0, **more):
            value = until(f"{name}: {expression} of {where}", lambda: [labelled(query(port, expression), **where, **more)])[0]
            assert math.isclose(value, wanted, rel_tol=tolerance, abs_tol=1e-12), (name, expression, where, value, wanted)

        holds(f'circuit_breaker_failure_rate{{job="{job}"}}', 100 * failures / calls, 1e-12)
        holds("100 - circuit_breaker_failure_rate", 100 - 100 * failures / calls, 1e-12)
        holds(f'circuit_breaker_calls_total{{job="{job}"}}', calls)
        holds(f'rate(circuit_breaker_calls_failed{{job="{job}"}}[1m])', 0)
        holds("circuit_breaker_latency_seconds_sum", sum(latencies), 1e-9)
        ordered = sorted(latencies)
        newest = ordered if calls <= 1000 else None
        if newest:
            position = 0.95 * (calls - 1)
            low = newest[int(position)]
            high = newest[min(int(position) + 1, calls - 1)]
            p95 = low + (position - int(position)) * (high - low)
            holds('circuit_breaker_latency_seconds{component=~".+",quantile="0.95"}', p95, 1e-6)
            holds('circuit_breaker_latency_seconds{quantile="0.95"} * 1000', p95 * 1000, 1e-6)
            holds("circuit_breaker_latency_seconds_avg", sum(latencies) / calls, 1e-6)
        for state in ("closed", "open", "half_open"):
            current = "open" if (host, component) == (0, "payment_api") else "closed"
            holds("circuit_breaker_state", float(state == current), state=state)
native_types = query(native_port, "count(circuit_breaker_call_duration_seconds)")
assert list(native_types.values()) == [4.0], native_types
assert not query(native_port, "circuit_breaker_call_duration_seconds_bucket"), "classic buckets beside native ones"
print("the guide's queries: the same, right numbers from protobuf, OpenMetrics and text")

# -- Two hosts as one ----------------------------------------------------------------------------------------------------

merged = sorted(truth[(0, "payment_api")][0] + truth[(1, "payment_api")][0])
for q in (0.5, 0.95, 0.99):
    exact = merged[min(len(merged) - 1, math.ceil(q * len(merged)) - 1)]
    native = labelled(query(native_port, f"histogram_quantile({q}, sum by (component) (circuit_breaker_call_duration_seconds))"),
                      component="payment_api")
    classic = labelled(query(classic_port, f"histogram_quantile({q}, sum by (component, le) "
                             '(circuit_breaker_call_duration_seconds_bucket{job="mcp_server"}))'), component="payment_api")
    # A native bucket is 9.05 % wide, a classic one of the default schema 100 %; the quantile lies within its bucket.
    assert abs(native / exact - 1) <= 0.0906, (q, native, exact)
    assert exact / 2 <= classic <= exact * 2, (q, classic, exact)
    print(f"two hosts, quantile {q}: exact {exact:.4f}, native {native:.4f} ({100 * (native / exact - 1):+.1f} %), "
          f"classic {classic:.4f}")

# -- Alerts ----------------------------------------------------------------------------------------------------------------

guide = {"CircuitBreakerOpen": "payment_api", "HighFailureRate": "payment_api", "LatencySpike": "slow_report"}


def told(status):
    return {alert["labels"]["alertname"] for alert in heard
            if alert["status"] == status and guide.get(alert["labels"]["alertname"]) == alert["labels"].get("component")}


def fired():
    # The open breaker explains, and holds back, the failure rate.
    return {"CircuitBreakerOpen", "LatencySpike"} <= told("firing")


until("the alerts of the open breaker and of the slow report", fired)
for alert in heard:
    if alert["labels"]["alertname"] in guide:
        assert alert["labels"]["component"] in alert["annotations"]["summary"] + alert["annotations"]["description"], alert
        assert alert["annotations"]["summary"] and alert["annotations"]["description"], alert
heard.clear()
tool("promcb-record", 0, "payment_api", "--state=closed")
until("the breaker's alert is resolved, and the failure rate's fires",
      lambda: "CircuitBreakerOpen" in told("resolved") and "HighFailureRate" in told("firing"))
tool("promcb-admin", 0, "reset", "payment_api")
tool("promcb-admin", 0, "reset", "slow_report")
record(0, "payment_api", [(0.02, True)] * 200)
record(0, "slow_report", [(0.02, True)] * 20)
until("the other two are resolved", lambda: {"HighFailureRate", "LatencySpike"} <= told("resolved"))
print("the guide's three alerts fired and were resolved through Alertmanager")

# -- Dashboard and recording rules -----------------------------------------------------------------------------------------

# A job behind a breaker that promcb decides for: it is open, and refuses.
for command, status in (("true", 0), ("false", 1), ("true", 75)):
    ended = subprocess.run([tools + "/promcb-record", "--breaker=consecutive=1,slow_rate=50%,slow=1s,open=1h,open_max=1h",
                            "--segment=" + segments[0], "job", "--", command], stderr=subprocess.DEVNULL, check=False)
    assert ended.returncode == status, (command, ended.returncode)

dashboard = json.load(open(monitoring + "/dashboard.json"))
expressions = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
assert len(expressions) > 20
for expression in expressions:
    filled = expression
    for variable, value in {"$__rate_interval": "1m", "$job": ".+", "$instance": ".+", "$component": ".+"}.items():
        filled = filled.replace(variable, value)
    assert "$" not in filled, filled
    # A heatmap has an expression for either kind of histogram.
    until(f"dashboard: {filled}", lambda: query(native_port, filled) or query(classic_port, filled))
print(f"{len(expressions)} expressions of the dashboard answer")

rules = re.findall(r"- record: (\S+)\n\s+expr: (?:>-\n)?((?:.|\n)*?)(?=\n\s+- record|\n\s+#|\Z)",
                   open(monitoring + "/rules.yml").read())
assert len(rules) == 9, rules
for name, expression in rules:
    expression = " ".join(expression.split())
    for port in (native_port, classic_port):

        def agrees():
            recorded, raw = query(port, name), query(port, expression)
            assert recorded and recorded.keys() == raw.keys(), (name, recorded, raw)
            for labels, value in raw.items():
                other = recorded[labels]
                # They may be a second apart, in a window of minutes.
                assert (math.isnan(value) and math.isnan(other)) or math.isclose(value, other, rel_tol=0.1, abs_tol=0.02), (
                    name, labels, value, other)
            return True

        until(f"rule {name}", agrees)
print(f"{len(rules)} recording rules agree with their queries")
for process in processes:
    assert process.poll() is None, process.args
