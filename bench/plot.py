#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draws what run.sh measured, as small SVG files, with nothing but Python.

Usage: plot.py FILE.csv [DIRECTORY]   (default: bench/plots beside this script)

workers.svg: the cost of a call by one thread, two threads, two processes, beside the peers. components.svg: the cost
against the number of components. lanes.svg: a snapshot against lanes. scrape.svg: a whole scrape against components,
beside the peers. scraped.svg: the speed left against scrapes a second. Points are medians; what was not measured is
not drawn.
"""
import collections
import html
import math
import os
import statistics
import sys

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 340, 62, 178, 34, 48
COLOURS = ("#0b62a4", "#c0392b", "#2e8b57", "#8e5ea2", "#d98200", "#555555", "#17a2b8", "#a0522d")


def read(path):
    """{(group, what, x, y, workers): {who: median}}; builds other than the released one are left out."""
    values = collections.defaultdict(lambda: collections.defaultdict(list))
    with open(path) as file:
        for line in file:
            fields = line.rstrip("\n").split(",")
            if len(fields) == 10 and fields[0] == "release":
                group, what, who, x, y, workers, _, value = fields[2:]
                values[group, what, int(x), int(y), workers][who].append(float(value))
    return {key: {who: statistics.median(all_of) for who, all_of in by_who.items()} for key, by_who in values.items()}


def number(value):
    if value >= 1000000:
        return f"{value / 1000000:g}M"
    if value >= 1000:
        return f"{value / 1000:g}k"
    return f"{value:g}"


class Axis:
    """Maps values to pixels, by their logarithm if they span much or if it is asked for."""

    def __init__(self, values, start, end, log=None, from_zero=False):
        low, high = min(values), max(values)
        self.log = log if log is not None else low > 0 and high / low > 30
        if self.log:
            self.low, self.high = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
            if self.low == self.high:
                self.high += 1
        else:
            self.low = 0 if from_zero else low
            step = 10 ** math.floor(math.log10(max(high - self.low, 1e-9)))
            self.step = next(step * part for part in (0.2, 0.5, 1, 2) if (high - self.low) / (step * part) <= 7)
            self.high = self.low + self.step * max(1, math.ceil((high - self.low) / self.step - 1e-9))
        self.start, self.end = start, end

    def at(self, value):
        place = math.log10(value) if self.log else value
        return self.start + (place - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self):
        if self.log:
            return [10 ** power for power in range(self.low, self.high + 1)]
        return [self.low + i * self.step for i in range(round((self.high - self.low) / self.step) + 1)]


class Chart:
    def __init__(self, title, x_title, y_title):
        self.parts, self.legend = [], []
        self.text(LEFT, 18, title, "start", 13, bold=True)
        self.text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, x_title, "middle")
        self.text(LEFT, 30, y_title, "start", 10)

    def text(self, x, y, words, anchor, size=11, bold=False):
        weight = ' font-weight="bold"' if bold else ""
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"{weight}>'
                          f"{html.escape(words)}</text>")

    def grid(self, axis):
        for tick in axis.ticks():
            y = axis.at(tick)
            self.parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
            self.text(LEFT - 6, y + 4, number(tick), "end")

    def name(self, index, words):
        y = TOP + 14 + 18 * index
        self.parts.append(f'<path d="M{WIDTH - RIGHT + 12} {y - 4}h16" stroke="{colour(index)}" stroke-width="3"/>')
        self.text(WIDTH - RIGHT + 34, y, words, "start")

    def save(self, path):
        with open(path, "w") as file:
            file.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
                       f'height="{HEIGHT}" font-family="sans-serif" fill="none">\n'
                       f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>\n<g fill="#222">\n')
            file.write("\n".join(part for part in self.parts if part.startswith("<text")))
            file.write("\n</g>\n")
            file.write("\n".join(part for part in self.parts if not part.startswith("<text")))
            file.write("\n</svg>\n")
        print(path)


def colour(index):
    return COLOURS[index % len(COLOURS)]


def lines(path, title, x_title, y_title, series, labels=None, from_zero=True):
    """series: {name: {x: y}}. labels: {x: words} for ticks of one's own."""
    series = {name: points for name, points in series.items() if len(points) > 1}
    if not series:
        return
    xs = sorted({x for points in series.values() for x in points})
    chart = Chart(title, x_title, y_title)
    across = Axis(xs, LEFT + 8, WIDTH - RIGHT - 8, log=True)
    up = Axis([y for points in series.values() for y in points.values()], HEIGHT - BOTTOM, TOP + 6,
              from_zero=from_zero)
    # The outermost points, not powers of ten, end the axis.
    across.low, across.high = math.log10(xs[0]), math.log10(xs[-1])
    chart.grid(up)
    for x in xs:
        chart.text(across.at(x), HEIGHT - BOTTOM + 16, (labels or {}).get(x, number(x)), "middle")
    for index, (name, points) in enumerate(series.items()):
        way = "L".join(f"{across.at(x):.1f} {up.at(y):.1f}" for x, y in sorted(points.items()))
        chart.parts.append(f'<path d="M{way}" stroke="{colour(index)}" stroke-width="2"/>')
        for x, y in points.items():
            chart.parts.append(f'<circle cx="{across.at(x):.1f}" cy="{up.at(y):.1f}" r="3" fill="{colour(index)}"/>')
        chart.name(index, name)
    chart.save(path)


