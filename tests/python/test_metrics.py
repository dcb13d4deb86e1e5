# SPDX-License-Identifier: MIT
"""promcb.metrics: prometheus_client's classes, made in C, over processes; and what the stubs say of them."""
import ast
import asyncio
import inspect
import os
import sys
import unittest
import warnings

import promcb
import promcb.metrics
from case import SegmentCase
from promcb.metrics import Counter, Enum, Gauge, Histogram, Info, Summary

import prometheus_client
from prometheus_client import CollectorRegistry, generate_latest


class Metrics(SegmentCase):
    def setUp(self):
        super().setUp()
        self.registry = CollectorRegistry()

    def value(self, name, labels=None):
        return self.registry.get_sample_value(name, labels or {})

    def test_signatures_are_the_same(self):
        for name in ("Counter", "Gauge", "Histogram", "Summary", "Info", "Enum"):
            ours = inspect.signature(getattr(promcb.metrics, name)).parameters
            theirs = inspect.signature(getattr(prometheus_client, name)).parameters
            for parameter, expected in theirs.items():
                if not parameter.startswith("_"):
                    self.assertIn(parameter, ours, name)
                    if expected.default is not inspect.Parameter.empty and parameter != "multiprocess_mode":
                        self.assertEqual(ours[parameter].default, expected.default, (name, parameter))
        for name, methods in (("Counter", "inc labels remove clear count_exceptions collect describe"),
                              ("Gauge", "inc dec set set_to_current_time set_function track_inprogress time labels"),
                              ("Histogram", "observe time labels"), ("Summary", "observe time labels"),
                              ("Info", "info labels"), ("Enum", "state labels")):
            for method in methods.split():
                self.assertTrue(hasattr(getattr(promcb.metrics, name), method), (name, method))

    def test_all_processes_count(self):
        counter = Counter("hits_total", "Hits", ["path"], registry=self.registry)
        gauge = Gauge("busy", "B", registry=self.registry)
        highest = Gauge("highest", "H", ["a"], registry=self.registry, multiprocess_mode="max")
        histogram = Histogram("lat_seconds", "L", ["le_"], registry=self.registry, unit="seconds")
        summary = Summary("size", "S", registry=self.registry, namespace="n", subsystem="s", unit="bytes")
        self.assertEqual(self.value("busy"), 0)

        def work():
            counter.labels("/a").inc()
            counter.labels(path="/b").inc(0.5)
            histogram.labels("x").observe(0.2)
            summary.observe(3)

        for _ in range(3):
            self.in_child(work)
        work()
        gauge.inc()
        gauge.dec(3)
        highest.labels("x").set(4)
        self.assertEqual(self.value("hits_total", {"path": "/a"}), 4)
        self.assertEqual(self.value("hits_total", {"path": "/b"}), 2)
        self.assertEqual(self.value("lat_seconds_bucket", {"le_": "x", "le": "0.1"}), 0)
        self.assertEqual(self.value("lat_seconds_bucket", {"le_": "x", "le": "0.25"}), 4)
        self.assertEqual(self.value("lat_seconds_count", {"le_": "x"}), 4)
        self.assertEqual((self.value("n_s_size_bytes_count"), self.value("n_s_size_bytes_sum")), (4, 12))
        self.assertEqual((self.value("busy"), self.value("highest", {"a": "x"})), (-2, 4))
        self.assertEqual((counter.labels("/a")._value.get(), summary._sum.get(), summary._count.get()), (4, 12, 4))
        text = generate_latest(self.registry).decode()
        for line in ('# TYPE hits_total counter', '# HELP hits_total Hits', 'hits_total{path="/b"} 2.0',
                     "# TYPE n_s_size_bytes summary", "# TYPE lat_seconds histogram", "busy -2.0"):
            self.assertIn(line + "\n", text)
        self.assertEqual(repr(counter), "promcb.metrics.Counter(hits)")

    def test_labels_that_a_segment_keeps_for_itself(self):
        counter = Counter("c", "C", ["component", "job"], registry=self.registry)
        counter.labels(component="a", job="b").inc()
        counter.labels("a", "b").inc()
        self.assertEqual(self.value("c_total", {"component": "a", "job": "b"}), 2)
        self.assertIn(b'c_total{exported_component="a",exported_job="b"} 2', promcb.generate_latest()[0])
        counter.remove_by_labels({"job": "b"})
        self.assertIsNone(self.value("c_total", {"component": "a", "job": "b"}))

    def test_what_is_wrong_is_said(self):
        counter, plain = Counter("c", "C", ["a"], registry=self.registry), Counter("p", "P", registry=self.registry)
        histogram = Histogram("h", "H", ["a"], registry=None)
        wrong = [lambda: Counter("a-b", "x"), lambda: Counter("", "x"), lambda: Counter("x", "x", ["__a"]),
                 lambda: Histogram("x", "x", ["le"]), lambda: Summary("x", "x", ["quantile"]),
                 lambda: Histogram("x", "x", buckets=[3, 1]), lambda: Histogram("x", "x", buckets=[]),
                 lambda: Histogram("x", "x", buckets=range(100)), lambda: Gauge("x", "x", multiprocess_mode="none"),
                 lambda: Enum("x", "x"), lambda: Enum("x", "x", ["x"], states=["a"]), lambda: Info("x", "x", unit="y"),
                 counter.inc, lambda: counter.inc(1), lambda: counter.labels(), lambda: counter.labels("a", "b"),
                 lambda: counter.labels(b="x"), lambda: counter.labels("x").labels("y"), lambda: plain.labels("x"),
                 lambda: plain.inc(-1), lambda: histogram.observe(1), counter.count_exceptions,
                 lambda: Counter("p", "again", registry=self.registry),
                 lambda: counter.remove(), lambda: counter.remove_by_labels({"x": "y"})]
        for i, function in enumerate(wrong):
            with self.assertRaises(ValueError, msg=i):
                function()
        last = Gauge("last", "L", registry=self.registry, multiprocess_mode="mostrecent")
        self.assertRaises(RuntimeError, last.inc)
        self.assertRaises(RuntimeError, last.dec)
        last.set(5)
        self.assertEqual(self.value("last"), 5)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            refused = Gauge("h", "not a histogram", registry=None)
            refused.set(1)
        self.assertEqual([w.category for w in caught], [RuntimeWarning])

    def test_blocks_and_decorators(self):
        counter = Counter("errors", "E", registry=self.registry)
        gauge = Gauge("running", "R", registry=self.registry)
        histogram = Histogram("took_seconds", "T", registry=self.registry)
        labelled = Histogram("by_seconds", "B", ["a"], registry=self.registry)

        @histogram.time()
        @gauge.track_inprogress()
        @counter.count_exceptions(KeyError)
        def fails(depth):
            self.assertEqual(self.value("running"), 3 - depth)
            return fails(depth - 1) if depth else {}["x"]

        with self.assertRaises(KeyError):
            fails(2)
        self.assertEqual([self.value(n) for n in ("errors_total", "running", "took_seconds_count")], [3, 0, 3])

        @histogram.time()
        async def waits():
            await asyncio.sleep(0)
            return 7

        self.assertEqual(asyncio.run(waits()), 7)
        self.assertEqual(self.value("took_seconds_count"), 4)
        with labelled.time() as timer:
            timer.labels("x")
        self.assertGreaterEqual(timer.duration, 0)
        self.assertEqual(self.value("by_seconds_count", {"a": "x"}), 1)
        with gauge.time():
            pass
        gauge.set_to_current_time()
        self.assertGreater(self.value("running"), 1e9)
        gauge.set_function(lambda: 42)
        self.assertEqual(self.value("running"), 42)

    def test_gauges_of_each_process(self):
        gauge = Gauge("each", "E", ["a"], registry=self.registry, multiprocess_mode="liveall")
        plain = Gauge("own", "O", registry=self.registry, multiprocess_mode="all")
        self.assertIsInstance(gauge, Gauge)
        gauge.labels("x").set(4)
        gauge.labels(a="x").inc()
        plain.set(3)
        mine = str(os.getpid())
        ready, done = os.pipe(), os.pipe()
        child = os.fork()
        if child == 0:
            gauge.labels("x").set(9)
            os.write(ready[1], b"x")
            os.read(done[0], 1)
            os._exit(0)
        os.read(ready[0], 1)
        self.assertEqual(self.value("each", {"a": "x", "pid": mine}), 5)
        self.assertEqual(self.value("each", {"a": "x", "pid": str(child)}), 9)
        os.write(done[1], b"x")
        os.waitpid(child, 0)
        self.assertIsNone(self.value("each", {"a": "x", "pid": str(child)}))
        self.assertEqual(self.value("own", {"pid": mine}), 3)
        self.assertRaises(ValueError, gauge.set, 1)

    def test_info_and_enum(self):
        info = Info("build", "B", registry=self.registry)
        labelled = Info("of", "O", ["job"], registry=self.registry)
        enum = Enum("task", "T", ["who"], states=["idle", "busy"], registry=self.registry)
        info.info({"version": "1", "component": "x"})
        info.info({"version": "2", "component": "x"})
        labelled.labels("j").info({"a": "b"})
        enum.labels("me").state("busy")
        self.assertIsNone(self.value("build_info", {"version": "1", "component": "x"}))
        self.assertEqual(self.value("build_info", {"version": "2", "component": "x"}), 1)
        self.assertEqual(self.value("of_info", {"job": "j", "a": "b"}), 1)
        self.assertEqual(self.value("task", {"who": "me", "task": "busy"}), 1)
        self.assertEqual(self.value("task", {"who": "me", "task": "idle"}), 0)
        self.in_child(lambda: info.info({"version": "3"}))
        self.assertIsNone(self.value("build_info", {"version": "3"}))
        self.assertIn(b'build_info{exported_component="x",version="2"} 1', promcb.generate_latest()[0])
        for wrong in (lambda: enum.labels("me").state("none"), lambda: labelled.labels("j").info({"job": "x"}),
                      lambda: labelled.info({}), lambda: info.info({"a": None})):
            self.assertRaises(ValueError, wrong)
        enum.remove("me")
        self.assertIsNone(self.value("task", {"who": "me", "task": "idle"}))

    def test_without_prometheus_client(self):
        out = self.python("""
import sys
sys.modules["prometheus_client"] = None
from promcb.metrics import *
import promcb
c = Counter("c", "C", ["a"]); c.labels("x").inc(2)
h = Histogram("h", "H"); h.observe(1)
Info("i", "I").info({"v": "1"}); Enum("e", "E", states=["on", "off"]).state("off")
print(REGISTRY.get_sample_value("c_total", {"a": "x"}), REGISTRY.get_sample_value("h_count"),
      REGISTRY.get_sample_value("e", {"e": "off"}), REGISTRY.get_sample_value("i_info", {"v": "1"}))
print([family.name for family in REGISTRY.restricted_registry(["c_total"]).collect()])
try: Counter("c", "C")
except ValueError as error: print("Duplicated" in str(error))
REGISTRY.unregister(c); Counter("c", "C", ["a"])
print(b'c_total{a="x"} 2' in promcb.generate_latest()[0])
""")
        self.assertEqual(out, "2.0 1.0 1.0 1.0\n['c']\nTrue\nTrue\n")

    def test_without_a_segment(self):
        self.assertEqual(self.python("""
from promcb.metrics import *
c = Counter("c", "C", ["a"], registry=None); c.labels("x").inc(); c.remove("x"); c.clear()
Gauge("g", "G", registry=None).set(1); Histogram("h", "H", registry=None).observe(1)
Info("i", "I", registry=None).info({"v": "1"}); Enum("e", "E", states=["on"], registry=None).state("on")
print(c.collect()[0].samples)
""", PROMCB_SEGMENT="/no/such/directory/segment"), "[]\n")


