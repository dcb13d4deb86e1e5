# SPDX-License-Identifier: MIT
"""Programs that use prometheus_client: with install(), every process is in every scrape."""
import multiprocessing
import os
import sys
import tempfile
import threading
import unittest
import warnings

import promcb
import promcb.prometheus
from case import SegmentCase

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Histogram, Info, Summary, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

EARLY = Counter("early_hits", "Made before install()", ["path"])
EARLY.labels("/a").inc(3)
EARLY_GAUGE = Gauge("early_busy", "Likewise")
EARLY_GAUGE.set(7)


def spawned(name, count):
    promcb.prometheus.install(promcb.Segment(name))
    counter = Counter("spawned_total", "x", ["who"], registry=None)
    for _ in range(count):
        counter.labels("child").inc()


class Prometheus(SegmentCase):
    def setUp(self):
        super().setUp()
        self.assertTrue(promcb.prometheus.install(self.segment))
        promcb.prometheus.use(self.segment)
        self.addCleanup(promcb.prometheus.uninstall)
        self.registry = CollectorRegistry()

    def value(self, name, labels=None):
        return self.registry.get_sample_value(name, labels or {})

    def test_children_are_in_every_scrape(self):
        counter = Counter("hits", "Hits", ["path"], registry=self.registry)
        histogram = Histogram("lat_seconds", "L", registry=self.registry)
        summary = Summary("size_bytes", "S", registry=self.registry)
        for n in range(3):
            self.in_child(lambda: (counter.labels("/a").inc(), counter.labels(f"/{n}").inc(0.5),
                                   histogram.observe(0.2), histogram.observe(20), summary.observe(100)))
        counter.labels("/a").inc(0.25)
        self.assertEqual(self.value("hits_total", {"path": "/a"}), 3.25)
        for n in range(3):
            self.assertEqual(self.value("hits_total", {"path": f"/{n}"}), 0.5)
        self.assertEqual(self.value("lat_seconds_bucket", {"le": "0.1"}), 0)
        self.assertEqual(self.value("lat_seconds_bucket", {"le": "0.25"}), 3)
        self.assertEqual(self.value("lat_seconds_bucket", {"le": "10.0"}), 3)
        self.assertEqual(self.value("lat_seconds_bucket", {"le": "+Inf"}), 6)
        self.assertEqual(self.value("lat_seconds_count"), 6)
        self.assertAlmostEqual(self.value("lat_seconds_sum"), 60.6)
        self.assertEqual((self.value("size_bytes_count"), self.value("size_bytes_sum")), (3, 300))
        text = generate_latest(self.registry).decode()
        self.assertIn("# TYPE size_bytes summary", text)
        self.assertNotIn("pid=", text)

    def test_gauges_are_of_the_living(self):
        busy = Gauge("busy", "B", registry=self.registry)
        highest = Gauge("highest", "H", registry=self.registry, multiprocess_mode="livemax")
        latest = Gauge("latest", "L", ["a"], registry=self.registry)
        self.assertEqual(self.value("busy"), 0)
        busy.set(2)
        highest.set(1)
        ready, done = os.pipe(), os.pipe()
        child = os.fork()
        if child == 0:
            busy.inc(5)
            highest.set(9)
            os.write(ready[1], b"x")
            os.read(done[0], 1)
            os._exit(0)
        os.read(ready[0], 1)
        self.assertEqual((self.value("busy"), self.value("highest")), (7, 9))
        os.kill(child, 9)
        os.waitpid(child, 0)
        self.assertEqual((self.value("busy"), self.value("highest")), (2, 1))
        with busy.track_inprogress():
            self.assertEqual(self.value("busy"), 3)
        latest.labels("x").set_function(lambda: 42)
        self.assertEqual(self.value("latest", {"a": "x"}), 42)

    def test_a_mode_that_was_chosen_has_its_label(self):
        gauge = Gauge("each", "E", registry=self.registry, multiprocess_mode="liveall")
        gauge.set(4)
        self.assertEqual(self.value("each", {"pid": str(os.getpid())}), 4)
        self.in_child(lambda: gauge.set(5))
        self.assertIsNone(self.value("each"))

    def test_names_that_a_segment_keeps_for_itself(self):
        gauge = Gauge("worker_count", "W", registry=self.registry)
        counter = Counter("c", "C", ["component", "job", "le_"], registry=self.registry)
        gauge.set(3)
        counter.labels("a", "b", "c").inc()
        self.assertEqual(self.value("worker_count"), 3)
        self.assertEqual(self.value("c_total", {"component": "a", "job": "b", "le_": "c"}), 1)
        self.assertIn(b'worker_count_value 3\n', promcb.generate_latest()[0])

    def test_label_values_of_any_text(self):
        counter = Counter("c", "C", ["a"], registry=self.registry)
        values = ["", " ", "a\nb", "\"\\", "ä🙂", "x" * 1000, 7, None, 1.5]
        for value in values:
            counter.labels(value).inc()
        for value in values:
            self.assertEqual(self.value("c_total", {"a": str(value)}), 1)
        counter.labels("zero\0byte").inc()
        counter.labels("y" * 5000).inc()
        self.assertEqual(self.value("c_total", {"a": "_overflow"}), 2)

    def test_what_cannot_lie_in_a_segment_is_told(self):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            wide = Histogram("wide", "W", registry=self.registry, buckets=range(1, 80))
            Counter("same", "S", registry=None).inc()
            other = Histogram("same_total", "S", registry=None)
        self.assertTrue(any("79 buckets" in str(w.message) for w in caught))
        wide.observe(5)
        other.observe(5)
        self.assertEqual(self.value("wide_bucket", {"le": "5.0"}), 1)
        self.assertEqual(self.value("wide_count"), 1)

    def test_info_enum_and_collectors_stay(self):
        Info("build", "B", registry=self.registry).info({"version": "1"})
        Enum("mode", "M", registry=self.registry, states=["a", "b"]).state("b")
        self.assertEqual(self.value("build_info", {"version": "1"}), 1)
        self.assertEqual(self.value("mode", {"mode": "b"}), 1)
        self.assertIn(b"process_resident_memory_bytes", generate_latest())
        restricted = self.registry.restricted_registry(["build_info"])
        self.assertEqual([m.name for m in restricted.collect()], ["build"])

    def test_multiprocess_collector_has_all_there_is(self):
        self.in_child(lambda: (Counter("by_child", "C", registry=None).inc(4),
                               Gauge("ended", "E", registry=None).set(1)))
        Counter("c", "C", ["job"], registry=None).labels("x").inc()
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
        mark_process_dead(12345)
        self.assertEqual(registry.get_sample_value("by_child_total"), 4)
        self.assertEqual(registry.get_sample_value("c_total", {"job": "x"}), 1)
        self.assertIsNone(registry.get_sample_value("ended"))

    def test_metrics_that_were_there_before(self):
        EARLY.labels("/b").inc()
        self.in_child(lambda: EARLY.labels("/a").inc())
        value = prometheus_client.REGISTRY.get_sample_value
        self.assertGreaterEqual(value("early_hits_total", {"path": "/a"}), 1)
        self.assertGreaterEqual(value("early_hits_total", {"path": "/b"}), 1)

    def test_twice_and_back(self):
        self.assertTrue(promcb.prometheus.install())
        promcb.prometheus.uninstall()
        counter = Counter("local", "L", registry=self.registry)
        self.in_child(counter.inc)
        counter.inc()
        self.assertEqual(self.value("local_total"), 1)
        self.assertTrue(promcb.prometheus.install(self.segment))

    def test_start_methods(self):
        for method in ("fork", "spawn", "forkserver"):
            context = multiprocessing.get_context(method)
            processes = [context.Process(target=spawned, args=(self.segment.name, 100)) for _ in range(2)]
            for process in processes:
                process.start()
            for process in processes:
                process.join(120)
                self.assertEqual(process.exitcode, 0, method)
        self.assertEqual(self.family("spawned_total")[("child",)][1], 600)

    def test_workers_that_are_killed_lose_nothing(self):
        counter = Counter("killed", "K", registry=self.registry)
        sent = 0
        for _ in range(20):
            read, write = os.pipe()
            child = os.fork()
            if child == 0:
                while True:
                    counter.inc()
                    os.write(write, b".")
            os.close(write)
            sent += len(os.read(read, 64))
            os.kill(child, 9)
            os.waitpid(child, 0)
            while True:
                more = os.read(read, 65536)
                if not more:
                    break
                sent += len(more)
            os.close(read)
            # What was counted and not yet told is at most one for each that was killed.
            self.assertTrue(sent <= self.value("killed_total") <= sent + 20)
            info = self.segment.snapshot().info()
        self.assertLessEqual(info["lanes_live"] + info["lanes_idle"], 6)

    def test_workers_that_end_leave_nothing_behind(self):
        counter = Counter("c", "C", ["path"], registry=self.registry)
        histogram = Histogram("h_seconds", "H", ["path"], registry=self.registry)
        busy = Gauge("busy", "B", registry=self.registry)

        def work(is_killed):
            for path in "abcde":
                counter.labels(path).inc()
                histogram.labels(path).observe(0.1)
            busy.set(1)
            if is_killed:
                os.kill(os.getpid(), 9)

        def end(count):
            """So many, four at a time, each other one by SIGKILL."""
            running = 0
            for i in range(count):
                if os.fork() == 0:
                    try:
                        work(i % 2)
                    finally:
                        os._exit(0)
                running += 1
                if running == 4:
                    os.wait()
                    running -= 1
            while running:
                os.wait()
                running -= 1

        end(40)
        before = self.segment.snapshot().info()
        end(200)
        after = self.segment.snapshot().info()
        # Four at a time, of which each has a lane for its counts and one for its gauge.
        self.assertLessEqual(after["lanes_live"] + after["lanes_idle"], 12)
        self.assertLessEqual(after["used_bytes"] - before["used_bytes"], 4 * 65536)
        self.assertEqual([self.value("c_total", {"path": path}) for path in "abcde"], [240] * 5)
        self.assertEqual([self.value("h_seconds_count", {"path": path}) for path in "abcde"], [240] * 5)
        self.assertEqual(self.value("busy"), 0)

    def test_threads_in_one_counter(self):
        counter = Counter("threads", "T", ["n"], registry=self.registry)
        threads = [threading.Thread(target=lambda: [counter.labels(i % 7).inc() for i in range(1000)])
                   for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sum(self.value("threads_total", {"n": str(i)}) for i in range(7)), 20000)


