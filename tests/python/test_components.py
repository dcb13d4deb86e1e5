# SPDX-License-Identifier: MIT
"""Components: what is recorded is what is read, and nothing raises but for mistakes of the program."""
import asyncio
import gc
import logging
import math
import signal
import sys
import threading
import unittest

import promcb
import promcb.export
import promcb.logging
from case import SegmentCase


class Components(SegmentCase):
    def test_calls_are_counted_by_outcome(self):
        component = promcb.component("payments")
        component.record(0.010)
        component.record(0.030, False)
        component.record(0.020, success=True)
        component.record(seconds=0.040, success=1)
        component.record_ns(50_000_000)
        component.record_outcome(False)
        promcb.record("payments", 1)
        summary = self.summary("payments")
        self.assertEqual((summary["total_calls"], summary["failed_calls"], summary["unmeasured_calls"]), (7, 2, 1))
        self.assertAlmostEqual(summary["latency_sum"], 1.15, places=9)
        self.assertEqual(summary["min_latency"], 0.010)

    def test_values_never_raise(self):
        class Bad:
            def __bool__(self):
                raise RuntimeError

        component = promcb.component("c")
        for seconds in (-1, math.nan, math.inf, -math.inf, 10**400, -10**400):
            component.record(seconds)
            promcb.record("c", seconds)
        component.record(1e12)
        component.record(0.5, Bad())
        component.record_ns(-1)
        component.record_ns(2**70)
        promcb.record("a\nb", 0.1)
        promcb.record("", 0.1)
        promcb.record("n" * 500, 0.1)
        promcb.record("zero\0byte", 0.1)
        summary, info = self.summary("c"), self.segment.snapshot().info()
        self.assertEqual((summary["total_calls"], summary["failed_calls"]), (4, 1))
        self.assertEqual(info["rejected_calls"], 12)
        self.assertEqual([s["component"] for s in self.segment.snapshot().summaries()], ["c"])

    def test_mistakes_raise(self):
        component = promcb.component("c")
        for wrong in (lambda: component.record("1"), lambda: component.record(), lambda: component.record(1, True, 2),
                      lambda: component.record(1, sucess=True), lambda: component.record(1, seconds=1),
                      lambda: promcb.record(), lambda: promcb.record("c"), lambda: promcb.record(7, 1.0),
                      lambda: component.record_ns(1.5), lambda: promcb.component(None)):
            self.assertRaises(TypeError, wrong)
        for name in ("", "a\nb", "n" * 128, "zero\0byte"):
            self.assertRaises(ValueError, promcb.component, name)
        with self.assertRaises(ValueError):
            component.state = "ajar"
        self.assertRaises(ValueError, promcb.open, self.segment.name + "-no", lanes=5000)
        with self.assertRaises(promcb.Error) as caught:
            promcb.open("/no/such/directory/segment")
        self.assertEqual(caught.exception.errno, 2)
        self.assertIn("/no/such/directory", str(caught.exception))

    def test_names_of_any_script(self):
        for name in ("zahlung-ä", "支払い", "🙂", "a" * 127):
            promcb.component(name).record(0.1)
            self.assertEqual(self.summary(name)["total_calls"], 1)
        promcb.record("\ud800", 0.1)
        self.assertEqual(self.summary("\\ud800")["total_calls"], 1)

    def test_state_is_seen_by_all(self):
        component = promcb.component("b")
        self.assertEqual(component.state, "closed")
        self.in_child(lambda: setattr(promcb.component("b"), "state", "open"))
        self.assertEqual(component.state, "open")
        component.state = "HALF_OPEN"
        self.assertEqual(self.summary("b")["transitions"], {"closed": 0, "open": 1, "half_open": 1})

    def test_timed_calls(self):
        component = promcb.component("t")
        with component.time() as call:
            self.assertGreaterEqual(call.seconds, 0)
        with self.assertRaises(KeyError):
            with component.time():
                raise KeyError
        with component.time() as call:
            call.success = False
        with component.time() as call:
            call.ignore()
        with self.assertRaises(KeyboardInterrupt):
            with component.time():
                raise KeyboardInterrupt
        token = promcb.start()
        self.assertGreaterEqual(promcb.elapsed(token), 0)
        component.stop(token, False)
        summary = self.summary("t")
        self.assertEqual((summary["successful_calls"], summary["failed_calls"]), (1, 3))

    def test_decorators(self):
        component = promcb.component("d")

        @component.time()
        def plain(x):
            return x + 1

        @component.time()
        def generator(n):
            yield from range(n)

        @component.time()
        async def coroutine(x):
            await asyncio.sleep(0)
            return x

        @component.time()
        async def items(n):
            for i in range(n):
                yield i

        async def everything():
            self.assertEqual([i async for i in items(3)], [0, 1, 2])
            return await coroutine(5)

        self.assertEqual((plain(1), list(generator(3)), plain.__name__), (2, [0, 1, 2], "plain"))
        self.assertEqual(asyncio.run(everything()), 5)
        self.assertEqual(self.summary("d")["successful_calls"], 4)

    def test_cancelled_coroutine_is_not_recorded(self):
        component = promcb.component("d")

        @component.time()
        async def forever():
            await asyncio.Event().wait()

        async def cancel():
            task = asyncio.ensure_future(forever())
            await asyncio.sleep(0)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task

        asyncio.run(cancel())
        summary = self.summary("d")
        self.assertEqual(summary["total_calls"] if summary else 0, 0)

    def test_log_lines(self):
        logger = logging.Logger("orders.db")
        logger.addHandler(promcb.logging.Handler())
        logger.addHandler(promcb.logging.Handler("all"))
        for method in (logger.debug, logger.info, logger.warning, logger.error, logger.critical):
            method("x")
        expected = {"debug": 1, "info": 1, "warning": 1, "error": 2}
        self.assertEqual(self.summary("orders.db")["log_entries"], expected)
        self.assertEqual(self.summary("all")["log_entries"], expected)

    def test_reset(self):
        component = promcb.component("r")
        component.record(1)
        component.reset()
        self.assertIsNone(self.summary("r"))
        self.assertFalse(self.segment.reset("never seen"))
        component.record(1)
        self.assertEqual(self.summary("r")["total_calls"], 1)
        self.assertTrue(self.segment.reset())
        self.assertIsNone(self.summary("r"))

    def test_a_closed_segment_drops(self):
        component = promcb.component("c")
        self.segment.close()
        component.record(1)
        promcb.record("c", 1)
        promcb.record("d", 1)

    def test_names_beyond_what_is_kept(self):
        for i in range(5000):
            promcb.record(f"n{i}", 0.001)
        calls = sum(s["total_calls"] for s in self.segment.snapshot(recent=False).summaries())
        self.assertEqual(calls, 5000)


