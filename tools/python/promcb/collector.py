# SPDX-License-Identifier: MIT
"""The collector of the reference guide, over a segment: code that uses it changes this one import.

    from promcb.collector import get_prometheus_collector

    collector = get_prometheus_collector()
    collector.record_circuit_breaker_call("payment_api", latency=0.125, success=True)
    collector.get_metrics_summary("payment_api")

What is otherwise, each on purpose: get_prometheus_collector() is of all processes; an instance of
PrometheusMetricsCollector has a segment of its own, which goes with the process. last_failure_time is by promcb's own
clock, to milliseconds, and never goes back. A reset keeps the name, and in the shared segment the state. Percentiles
lie within the samples. Names that no component can have count nothing, and a latency that is none is counted as
rejected: recording never raises for a value. In the text, the state's series are 1 for the present state, 0 for others.
"""
import os
import threading
import weakref
from enum import Enum

from promcb import _promcb
from promcb.testing import private_segment

__all__ = ["CircuitBreakerState", "PrometheusMetricsCollector", "get_prometheus_collector"]


class CircuitBreakerState(str, Enum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


_KEYS = ("component", "total_calls", "successful_calls", "failed_calls", "success_rate", "failure_rate", "avg_latency",
         "min_latency", "max_latency", "current_state", "last_failure_time")


def _remove(private, owner):
    # A child that ends does not take its parent's away.
    if os.getpid() == owner:
        private.__exit__(None, None, None)


class PrometheusMetricsCollector:
    """Records calls, states and log lines by component, and reads them back.

    max_latency_samples: how many of the newest calls percentiles are of, at least 32. segment: a promcb.Segment that
    is shared by all processes that open it; None: one of this process and its children.
    """

    def __init__(self, max_latency_samples=1000, segment=None):
        self.max_latency_samples = max_latency_samples
        self._seen = set()
        self._is_shared = segment is not None
        if segment is None:
            samples = min(max(int(max_latency_samples), 32), 65536)
            private = private_segment(recent_samples=samples, max_bytes=8 << 20, lanes=64)
            segment = private.__enter__()
            # When it is gone, or the process ends.
            weakref.finalize(self, _remove, private, os.getpid())
        self.segment = segment

    # -- Recording ----------------------------------------------------------------------------------------------------

    def record_circuit_breaker_call(self, component, latency, success, timestamp=None):
        """Records one finished call. latency: seconds."""
        self.segment.record(component, latency, success)

    def record_circuit_breaker_state(self, component, state, timestamp=None):
        """Says that a breaker is now "closed", "open" or "half_open"; another word is not taken for one."""
        state = getattr(state, "value", state)
        try:
            self.segment.component(component).state = state
        except ValueError:
            return
        self._seen.add(component)

    def record_log_entry(self, component, level="info"):
        """Counts a line of a log: debug, info, warning or error."""
        self.segment.count_log(component, level)

    # -- Reading ------------------------------------------------------------------------------------------------------

    def _summary(self, component):
        try:
            return self.segment.snapshot().summary(component)
        except (_promcb.Error, ValueError):
            return None

    def get_metrics_summary(self, component):
        """A dict: counts, rates in percent, latencies in seconds."""
        found = self._summary(component) or {
            "total_calls": 0, "successful_calls": 0, "failed_calls": 0, "failure_rate": 0.0, "current_state": "closed",
            "last_failure_time": None, "latency_percentiles": {}}
        summary = {key: found.get(key) for key in _KEYS}
        summary["component"] = component
        summary["success_rate"] = 100.0 - summary["failure_rate"]
        for key in ("avg_latency", "min_latency", "max_latency"):
            summary[key] = summary[key] or 0.0
        percentiles = found["latency_percentiles"]
        summary["latency_percentiles"] = {key: percentiles.get(key) or 0.0 for key in ("p50", "p95", "p99")}
        return summary

    def get_latency_percentiles(self, component, percentiles=None):
        """{"p50": seconds, ...}: of the newest calls those named, others of all calls; 0.0 without one."""
        wanted = [50, 95, 99] if percentiles is None else list(percentiles)
        try:
            snapshot = self.segment.snapshot()
            found = snapshot.summary(component)
        except (_promcb.Error, ValueError):
            found = None
        result = {}
        for percentile in wanted:
            key, value = f"p{percentile}", None
            if found:
                least, most = found["min_latency"] or 0.0, found["max_latency"] or 0.0
                value = found["latency_percentiles"].get(key)
                if value is None:
                    share = min(max(percentile / 100.0, 0.0), 1.0)
                    value = snapshot.quantile(component, share) if 0 < share < 1 else (most if share else least)
                    value = min(max(value or 0.0, least), most)
            result[key] = value or 0.0
        return result

    def get_failure_rate(self, component):
        """Percent; 0.0 without a call."""
        found = self._summary(component)
        return found["failure_rate"] if found else 0.0

    def get_success_rate(self, component):
        """Percent; 100.0 without a call."""
        return 100.0 - self.get_failure_rate(component)

    def get_components(self):
        """The names of components that had a call or a state since their reset."""
        try:
            summaries = self.segment.snapshot(recent=False).summaries()
        except (_promcb.Error, ValueError):
            return set(self._seen)
        return {s["component"] for s in summaries if s["total_calls"] or any(s["transitions"].values())} | self._seen

    def export_prometheus_format(self):
        """All of it as text."""
        try:
            return self.segment.snapshot().render("text").decode("utf-8").rstrip("\n")
        except (_promcb.Error, ValueError):
            return ""

    def reset_component(self, component):
        """Forgets what was recorded of a component."""
        self._forget(component)

    def reset_all(self):
        """Forgets everything."""
        self._forget(None)

    def _forget(self, component):
        names = self._seen & {component} if component is not None else set(self._seen)
        self._seen -= names
        try:
            if not self._is_shared:
                for name in names:
                    self.segment.component(name).state = "closed"
            self.segment.reset(component) if component is not None else self.segment.reset()
        except (_promcb.Error, ValueError, TypeError):
            pass


_lock = threading.Lock()
_collector = None


def get_prometheus_collector():
    """The collector of all processes: of the segment that PROMCB_SEGMENT names, else of "/promcb"."""
    global _collector
    if _collector is None:
        with _lock:
            if _collector is None:
                _collector = PrometheusMetricsCollector(segment=_promcb.default())
    return _collector
