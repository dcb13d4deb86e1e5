# SPDX-License-Identifier: MIT
"""What install() puts in the place of prometheus_client's values, one for each metric and label values."""
import math
import os
import threading
import warnings
import weakref

from promcb import _families, _promcb

#: Where new metrics go; None: nothing is installed.
segment = None
#: Families by what they are made of: a metric of the same name in another registry is the same family.
_made = {}
#: MutexValue, for what cannot lie in a segment.
local_value = None
_aggregates = {"sum": math.fsum, "min": min, "max": max, "mostrecent": lambda values: list(values)[-1]}
_scopes = {"min": "min", "max": "max", "sum": "sum", "mostrecent": "segment"}


class _Readable:
    """What values have beside counting: reading, and exemplars, of which a segment has none."""

    def _row(self):
        rows, bounds = _families.rows_of(self.segment, self.name, self.labelnames)
        for row in rows:
            if row[0] == self.labelvalues:
                return row, bounds
        return None, bounds

    def get(self):
        row, _ = self._row()
        return row[1] if row else 0.0

    def set_exemplar(self, exemplar):
        pass

    def get_exemplar(self):
        return None


class CounterValue(_Readable, _promcb.Counter):
    def set(self, value, timestamp=None):
        """Counter.reset(): it begins anew, for all processes."""
        self.reset()
        if value > 0:
            self.inc(value)


class GaugeValue(_Readable, _promcb.Gauge):
    """One value for each process, of which the sum, the least, the greatest or the last is shown."""


class HistogramValue(_Readable, _promcb.Histogram):
    """A histogram or a summary as one thing."""

    def get_count(self):
        row, _ = self._row()
        return float(row[2]) if row else 0.0

    def get_bucket(self, number):
        row, _ = self._row()
        return float(row[4][number]) if row and row[4] else 0.0


class PidGaugeValue:
    """A gauge that is shown for each process, with a label that says which: its own after a fork, too."""

    _all = weakref.WeakSet()

    def __init__(self, family, labelvalues, identifier, is_live):
        self._family, self._labelvalues, self._identifier = family, labelvalues, identifier
        self._pid, self._value, self._is_live = None, None, is_live
        self._all.add(self)

    def _own(self):
        pid = self._identifier()
        if pid != self._pid:
            self._value = self._family.labels(*self._labelvalues, str(pid))
            self._pid = pid
        return self._value

    def inc(self, amount):
        self._own().inc(amount)

    def set(self, value, timestamp=None):
        self._own().set(value)

    def get(self):
        return self._own().get()

    @classmethod
    def process_died(cls, pid):
        for value in list(cls._all):
            if value._is_live:
                value._family.remove(*value._labelvalues, str(pid))

    set_exemplar = _Readable.set_exemplar
    get_exemplar = _Readable.get_exemplar


class PlayedGaugeValue:
    """A gauge of a process that says itself which one it is: it may play several, and each has its value."""

    _lock = threading.RLock()
    _roles = {}

    def __init__(self, value, mode, identifier):
        self._value, self._mode, self._identifier = value, mode, identifier
        self._is_live = mode.startswith("live")
        with self._lock:
            key = value.name, value.labelnames, value.labelvalues
            self._parts = self._roles.setdefault((value.segment.name, key), ({}, []))
            self._parts[1].append(self)
        if mode != "mostrecent" and mode != "livemostrecent":
            self.inc(0)

    def _show(self):
        parts = self._parts[0]
        mode = self._mode.replace("live", "")
        if not parts:
            self._value.unset()
        else:
            self._value.set(_aggregates[mode](parts.values()))

    def inc(self, amount):
        with self._lock:
            parts = self._parts[0]
            parts[self._identifier()] = parts.get(self._identifier(), 0.0) + amount
            self._show()

    def set(self, value, timestamp=None):
        with self._lock:
            # The last one is the one that was set last.
            self._parts[0].pop(self._identifier(), None)
            self._parts[0][self._identifier()] = value
            self._show()

    def get(self):
        with self._lock:
            return self._parts[0].get(self._identifier(), 0.0)

    set_exemplar = _Readable.set_exemplar
    get_exemplar = _Readable.get_exemplar

    @classmethod
    def process_died(cls, pid):
        with cls._lock:
            for parts, values in cls._roles.values():
                if any(value._is_live for value in values) and parts.pop(pid, None) is not None:
                    values[0]._show()


def process_died(pid, path=None):
    """mark_process_dead(): a process that ended takes its gauges along without being told."""
    PlayedGaugeValue.process_died(pid)
    PidGaugeValue.process_died(pid)


