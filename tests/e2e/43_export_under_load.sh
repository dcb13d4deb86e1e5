#!/bin/bash
# SPDX-License-Identifier: MIT
# Four processes of four threads record a known series while exports run back to back: no count goes down, in no scrape
# do the buckets of a component differ from its count or failures exceed calls, and at the end every number is exact.
. "${0%/*}/tools_prelude.sh"
calls=$(scaled 3000000)
"$tools/promcb-admin" create || fail create
"$PROMCB_BUILD/tests/e2e_producers" "$PROMCB_SEGMENT" "$calls" >"$scratch/expected" &
background=$!
python3 - "${0%/*}" "$tools/promcb-export" $background "$scratch/expected" "$calls" <<'PYTHON' || fail "as told above"
import re
import subprocess
import sys

here, export, producers, expected_path, calls_each = sys.argv[1:]
sys.path.insert(0, here)
from metrics import by_component


def scrape():
    text = subprocess.run([export], capture_output=True, check=True).stdout.decode()
    return {(name, component, label): value for component, values in by_component(text).items()
            for (name, label), value in values.items()}


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
    last = not running(producers)

compared = 0
with open(expected_path) as expected:
    for words in map(str.split, expected):
        if len(words) == 4:
            compared += 1
            name, calls, failures, sum_ns = words[0], *map(int, words[1:])
            assert int(now["calls_total", name, None]) == calls, (name, now["calls_total", name, None], calls)
            assert int(now["failures_total", name, None]) == failures, name
            seconds, _, fraction = now["call_duration_seconds_sum", name, None].partition(".")
            assert int(seconds) * 10**9 + int(fraction.ljust(9, "0")) == sum_ns, (name, seconds, fraction, sum_ns)
        else:
            name, power, cumulative = words[0], int(words[1]), int(words[2])
            bound = repr(2.0**power)
            assert int(now["call_duration_seconds_bucket", name, bound]) == cumulative, (name, bound)
assert compared == 3, compared
print(f"{scrapes} scrapes while {16 * int(calls_each):,} calls were recorded: every one whole, the last exact")
PYTHON
wait $background || fail "the producers ended with $?"
background=
