# SPDX-License-Identifier: MIT
"""Where metrics of promcb.metrics are registered: prometheus_client's registry, or, without it, one that does the same."""
import threading
from collections import namedtuple

from promcb import _families

try:
    from prometheus_client.metrics_core import Metric
    from prometheus_client.registry import REGISTRY, CollectorRegistry

    is_own = False
except ImportError:
    is_own = True

    Sample = namedtuple("Sample", ("name", "labels", "value", "timestamp", "exemplar"), defaults=(None, None))

    class Metric:
        """A family and its samples, as collect() gives them."""

        def __init__(self, name, documentation, typ, unit=""):
            self.name, self.documentation, self.type, self.unit, self.samples = name, documentation, typ, unit, []

        def add_sample(self, name, labels, value, timestamp=None, exemplar=None):
            self.samples.append(Sample(name, labels, value, timestamp, exemplar))

        def __repr__(self):
            return f"Metric({self.name}, {self.documentation}, {self.type}, {self.unit}, {self.samples})"

    class CollectorRegistry:
        """Metrics by their names."""

        def __init__(self):
            self._lock, self._names = threading.Lock(), {}

        @staticmethod
        def _names_of(collector):
            ends = {"counter": ("_total", "_created"), "summary": ("_sum", "_count", "_created"),
                    "histogram": ("_bucket", "_sum", "_count", "_created"), "info": ("_info",)}
            return {family.name + end for family in collector.describe() for end in ("", *ends.get(family.type, ()))}

        def register(self, collector):
            names = self._names_of(collector)
            with self._lock:
                taken = names.intersection(*[set().union(*self._names.values())])
                if taken:
                    raise ValueError(f"Duplicated timeseries in CollectorRegistry: {taken}")
                self._names[collector] = names

        def unregister(self, collector):
            with self._lock:
                del self._names[collector]

        def _collect(self, wanted=None):
            with self._lock:
                collectors = [c for c, names in self._names.items() if wanted is None or names & wanted]
            with _families.one_view():
                families = [family for collector in collectors for family in collector.collect()]
            if wanted is not None:
                for family in families:
                    family.samples = [s for s in family.samples if s.name in wanted or family.name in wanted]
            return iter(families)

        def collect(self):
            return self._collect()

        def restricted_registry(self, names):
            return _Restricted(self, frozenset(names))

        def get_sample_value(self, name, labels=None):
            for family in self.collect():
                for sample in family.samples:
                    if sample.name == name and sample.labels == (labels or {}):
                        return sample.value
            return None

    class _Restricted:
        def __init__(self, registry, names):
            self._registry, self._names = registry, names

        def collect(self):
            return self._registry._collect(self._names)

    REGISTRY = CollectorRegistry()
else:
    _families.share_views(CollectorRegistry)
