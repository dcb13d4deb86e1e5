# SPDX-License-Identifier: MIT
"""Counter, Gauge, Histogram, Summary, Info and Enum with prometheus_client's signatures, counted in C.

    from promcb.metrics import Counter, Histogram

    hits = Counter("hits", "Requests by path.", ["path"])
    hits.labels("/").inc()

They lie in the default segment, those of all processes together, and are in prometheus_client's REGISTRY, if that is
installed: generate_latest(), make_asgi_app() and the like are as before. Without it, promcb.generate_latest() renders
them, and REGISTRY here is one of promcb's own.

What is otherwise than in prometheus_client: see promcb.prometheus, and
  - a histogram has at most 60 buckets: ValueError;
  - an Enum's state is 1 while a living process is in it, and an Info is there while the process that told it lives;
  - what the segment refuses, as another type under the same name, is a RuntimeWarning, and not counted;
  - exemplars are taken, and not kept.
"""
import os
import re
import time
import warnings

from promcb import _families, _promcb
from promcb._blocks import ExceptionCounter, InprogressTracker, Timer
from promcb._registry import REGISTRY, CollectorRegistry, Metric

__all__ = ["CollectorRegistry", "Counter", "Enum", "Gauge", "Histogram", "Info", "REGISTRY", "Summary"]

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*\Z")
_LABEL = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*\Z")
_INFINITY = float("inf")
#: (segment, family, labels) -> label values -> what set_function() was given.
_functions = {}


def _full_name(kind, name, namespace, subsystem, unit):
    if not name:
        raise ValueError("Metric name should not be empty")
    full = "_".join(part for part in (namespace, subsystem, name) if part)
    if kind == "counter" and full.endswith("_total"):
        full = full[:-len("_total")]
    if unit and kind in ("info", "stateset"):
        raise ValueError(f"Metric name is of a type that cannot have a unit: {full}")
    if unit and not full.endswith("_" + unit):
        full += "_" + unit
    if not _NAME.match(full):
        raise ValueError(f"Invalid metric name: {full}")
    return full


def _label_names(labelnames, reserved):
    names = tuple(labelnames)
    for name in names:
        if not isinstance(name, str) or not _LABEL.match(name):
            raise ValueError(f"Invalid label metric name: {name}")
        if name in reserved:
            raise ValueError(f"Reserved label metric name: {name}")
    if len(set(names)) < len(names):
        raise ValueError("a label's name is there twice")
    return names


def _is_created_shown():
    try:
        from prometheus_client import metrics
    except ImportError:
        return os.environ.get("PROMETHEUS_DISABLE_CREATED_SERIES", "").lower() not in ("true", "1", "t")
    return bool(getattr(metrics, "_use_created", False))


class _Value:
    """What tests look at: _value.get(), _sum.get(), _count.get()."""

    def __init__(self, metric, column):
        self._metric, self._column = metric, column

    def get(self):
        row = self._metric._row()
        return float(row[self._column]) if row else 0.0


class _Base:
    """What all kinds share: how they are called, registered and collected."""

    _type = None
    _reserved_labelnames = ()

    def _name_it(self, name, documentation, labelnames, namespace, subsystem, unit):
        self._name = _full_name(self._type, name, namespace, subsystem, unit)
        self._labelnames = _label_names(labelnames, self._reserved_labelnames)
        self._documentation, self._unit = documentation, unit

    def _complain(self, error):
        warnings.warn(f"promcb: the metric {self._name} is not counted: {error}", RuntimeWarning, stacklevel=4)

    def describe(self):
        return [Metric(self._name, self._documentation, self._type, self._unit)]

    def __repr__(self):
        return f"{type(self).__module__}.{type(self).__name__}({getattr(self, '_name', self.name)})"


