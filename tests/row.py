#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs tests of one build, tells how it goes and what came of it.

Usage: row.py DIRECTORY CONFIGURATION SUITES [NAME...]

DIRECTORY is built. SUITES are separated by blanks; with names, those tests of them alone. What was to run is what meson
knows of, not what happens to have left a result: a test without one has failed. Of the environment:

PROMCB_QUICK      leaves out what is in the suite "whole"
PROMCB_INSTALLED  all packages are installed: a test that is skipped since one is not has failed
PROMCB_RESULTS    a file to add the results to: suite, name, seconds, outcome, reason; parted by tabs
PROMCB_WRAPPER    what runs meson, if anything: "setarch -R"

A line for each test as it ends; and on a terminal one that says how far it is.
"""
import json
import os
import re
import select
import subprocess
import sys
import time

directory, configuration, suites, *names = sys.argv[1:]
suites = suites.split()
quick = bool(os.environ.get("PROMCB_QUICK"))
terminal = sys.stdout.isatty()
begun = time.monotonic()
WORDS = {"OK": "ok", "SKIP": "skip"}
LINE = re.compile(r" *\d+/\d+ (?:promcb:\S+ / )?(\S+) +([A-Z]+) +([0-9.]+)s")
# Without a word for so long, somebody would wonder.
SILENCE_SECONDS = 30


def suites_of(test):
    return [suite.split(":")[-1] for suite in test["suite"]]


def all_tests():
    answer = subprocess.run(["meson", "introspect", "--tests", directory], check=True, capture_output=True)
    tests = {}
    for test in json.loads(answer.stdout):
        chosen = suites_of(test)
        if not set(chosen) & set(suites):
            continue
        if names and test["name"] not in names:
            continue
        if quick and not names and "whole" in chosen:
            continue
        tests[test["name"]] = chosen[0]
    return tests


def say(suite, name, seconds, word):
    clear()
    print(f"{word:<5} {configuration:<11} {suite:<7} {name:<30} {seconds:>8}", flush=True)


def clear():
    if terminal:
        print("\r\033[K", end="")


def progress(done):
    text = f"{configuration}: {done} of {len(expected)} after {time.monotonic() - begun:.0f} s"
    if terminal:
        print(f"\r\033[K{text}", end="", flush=True)
    return text


def meson_test():
    command = os.environ.get("PROMCB_WRAPPER", "").split()
    command += ["meson", "test", "-C", directory, "--no-rebuild", "--timeout-multiplier", "2"]
    command += sorted(expected) if names else [word for suite in suites for word in ("--suite", "promcb:" + suite)]
    if quick and not names:
        command += ["--no-suite", "promcb:whole"]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def watch(process):
    """Prints results as they come. Returns all that meson said."""
    said, rest, done, told = b"", b"", 0, time.monotonic()
    while True:
        ready, _, _ = select.select([process.stdout], [], [], 1)
        if ready:
            more = os.read(process.stdout.fileno(), 65536)
            if not more:
                break
            said += more
            *lines, rest = (rest + more).split(b"\n")
            for line in lines:
                match = LINE.match(line.decode(errors="replace"))
                if match and match[1] in expected:
                    done += 1
                    told = time.monotonic()
                    say(expected[match[1]], match[1], match[3] + " s", WORDS.get(match[2], "FAIL"))
        if terminal:
            progress(done)
        elif time.monotonic() - told > SILENCE_SECONDS:
            told = time.monotonic()
            print("      " + progress(done), flush=True)
    clear()
    process.wait()
    return said.decode(errors="replace")


def judged(name, result):
    """The outcome of a test, and why; prints the log of one that failed."""
    outcome = result["result"] if result else "did not run"
    if outcome == "OK":
        return "ok", ""
    output = ((result or {}).get("stdout", "") + (result or {}).get("stderr", "")).rstrip().split("\n")
    reason = output[-1].strip()
    if outcome == "SKIP" and not reason:
        outcome = "skipped without a reason"
    elif outcome == "SKIP" and os.environ.get("PROMCB_INSTALLED") and re.search(r"\bnot installed\b", reason):
        outcome = "skipped, though all packages are installed"
    elif outcome == "SKIP":
        return "skip", reason
    print(f"---- {configuration} {name}: {outcome}", *output[-150:], f"---- end of {name}", sep="\n", file=sys.stderr)
    return "FAIL", outcome


expected = all_tests()
log = directory + "/meson-logs/testlog.json"
if os.path.exists(log):
    os.remove(log)
try:
    said = watch(meson_test()) if expected else ""
except KeyboardInterrupt:
    sys.exit(130)
results = {}
try:
    with open(log) as file:
        for line in file:
            result = json.loads(line)
            results[result["name"].split(" / ")[-1]] = result
except FileNotFoundError:
    print(said, file=sys.stderr)
failed = False
with open(os.environ.get("PROMCB_RESULTS", os.devnull), "a") as file:
    for name, suite in expected.items():
        result = results.get(name)
        word, reason = judged(name, result)
        failed |= word == "FAIL"
        seconds = result["duration"] if result else 0
        print(configuration, suite, name, f"{seconds:.1f}", word, reason, sep="\t", file=file)
    for suite in [] if names else suites:
        if suite not in expected.values():
            failed = True
            print(f"---- {configuration}: there is no test in the suite {suite}", file=sys.stderr)
            print(configuration, suite, "-", 0, "FAIL", "there is none", sep="\t", file=file)
sys.exit(failed)