class Hosts(SegmentCase):
    options = {"lanes": 32}

    def test_threads_beyond_the_lanes(self):
        barrier = threading.Barrier(100)

        def work():
            barrier.wait()
            for _ in range(50):
                promcb.record("t", 0.001)

        threads = [threading.Thread(target=work) for _ in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(self.summary("t")["total_calls"], 5000)

    def test_signal_handlers_and_finalizers(self):
        component, counter = promcb.component("h"), promcb.Counter(self.segment, "h_total")

        class Finalized:
            def __del__(self):
                component.record(0.001)
                counter.inc()

        def handler(*_):
            component.record(0.001)
            counter.inc()

        before = signal.signal(signal.SIGALRM, handler)
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        for _ in range(2000):
            circle = [Finalized()]
            circle.append(circle)
            component.record(0.001)
            signal.raise_signal(signal.SIGALRM)
        del circle
        gc.collect()
        self.assertEqual(self.summary("h")["total_calls"], 6000)
        self.assertEqual(self.family("h_total")[()][1], 4000)

    def test_the_end_of_the_interpreter(self):
        self.python("""
import atexit, threading, promcb
c = promcb.component("end")
k = promcb.Counter(promcb.default(), "end_total")
class Last:
    def __del__(self, c=c, k=k, record=promcb.record):
        c.record(0.001); k.inc(); record("end", 0.001)
last = Last()
last.itself = last
atexit.register(lambda: (c.record(0.001), k.inc()))
c.record(0.001)
""")
        self.python("""
import threading, promcb
begun = threading.Event()
def forever():
    while True:
        promcb.record("daemon", 0.001)
        begun.set()
threading.Thread(target=forever, daemon=True).start()
begun.wait()
""")
        self.assertEqual(self.summary("end")["total_calls"], 4)
        self.assertEqual(self.family("end_total")[()][1], 2)
        self.assertGreater(self.summary("daemon")["total_calls"], 0)

    def test_where_no_segment_can_be(self):
        self.assertIn("there is no directory", self.python("""
import promcb, promcb.export
c = promcb.component("x"); c.record(1); promcb.record("y", 1); c.state = "open"; c.count_log("info")
promcb.Counter(promcb.default(), "x_total", strict=False).inc()
print(promcb.default().error)
assert promcb.export.answer("/metrics")[0] == 503
""", PROMCB_SEGMENT="/no/such/directory/segment"))

    def test_subinterpreters(self):
        try:
            import _interpreters

            make, run = lambda: _interpreters.create("isolated"), _interpreters.exec
        except ImportError:  # up to 3.12, where they share one lock
            import _xxsubinterpreters as _interpreters

            make, run = _interpreters.create, _interpreters.run_string
        text = f"import promcb; s = promcb.open({self.segment.name!r}); [s.record('sub', 0.001) for _ in range(1000)]"
        ids = [make() for _ in range(2)]
        failures = []

        def work(i):
            try:
                failures.append(run(i, text))
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(i,)) for i in ids]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [None, None])
        for i in ids:
            _interpreters.destroy(i)
        self.assertEqual(self.summary("sub")["total_calls"], 2000)

    def test_references_are_given_back(self):
        component = promcb.component("c")
        counter = promcb.Counter(self.segment, "r_total", labels=("a", "b"))

        def once():
            for _ in range(100):
                component.record(0.001, success=True)
                promcb.record("c", 0.001)
                counter.labels("x", 1).inc()
                counter.labels(b="y", a="z").inc(0.5)
                counter.labels("x", 1).reset()
                counter.remove("y", "z")
                counter.remove("\ud800", "z")
                counter.clear()
                with component.time():
                    pass
                promcb.generate_latest()
                self.segment.snapshot().families()
                self.segment.snapshot().summaries()
                for wrong in (lambda: counter.inc(), lambda: counter.labels("x"), lambda: component.record("x")):
                    try:
                        wrong()
                    except (TypeError, ValueError):
                        pass

        once()
        gc.collect()
        before, blocks = sys.getrefcount(None), sys.getallocatedblocks()
        once()
        gc.collect()
        # Later ones have objects that nobody counts.
        if sys.version_info < (3, 12):
            self.assertLess(abs(sys.getrefcount(None) - before), 50)
        self.assertLess(sys.getallocatedblocks() - blocks, 500)


