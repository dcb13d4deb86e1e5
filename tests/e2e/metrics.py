# SPDX-License-Identifier: MIT
"""What a test reads of an export in text or OpenMetrics: the one parser of it that is ours, and as strict as a test
wants it. (44 has the parsers of Prometheus' client library beside it.)"""
import re

SERIES = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)')
ESCAPED = re.compile(r"\\(.)")


def labels_of(text):
    """The labels of a series, escapes taken away. Whatever is no label is an error."""
    labels, at = {}, 0
    while at < len(text):
        match = LABEL.match(text, at)
        assert match, f"no label at {text[at:]!r}"
        assert match[1] not in labels, f"{match[1]} twice in {text!r}"
        labels[match[1]] = ESCAPED.sub(lambda escaped: "\n" if escaped[1] == "n" else escaped[1], match[2])
        at = match.end()
    return labels


def series_of(text):
    """(name, labels as a sorted tuple of pairs) to the value as it is written. No series twice."""
    found = {}
    assert text.endswith("\n"), "the last line has no end"
    for line in text.split("\n")[:-1]:
        if line.startswith("#") or not line:
            continue
        match = SERIES.fullmatch(line)
        assert match, f"no series: {line!r}"
        key = match[1], tuple(sorted(labels_of(match[2] or "").items()))
        assert key not in found, f"{key} twice"
        found[key] = match[3]
    return found


def by_component(text, prefix="circuit_breaker_"):
    """Component to (name without the prefix, value of its other label or None) to the value as it is written."""
    found = {}
    for (name, labels), value in series_of(text).items():
        others = dict(labels)
        component = others.pop("component", None)
        if component is None or not name.startswith(prefix):
            continue
        assert len(others) <= 1, labels
        key = name[len(prefix):], next(iter(others.values()), None)
        found.setdefault(component, {})[key] = value
    return found