def bars(path, title, y_title, groups, series):
    """series: {name: {group: y}}."""
    series = {name: points for name, points in series.items() if points}
    if not series:
        return
    chart = Chart(title, "", y_title)
    values = [y for points in series.values() for y in points.values()]
    up = Axis(values, HEIGHT - BOTTOM, TOP + 6, log=True)
    chart.grid(up)
    group_width = (WIDTH - LEFT - RIGHT) / len(groups)
    width = group_width * 0.84 / len(series)
    for place, group in enumerate(groups):
        left = LEFT + place * group_width + group_width * 0.08
        chart.text(left + group_width * 0.42, HEIGHT - BOTTOM + 16, group, "middle")
        for index, (name, points) in enumerate(series.items()):
            if group in points:
                x, y = left + index * width, up.at(points[group])
                chart.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width - 2:.1f}" '
                                   f'height="{HEIGHT - BOTTOM - y:.1f}" fill="{colour(index)}"/>')
                chart.text(x + width / 2 - 1, y - 3, f"{points[group]:.2g}" if points[group] < 10 else
                           number(round(points[group], 0 if points[group] < 1000 else -2)), "middle", 8)
    for index, name in enumerate(series):
        chart.name(index, name)
    chart.save(path)


def by_x(rows, group, what, who, y=None, workers="1 thread"):
    return {key[2]: value[who] for key, value in sorted(rows.items())
            if key[0] == group and key[1] == what and key[4] == workers and who in value and y in (None, key[3])
            and key[2] > 0}


def draw(rows, directory):
    groups = ("1 thread", "2 threads", "2 processes")
    who = ("promcb", "floor", "prometheus-cpp", "PCP MMV", "python", "python multiprocess")
    bars(f"{directory}/workers.svg", "Recording a call on the same component", "ns per call, each worker", groups, {
        name: {group: rows[key][name] for group in groups for key in [("record", "record", 0, 0, group)]
               if name in rows.get(key, {})} for name in who})
    lines(f"{directory}/components.svg", "Recording many components", "components", "ns per call", {
        f"{name}, {order}": by_x(rows, "components", f"components {order}", name)
        for order in ("in turn", "at random") for name in ("promcb", "floor")})
    lanes = collections.defaultdict(dict)
    for (group, what, x, y, _), value in rows.items():
        for part, words in (("snapshot without recent", "all but quantiles"), ("quantiles", "quantiles")):
            if group == "read" and what == f"{part} (full)" and "promcb" in value and x >= 1000 and y > 0:
                lanes[f"{words}, {number(x)}"][y] = max(value["promcb"], 0.01)
    lines(f"{directory}/lanes.svg", "A snapshot, every ring full", "lanes (threads that recorded)", "ms",
          dict(sorted(lanes.items())))
    scrape = {}
    for name in ("promcb", "prometheus-cpp", "python", "python multiprocess"):
        what = "snapshot + render text (full)"
        scrape[name] = by_x(rows, "read", what, name, 0 if name != "promcb" else 1)
    lines(f"{directory}/scrape.svg", "A whole scrape (promcb: one lane)", "components", "ms", scrape)
    scraped = collections.defaultdict(dict)
    ways = (("speed left while scraped", "scrapes a second done", ""),
            ("speed left while the sidecar is scraped", "scrapes of the sidecar a second done", ", sidecar"))
    for wanted, how_many, way in ways:
        for (group, what, x, y, _), value in sorted(rows.items()):
            if group != "scraped" or what != wanted or "promcb" not in value:
                continue
            done = rows.get(("scraped", how_many, x, y, "1 thread"), {}).get("promcb", 0)
            # A scrape that takes 10 ms cannot be had 1,000 times a second.
            if y == 1000000 or done > 0.8 * y:
                scraped[f"{number(x)} component{'s' if x > 1 else ''}{way}"][min(y, 10000)] = value["promcb"]
    lines(f"{directory}/scraped.svg", "Recording while scraped", "scrapes a second", "% of the speed without",
          scraped, {10000: "back to back"})


if len(sys.argv) < 2:
    sys.exit(__doc__.split("\n\n")[1])
target = sys.argv[2] if len(sys.argv) > 2 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "plots")
os.makedirs(target, exist_ok=True)
draw(read(sys.argv[1]), target)
