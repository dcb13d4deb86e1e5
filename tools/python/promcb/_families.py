# SPDX-License-Identifier: MIT
"""How metrics of prometheus_client lie in a segment, and how they are read from it.

A counter, gauge or histogram is a family of the same name and labels. A summary is a histogram that nobody asks for
its buckets. What a family cannot be called in a segment, where formats and scrapers have words of their own, is called
a little otherwise there, and by its own name here.
"""
import contextlib
import functools
import math
import re
import threading

_PREFIXES = ("promcb_", "circuit_breaker_", "log_entries")
_ENDS = ("_total", "_sum", "_count", "_bucket", "_created", "_gsum", "_gcount", "_info")
_LABELS = ("le", "quantile", "segment", "component", "job", "instance")
#: More cannot be declared.
BOUNDS_MAX = 60
#: One bound, since a histogram has one.
SUMMARY_BOUNDS = (0.0,)


def segment_name(kind, name):
    """What the family of a metric is called in a segment. name: without the "_total" of counters."""
    name = re.sub("[^a-zA-Z0-9_]", "_", name)
    if name.startswith("__") or name.startswith(_PREFIXES):
        name = "python_" + name
    if name.endswith(_ENDS) or name in [end[1:] for end in _ENDS]:
        name += "_value"
    return name + {"counter": "_total", "info": "_info"}.get(kind, "")


def segment_labels(labelnames):
    return tuple("exported_" + label if label in _LABELS else re.sub("[^a-zA-Z0-9_]", "_", label)
                 for label in labelnames)


def declare(make, segment, kind, name, help_text, labelnames, unit="", **options):
    """A family of a segment: never raises for what the segment says, whose error is the family's."""
    called = segment_name(kind, name)
    base = called[:-len("_total")] if kind == "counter" else called
    if unit and not base.endswith("_" + unit):
        unit = ""
    help_text = help_text.encode("utf-8", "replace").replace(b"\0", b" ")[:1000].decode("utf-8", "ignore")
    family = make(segment, called, help_text, segment_labels(labelnames), unit or None, strict=False, **options)
    known[called, family.labelnames] = (kind, name, tuple(labelnames))
    return family


#: (family, labels) -> (kind, name, labels) of what this process has declared.
known = {}

# -- Reading ----------------------------------------------------------------------------------------------------------

_scrape = threading.local()


class View:
    """The families of one snapshot, by name and labels."""

    def __init__(self, segment):
        self.families = {}
        try:
            for family in segment.snapshot(recent=False).families():
                self.families[family["name"], family["labels"]] = family
        except Exception:  # no segment, no families: what else is scraped is not to suffer
            pass


@contextlib.contextmanager
def one_view():
    """Within it, all that a thread reads is of one snapshot for each segment."""
    before = getattr(_scrape, "views", None)
    if before is None:
        _scrape.views = {}
    try:
        yield
    finally:
        _scrape.views = before


def share_views(registry_class):
    """One snapshot for all metrics of a registry that is collected."""
    collect = registry_class.collect
    if getattr(collect, "_promcb_shares", False):
        return

    @functools.wraps(collect)
    def shared(self):
        with one_view():
            return iter(list(collect(self)))

    shared._promcb_shares = True
    registry_class.collect = shared


def view_of(segment):
    views = getattr(_scrape, "views", None)
    if views is None:
        return View(segment)
    if segment.name not in views:
        views[segment.name] = View(segment)
    return views[segment.name]


def rows_of(segment, called, labels):
    """The series of a family, and its bounds."""
    family = view_of(segment).families.get((called, labels))
    return (family["series"], family["bounds"]) if family else ((), None)


def go_string(number):
    """As prometheus_client writes bounds."""
    if number == math.inf:
        return "+Inf"
    if number == -math.inf:
        return "-Inf"
    text = repr(float(number))
    dot = text.find(".")
    if number > 0 and dot > 6:
        mantissa = f"{text[0]}.{text[1:dot]}{text[dot + 1:]}".rstrip("0.")
        return f"{mantissa}e+0{dot - 1}"
    return text


def samples_of(kind, row, bounds, is_created_shown):
    """(suffix, further labels, value) of a series."""
    _, number, count, created, buckets = row
    if kind == "counter":
        samples = [("_total", {}, number)]
    elif kind == "gauge":
        return [("", {}, number)]
    elif kind == "info":
        return [("_info", {}, 1.0)]
    elif kind == "summary":
        samples = [("_count", {}, float(count)), ("_sum", {}, number)]
    else:
        samples, total = [], 0
        for bound, held in zip(bounds or (), buckets or ()):
            total += held
            samples.append(("_bucket", {"le": go_string(bound)}, float(total)))
        samples.append(("_count", {}, float(total)))
        if not bounds or bounds[0] >= 0:
            samples.append(("_sum", {}, number))
    if is_created_shown:
        samples.append(("_created", {}, created))
    return samples
