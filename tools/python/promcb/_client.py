# SPDX-License-Identifier: MIT
"""What install() changes in prometheus_client, class by class, so that those who imported them before have it, too."""
import functools
import os
import warnings

from promcb import _families, _removal, _values

_KINDS = ("counter", "gauge", "histogram", "summary")
_originals = []


def _replace(owner, name, new):
    _originals.append((owner, name, owner.__code__ if name == "__code__" else owner.__dict__.get(name)))
    setattr(owner, name, new)


def restore():
    while _originals:
        owner, name, original = _originals.pop()
        if original is None:
            delattr(owner, name)
        else:
            setattr(owner, name, original)


def is_ours(metric):
    return getattr(metric, "_promcb_segment", None) is not None


def _is_installed(module):
    return _values.segment is not None and getattr(module.values.ValueClass, "_promcb", False)


# -- Histograms and summaries: one thing in a segment, not a value for each bucket ------------------------------------

class _Part:
    """What tests look at of a histogram: its sum, its count, a bucket."""

    def __init__(self, read):
        self.get = read

    def get_exemplar(self):
        return None


def _make_histogram(metric, bounds):
    if len(bounds) > _families.BOUNDS_MAX:
        _values._complain(metric._name, f"{len(bounds)} buckets, and {_families.BOUNDS_MAX} are the most")
        return None
    family = _values.histogram_family(metric, bounds)
    return None if family.error else _values.series_of(family, metric._labelvalues)


def _init_histogram(original, module, metric):
    value = None
    if _is_installed(module):
        value = _make_histogram(metric, _values.bounds_of(metric))
    if value is None:
        return original(metric)
    metric._promcb = value
    metric._sum = _Part(value.get)
    metric._buckets = [_Part(functools.partial(value.get_bucket, i)) for i in range(len(metric._upper_bounds))]
    metric._created = module.time.time()


def _init_summary(original, module, metric):
    value = _make_histogram(metric, _values.bounds_of(metric)) if _is_installed(module) else None
    if value is None:
        return original(metric)
    metric._promcb = value
    metric._sum, metric._count = _Part(value.get), _Part(value.get_count)
    metric._created = module.time.time()


def _observing(module, cls, initialize):
    original_init, original_observe = cls._metric_init, cls.observe

    @functools.wraps(original_init)
    def _metric_init(self):
        return initialize(original_init, module, self)

    @functools.wraps(original_observe)
    def observe(self, amount, *args, **kwargs):
        value = self.__dict__.get("_promcb")
        if value is None:
            return original_observe(self, amount, *args, **kwargs)
        exemplar = args[0] if args else kwargs.get("exemplar")
        value.observe(amount)
        if exemplar:
            module._validate_exemplar(exemplar)

    _replace(cls, "_metric_init", _metric_init)
    _replace(cls, "observe", observe)


# -- All metrics ------------------------------------------------------------------------------------------------------

def _is_created_shown(module):
    if _values.is_multiprocess():
        return False
    return bool(getattr(module, "_use_created", False))


def _own_samples(metric):
    """What this process has of a metric, by label values."""
    if metric._is_parent():
        with metric._lock:
            return {tuple(values): child for values, child in metric._metrics.items()}
    return {(): metric}


def _is_shared(child):
    return "_promcb" in child.__dict__ or isinstance(getattr(child, "_value", None), _values.SHARED)


def _collect(module, metric):
    called, labels = _values.find(metric)
    rows, bounds = _families.rows_of(metric._promcb_segment, called, _families.segment_labels(labels))
    own = _own_samples(metric)
    result = metric._get_metric()
    is_created_shown = _is_created_shown(module)
    seen = set()

    def add(suffix, more, values, number, timestamp=None, exemplar=None):
        result.add_sample(metric._name + suffix, {**dict(zip(labels, values)), **more}, number, timestamp, exemplar)

    for row in rows:
        values = row[0][:len(metric._labelnames)]
        child = own.get(values)
        seen.add(values)
        if child is not None and "_child_samples" in child.__dict__:
            continue
        for suffix, more, number in _families.samples_of(metric._type, row, bounds, is_created_shown):
            add(suffix, more, row[0], number)
    for values, child in own.items():
        # set_function(), and what is counted in this process alone. What was removed by another one is gone.
        if "_child_samples" in child.__dict__ or (values not in seen and not _is_shared(child)):
            for suffix, more, number, *rest in child._child_samples():
                add(suffix, more, values, number, *rest)
    return [result]


def _change_metrics(module):
    base = module.MetricWrapperBase
    original_init, original_collect = base.__init__, base.collect

    @functools.wraps(original_init)
    def __init__(self, *args, **kwargs):
        original_init(self, *args, **kwargs)
        if self._type in _KINDS and _is_installed(module):
            self._promcb_segment = _values.segment

    @functools.wraps(original_collect)
    def collect(self):
        if not is_ours(self):
            return original_collect(self)
        try:
            return _collect(module, self)
        except Exception:  # a scrape without these is worse than one of this process alone
            return original_collect(self)

    _replace(base, "__init__", __init__)
    _replace(base, "collect", collect)
    for name, new in _removal.methods(base, is_ours).items():
        _replace(base, name, new)