class Exports(SegmentCase):
    def test_formats_by_accept(self):
        promcb.record("c", 0.1)
        choose = promcb.export.choose_format
        proto = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
        for accept, expected in (
                (None, "text"), ("*/*", "text"), ("application/openmetrics-text;version=1.0.0", "openmetrics"),
                ("application/openmetrics-text;version=7", "text"), (proto + ";q=0.7,text/plain;q=0.3", "protobuf"),
                (proto + ";q=0.2,text/plain;q=0.3", "text"), ("application/vnd.google.protobuf", "text"),
                ("application/openmetrics-text;q=x,;;;,,=", "text")):
            self.assertEqual(choose(accept), expected, accept)
        body, kind = promcb.generate_latest()
        self.assertIn(b'circuit_breaker_calls_total{component="c"} 1\n', body)
        self.assertEqual(kind, "text/plain; version=0.0.4; charset=utf-8")
        body, _ = promcb.generate_latest("application/openmetrics-text")
        self.assertTrue(body.endswith(b"# EOF\n"))

    def test_documents(self):
        promcb.record("good", 0.1)
        answer = promcb.export.answer
        self.assertEqual(answer("/health/metrics")[0], 200)
        promcb.record("bad", 0.1, False)
        status, kind, body = answer("/health/metrics")
        self.assertEqual((status, kind.split(";")[0]), (503, "application/json"))
        self.assertIn(b'"healthy": false', body.replace(b":false", b": false"))
        self.assertIn(b"good", answer("/prometheus/query", "q=oo")[2])
        self.assertNotIn(b'"bad"', answer("/prometheus/query", "q=oo")[2])
        self.assertEqual(answer("/else")[0], 404)

    def test_textfile(self):
        import os
        import tempfile

        promcb.record("c", 0.1)
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "promcb.prom")
            promcb.write_textfile(path)
            with open(path, "rb") as file:
                self.assertIn(b'component="c"', file.read())
            self.assertEqual(os.listdir(directory), ["promcb.prom"])


if __name__ == "__main__":
    unittest.main()
