# SPDX-License-Identifier: MIT
"""The reference guide's collector and breakers: what its own tests ask for, and where promcb does better."""
import asyncio
import os
import threading
import unittest
from unittest import mock

import promcb
import promcb.breaker
from case import SegmentCase
from promcb.breaker import CircuitBreaker, CircuitBreakerOpenError, CircuitState, get_circuit_breaker
from promcb.collector import CircuitBreakerState, PrometheusMetricsCollector, get_prometheus_collector


class Collector(unittest.TestCase):
    def setUp(self):
        self.collector = PrometheusMetricsCollector()

    def record(self, name="api", *outcomes, latency=0.01):
        for outcome in outcomes:
            self.collector.record_circuit_breaker_call(name, latency, success=outcome)

    def test_counts_and_rates(self):
        self.record("api", True, True, True, False)
        summary = self.collector.get_metrics_summary("api")
        self.assertEqual(set(summary), {
            "component", "total_calls", "successful_calls", "failed_calls", "success_rate", "failure_rate",
            "avg_latency", "min_latency", "max_latency", "current_state", "last_failure_time", "latency_percentiles"})
        self.assertEqual([summary[k] for k in ("total_calls", "successful_calls", "failed_calls", "success_rate",
                                               "failure_rate")], [4, 3, 1, 75.0, 25.0])
        self.assertEqual(set(summary["latency_percentiles"]), {"p50", "p95", "p99"})
        self.assertEqual((self.collector.get_failure_rate("api"), self.collector.get_success_rate("api")), (25.0, 75.0))

    def test_latencies(self):
        for latency in (0.01, 0.02, 0.03, 0.04, 0.05):
            self.record("l", True, latency=latency)
        summary = self.collector.get_metrics_summary("l")
        self.assertEqual([summary[k] for k in ("min_latency", "max_latency", "avg_latency")], [0.01, 0.05, 0.03])
        for i in range(10, 110):
            self.record("p", True, latency=i / 1000)
        found = self.collector.get_latency_percentiles("p")
        self.assertTrue(0.05 < found["p50"] < 0.07 and found["p50"] <= found["p95"] <= found["p99"])
        self.assertEqual(self.collector.get_latency_percentiles("none"), {"p50": 0.0, "p95": 0.0, "p99": 0.0})
        self.record("one", True, latency=0.05)
        self.assertEqual(set(self.collector.get_latency_percentiles("one").values()), {0.05})
        found = self.collector.get_latency_percentiles("p", [0, 75, 100])
        self.assertEqual((found["p0"], found["p100"]), (0.01, 0.109))
        self.assertTrue(0.08 < found["p75"] < 0.095)
        # Two samples: within them, where the guide's go beyond.
        self.record("two", True, latency=0.05)
        self.record("two", True, latency=0.1)
        self.assertLessEqual(self.collector.get_latency_percentiles("two")["p99"], 0.1)

    def test_unknown_components(self):
        summary = self.collector.get_metrics_summary("never")
        self.assertEqual((summary["total_calls"], summary["success_rate"], summary["last_failure_time"]), (0, 100.0, None))
        self.assertEqual(self.collector.get_components(), set())

    def test_states(self):
        for state in ("closed", "open", CircuitBreakerState.HALF_OPEN, "closed"):
            self.collector.record_circuit_breaker_state("s", state)
        self.assertEqual(self.collector.get_metrics_summary("s")["current_state"], "closed")
        self.collector.record_circuit_breaker_state("s", "ajar")
        self.collector.record_circuit_breaker_state("only closed", "closed")
        self.assertEqual(self.collector.get_components(), {"s", "only closed"})

    def test_export(self):
        self.record("api", True)
        for level in ("debug", "INFO", "warning", "error"):
            self.collector.record_log_entry("logger", level)
        self.collector.record_circuit_breaker_state("api", "open")
        text = self.collector.export_prometheus_format()
        for part in ("# HELP", "# TYPE", "circuit_breaker_calls_total", 'component="api"', "log_entries_total",
                     "debug", "info", "warning", "error", 'circuit_breaker_state{component="api",state="open"} 1'):
            self.assertIn(part, text)
        self.assertFalse(text.endswith("\n"))
        self.assertNotIn("logger", self.collector.get_components())

    def test_resets(self):
        self.record("a", True)
        self.record("b", False)
        self.collector.record_circuit_breaker_state("a", "open")
        self.collector.reset_component("a")
        self.assertEqual(self.collector.get_components(), {"b"})
        self.assertEqual(self.collector.get_metrics_summary("a")["current_state"], "closed")
        self.collector.reset_all()
        self.assertEqual(self.collector.get_components(), set())
        self.collector.reset_component("never")

    def test_values_never_raise(self):
        for latency in (-1, float("nan"), float("inf")):
            self.record("v", True, latency=latency)
        for name in ("", "a\nb", "n" * 500):
            self.record(name, True)
            self.collector.record_circuit_breaker_state(name, "open")
            self.collector.record_log_entry(name, "info")
            self.collector.get_metrics_summary(name)
            self.collector.reset_component(name)
        self.assertEqual(self.collector.get_metrics_summary("v")["total_calls"], 0)

    def test_instances_are_private_and_go(self):
        other = PrometheusMetricsCollector(max_latency_samples=10)
        path = "/dev/shm" + other.segment.name
        self.record("api", True)
        self.assertEqual(other.get_components(), set())
        for i in range(20):
            other.record_circuit_breaker_call("r", 0.01 * (i + 1), True)
        self.assertGreater(other.get_metrics_summary("r")["max_latency"], 0.15)
        self.assertTrue(os.path.exists(path))
        del other
        self.assertFalse(os.path.exists(path))

    def test_threads(self):
        threads = [threading.Thread(target=lambda i=i: self.record(f"c{i}", *[True] * 100)) for i in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for i in range(10):
            self.assertEqual(self.collector.get_metrics_summary(f"c{i}")["total_calls"], 100)


class Shared(SegmentCase):
    def test_the_collector_is_of_all_processes(self):
        collector = PrometheusMetricsCollector(segment=self.segment)
        self.assertIs(get_prometheus_collector(), get_prometheus_collector())
        self.in_child(lambda: collector.record_circuit_breaker_call("api", 0.1, success=False))
        collector.record_circuit_breaker_call("api", 0.1, True)
        self.assertEqual(collector.get_metrics_summary("api")["total_calls"], 2)
        self.assertGreater(collector.get_metrics_summary("api")["last_failure_time"], 1e9)


class Clock:
    """time.monotonic() as the test says."""

    def __init__(self, case):
        self.now = 1000.0
        patch = mock.patch("promcb.breaker.time.monotonic", lambda: self.now)
        patch.start()
        case.addCleanup(patch.stop)


class Breakers(SegmentCase):
    def setUp(self):
        super().setUp()
        self.clock = Clock(self)

    def fail(self, breaker, times=1):
        for _ in range(times):
            with self.assertRaises(ZeroDivisionError):
                breaker.call(lambda: 1 / 0)

    def test_opens_rejects_and_recovers(self):
        breaker = CircuitBreaker(failure_threshold=3, timeout_seconds=10)
        self.fail(breaker, 2)
        self.assertIs(breaker.state, CircuitState.CLOSED)
        self.fail(breaker)
        self.assertIs(breaker.state, CircuitState.OPEN)
        with self.assertRaisesRegex(CircuitBreakerOpenError, "Circuit breaker 'llm_circuit_breaker' is OPEN") as caught:
            breaker.call(lambda: self.assertTrue(False))
        self.assertIs(caught.exception.breaker, breaker)
        self.clock.now += 9.9
        self.assertIs(breaker.refresh_state(), CircuitState.OPEN)
        self.clock.now += 0.2
        self.assertEqual(breaker.call(lambda: 7), 7)
        self.assertIs(breaker.state, CircuitState.HALF_OPEN)
        breaker.call(lambda: 7)
        self.assertIs(breaker.state, CircuitState.CLOSED)
        metrics = breaker.metrics
        self.assertEqual((metrics.success_count, metrics.failure_count, metrics.rejected_calls), (2, 3, 1))
        summary = self.summary("llm_circuit_breaker")
        self.assertEqual(summary["transitions"], {"closed": 1, "open": 1, "half_open": 1})
        self.assertEqual(breaker.get_stats()["metrics"]["state_transitions"], 3)

    def test_half_open_lets_one_call_through(self):
        breaker = CircuitBreaker(failure_threshold=1, timeout_seconds=1, success_threshold=1)
        self.fail(breaker)
        self.clock.now += 2

        def probe():
            self.assertRaises(CircuitBreakerOpenError, breaker.call, lambda: None)

        breaker.call(probe)
        self.assertIs(breaker.state, CircuitState.CLOSED)
        self.fail(breaker)
        self.clock.now += 2
        self.fail(breaker)
        self.assertIs(breaker.state, CircuitState.OPEN)

    def test_force_open_and_reset(self):
        breaker = CircuitBreaker(success_threshold=2, timeout_seconds=1)
        breaker.call(lambda: 1)
        breaker.call(lambda: 1)
        breaker.force_open()
        self.clock.now += 2
        breaker.call(lambda: 1)
        self.assertIs(breaker.state, CircuitState.HALF_OPEN)
        breaker.reset()
        self.assertEqual((breaker.state, breaker.metrics.total_calls), (CircuitState.CLOSED, 0))
        self.assertRaises(ValueError, CircuitBreaker, failure_threshold=0)
        self.assertRaises(ValueError, CircuitBreaker, timeout_seconds=0)

    def test_contexts_decorators_and_fallbacks(self):
        breaker = CircuitBreaker(failure_threshold=1, fallback=lambda: "instead", name="f")
        with self.assertRaises(KeyError):
            with breaker:
                with breaker:
                    pass
                raise KeyError

        @breaker.protected
        def function():
            return "itself"

        self.assertEqual(function(), "instead")
        with self.assertRaises(CircuitBreakerOpenError):
            with breaker:
                pass
        breaker.reset()
        self.assertEqual((function(), function.__name__), ("itself", "function"))

    def test_coroutines(self):
        breaker = CircuitBreaker(failure_threshold=1, timeout_seconds=1)

        @breaker.protected
        async def failing():
            raise KeyError

        async def forever():
            await asyncio.Event().wait()

        async def everything():
            task = asyncio.ensure_future(breaker.call(forever))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self.assertEqual(breaker.metrics.total_calls, 0)
            with self.assertRaises(KeyError):
                await failing()
            self.assertIs(breaker.state, CircuitState.OPEN)
            with self.assertRaises(CircuitBreakerOpenError):
                await failing()
            self.clock.now += 2
            # A probe that is cancelled gives its place to the next.
            task = asyncio.ensure_future(breaker.call(forever))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await breaker.call(asyncio.sleep, 0)
            await breaker.call(lambda: asyncio.sleep(0))
            self.assertIs(breaker.state, CircuitState.CLOSED)

        asyncio.run(everything())

    def test_by_name(self):
        first = get_circuit_breaker("one", failure_threshold=2)
        self.assertIs(get_circuit_breaker("one"), first)
        self.assertIsNot(get_circuit_breaker("other"), first)
        self.fail(first, 2)
        self.assertGreaterEqual(promcb.breaker.reset_all_circuit_breakers(), 2)
        self.assertEqual(promcb.breaker.get_all_circuit_breaker_stats()["one"]["state"], "closed")

    def test_threads_count_exactly(self):
        breaker = CircuitBreaker()
        threads = [threading.Thread(target=lambda: [breaker.call(int) for _ in range(100)]) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(breaker.metrics.success_count, 2000)


if __name__ == "__main__":
    unittest.main()