class _Counted(_Base):
    """Those that are made in C: this class names them, that one counts."""

    _made = None

    def _make(self, arguments, registry, **options):
        self._name_it(*arguments)
        called = _families.segment_name(self._type, self._name)
        unit = self._unit if self._unit and self._name.endswith("_" + self._unit) and called.startswith(
            self._name) and called[len(self._name):] in ("", "_total") else None
        text = self._documentation.encode("utf-8", "replace").replace(b"\0", b" ")[:1000].decode("utf-8", "ignore")
        segment = _promcb.default()
        inside = _families.segment_labels(self._labelnames)
        self._made.__init__(self, segment, called, text, self._labelnames, unit, strict=False,
                            labels_in_segment=inside, **options)
        _families.known[called, inside] = (self._type, self._name, self._labelnames)
        if self.error:
            if not segment.error:
                self._complain(self.error)
        if registry:
            registry.register(self)

    def _where(self):
        return self.name, _families.segment_labels(self.labelnames)

    def _rows(self):
        return _families.rows_of(self.segment, *self._where())

    def _row(self):
        for row in self._rows()[0]:
            if row[0] == self.labelvalues:
                return row
        return None

    def collect(self):
        """What all processes have counted."""
        metric = Metric(self._name, self._documentation, self._type, self._unit)
        rows, bounds = self._rows()
        functions = _functions.get((self.segment.name, *self._where()), {})
        is_created_shown = _is_created_shown()
        for row in rows:
            if row[0] in functions:
                continue
            labels = dict(zip(self._labelnames, row[0]))
            for suffix, more, number in _families.samples_of(self._type, row, bounds, is_created_shown):
                metric.add_sample(self._name + suffix, {**labels, **more}, number)
        for values, function in functions.items():
            metric.add_sample(self._name, dict(zip(self._labelnames, values)), float(function()))
        return [metric]

    def remove_by_labels(self, labels):
        """Removes all series that have these labels, for all processes."""
        if not self.labelnames:
            raise ValueError(f"No label names were set when constructing {self!r}")
        if not isinstance(labels, dict):
            raise TypeError("labels must be a dict of {label_name: label_value}")
        unknown = [name for name in labels if name not in self.labelnames]
        if unknown:
            raise ValueError(f"Unknown label names: {unknown}; expected {self.labelnames}")
        wanted = [(self.labelnames.index(name), str(value)) for name, value in labels.items()]
        for row in self._rows()[0] if wanted else ():
            if all(row[0][at] == value for at, value in wanted):
                self.remove(*row[0])

    def _check_observable(self):
        if self.labelnames and not self.labelvalues:
            raise ValueError(f"{self._type} metric is missing label values")


class Counter(_Counted, _promcb.Counter):
    """What only grows."""

    _type = "counter"
    _made = _promcb.Counter
    _value = property(lambda self: _Value(self, 1))

    def __init__(self, name, documentation, labelnames=(), namespace="", subsystem="", unit="", registry=REGISTRY):
        self._make((name, documentation, labelnames, namespace, subsystem, unit), registry)

    def count_exceptions(self, exception=Exception):
        """Counts exceptions of a type that pass: a decorator, or for "with"."""
        self._check_observable()
        return ExceptionCounter(self, exception)


class Gauge(_Counted, _promcb.Gauge):
    """What is set. multiprocess_mode: None: the sum over the living processes; else as prometheus_client's, where "all"
    and "liveall" have a label "pid"."""

    _type = "gauge"
    _made = _promcb.Gauge
    _MODES = frozenset(live + mode for live in ("", "live") for mode in ("all", "min", "max", "sum", "mostrecent"))
    _value = property(lambda self: _Value(self, 1))

    def __new__(cls, name, documentation, labelnames=(), namespace="", subsystem="", unit="", registry=REGISTRY, *,
                multiprocess_mode=None):
        if cls is Gauge and multiprocess_mode in ("all", "liveall"):
            cls = _EachGauge
        elif cls is Gauge and multiprocess_mode in ("mostrecent", "livemostrecent"):
            cls = _LastGauge
        return super().__new__(cls)

    def __init__(self, name, documentation, labelnames=(), namespace="", subsystem="", unit="", registry=REGISTRY, *,
                 multiprocess_mode=None):
        mode = multiprocess_mode or "livesum"
        if mode not in self._MODES:
            raise ValueError(f"Invalid multiprocess mode: {mode}")
        self._make_gauge((name, documentation, labelnames, namespace, subsystem, unit), registry,
                         mode.replace("live", ""))

    def _make_gauge(self, arguments, registry, mode):
        self._make(arguments, registry, scope=mode, zero=True)

    def set_to_current_time(self):
        self.set(time.time())

    def track_inprogress(self):
        """One more while a function or a block runs: a decorator, or for "with"."""
        self._check_observable()
        return InprogressTracker(self)

    def time(self):
        """Sets the seconds that a function or a block takes: a decorator, or for "with"."""
        return Timer(self, "set")

    def set_function(self, function):
        """What the function returns is shown, in scrapes that this process answers."""
        self._check_observable()
        _functions.setdefault((self.segment.name, *self._where()), {})[self.labelvalues] = function


