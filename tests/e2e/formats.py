#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Whether one snapshot says the same in text 0.0.4, OpenMetrics and protobuf.

Usage: formats.py DIRECTORY SNAPSHOT...

DIRECTORY has metrics_pb2.py, made by protoc; each SNAPSHOT is a directory with the files text, openmetrics, protobuf,
and options, which says what they are. Checks of each that
- no series stands twice, and families are contiguous, in text and in OpenMetrics;
- the strict parser of the Prometheus client library takes the OpenMetrics;
- every protobuf message has known fields only;
- all three have the same families with the same help, and the same series with the same values;
- native buckets, added up, are the classic ones, and the count is the zero bucket and all buckets.
"""
import math
import re
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from metrics import series_of as series_of_text

sys.path.insert(0, sys.argv[1])
import metrics_pb2  # noqa: E402  (made by protoc)

# What differs between two runs of a tool, and is no part of the snapshot.
VOLATILE = {"promcb_scrape_duration_seconds"}


def number(value):
    return "NaN" if math.isnan(value) else value


def of_text(path):
    """Series to value, and a check of contiguity and of duplicates that the parsers do not make."""
    text = open(path, encoding="utf-8", newline="").read()
    assert "\r" not in text and text.endswith("\n")
    series_of_text(text)
    families, current = set(), None
    for line in text.splitlines():
        if line.startswith("# EOF"):
            continue
        match = re.match(r"# (?:HELP|TYPE|UNIT) (\S+)", line)
        if match:
            if match[1] != current:
                assert match[1] not in families, f"{match[1]} in two places"
                current = match[1]
                families.add(current)
            continue
        name = re.match(r"[a-zA-Z_:][a-zA-Z0-9_:]*", line)[0]
        assert name.startswith(current), f"{name} below {current}"
    return text


def series_of(families):
    found = {}
    for family in families:
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found, key
            found[key] = number(sample.value)
    return found


def go_number(value):
    """As `le` and `quantile` are written: the shortest form, with a point."""
    if math.isinf(value):
        return "+Inf"
    return repr(value)


def of_protobuf(path):
    data = open(path, "rb").read()
    at, found, helps = 0, {}, {}

    def add(name, labels, value):
        key = (name, tuple(sorted(labels.items())))
        assert key not in found, key
        found[key] = number(float(value))

    while at < len(data):
        length, shift = 0, 0
        while True:
            byte = data[at]
            at += 1
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        assert shift <= 35
        family = metrics_pb2.MetricFamily()
        family.ParseFromString(data[at : at + length])
        at += length
        assert family.IsInitialized()
        # Encoded again without what is not in the description, it is as long: nothing was unknown.
        known = metrics_pb2.MetricFamily()
        known.CopyFrom(family)
        known.DiscardUnknownFields()
        assert known.ByteSize() == family.ByteSize(), family.name
        assert family.name not in helps, family.name
        helps[family.name] = family.help
        assert family.metric, family.name
        for metric in family.metric:
            labels = {pair.name: pair.value for pair in metric.label}
            kind = metrics_pb2.MetricType.Name(family.type)
            if kind in ("COUNTER", "GAUGE", "UNTYPED"):
                add(family.name, labels, getattr(metric, kind.lower()).value)
                # Every counter says since when it counts.
                assert kind != "COUNTER" or metric.counter.start_timestamp.seconds > 1700000000, family.name
            elif kind == "SUMMARY":
                add(family.name + "_sum", labels, metric.summary.sample_sum)
                add(family.name + "_count", labels, metric.summary.sample_count)
                for quantile in metric.summary.quantile:
                    add(family.name, {**labels, "quantile": go_number(quantile.quantile)}, quantile.value)
            else:
                histogram = metric.histogram
                add(family.name + "_sum", labels, histogram.sample_sum)
                add(family.name + "_count", labels, histogram.sample_count)
                for bucket in histogram.bucket:
                    le = go_number(bucket.upper_bound)
                    add(family.name + "_bucket", {**labels, "le": le}, bucket.cumulative_count)
                check_native(histogram, family.name.startswith("circuit_breaker_"))
    return found, helps


def check_native(histogram, is_latency):
    if not histogram.zero_threshold:
        # Of explicit bounds: classic alone.
        assert not is_latency and not histogram.positive_span and histogram.bucket
        counts = [bucket.cumulative_count for bucket in histogram.bucket]
        assert counts == sorted(counts) and counts[-1] == histogram.sample_count
        return
    index, count, deltas, buckets = 0, 0, iter(histogram.positive_delta), []
    for position, span in enumerate(histogram.positive_span):
        assert position == 0 or span.offset > 0
        index += span.offset
        for _ in range(span.length):
            count += next(deltas)
            assert count >= 0
            buckets.append((index, count))
            index += 1
    assert next(deltas, None) is None
    total = histogram.zero_count + sum(count for _, count in buckets)
    assert total == histogram.sample_count, (total, histogram.sample_count)
    assert not is_latency or (3 <= histogram.schema <= 5 and histogram.zero_threshold == 2**-30)
    scale = 2**histogram.schema
    for bucket in histogram.bucket:
        if math.isinf(bucket.upper_bound):
            assert bucket.cumulative_count == histogram.sample_count
            continue
        last = round(math.log2(bucket.upper_bound) * scale)
        below = histogram.zero_count + sum(count for at, count in buckets if at <= last)
        assert below == bucket.cumulative_count, (bucket.upper_bound, below, bucket.cumulative_count)


def same(what, left, right):
    assert left.keys() == right.keys(), (what, sorted(left.keys() ^ right.keys())[:5])
    for key, value in left.items():
        if key[0] in VOLATILE:
            continue
        other = right[key]
        # Sums are decimal nanoseconds in text, and the nearest double in protobuf: that is what a parser makes of both.
        assert value == other or math.isclose(value, other, rel_tol=1e-15), (what, key, value, other)



def check(directory):
    text = of_text(directory + "/text")
    openmetrics = of_text(directory + "/openmetrics")
    assert openmetrics.endswith("\n# EOF\n") and openmetrics.count("# EOF") == 1
    openmetrics_families = list(parse_openmetrics(openmetrics))
    protobuf, helps = of_protobuf(directory + "/protobuf")
    from_text = series_of(list(parse_text(text)))
    same("text and OpenMetrics", from_text, series_of(openmetrics_families))
    same("text and protobuf", from_text, protobuf)
    documented = {family.name: family.documentation for family in openmetrics_families}
    for name, help_text in helps.items():
        bare = name
        for ending in ("_total", "_info"):
            if name.endswith(ending) and name not in documented:
                bare = name[: -len(ending)]
        assert documented[bare] == help_text, (name, documented[bare], help_text)
    print(f"{len(helps)} families, {len(protobuf)} series: the same in three formats")


for snapshot in sys.argv[2:]:
    with open(snapshot + "/options", encoding="utf-8") as file:
        print("promcb-export", file.read().strip(), end=": ", flush=True)
    check(snapshot)
