#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Series with names and values of every odd kind, as lines of promcb-record and as Prometheus must have them.

Usage: 47_prometheus_series.py lines COUNT PHASE     the lines of one process
       47_prometheus_series.py compare ADDRESS COUNT PROCESSES PHASES   waits until Prometheus has what they add up to
       47_prometheus_series.py increase ADDRESS COUNT PROCESSES FROM    increase() from that moment on, which is exact
                                                                      where a window begins and ends with a sample
       47_prometheus_series.py histograms ADDRESS COUNT PROCESSES FROM  the same of histograms, native or classic
compare prints the moment of the scrape.
"""
import json
import sys
import time
import urllib.parse
import urllib.request

PER_FAMILY_MAX = 900  # of the 1,000 that a family may have
FAMILY_COUNT_MIN = 14  # so that there are some of each kind

ODD = ["plain", " ", "  two  words ", '"', '""', "\\", "\\n", "\\\\", "a\nb", "\n", "\r", "\t", "\x01", "\x1f", "\x7f", "{}", '{a="b"}',
       ",", "=", "#", "# HELP x y", "1", "-1", "NaN", "+Inf", "0x10", "%s%n", "$1", "`id`", "<b>", "&amp;", "ä", "a\u0308", "ß", "日本語",
       "\u05d0\u05d1", "\u202e", "\u200b", "\ufeff", "\ufffd", "\ufffe", "\U0001f600", "\U0010ffff", "\u0085", "\u2028",
       "_other", "component", "le", "x" * 1000, "é" * 500, "'"]
FAMILIES = ["_z", "A", "z9", "_0", "UPPER_case_Mix", "n" * 120, "a__b", "total", "sum_of", "x_"]
HISTOGRAM = 3  # which family: one, since a series of it has some hundred buckets
LABELS = ["_", "L", "l0", "k" * 127, "a_b_", "type", "name", "value"]


def series(count):
    """Yields kind, name, labels, number of each."""
    per_family = max(1, min(PER_FAMILY_MAX, count // FAMILY_COUNT_MIN))
    for i in range(count):
        number, member = divmod(i, per_family)
        name = FAMILIES[number % len(FAMILIES)]
        if number >= len(FAMILIES):
            name = "%s%d" % (name[:116], number)
        kind = "set" if number % 11 == 9 else "level" if number % 7 == 6 else "add"
        if number == HISTOGRAM:
            kind = "observe"
        labels = {"id": str(member // len(ODD)), LABELS[number % len(LABELS)]: ODD[member % len(ODD)]}
        if member % 3 == 0:
            labels[LABELS[(number + 3) % len(LABELS)]] = ODD[(member * 7 + 1) % len(ODD)]
        yield kind, name + ("_total" if kind == "add" else ""), labels, i


def amount(kind, number, phase):
    return (number % 1000 + phase) * (-1 if kind == "level" and number % 2 else 1)


def observed(number, phase):
    """What one process observes, in its order: phase by phase other values."""
    return [number % 1000 + phase, 3 * (number % 1000) + 7, (number % 1000 + 1) * 1000 * phase]


def lines(count, phase):
    out = sys.stdout.buffer
    for kind, name, labels, number in series(count):
        quoted = ",".join('%s="%s"' % (label, value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n"))
                          for label, value in labels.items())
        option = "add" if kind == "level" else kind
        for value in observed(number, phase) if kind == "observe" else [amount(kind, number, phase)]:
            out.write(("--%s %s{%s} %d\n" % (option, name, quoted, value)).encode())


def expected(count, processes, phases):
    """Name and labels -> number."""
    out = {}
    for kind, name, labels, number in series(count):
        if kind == "observe":
            continue
        total = sum(amount(kind, number, phase) for phase in range(1, phases + 1)) * processes
        out[name, tuple(sorted(labels.items()))] = str(amount(kind, number, phases) if kind == "set" else total)
    return out


def query(address, text, **more):
    url = address + "/api/v1/query?" + urllib.parse.urlencode({"query": text, **more})
    with urllib.request.urlopen(url, timeout=120) as answer:
        document = json.load(answer)
    assert document["status"] == "success", document
    return document["data"]["result"]


def answered(result):
    out = {}
    for one in result:
        labels = dict(one["metric"])
        name = labels.pop("__name__", None)
        labels.pop("job")
        labels.pop("instance")
        out[name, tuple(sorted(labels.items()))] = one["value"][1]
    return out


def differ(want, got):
    """How two dictionaries differ, in one line; None: they do not."""
    wrong = [key for key in want if got.get(key) != want[key]] + [key for key in got if key not in want]
    if not wrong:
        return None
    return "%d of %d: %r is %s, not %s" % (len(wrong), len(want), wrong[0], got.get(wrong[0]), want.get(wrong[0]))


def compare(address, count, processes, phases):
    want = expected(count, processes, phases)
    deadline = time.monotonic() + 180
    while True:
        others = '{job="series",id!="",__name__!~"%s(_bucket|_count|_sum)?"}' % FAMILIES[HISTOGRAM]
        got = answered(query(address, others))
        fault = differ(want, got)
        if not fault:
            break
        if time.monotonic() > deadline:
            sys.exit("Prometheus differs in " + fault)
        time.sleep(0.2)
    # Numbers do not change meanwhile: the newest scrape has them, be it one later. All that it has is of one moment.
    print("%.3f" % float(query(address, 'timestamp(up{job="series"})')[0]["value"][1]))


def increase(address, count, processes, start):
    wrong = compared = 0
    names = sorted({name for kind, name, _, _ in series(count) if kind == "add"})
    for name in names:
        stamp = float(query(address, 'timestamp(%s{job="series"})' % name)[0]["value"][1])
        window = round((stamp - start) * 1000)
        got = {key[1]: value for key, value in answered(
            query(address, 'increase(%s{job="series"}[%dms])' % (name, window), time="%.3f" % stamp)).items()}
        for kind, other, labels, number in series(count):
            if other == name:
                compared += 1
                want = amount(kind, number, 2) * processes
                wrong += got.get(tuple(sorted(labels.items()))) != str(want)
    if wrong or not compared:
        sys.exit("increase() differs in %d of %d series" % (wrong, compared))
    print("increase() of %d counters is what was recorded" % compared)


def values_of(count, processes, phases):
    """Labels -> all values that were observed in these phases."""
    return {tuple(sorted(labels.items())): [value for phase in phases for value in observed(number, phase)] * processes
            for kind, _, labels, number in series(count) if kind == "observe"}


def is_classic(values, labels, got):
    """Whether count, sum and each bucket of one series are those of the values."""
    name = FAMILIES[HISTOGRAM]
    if float(got[name + "_count"].get(labels, -1)) != len(values):
        return False
    if float(got[name + "_sum"].get(labels, -1)) != sum(values):
        return False
    buckets = got["le"].get(labels, {})
    return len(buckets) > 10 and "+Inf" in buckets and all(
        float(number) == sum(value <= float(bound) for value in values) for bound, number in buckets.items())


def is_native(values, histogram):
    """The same of a native histogram: each bucket holds what is in its bounds, and is an eighth of an octave wide."""
    rules = {0: lambda low, value, high: low < value <= high, 1: lambda low, value, high: low <= value < high,
             3: lambda low, value, high: low <= value <= high}
    left = len(values)
    for rule, low, high, number in histogram.get("buckets", []):
        low, high = float(low), float(high)
        inside = sum(rules[rule](low, value, high) for value in values)
        if inside != float(number) or (low > 0 and abs(high / low - 2 ** 0.125) > 1e-9):
            return False
        left -= inside
    return left == 0 and float(histogram["count"]) == len(values) and float(histogram["sum"]) == sum(values)


def ask(address, form, **more):
    """What Prometheus has of the histograms: labels -> native ones, or the classic parts by name."""
    name = FAMILIES[HISTOGRAM]
    strip = ("__name__", "job", "instance")

    def key(metric):
        return tuple(sorted(item for item in metric.items() if item[0] not in strip + ("le",)))
    native = query(address, form % (name + '{job="series"}'), **more)
    if native:
        return {key(one["metric"]): one["histogram"][1] for one in native}, None
    parts = {"le": {}}
    for part in (name + "_count", name + "_sum"):
        parts[part] = {key(one["metric"]): one["value"][1]
                       for one in query(address, form % (part + '{job="series"}'), **more)}
    for one in query(address, form % (name + '_bucket{job="series"}'), **more):
        parts["le"].setdefault(key(one["metric"]), {})[one["metric"]["le"]] = one["value"][1]
    return None, parts


def wrong_ones(want, answer):
    native, classic = answer
    if native is not None:
        return [key for key in want if key not in native or not is_native(want[key], native[key])] + \
            [key for key in native if key not in want]
    return [key for key in want if not is_classic(want[key], key, classic)] + \
        [key for key in classic["le"] if key not in want]


def histograms(address, count, processes, start):
    name = FAMILIES[HISTOGRAM]
    wrong = wrong_ones(values_of(count, processes, (1, 2)), ask(address, "%s"))
    if wrong:
        sys.exit("%d histograms differ: %r" % (len(wrong), wrong[0]))
    stamps = query(address, 'timestamp({job="series",__name__=~"%s|%s_count"})' % (name, name))
    stamp = float(stamps[0]["value"][1])
    window = "increase(%%s[%dms])" % round((stamp - start) * 1000)
    want = values_of(count, processes, (2,))
    answer = ask(address, window, time="%.3f" % stamp)
    wrong = wrong_ones(want, answer)
    if wrong or not want:
        sys.exit("increase() of %d of %d histograms differs: %r" % (len(wrong), len(want), wrong[:1]))
    print("increase() of %d %s histograms is what was recorded, bucket by bucket" %
          (len(want), "classic" if answer[0] is None else "native"))


def main():
    command, arguments = sys.argv[1], sys.argv[2:]
    if command == "lines":
        lines(int(arguments[0]), int(arguments[1]))
    elif command == "compare":
        compare(arguments[0], *map(int, arguments[1:]))
    elif command == "histograms":
        histograms(arguments[0], int(arguments[1]), int(arguments[2]), float(arguments[3]))
    else:
        increase(arguments[0], int(arguments[1]), int(arguments[2]), float(arguments[3]))


main()