class _LastGauge(Gauge):
    """One value for all processes: the last that was set."""

    def _make_gauge(self, arguments, registry, mode):
        self._make(arguments, registry, scope="segment")

    def inc(self, amount=1):
        raise RuntimeError("inc must not be used with the mostrecent mode")

    def dec(self, amount=1):
        raise RuntimeError("dec must not be used with the mostrecent mode")


class _EachGauge(Gauge):
    """One value for each process, with a label that says which."""

    _own = _pid = None
    _values = ()

    def _make_gauge(self, arguments, registry, mode):
        name, documentation, labelnames, *more = arguments
        self._make((name, documentation, (*labelnames, "pid"), *more), registry, zero=True)
        self._family = self
        if len(self._labelnames) == 1:
            self.inc(0)

    def labels(self, *values, **named):
        if named and not values:
            if sorted(named) != sorted(self._labelnames[:-1]):
                raise ValueError("Incorrect label names")
            values = [named[name] for name in self._labelnames[:-1]]
        if self._values or len(values) != len(self._labelnames) - 1 or not values:
            raise ValueError("Incorrect label count")
        child = _promcb.Gauge.__new__(_EachGauge)
        child._family, child._values = self, tuple(str(value) for value in values)
        child.inc(0)
        return child

    def _series(self):
        pid = os.getpid()
        if pid != self._pid:
            if len(self._values) != len(self._family._labelnames) - 1:
                raise ValueError("gauge metric is missing label values")
            self._own, self._pid = _promcb.Gauge.labels(self._family, *self._values, str(pid)), pid
        return self._own

    def inc(self, amount=1):
        _promcb.Gauge.inc(self._series(), amount)

    def dec(self, amount=1):
        _promcb.Gauge.dec(self._series(), amount)

    def set(self, value):
        _promcb.Gauge.set(self._series(), value)

    def remove(self, *values):
        return _promcb.Gauge.remove(self._family, *values, *[str(os.getpid())][len(values) >= len(self._labelnames):])

    def _check_observable(self):
        self._series()

    def _row(self):
        return self._series()._row()

    def set_function(self, function):
        own = self._series()
        _functions.setdefault((own.segment.name, *own._where()), {})[own.labelvalues] = function


class _Observed(_Counted):
    _made = _promcb.Histogram
    _sum = property(lambda self: _Value(self, 1))
    _count = property(lambda self: _Value(self, 2))

    def time(self):
        """Observes the seconds that a function or a block takes: a decorator, or for "with"."""
        return Timer(self, "observe")


class Summary(_Observed, _promcb.Histogram):
    """Count and sum of what is observed."""

    _type = "summary"
    _reserved_labelnames = ("quantile",)

    def __init__(self, name, documentation, labelnames=(), namespace="", subsystem="", unit="", registry=REGISTRY):
        self._make((name, documentation, labelnames, namespace, subsystem, unit), registry,
                   bounds=_families.SUMMARY_BOUNDS)


class Histogram(_Observed, _promcb.Histogram):
    """What is observed, counted in buckets."""

    _type = "histogram"
    _reserved_labelnames = ("le",)
    DEFAULT_BUCKETS = (.005, .01, .025, .05, .075, .1, .25, .5, .75, 1.0, 2.5, 5.0, 7.5, 10.0, _INFINITY)

    def __init__(self, name, documentation, labelnames=(), namespace="", subsystem="", unit="", registry=REGISTRY, *,
                 buckets=DEFAULT_BUCKETS):
        bounds = [float(bucket) for bucket in buckets]
        if bounds != sorted(bounds):
            raise ValueError("Buckets not in sorted order")
        if bounds and bounds[-1] != _INFINITY:
            bounds.append(_INFINITY)
        if len(bounds) < 2:
            raise ValueError("Must have at least two buckets")
        if len(bounds) > _families.BOUNDS_MAX + 1:
            raise ValueError(f"a histogram has at most {_families.BOUNDS_MAX} buckets")
        self._upper_bounds = bounds
        self._make((name, documentation, labelnames, namespace, subsystem, unit), registry, bounds=bounds[:-1])


