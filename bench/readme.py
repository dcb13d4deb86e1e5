#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Puts what run.sh measured into README.md and bench/README.md: what stands between their marks "bench:headline" and
"bench:memory".

Usage: readme.py FILE.csv [README README]   (default: README.md above this script, and beside it)

Each line of the headline is one row of the CSV: group, what, x, y, workers, unit, of the build as released. Figures are
medians over all rounds; "x floor" is the ratio of two medians of the same run. What was not measured stays empty.
"""
import collections
import os
import re
import statistics
import sys

PEERS = (("prometheus-cpp", "prometheus-cpp"), ("PCP MMV", "PCP MMV"), ("python multiprocess", "Python, multiprocess"))
ONE, TWO, RUN = "1 thread", "2 threads", "1 process"

# What it says, then group, what, x, y, workers, unit, and the goal in words.
HEADLINE = (
    ("`promcb_record_at`, inlined", "record", "record_at inlined", 0, 0, ONE, "ns", "1.25 x floor"),
    ("`promcb_record_at`", "record", "record_at", 0, 0, ONE, "ns", "1.25 x floor"),
    ("`promcb_record_many`, runs of 64", "record", "record_many by 64", 0, 0, ONE, "ns", ""),
    ("`promcb_record`", "record", "record", 0, 0, ONE, "ns", "1.2 x floor"),
    ("the same, two threads", "record", "record", 0, 0, TWO, "ns", "1.2 x floor"),
    ("`promcb_start` and `promcb_stop`", "record", "start + stop", 0, 0, ONE, "ns", "floor + 4"),
    ("by name, 100 names", "name", "by name", 100, 0, ONE, "ns", "floor + 6"),
    ("by name, 1,000", "name", "by name", 1000, 0, ONE, "ns", "floor + 6"),
    ("by name, 10,000", "name", "by name", 10000, 0, ONE, "ns", "floor + 6"),
    ("1,000 components at random", "components", "components at random", 1000, 0, ONE, "ns", "6.5"),
    ("text of 1,000 components, a line", "read", "render text a line (full)", 1000, 1, ONE, "ns", "12"),
    ("scrape of 1,000 components, rings full", "read", "snapshot + render text (full)", 1000, 1, ONE, "ms", ""),
    ("scrape of 10,000 in 4 lanes, rings full", "read", "snapshot + render text (full)", 10000, 4, ONE, "ms", ""),
    ("`promcb-export`, 10 components, a process", "process", "promcb-export whole process (full)", 10, 1, RUN, "ms",
     "3"),
    ("speed left, 10 snapshots a second, 1,000", "scraped", "speed left while scraped", 1000, 10, ONE, "%", "95"),
    ("sidecar: 1,000 scrapes a second against 10, 1", "scraped", "of the speed at 10 a second", 1, 1000, ONE, "%",
     "95"),
)


def read(path):
    """{(group, what, x, y, workers, unit): {who: median, "least": promcb's least}}, and the lines about the machine."""
    values = collections.defaultdict(lambda: collections.defaultdict(list))
    about = []
    with open(path) as file:
        for line in file:
            fields = line.rstrip("\n").split(",")
            if line.startswith("# "):
                about.append(line[2:].strip())
            elif len(fields) == 10 and fields[0] == "release":
                group, what, who, x, y, workers, unit, value = fields[2:]
                values[group, what, int(x), int(y), workers, unit][who].append(float(value))
    medians = {key: {who: statistics.median(all_of) for who, all_of in by.items()} for key, by in values.items()}
    for key, by in values.items():
        medians[key]["least"] = min(by.get("promcb", [0]))
    return medians, about


def shown(value):
    if value is None:
        return ""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def headline(rows):
    yield "| what | promcb: median (least) | floor | x floor | goal | " + " | ".join(name for _, name in PEERS) + " |"
    yield "|---" * (5 + len(PEERS)) + "|"
    for words, group, what, x, y, workers, unit, goal in HEADLINE:
        who = rows.get((group, what, x, y, workers, unit), {})
        # Peers have no lanes.
        beside = {**rows.get((group, what, x, 0, workers, unit), {}), **who}
        promcb = who.get("promcb")
        if promcb is None:
            continue
        floor = who.get("floor", who.get("another segment"))
        ratio = f"{promcb / floor:.2f}" if "floor" in who else ""
        cells = [words, f"**{shown(promcb)}** {unit}" + (f" ({shown(who['least'])})" if unit != "%" else ""), shown(floor), ratio, goal]
        for peer, _ in PEERS:
            its = beside.get(peer)
            cells.append(f"{shown(its)} ({its / promcb:,.0f} x)" if its else "")
        yield "| " + " | ".join(cells) + " |"


def memory(rows):
    """Bytes of the segment, by components and lanes, as bench_fill left them."""
    yield "| components | lanes | per component | and lane, up to 32 calls | and lane, more | the reader, per component and lane |"
    yield "|---" * 6 + "|"
    for components in (10, 1000, 10000):
        for lanes in (1, 4, 16, 64):
            def kib(what):
                return rows.get(("memory", what, components, lanes, ONE, "KiB"), {}).get("promcb")
            figures = [kib("segment per component"), kib("segment per component and lane (cold)"),
                       kib("segment per component and lane (full)"), kib("reader per component and lane (full)")]
            if any(figures[1:3]):
                yield f"| {components:,} | {lanes} | " + " | ".join(
                    f"{figure * 1024:,.0f}" if figure else "" for figure in figures) + " |"


def main():
    rows, about = read(sys.argv[1])
    here = os.path.dirname(os.path.abspath(__file__))
    top, bench = sys.argv[2:4] if len(sys.argv) > 3 else (os.path.join(here, "../README.md"), os.path.join(here, "README.md"))
    machine = [f"Measured with {about[0]}. " + "; ".join(line[0].upper() + line[1:] for line in about[1:6]) + ".", ""]
    for path, mark, lines in ((top, "headline", machine + list(headline(rows))), (bench, "memory", list(memory(rows)))):
        with open(path) as file:
            text = file.read()
        begin, end = f"<!-- bench:{mark} -->\n", f"<!-- bench:{mark} ends -->\n"
        if begin not in text or end not in text:
            sys.exit(f"readme.py: {path} has no marks bench:{mark}")
        text = re.sub(re.escape(begin) + ".*?" + re.escape(end), lambda _: begin + "\n".join(lines) + "\n" + end, text,
                      flags=re.DOTALL)
        with open(path, "w") as file:
            file.write(text)


if len(sys.argv) < 2:
    sys.exit(__doc__.split("\n\n")[1])
main()