class Stubs(unittest.TestCase):
    """_promcb.pyi, _breaker.pyi and metrics.pyi name what is there, with its arguments."""

    def arguments(self, function):
        return [a.arg for a in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]

    def compare(self, where, node, there):
        for item in node.body:
            if isinstance(item, ast.AnnAssign):
                self.assertTrue(hasattr(there, item.target.id) or where, f"{where}{item.target.id}")
            elif isinstance(item, ast.ClassDef) and not item.name.startswith("_"):
                self.compare(f"{item.name}.", item, getattr(there, item.name))
            elif isinstance(item, ast.FunctionDef):
                found = getattr(there, item.name)
                try:
                    parameters = list(inspect.signature(found).parameters)
                except ValueError:
                    continue
                if not item.name.startswith("__") and not item.args.vararg:
                    self.assertEqual(self.arguments(item), parameters, f"{where}{item.name}")

    def test_stubs(self):
        directory = os.path.dirname(os.path.abspath(promcb.__file__))
        self.assertTrue(os.path.exists(os.path.join(directory, "py.typed")))
        for name in ("_promcb", "_breaker", "metrics"):
            with open(os.path.join(directory, name + ".pyi"), encoding="utf-8") as file:
                tree = ast.parse(file.read())
            there = sys.modules["promcb." + name]
            self.compare("", tree, there)
            named = {item.name for item in tree.body if isinstance(item, (ast.ClassDef, ast.FunctionDef))}
            public = {n for n in (getattr(there, "__all__", None) or dir(there)) if not n.startswith("_")}
            self.assertLessEqual(public - named, {"version", "REGISTRY", "CollectorRegistry"})
            for n in public & named:
                if isinstance(getattr(there, n), type):
                    node = next(item for item in tree.body if getattr(item, "name", None) == n)
                    bases = [item for item in tree.body if getattr(item, "name", "") in
                             {getattr(base, "id", None) for base in node.bases}]
                    known = {getattr(item, "name", None) or getattr(getattr(item, "target", None), "id", None)
                             for part in (node, *bases) for item in part.body}
                    missing = {m for m in vars(getattr(there, n)) if not m.startswith("_")} - known
                    self.assertEqual(missing, set(), n)


if __name__ == "__main__":
    unittest.main()