#: What reads and counts in a segment; what a metric has instead is of its process alone.
SHARED = (_Readable, PidGaugeValue, PlayedGaugeValue)


def adopt_old_name():
    """The variable's name in lower case is an old one, which prometheus_client takes over with a warning."""
    old = os.environ.get("prometheus_multiproc_dir")
    if old is not None and "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = old
        warnings.warn("prometheus_multiproc_dir is an old name of PROMETHEUS_MULTIPROC_DIR", DeprecationWarning,
                      stacklevel=3)


def is_multiprocess():
    return "PROMETHEUS_MULTIPROC_DIR" in os.environ or "prometheus_multiproc_dir" in os.environ


def family_of(make, kind, name, help_text, labelnames, unit="", where=None, **options):
    """The family, made at its first use. where: a segment; None: the one that is installed."""
    where = where or segment
    key = (where.name, kind, name, tuple(labelnames), tuple(sorted(options.items())))
    family = _made.get(key)
    if family is None or family.segment is not where:
        family = _made[key] = _families.declare(make, where, kind, name, help_text, labelnames, unit, **options)
        if family.error:
            _complain(name, family.error)
    return family


def gauge_family(name, help_text, labelnames, mode, where=None):
    if mode in ("all", "liveall"):
        return family_of(GaugeValue, "gauge", name, help_text, (*labelnames, "pid"), where=where)
    return family_of(GaugeValue, "gauge", name, help_text, labelnames, where=where,
                     scope=_scopes[mode.replace("live", "")])


def bounds_of(metric):
    """A histogram's, without the last that is infinite; a summary is one of a single bucket."""
    if metric._type == "summary":
        return _families.SUMMARY_BOUNDS
    return tuple(bound for bound in metric._upper_bounds if bound != math.inf)


def histogram_family(metric, bounds, where=None):
    return family_of(HistogramValue, metric._type, metric._name, metric._documentation, metric._labelnames,
                     metric._unit, where=where, bounds=tuple(bounds))


def find(metric):
    """Of a metric: the family's name and labels in the segment."""
    kind = metric._type
    labels = tuple(metric._labelnames)
    if kind == "gauge" and getattr(metric, "_multiprocess_mode", "") in ("all", "liveall"):
        labels += ("pid",)
    return _families.segment_name(kind, metric._name), labels


def declared(metric):
    """The family of a metric that has labels, whether or not this process has used it."""
    where = metric._promcb_segment
    if metric._type == "counter":
        return family_of(CounterValue, "counter", metric._name, metric._documentation, metric._labelnames, where=where)
    if metric._type == "gauge":
        return gauge_family(metric._name, metric._documentation, metric._labelnames, metric._multiprocess_mode, where)
    return histogram_family(metric, bounds_of(metric), where)


def _complain(name, error):
    warnings.warn(f"promcb: the metric {name} is counted in each process for itself: {error}", RuntimeWarning,
                  stacklevel=2)


def series_of(family, labelvalues):
    return family.labels(*labelvalues) if family.labelnames else family


def make_value(typ, metric_name, name, labelnames, labelvalues, help_text, mode, identifier):
    if typ == "counter":
        family = family_of(CounterValue, typ, metric_name, help_text, labelnames)
        return None if family.error else series_of(family, labelvalues)
    if typ != "gauge":
        return None
    family = gauge_family(metric_name, help_text, labelnames, mode)
    if family.error:
        return None
    if mode in ("all", "liveall"):
        value = PidGaugeValue(family, tuple(labelvalues), identifier, mode == "liveall")
        value.inc(0)
        return value
    value = series_of(family, labelvalues)
    if identifier is not os.getpid:
        return PlayedGaugeValue(value, mode, identifier)
    if _scopes[mode.replace("live", "")] == "segment":
        return value
    # As prometheus_client has it, a gauge is there, and 0, once it was made.
    value.inc(0)
    return value


def value_class(process_identifier=os.getpid):
    """In the place of MultiProcessValue: a class of values, for values.ValueClass."""

    class SegmentValue:
        _multiprocess = is_multiprocess()
        _promcb = True

        def __new__(cls, typ, metric_name, name, labelnames, labelvalues, help_text, multiprocess_mode="", **kwargs):
            adopt_old_name()
            value = make_value(typ, metric_name, name, tuple(labelnames), tuple(labelvalues), help_text,
                               multiprocess_mode, process_identifier)
            if value is None:
                value = local_value(typ, metric_name, name, labelnames, labelvalues, help_text)
            return value

    return SegmentValue
