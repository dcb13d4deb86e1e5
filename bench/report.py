#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the table of what the benchmarks measured.

Usage: report.py [FILE]   (default: standard input)

Reads the rows of bench.h, or the file of run.sh, which has two columns more: variant (how promcb was built) and round.
Prints a line per thing measured: promcb's minimum and median, the floor and the ratio to it, each peer and its ratio to
promcb, and the goal with what became of it. Ratios are of medians of the same run, but for
"of mins".
"""
import collections
import re
import statistics
import sys

GROUPS = (
    ("machine", "The machine"),
    ("record", "Recording one component"),
    ("components", "Recording many components (x: components)"),
    ("name", "Recording by name (x: names)"),
    ("breaker", "Calls through a circuit breaker (floor: the record alone)"),
    ("series", "Counting in series (x: series)"),
    ("families", "Reading series (x: series, y: lanes)"),
    ("scraped", "Recording while scraped (x: components, y: scrapes a second, 1000000: back to back)"),
    ("read", "Reading (x: components, y: lanes; peers: the same number of components)"),
    ("process", "A whole process (x: components, y: lanes)"),
    ("memory", "Memory (x: components, y: lanes)"),
    ("clock", "Clocks (x: microseconds timed)"),
)
BUILDS = ("promcb C++", "promcb LTO")
BESIDE = ("floor", "clock", "memcpy", "digits", "look-up and record", "handle", "another segment", "shared counters",
          "robust mutex", "semaphore")
PEERS = ("prometheus-cpp", "PCP MMV", "python", "python multiprocess")
# What peers are measured at.
COMPARED = ("by name", "snapshot + render text", "render text a line")

# group, what, x, y (None: any), kind, number. Kinds: "most" and "least" of promcb's median, "x floor" its ratio to the
# floor, "over floor" and "over clock" what it takes more.
GOALS = (
    ("record", r"record_at( inlined)?", None, None, "x floor", 1.25),
    ("record", r"record", None, None, "x floor", 1.2),
    ("record", r"start \+ stop( coarse)?", None, None, "over floor", 4),
    ("record", r"lap", None, None, "over floor", 4),
    ("breaker", r"allow \+ done( inlined)?", None, None, "over floor", 2),
    ("series", r"counter inlined", None, None, "x floor", 1.1),
    ("series", r"counter", None, None, "x floor", 1.25),
    ("series", r"counter of doubles", None, None, "x floor", 1.1),
    ("series", r"counter by label values", None, None, "over floor", 3),
    ("series", r"label values of strangers", None, None, "most", 150),
    ("series", r"gauge set inlined", None, None, "x floor", 1.25),
    ("series", r"histogram inlined", None, None, "x floor", 1.15),
    ("components", r"components at random", 1000, None, "most", 6.5),
    ("name", r"by name", 100, None, "most", 12),
    ("name", r"by name", 10000, None, "most", 40),
    ("read", r"render text a line.*", None, None, "most", 12),
    ("read", r"snapshot without recent \+ render text.*", 10000, 4, "most", 25),
    ("read", r"snapshot \+ render text \(full\)", 10000, 4, "most", 175),
    ("read", r"quantiles.*", 10000, 4, "most", 150),
    ("process", r"promcb-export whole process.*", 10, None, "most", 3),
    ("scraped", r"speed left while scraped", None, 10, "least", 95),
    ("scraped", r"of the speed at 10 a second", None, 1000, "least", 95),
    ("memory", r"segment per component and lane \(cold\)", 1000, None, "most", 5.2),
    ("memory", r"segment per component and lane \((full|mixed)\)", 1000, None, "most", 13.5),
)


def read(lines):
    """{(group, what, x, y, workers, unit): {who: [values]}}, in the order in which they came."""
    rows = collections.OrderedDict()
    for line in lines:
        if line.startswith("#") or line.startswith("variant,"):
            continue
        fields = line.rstrip("\n").split(",")
        if len(fields) == 10:
            variant, fields = fields[0], fields[2:]
        elif len(fields) == 8:
            variant = "release"
        else:
            sys.exit(f"report.py: not a row: {line!r}")
        group, what, who, x, y, workers, unit, value = fields
        if variant == "lto":
            # The floor and the peers are not promcb's build.
            if who != "promcb":
                continue
            who = "promcb LTO"
        key = (group, what, int(x), int(y), workers, unit)
        rows.setdefault(key, collections.OrderedDict()).setdefault(who, []).append(float(value))
    return rows


def shown(value):
    if value is None:
        return ""
    if abs(value) >= 1000:
        return f"{value:.0f}"
    return f"{value:.3g}" if abs(value) >= 100 else f"{value:.2f}"


def goal_of(key, medians):
    """The goal as text and whether it was reached, or two empty strings."""
    group, what, x, y, _, _ = key
    promcb = medians.get("promcb")
    for its_group, pattern, its_x, its_y, kind, number in GOALS:
        if (its_group != group or not re.fullmatch(pattern, what) or its_x not in (None, x) or its_y not in (None, y)
                or promcb is None):
            continue
        if kind == "most":
            return f"<= {number}", promcb <= number
        if kind == "least":
            return f">= {number}", promcb >= number
        floor = medians.get("clock" if kind == "over clock" else "floor")
        if floor is None:
            continue
        if kind == "x floor":
            return f"<= {number} x floor", promcb <= number * floor
        return f"<= {kind[5:]} + {number}", promcb <= floor + number
    return "", None


def print_table(header, rows):
    widths = [max(len(row[i]) for row in [header] + rows) for i in range(len(header))]
    # A column that nobody filled is left out.
    used = [i for i in range(len(header)) if i == 0 or any(row[i] for row in rows)]
    for row in [header] + rows:
        print("  ".join(row[i].ljust(widths[i]) if i == 0 else row[i].rjust(widths[i]) for i in used).rstrip())


def peer_values(rows, key, peer):
    """A peer's values for a row: where it has no lanes, y is 0."""
    group, what, x, y, workers, unit = key
    for its_y in (y, 0):
        values = rows.get((group, what, x, its_y, workers, unit), {}).get(peer)
        if values:
            return values
    return None


