#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The same calls through the Python client: a counter by outcome and a histogram of 12 buckets.

Once with the metrics at hand, once found by their labels at each call, among 100 components; then x components of 22
lines each rendered as text. With --multiprocess its values lie in files in shared memory, and the rendering sums up
four processes.

Usage: peer_python.py [--multiprocess] [ROUNDS [MILLISECONDS [COMPONENTS...]]]
"""
import os
import shutil
import sys
import tempfile
import threading
import time

multiprocess = "--multiprocess" in sys.argv
arguments = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
rounds = int(arguments[0]) if arguments else 5
budget_ns = int(arguments[1] if len(arguments) > 1 else 20) * 1000000
who = "python multiprocess" if multiprocess else "python"
directory = None
if multiprocess:
    directory = tempfile.mkdtemp(prefix="promcb-bench-", dir="/dev/shm")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory

try:
    import prometheus_client
    import prometheus_client.multiprocess
except ImportError:
    if directory:
        os.rmdir(directory)
    sys.exit("peer_python.py: prometheus_client is not installed")

BOUNDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 1.0)
PROCESSORS = sorted(os.sched_getaffinity(0))
LATENCIES = [0.0002 * (1 + i * 7919 % 1000 / 250) for i in range(1024)]
NAMES = [f"service_component_{i:012}" for i in range(100)]


def row(group, what, x, workers, unit, value):
    print(group, what, who, x, 0, workers, unit, f"{value:.6g}", sep=",", flush=True)


def metrics(registry):
    calls = prometheus_client.Counter("calls", "calls", ["component", "outcome"], registry=registry)
    latency = prometheus_client.Histogram("duration_seconds", "latency", ["component"], registry=registry,
                                          buckets=BOUNDS)
    return calls, latency


def at_hand(count):
    for i in range(count):
        (success if i % 100 else failure).inc()
        seconds.observe(LATENCIES[i % 1024])


def found(count):
    for i in range(count):
        name = NAMES[i * 41 % 100]
        calls.labels(name, "success" if i % 100 else "failure").inc()
        latency.labels(name).observe(LATENCIES[i % 1024])


def timed(run, count, worker, results):
    os.sched_setaffinity(0, {PROCESSORS[worker % len(PROCESSORS)]})
    run(count // 8 + 1)
    begin = time.perf_counter_ns()
    run(count)
    results[worker] = (time.perf_counter_ns() - begin) / count


def by_threads(run, count, workers):
    results = [0.0] * workers
    threads = [threading.Thread(target=timed, args=(run, count, worker, results)) for worker in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(results) / workers


def by_processes(run, count, workers):
    reads = []
    for worker in range(workers):
        reading, writing = os.pipe()
        if os.fork() == 0:
            results = [0.0] * workers
            timed(run, count, worker, results)
            os.write(writing, repr(results[worker]).encode())
            os._exit(0)
        os.close(writing)
        reads.append(reading)
    values = []
    for reading in reads:
        values.append(float(os.read(reading, 64)))
        os.close(reading)
        os.wait()
    return sum(values) / workers


def record():
    global calls, latency, success, failure, seconds
    calls, latency = metrics(prometheus_client.CollectorRegistry())
    success, failure = calls.labels(NAMES[0], "success"), calls.labels(NAMES[0], "failure")
    seconds = latency.labels(NAMES[0])
    for group, what, x, run in (("record", "record", 0, at_hand), ("name", "by name", len(NAMES), found)):
        run(1000)
        count = max(64, int(budget_ns / by_threads(run, 1000, 1)))
        for _ in range(rounds):
            row(group, what, x, "1 thread", "ns", by_threads(run, count, 1))
            row(group, what, x, "2 threads", "ns", by_threads(run, count, 2))
            if multiprocess:
                row(group, what, x, "2 processes", "ns", by_processes(run, count, 2))


def fill(components, registry):
    """Two counters, a gauge, a histogram, three gauges for the quantiles that this client lacks, sum and count."""
    calls, latency = metrics(registry)
    mode = {"multiprocess_mode": "liveall"} if multiprocess else {}
    state = prometheus_client.Gauge("state", "state", ["component"], registry=registry, **mode)
    quantile = prometheus_client.Gauge("latency_quantile", "latency", ["component", "q"], registry=registry, **mode)
    summary = prometheus_client.Summary("latency_seconds", "latency", ["component"], registry=registry)
    for i in range(components):
        name = f"service_component_{i:012}"
        calls.labels(name, "success").inc(i * 977 + 12345)
        calls.labels(name, "failure").inc(i % 97)
        state.labels(name).set(0)
        for q in ("0.5", "0.9", "0.99"):
            quantile.labels(name, q).set(LATENCIES[i % 1024])
        for k in range(4):
            latency.labels(name).observe(LATENCIES[(i + k) % 1024])
            summary.labels(name).observe(LATENCIES[(i + k) % 1024])


def render(components):
    registry = prometheus_client.CollectorRegistry()
    if multiprocess:
        for file in os.listdir(directory):
            os.unlink(os.path.join(directory, file))
        for _ in range(4):
            if os.fork() == 0:
                fill(components, registry)
                os._exit(0)
        for _ in range(4):
            os.wait()
        prometheus_client.multiprocess.MultiProcessCollector(registry)
    else:
        fill(components, registry)
    for _ in range(rounds):
        begin = time.perf_counter_ns()
        text = prometheus_client.generate_latest(registry)
        taken = time.perf_counter_ns() - begin
        row("read", "snapshot + render text (full)", components, "1 thread", "ms", taken * 1e-6)
        row("read", "render text a line (full)", components, "1 thread", "ns", taken / text.count(b"\n"))


try:
    # First: whatever a process has recorded before its fork is in its children's files, too.
    for components in arguments[2:]:
        render(int(components))
    record()
finally:
    if directory:
        shutil.rmtree(directory, ignore_errors=True)
