#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""39_record_count.py TOOLS SEED LINES: see 39_record_count.sh.

A line is made together with what it means, so nothing here reads a line: the count is independent of any parser.
"""
import collections
import json
import os
import random
import re
import subprocess
import sys
from decimal import ROUND_HALF_UP, Decimal

TOOLS, SEED = sys.argv[1], int(sys.argv[2])
LINES = int(sys.argv[3])
MAXIMUM_NS = 1 << 40
BOUNDS = [Decimal(2) ** power for power in range(-12, 4)]
UNITS = {"s": 9, "ms": 6, "us": 3, "ns": 0}

# A call: component, nanoseconds or None, whether it succeeded. None: the line is bad. (): it is blank.
WORDS = ["api", "GET_/", "GET_/users/:id", "web1", "be/srv-1", "/caf\u00e9", "200", "a,b", "x:", "0.5s", "-x", "_", "a" * 127,
         'q"uo\\te', "\U0001f600", "success", "e5e", "e\ufefff"]
PHRASES = ["GET /a b", "two  words", "10.0.0.1 - -", "a: b"]
NAMELESS = [b"x" * 128, b"y" * 5000, b"\xff\xfe", b"caf\xe9", b"a\x01b", b"a\x7f", b"a\0b", b"\xc0\x80", b"\xed\xa0\x80"]
UNKNOWN = ["-", "-1", "-0.5", "nan", "NaN", "null", "inf", "-inf", "+Infinity", "-1e9"]
NO_LATENCY = ["12ms", "0,012", "1,2", "0.1,2", '"0.1"', "0x10", "1e", "1.2.3", ".", "+", "--1", ",", "0.1;0.2", "1_0"]
NO_OUTCOME = ["20", "2000", "20x", "OK", "Success", '"200"', "2OO", "success.", "+200", "-200", "099x"]
SEPARATORS = [", ", " : ", ",  ", " :  "]


class Maker:
    def __init__(self, rng, unit, fails, names_with_blanks):
        self.rng, self.places, self.fails, self.with_blanks = rng, UNITS[unit], fails, names_with_blanks

    def latency(self, pointed=False):
        """A number as text, and its nanoseconds."""
        rng = self.rng
        ns = rng.choice([0, 1, rng.randrange(1000), rng.randrange(10**6), rng.randrange(10**9), rng.randrange(10**9),
                         rng.randrange(10**12), MAXIMUM_NS, MAXIMUM_NS + 1, rng.randrange(10**16)])
        number = Decimal(ns).scaleb(-self.places)
        style = rng.randrange(8)
        if pointed or style < 5:
            text = f"{number:f}"
            if pointed and "." not in text:
                text += "."
        elif style == 5:
            text = f"{number:E}"
        elif style == 6:
            text = f"{number:f}"
            text = "0" * rng.randrange(30) + text + ("0" * rng.randrange(30) if "." in text else "")
        else:
            # More digits than a nanosecond has.
            number += Decimal(rng.randrange(10**9)).scaleb(-self.places - 9)
            text = f"{number:f}"
            ns = int(Decimal(text).scaleb(self.places).to_integral_value(ROUND_HALF_UP))
        if not pointed and rng.randrange(20) == 0:
            text = "+" + text
        return text, ns

    def latencies(self):
        """The field as text, and what it is: nanoseconds, or None."""
        rng = self.rng
        kind = rng.randrange(10)
        if kind < 5:
            return self.latency()
        if kind < 7:
            return rng.choice(UNKNOWN), None
        members = [(rng.choice(UNKNOWN), None) if rng.randrange(4) == 0 else self.latency(kind == 9)
                   for _ in range(rng.randrange(2, 6))]
        if kind == 9:
            members = [(text if ns is not None else "-", ns) for text, ns in members]
            field = ",".join(text for text, _ in members)
        else:
            field = members[0][0]
            for text, _ in members[1:]:
                field += rng.choice(SEPARATORS) + text
        known = [ns for _, ns in members if ns is not None]
        return field, sum(known) if known else None

    def status(self):
        """A text, whether it is a success, and whether the latency counts."""
        rng = self.rng
        kind = rng.randrange(10)
        if kind == 0:
            return "success", True, True
        if kind == 1:
            return "failure", False, True
        if kind == 2:
            return rng.choice(["0", "-", "-1"]), not self.fails(0), True
        status = rng.choice([0, 9, 100, 101, 200, 204, 301, 400, 404, 429, 499, 500, 502, 503, 504, 529, 599, 600,
                             rng.randrange(1000)])
        return f"{status:03}", not self.fails(status), status != 101

    def outcome(self):
        if self.rng.randrange(12):
            return self.status()
        last = self.status()
        before = [self.status()[0] for _ in range(self.rng.randrange(1, 4))]
        field = ""
        for text in before:
            field += text + self.rng.choice(SEPARATORS)
        return field + last[0], last[1], last[2]

    def name(self, tabs):
        """Bytes, and the component that they stand for."""
        rng = self.rng
        kind = rng.randrange(30)
        if kind == 0:
            return rng.choice(NAMELESS), "_overflow"
        if kind < 5:
            phrase = rng.choice(PHRASES)
            return phrase.encode(), phrase if tabs or self.with_blanks else "_overflow"
        word = rng.choice(WORDS)
        padding = rng.choice(["", "", "", "", "\ufeff", "\u00a0", "\u3000", "\u200b", "\u2060", "\u2003", "\u2028", "\u0085"])
        return (padding + word + rng.choice(["", "", padding])).encode(), word

    def line(self):
        rng = self.rng
        kind = rng.randrange(100)
        tabs = rng.randrange(4) == 0
        # Two tabs in all would separate the fields.
        blank = (lambda: "\t") if tabs else (lambda: rng.choice([" ", " ", "  ", " \t \t\t "]))
        name, component = self.name(tabs)
        field, ns = self.latencies()
        outcome, success, timed = self.outcome()
        if kind == 0:
            return rng.choice([b"", b"  ", b"\t", b" \t \r", b"\r"]), ()
        if kind == 1:
            return rng.choice([b"lonely", b"200", b"Connect from 192.0.2.1:8 to 192.0.2.2:9 (http/TCP)", b"\0",
                               b"x" * 70000 + b" 1 200", b"- - - \"GET / HTTP/1.1\" 200 5", b"{\"a\": 1}"]), None
        if kind == 2:
            return name + f"{blank()}{rng.choice(NO_LATENCY)}{blank()}{outcome}".encode(), None
        if kind == 3:
            return name + f"{blank()}{field}{blank()}{rng.choice(NO_OUTCOME)}".encode(), None
        if kind < 7:
            # No latency at all: an empty field between tabs; or two fields, of which the first is not a latency.
            if tabs:
                return name + f"\t{rng.choice(['', ' ', '  '])}\t{outcome}".encode(), (component, None, success)
            word = rng.choice(["api", "web1", "GET_/"])
            return f"{word}{blank()}{outcome}".encode(), (word, None, success)
        if kind == 7:
            # No name: a call all the same.
            return f"{blank()}{field}{blank()}{outcome}".encode(), ("_overflow", ns if timed else None, success)
        line = name + f"{blank()}{field}{blank()}{outcome}".encode()
        line = rng.choice([b"", b"", b"", b" ", b"\t "]) + line + rng.choice([b"", b"", b"", b" ", b"\t", b"\r", b" \r"])
        return line, (component, ns if timed else None, success)


def read_export(segment):
    text = subprocess.run([f"{TOOLS}/promcb-export", "--segment", segment], check=True, capture_output=True).stdout.decode()
    found = collections.defaultdict(dict)
    for line in text.split("\n"):
        match = re.fullmatch(r'(\w+)\{component="((?:[^"\\]|\\.)*)"(?:,le="([^"]*)")?\} (\S+)', line)
        if match:
            name = re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], match[2])
            found[name][match[1], match[3]] = Decimal(match[4]) if match[4] != "NaN" else None
    return found, int(re.search(r"^promcb_bad_lines_total (\d+)$", text, re.M)[1]), \
        int(re.search(r"^promcb_saturated_calls_total (\d+)$", text, re.M)[1])


def run(name, options, unit, fails, names_with_blanks):
    rng = random.Random(f"{SEED} {name}")
    maker = Maker(rng, unit, fails, names_with_blanks)
    lines, bad, cut, truth = [], 0, 0, {}
    for _ in range(LINES):
        line, call = maker.line()
        lines.append(line)
        if call is None:
            bad += 1
        elif call:
            entry = truth.setdefault(call[0], [[0, 0], []])
            entry[0][not call[2]] += 1
            if call[1] is not None:
                cut += call[1] > MAXIMUM_NS
                entry[1].append(min(call[1], MAXIMUM_NS))
    data = b"\n".join(lines) + rng.choice([b"", b"\n"])
    segment = f"{os.environ['PROMCB_SEGMENT']}_{name}"
    try:
        with subprocess.Popen([f"{TOOLS}/promcb-record", "--stdin", "--segment", segment, *options],
                              stdin=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0) as recorder:
            at = 0
            while at < len(data):
                at += recorder.stdin.write(data[at:at + rng.choice([1, 100, 4093, 65536])])
            recorder.stdin.close()
            complaints = recorder.stderr.read().decode()
        assert recorder.returncode == 1, (recorder.returncode, complaints)
        found, bad_found, cut_found = read_export(segment)
    finally:
        subprocess.run([f"{TOOLS}/promcb-admin", "remove", "--force", "--segment", segment], check=False,
                       capture_output=True)
    wrong = []
    if (bad_found, cut_found) != (bad, cut):
        wrong.append(f"{bad_found} bad lines and {cut_found} cut latencies, not {bad} and {cut}")
    if f"{bad} of {LINES} lines could not be read" not in complaints:
        wrong.append(complaints)
    for component in sorted(set(truth) | set(found)):
        counts, latencies = truth.get(component, [[0, 0], []])
        values = found.get(component, {})
        expected = {("circuit_breaker_calls_total", None): sum(counts),
                    ("circuit_breaker_successes_total", None): counts[0],
                    ("circuit_breaker_failures_total", None): counts[1],
                    ("circuit_breaker_latency_seconds_count", None): len(latencies),
                    ("circuit_breaker_latency_seconds_sum", None): Decimal(sum(latencies)).scaleb(-9),
                    ("circuit_breaker_call_duration_seconds_bucket", "+Inf"): len(latencies)}
        for key, value in expected.items():
            if values.get(key) != value:
                wrong.append(f"{json.dumps(component)}: {key[0]} is {values.get(key)}, not {value}")
        buckets = {Decimal(key[1]): value for key, value in values.items() if key[1] not in (None, "+Inf")}
        for bound in BOUNDS:
            have = [value for le, value in buckets.items() if abs(le - bound) < Decimal("1e-12")]
            want = sum(Decimal(ns).scaleb(-9) <= bound for ns in latencies)
            if have != [want]:
                wrong.append(f"{json.dumps(component)}: bucket {bound} has {have}, not {want}")
    for sentence in wrong[:20]:
        print(f"{name}: {sentence}", file=sys.stderr)
    calls = sum(sum(counts) for counts, _ in truth.values())
    measured = sum(len(latencies) for _, latencies in truth.values())
    print(f"{name}: {LINES} lines, {calls} calls, {measured} of them with a latency, {bad} bad lines, "
          f"{sum(truth['_overflow'][0])} as _overflow")
    return not wrong


good = run("plain", [], "s", lambda status: status < 100 or status >= 500, False)
good &= run("chosen", ["--unit=ms", "--failure=4xx,000,!404,5xx,!529"], "ms",
            lambda status: status == 0 or (400 <= status < 600 and status not in (404, 529)), False)
good &= run("blanks", ["--names-with-blanks", "--unit=us"], "us", lambda status: status < 100 or status >= 500, True)
sys.exit(not good)