def main():
    with (open(sys.argv[1]) if len(sys.argv) > 1 else sys.stdin) as file:
        lines = file.readlines()
    rows = read(lines)
    absent = [line[2:].strip() for line in lines if line.startswith("# absent ")]
    absent = {peer for peer in PEERS for line in absent if line == f"absent {peer}"}
    for line in lines:
        if line.startswith("# ") and not line.startswith("# absent "):
            print(line[2:], end="")
    reached = missed = 0
    for group, title in GROUPS:
        table = []
        keys = [key for key in rows if key[0] == group]
        has_promcb = {(key[1], key[2], key[4]) for key in keys if "promcb" in rows[key]}
        peers = [peer for peer in PEERS if any(peer in rows[key] for key in keys) or
                 (peer in absent and group in ("record", "name", "read"))]
        for key in keys:
            _, what, x, y, workers, unit = key
            who = rows[key]
            # A row of peers alone is shown beside promcb's of the same components.
            if "promcb" not in who and not (set(who) & set(BESIDE)) and (what, x, workers) in has_promcb:
                continue
            medians = {name: statistics.median(values) for name, values in who.items()}
            main_one = medians.get("promcb")
            floor = medians.get("floor")
            where = " ".join(f"{name}={value}" for name, value in (("x", x), ("y", y)) if value)
            row = [f"{what}  {where}".rstrip(), workers, unit,
                   shown(min(who["promcb"])) if "promcb" in who else "", shown(main_one)]
            row += [shown(medians.get(name)) for name in BUILDS + BESIDE]
            row.append(f"{main_one / floor:.2f}" if main_one and floor else "")
            # What neighbours on a busy machine spoil least.
            row.append(f"{min(who['promcb']) / min(who['floor']):.2f}" if main_one and floor else "")
            for peer in peers:
                values = peer_values(rows, key, peer)
                if values:
                    median = statistics.median(values)
                    row += [shown(median), f"{median / main_one:.1f}" if main_one else ""]
                else:
                    row += ["not installed" if peer in absent and (what == "record" or what.startswith(COMPARED)) else "", ""]
            goal, good = goal_of(key, medians)
            if good is not None:
                reached += good
                missed += not good
            row += [goal, "" if good is None else "reached" if good else "MISSED"]
            table.append(row)
        if not table:
            continue
        header = ["", "workers", "unit", "min", "promcb"] + [name.replace("promcb ", "") for name in BUILDS]
        header += list(BESIDE) + ["x floor", "of mins"]
        for peer in peers:
            header += [peer, "x promcb"]
        print(f"\n{title}")
        print_table(header + ["goal", ""], table)
    print(f"\n{reached} goals reached, {missed} missed, of medians of this run; \"min\" is promcb's least")


try:
    main()
except BrokenPipeError:
    sys.stderr.close()