class ByEnvironment(SegmentCase):
    TEXT = "import prometheus_client as p; c = p.Counter('run', 'R'); c.inc(); " \
           "print(p.REGISTRY.get_sample_value('run_total'))"

    def run_module(self, *arguments, **environment):
        import subprocess

        return subprocess.run([sys.executable, "-m", "promcb.run", *arguments], timeout=120, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env={**os.environ, "PROMCB_SEGMENT": self.segment.name, **environment})

    def test_without_a_line_of_code(self):
        for expected in ("1.0\n", "2.0\n"):
            done = self.run_module(sys.executable, "-c", self.TEXT)
            self.assertEqual((done.stdout, done.stderr), (expected, ""))
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "program.py")
            with open(path, "w") as file:
                file.write(self.TEXT + "; import sys; print(sys.argv[1:], 'sitecustomize' in sys.modules)")
            with open(os.path.join(directory, "sitecustomize.py"), "w") as file:
                file.write("print('theirs')")
            done = self.run_module(path, "--flag", PYTHONPATH=os.pathsep.join([directory, os.environ["PYTHONPATH"]]))
            # Once for promcb.run, once for the program.
            self.assertEqual(done.stdout, "theirs\ntheirs\n3.0\n['--flag'] True\n", done.stderr)

    def test_no_such_program(self):
        done = self.run_module("no-such-program")
        self.assertEqual((done.returncode, done.stderr), (127, "promcb.run: no-such-program: No such file or directory\n"))
        self.assertEqual(self.run_module().returncode, 2)

    def test_a_directory_of_files_becomes_a_segment(self):
        with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
            for _ in range(2):
                out = self.python("import promcb.prometheus; promcb.prometheus.install(); " + self.TEXT,
                                  PROMETHEUS_MULTIPROC_DIR=directory, PROMCB_SEGMENT="")
            self.assertEqual(out, "2.0\n")
            self.assertEqual(os.listdir(directory), ["promcb.segment"])

    def test_without_a_segment_the_program_goes_on(self):
        done = self.run_module(sys.executable, "-c", self.TEXT, PROMCB_SEGMENT="/no/such/directory/segment")
        self.assertEqual(done.stdout, "1.0\n")
        self.assertIn("there is no directory", done.stderr)


if __name__ == "__main__":
    unittest.main()
