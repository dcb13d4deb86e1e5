#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a call costs from Python: promcb, and prometheus_client in its two modes and over promcb.prometheus.install().

Usage: bench_python.py [ROUNDS [MILLISECONDS]]

Each way is a process of its own; in each round every statement of every way has its turn, in the other order every
other round. Nanoseconds of the thread's processor time for one call, without the loop: the least of all rounds, and
their median. What is not installed is left out.

From a build directory: PYTHONPATH=build/gcc/tools/python bench/bench_python.py
"""
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

FLOOR, PROMCB, DROP_IN = "floor", "promcb", "promcb.metrics"
SINGLE, FILES, INSTALLED = "prometheus_client", "prometheus_client, files", "prometheus_client, install()"
CLIENT = ["c.inc()", "c.inc(2.5)", 'l.labels("a", "b").inc()', 'l.labels(x="a", y="b").inc()', "h.observe(0.03)",
          'hl.labels("a").observe(0.03)', "g.set(3.0)", "s.observe(3.0)", "with h.time(): pass"]
STATEMENTS = {
    FLOOR: ["f()", "p()"],
    PROMCB: ["k.record(0.001)", "k.record(0.001, False)", "k.record(0.001, success=True)",
             'record("payments", 0.001)', "k.stop(start())", "with k.time(): pass", "t(); t()"],
    DROP_IN: CLIENT, SINGLE: CLIENT, FILES: CLIENT, INSTALLED: CLIENT,
}
SAID = {"f()": "a C function that does nothing", "p()": "a Python function that does nothing",
        "t(); t()": "two time.perf_counter()"}


def names(way):
    """What the statements of a way use."""
    if way == FLOOR:
        def p():
            pass

        import gc

        return {"f": gc.isenabled, "p": p}
    if way == PROMCB:
        import promcb

        return {"k": promcb.component("payments"), "record": promcb.record, "start": promcb.start,
                "t": time.perf_counter}
    if way == DROP_IN:
        from promcb.metrics import Counter, Gauge, Histogram, Summary
    else:
        from prometheus_client import Counter, Gauge, Histogram, Summary

        if way == INSTALLED:
            import promcb.prometheus

            promcb.prometheus.install()
    return {"c": Counter("c", "C"), "l": Counter("l", "L", ["x", "y"]), "h": Histogram("h", "H"), "g": Gauge("g", "G"),
            "hl": Histogram("hl", "H", ["x"]), "s": Summary("s", "S")}


def compiled(statement, known):
    scope = dict(known)
    exec(f"def run(n):\n for _ in n:\n  {statement}\n", scope)
    return scope["run"]


def timed(run, count):
    from itertools import repeat

    begin = time.thread_time_ns()
    run(repeat(None, count))
    return (time.thread_time_ns() - begin) / count


def serve(way, budget_ns):
    """Numbers of statements come in, times go out."""
    known = names(way)
    runs = [compiled(statement, known) for statement in ["pass"] + STATEMENTS[way]]
    counts = [max(100, int(budget_ns / max(timed(run, 2000), 1))) for run in runs]
    print("ready", flush=True)
    for line in sys.stdin:
        at = int(line) + 1
        print(timed(runs[at], counts[at]) - timed(runs[0], counts[0]), flush=True)


def main():
    if len(sys.argv) > 2 and sys.argv[1] == "--serve":
        return serve(sys.argv[2], float(sys.argv[3]))
    if len(sys.argv) > 1 and not sys.argv[1].isdigit():
        print(__doc__)
        return 0 if sys.argv[1] == "--help" else 2
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    budget_ns = (float(sys.argv[2]) if len(sys.argv) > 2 else 3) * 1e6
    directory = tempfile.mkdtemp(prefix="promcb-bench-", dir="/dev/shm")
    servers, times = {}, {}
    try:
        for way in STATEMENTS:
            environment = {**os.environ, "PROMCB_SEGMENT": os.path.join(directory, f"segment{len(servers)}")}
            environment.pop("PROMETHEUS_MULTIPROC_DIR", None)
            if way == FILES:
                environment["PROMETHEUS_MULTIPROC_DIR"] = directory
            server = subprocess.Popen([sys.executable, os.path.abspath(__file__), "--serve", way, str(budget_ns)],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
            if server.stdout.readline() == "ready\n":
                servers[way] = server
            else:
                server.wait()
                print(f"{way}: left out", file=sys.stderr)
        turns = [(way, at) for way in servers for at in range(len(STATEMENTS[way]))]
        for number in range(rounds):
            for way, at in reversed(turns) if number % 2 else turns:
                servers[way].stdin.write(f"{at}\n")
                servers[way].stdin.flush()
                times.setdefault((way, at), []).append(float(servers[way].stdout.readline()))
    finally:
        for server in servers.values():
            server.stdin.close()
            server.wait()
        shutil.rmtree(directory, ignore_errors=True)
    print(f"# Python {sys.version.split()[0]}, {rounds} rounds of {budget_ns / 1e6:g} ms, load {os.getloadavg()[0]:.1f}")
    print(f"{'':30} {'':32} {'least ns':>9} {'median ns':>9}")
    for (way, at), values in times.items():
        statement = STATEMENTS[way][at]
        print(f"{way:30} {SAID.get(statement, statement):32} {min(values):9.1f} {statistics.median(values):9.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