def _change_gauges(module):
    original = module.Gauge.__init__

    @functools.wraps(original)
    def __init__(self, *args, **kwargs):
        # The mode nobody chose would put the process's number on a series that never had one.
        if "multiprocess_mode" not in kwargs and len(args) < 9 and _is_installed(module) and \
                not _values.is_multiprocess():
            kwargs["multiprocess_mode"] = "livesum"
        original(self, *args, **kwargs)

    _replace(module.Gauge, "__init__", __init__)


# -- Registries -------------------------------------------------------------------------------------------------------

def _change_registry(cls):
    original = cls.collect

    @functools.wraps(original)
    def collect(self):
        with _families.one_view():
            return iter(list(original(self)))

    _replace(cls, "collect", collect)


def _all_families(metric_class):
    """What MultiProcessCollector yields: all that is in the segment, by whatever process."""
    if _values.segment is None:
        return
    with _families.one_view():
        families = list(_families.view_of(_values.segment).families.items())
    for (called, labels), family in families:
        kind, name, labelnames = _families.known.get((called, labels), (None, None, None))
        if kind is None:
            kind = {"level": "gauge"}.get(family["type"], family["type"])
            end = {"counter": "_total", "info": "_info"}.get(kind, "")
            name, labelnames = called[:len(called) - len(end)], labels
        metric = metric_class(name, family["help"], kind, "")
        for row in family["series"]:
            samples = _families.samples_of(kind, row, family["bounds"], False)
            # In the order that its own collector has.
            if kind == "histogram":
                samples.sort(key=lambda sample: ("_sum", "_bucket", "_count").index(sample[0]))
            for suffix, more, number in samples:
                metric.add_sample(name + suffix, {**dict(zip(labelnames, row[0])), **more}, number)
        yield metric


def _change_multiprocess(module, metric_class):
    collector = module.MultiProcessCollector
    original_init, original_collect = collector.__init__, collector.collect

    @functools.wraps(original_init)
    def __init__(self, registry, path=None):
        if path is not None and not os.path.isdir(path):
            raise ValueError(f"{path} is not a directory")
        _values.adopt_old_name()
        self._path = path
        if registry:
            registry.register(self)

    @functools.wraps(original_collect)
    def collect(self):
        return list(_all_families(metric_class))

    _replace(collector, "__init__", __init__)
    _replace(collector, "collect", collect)

    def mark_process_dead(pid, path=None):
        from promcb._values import process_died

        return process_died(pid, path)

    # Others hold the function itself.
    function = module.mark_process_dead
    if not function.__code__.co_freevars:
        _replace(function, "__code__", mark_process_dead.__code__)


# -- Metrics that were there before -----------------------------------------------------------------------------------

def _values_of(metric):
    if metric._type in ("counter", "gauge"):
        return metric._value.get()
    if metric._type == "summary":
        return metric._count.get()
    return sum(bucket.get() for bucket in metric._buckets)


def _adopt_one(metric):
    """Its value goes along; of a histogram, what it has counted stays behind."""
    before = _values_of(metric)
    metric._metric_init()
    if metric._type == "counter" and before:
        metric._value.inc(before)
    elif metric._type == "gauge" and before:
        metric._value.set(before)
    elif before:
        _values._complain(metric._name, "it had counted before install(), which is not taken along")


def adopt(module, registry):
    """Metrics of a registry that were made before: from now on they are in the segment."""
    for metric in list(getattr(registry, "_collector_to_names", ())):
        if not isinstance(metric, module.MetricWrapperBase) or metric._type not in _KINDS:
            continue
        if getattr(metric, "_promcb_segment", None) is _values.segment:
            continue
        try:
            if metric._type == "gauge" and metric._multiprocess_mode == "all" and not _values.is_multiprocess():
                metric._multiprocess_mode = metric._kwargs["multiprocess_mode"] = "livesum"
            if metric._is_parent():
                with metric._lock:
                    children = list(metric._metrics.values())
                for child in children:
                    if metric._type == "gauge":
                        child._multiprocess_mode = metric._multiprocess_mode
                    _adopt_one(child)
            else:
                _adopt_one(metric)
            metric._promcb_segment = _values.segment
        except Exception as error:
            _values._complain(getattr(metric, "_name", "?"), f"made before install(): {error}")


def change_all():
    import prometheus_client.metrics as metrics
    import prometheus_client.registry as registry
    import prometheus_client.values as values
    from prometheus_client.metrics_core import Metric

    _values.local_value = values.MutexValue
    new = _values.value_class()
    _replace(values, "ValueClass", new)
    _replace(values, "MultiProcessValue", _values.value_class)
    _change_metrics(metrics)
    _change_gauges(metrics)
    _observing(metrics, metrics.Histogram, _init_histogram)
    _observing(metrics, metrics.Summary, _init_summary)
    _change_registry(registry.CollectorRegistry)
    if hasattr(registry, "RestrictedRegistry"):
        _change_registry(registry.RestrictedRegistry)
    import prometheus_client.multiprocess as multiprocess

    _change_multiprocess(multiprocess, Metric)
    adopt(metrics, registry.REGISTRY)