class _Told(_Base):
    """What is not counted but told: no more often than a process changes its mind."""

    def __init__(self, name, documentation, labelnames=(), namespace="", subsystem="", unit="", registry=REGISTRY):
        self._name_it(name, documentation, labelnames, namespace, subsystem, unit)
        self.name = _families.segment_name(self._type, self._name)
        self._values, self._children, self._shown = (), {}, None
        self.segment = _promcb.default()
        if not self._labelnames:
            self._begin()
        if registry:
            registry.register(self)

    def labels(self, *values, **named):
        if not self._labelnames or self._values:
            raise ValueError(f"{self!r} has no labels to be given")
        if values and named:
            raise ValueError("Can't pass both *args and **kwargs")
        if named:
            if sorted(named) != sorted(self._labelnames):
                raise ValueError("Incorrect label names")
            values = [named[name] for name in self._labelnames]
        if len(values) != len(self._labelnames):
            raise ValueError("Incorrect label count")
        key = tuple(str(value) for value in values)
        child = self._children.get(key)
        if child is None:
            child = object.__new__(type(self))
            child.__dict__.update(self.__dict__, _values=key, _shown=None, _children={})
            child._begin()
            child = self._children.setdefault(key, child)
        return child

    def remove(self, *values):
        child = self._children.pop(tuple(str(value) for value in values), None)
        if child is not None:
            child._end()

    def clear(self):
        for values in list(self._children):
            self.remove(*values)

    def _family(self, labels, **options):
        family = _families.declare(_promcb.Gauge, self.segment, self._type, self._name, self._documentation, labels,
                                   **options)
        if family.error and not self.segment.error:
            self._complain(family.error)
        return family

    def _check_observable(self):
        if self._labelnames and not self._values:
            raise ValueError(f"{self._type} metric is missing label values")

    def collect(self):
        """What living processes have told."""
        metric = Metric(self._name, self._documentation, self._type, self._unit)
        for (called, labels), family in list(_families.view_of(self.segment).families.items()):
            if called == self.name:
                shown = _families.known.get((called, labels), (None, None, labels))[2]
                for row in family["series"]:
                    self._add(metric, dict(zip(shown, row[0])), row[1])
        return [metric]


class Info(_Told):
    """Something that is said in labels: a version."""

    _type = "info"

    def _begin(self):
        self.info({})

    def _end(self):
        if self._shown is not None:
            self._shown.unset()
            self._shown = None

    def info(self, val):
        """Tells it: a dict of str."""
        self._check_observable()
        if set(self._labelnames) & set(val):
            raise ValueError(f"Overlapping labels for Info metric, metric: {self._labelnames} child: {val}")
        if any(value is None for value in val.values()):
            raise ValueError("Label value cannot be None")
        names = _label_names((*self._labelnames, *sorted(val)), ())
        family = self._family(names, scope="info")
        values = (*self._values, *(val[name] for name in sorted(val)))
        series = family.labels(*values) if names else family
        self._end()
        series.set(1)
        self._shown = series

    def _add(self, metric, labels, number):
        metric.add_sample(self._name + "_info", labels, 1.0)


class Enum(_Told):
    """Which of some states is true."""

    _type = "stateset"

    def __init__(self, name, documentation, labelnames=(), namespace="", subsystem="", unit="", registry=REGISTRY, *,
                 states=None):
        full = _full_name(self._type, name, namespace, subsystem, unit)
        if full in labelnames or name in labelnames:
            raise ValueError(f"Overlapping labels for Enum metric: {name}")
        if not states:
            raise ValueError(f"No states provided for Enum metric: {name}")
        self._states = list(states)
        super().__init__(name, documentation, labelnames, namespace, subsystem, unit, registry)

    def _begin(self):
        family = self._family((*self._labelnames, self._name), scope="max")
        self._shown = [family.labels(*self._values, state) for state in self._states]
        self.state(self._states[0])

    def _end(self):
        for series in self._shown or ():
            series.unset()

    def state(self, state):
        """Tells it: ValueError for one that is none of the states."""
        self._check_observable()
        chosen = self._states.index(state)
        for i, series in enumerate(self._shown):
            series.set(i == chosen)

    def _add(self, metric, labels, number):
        metric.add_sample(self._name, labels, number)
