# SPDX-License-Identifier: MIT
"""promcb: latency, outcome and metrics of calls in shared memory, whole over all processes.

    import promcb

    payments = promcb.component("payment_api")      # once
    with payments.time():                           # each call: an exception is a failure
        pay()
    payments.record(0.012, True)                    # or by hand: seconds, success

    promcb.record("payment_api", 0.012)             # by name: half as fast

What is recorded lies in the segment that the environment's PROMCB_SEGMENT names ("/promcb" if it names none), together
with what all other processes record, and stays there when they end. promcb.generate_latest() renders it, as do
promcb-export and promcb-sidecar.

Recording takes some 30 ns, waits for nobody, and raises nothing but TypeError, where seconds are no number. Where there
is no segment to be had, calls are dropped: promcb.default().error says why.

    promcb.prometheus   programs that use prometheus_client: one line, and every worker is in every scrape
    promcb.metrics      Counter, Gauge, Histogram, Summary, Info and Enum with its signatures, ten times as fast
    promcb.collector    PrometheusMetricsCollector, get_prometheus_collector
    promcb.Breaker      a circuit breaker that all processes share, for functions and coroutines
    promcb.breaker      circuit breakers of each process, with the reference guide's interface
    promcb.asgi         middleware that counts requests by route, and an application for /metrics
    promcb.wsgi         the same for WSGI and Flask; promcb.django, promcb.aiohttp for these
    promcb.celery       tasks as components
    promcb.logging      a handler that counts lines by level
    promcb.testing      a segment of its own for each test
"""
from promcb._promcb import (
    Component,
    Counter,
    Error,
    Gauge,
    Histogram,
    Level,
    Segment,
    Snapshot,
    component,
    default,
    elapsed,
    record,
    start,
    version as __version__,
)
from promcb._breaker import Breaker, BreakerOpen
from promcb.export import generate_latest, write_textfile

__all__ = [
    "Breaker", "BreakerOpen", "Component", "Counter", "Error", "Gauge", "Histogram", "Level", "Segment", "Snapshot", "component", "default",
    "elapsed", "generate_latest", "open", "record", "snapshot", "start", "write_textfile",
]

#: As promcb_open: promcb.open("/run/app/metrics", lanes=512).
open = Segment


def snapshot(matching=None, *, recent=True):
    """What all processes have recorded in the default segment: Segment.snapshot()."""
    return default().snapshot(matching, recent=recent)
