#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Series with names and values of every odd kind, as lines of promcb-record and as Prometheus must have them.

Usage: 47_prometheus_series.py lines COUNT PHASE     the lines of one process
       47_prometheus_series.py compare ADDRESS COUNT PROCESSES PHASES   waits until Prometheus has what they add up to
       47_prometheus_series.py increase ADDRESS COUNT PROCESSES FROM    increase() from that moment on, which is exact
                                                                      where a window begins and ends with a sample
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
        labels = {"id": str(member // len(ODD)), LABELS[number % len(LABELS)]: ODD[member % len(ODD)]}
        if member % 3 == 0:
            labels[LABELS[(number + 3) % len(LABELS)]] = ODD[(member * 7 + 1) % len(ODD)]
        yield kind, name + ("_total" if kind == "add" else ""), labels, i


def amount(kind, number, phase):
    return (number % 1000 + phase) * (-1 if kind == "level" and number % 2 else 1)


def lines(count, phase):
    out = sys.stdout.buffer
    for kind, name, labels, number in series(count):
        quoted = ",".join('%s="%s"' % (label, value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n"))
                          for label, value in labels.items())
        option = "set" if kind == "set" else "add"
        out.write(("--%s %s{%s} %d\n" % (option, name, quoted, amount(kind, number, phase))).encode())


def expected(count, processes, phases):
    """Name and labels -> number."""
    out = {}
    for kind, name, labels, number in series(count):
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
        got = answered(query(address, '{job="series",id!=""}'))
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


def main():
    command, arguments = sys.argv[1], sys.argv[2:]
    if command == "lines":
        lines(int(arguments[0]), int(arguments[1]))
    elif command == "compare":
        compare(arguments[0], *map(int, arguments[1:]))
    else:
        increase(arguments[0], int(arguments[1]), int(arguments[2]), float(arguments[3]))


main()
