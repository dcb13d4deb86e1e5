#!/bin/bash
# SPDX-License-Identifier: MIT
# Four processes of four threads record a known series while exports run back to back: no count goes down, in no scrape
# do the buckets of a component differ from its count or failures exceed calls, and at the end every number is exact.
set -u
segment=/promcb-e2e-load-$$
directory=$(mktemp -d) || exit 1
trap 'rm -rf "$directory"; "$PROMCB_BUILD/tools/promcb-admin" --segment "$segment" remove --force >/dev/null 2>&1' EXIT

"$PROMCB_BUILD/tools/promcb-admin" --segment "$segment" create || exit 1
"$PROMCB_BUILD/tests/e2e_producers" "$segment" 3000000 >"$directory/expected" &
producers=$!
PRODUCERS=$producers SEGMENT=$segment DIRECTORY=$directory python3 - <<'PYTHON' || exit 1
import os
import re
import subprocess
import sys

export = os.environ["PROMCB_BUILD"] + "/tools/promcb-export"
line = re.compile(r'circuit_breaker_(\w+)\{component="(\w+)"(?:,(?:le|quantile|state)="([^"]+)")?\} (\S+)')


def scrape():
    text = subprocess.run([export, "--segment", os.environ["SEGMENT"]], capture_output=True, check=True).stdout.decode()
    return {(m[1], m[2], m[3]): m[4] for m in line.finditer(text)}


def running(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().split()[2] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


counters = re.compile(r"\w+_total|call_duration_seconds_(bucket|count|sum)|latency_seconds_(count|sum)")
before, scrapes, last = {}, 0, False
while True:
    now, scrapes = scrape(), scrapes + 1
    for key, value in now.items():
        if counters.fullmatch(key[0]) and float(value) < float(before.get(key, "0")):
            sys.exit(f"scrape {scrapes}: {key} went down from {before[key]} to {value}")
    for component in {key[1] for key in now}:
        calls = int(now["calls_total", component, None])
        failures = int(now["failures_total", component, None])
        assert failures <= calls, (component, failures, calls)
        assert failures + int(now["successes_total", component, None]) == calls, component
        for count in ("call_duration_seconds_count", "latency_seconds_count"):
            assert int(now[count, component, None]) == calls, (component, count)
        assert int(now["call_duration_seconds_bucket", component, "+Inf"]) == calls, component
    before = now
    if last:
        break
    last = not running(os.environ["PRODUCERS"])

with open(os.environ["DIRECTORY"] + "/expected") as expected:
    for words in map(str.split, expected):
        if len(words) == 4:
            name, calls, failures, sum_ns = words[0], *map(int, words[1:])
            assert int(now["calls_total", name, None]) == calls, (name, now["calls_total", name, None], calls)
            assert int(now["failures_total", name, None]) == failures, name
            seconds, _, fraction = now["call_duration_seconds_sum", name, None].partition(".")
            assert int(seconds) * 10**9 + int(fraction.ljust(9, "0")) == sum_ns, (name, seconds, fraction, sum_ns)
        else:
            name, power, cumulative = words[0], int(words[1]), int(words[2])
            bound = repr(2.0**power)
            assert int(now["call_duration_seconds_bucket", name, bound]) == cumulative, (name, bound)
print(f"{scrapes} scrapes while 48,000,000 calls were recorded: every one whole, the last exact")
PYTHON
wait "$producers"
