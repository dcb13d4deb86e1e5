# SPDX-License-Identifier: MIT
"""Series that are removed: by any process, for all of them, against a dictionary that does what is expected."""
import multiprocessing
import os
import random
import threading
import unittest

import promcb
import promcb.prometheus
from case import SegmentCase

from hypothesis import settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary

WORKERS = 3


class Installed(SegmentCase):
    def setUp(self):
        super().setUp()
        self.assertTrue(promcb.prometheus.install(self.segment))
        self.addCleanup(promcb.prometheus.uninstall)
        self.registry = CollectorRegistry()

    def value(self, name, labels=None):
        return self.registry.get_sample_value(name, labels or {})


class Removal(Installed):
    def test_metrics_of_the_extension(self):
        counter = promcb.Counter(self.segment, "c_total", "C", ("a", "b"))
        kept = counter.labels("x", 1)
        kept.inc(5)
        counter.labels("y", 1).inc(7)
        self.assertTrue(counter.remove("x", 1))
        self.assertFalse(counter.remove("x", 1))
        self.assertFalse(counter.remove("z" * 5000, 1))
        self.assertEqual(set(self.family("c_total")), {("y", "1")})
        kept.inc(2)
        self.assertEqual(self.family("c_total")[("x", "1")][1], 2)
        counter.labels("y", 1).reset()
        self.assertEqual(self.family("c_total")[("y", "1")][1], 0)
        counter.clear()
        self.assertEqual(self.family("c_total"), {})
        for wrong in (lambda: counter.remove("x"), lambda: kept.remove("x", 1), counter.reset):
            self.assertRaises(ValueError, wrong)
        single = promcb.Counter(self.segment, "single_total", "S")
        single.inc(3)
        single.clear()
        self.assertEqual(self.family("single_total")[()][1], 3)
        single.reset()
        single.inc()
        self.assertEqual(self.family("single_total")[()][1], 1)

    def test_by_another_process(self):
        counter = Counter("c", "C", ["a"], registry=self.registry)
        counter.labels("mine").inc(2)
        self.in_child(lambda: counter.labels("theirs").inc(3))
        counter.remove("theirs")
        self.assertIsNone(self.value("c_total", {"a": "theirs"}))
        self.in_child(lambda: counter.remove("mine"))
        # This process has it still, and does not show it as 0.
        self.assertIsNone(self.value("c_total", {"a": "mine"}))
        counter.labels("mine").inc()
        self.assertEqual(self.value("c_total", {"a": "mine"}), 1)
        self.in_child(counter.clear)
        self.assertIsNone(self.value("c_total", {"a": "mine"}))

    def test_before_this_process_has_used_it(self):
        kinds = [Counter("c", "C", ["a"], registry=self.registry), Gauge("g", "G", ["a"], registry=self.registry),
                 Histogram("h", "H", ["a"], registry=self.registry), Summary("s", "S", ["a"], registry=self.registry)]

        def use():
            kinds[0].labels("x").inc()
            kinds[2].labels("x").observe(1)
            kinds[3].labels("x").observe(1)

        names = ("c_total", "h_count", "s_count")
        for remove in (lambda metric: metric.remove("x"), lambda metric: metric.clear()):
            self.in_child(use)
            self.assertEqual([self.value(name, {"a": "x"}) for name in names], [1] * 3)
            for metric in kinds:
                try:
                    remove(metric)
                except KeyError:  # what older versions of prometheus_client raise of a series that is not there
                    self.assertIs(metric, kinds[1])
            self.assertEqual([self.value(name, {"a": "x"}) for name in names], [None] * 3)

    def test_gauges_of_others_stay(self):
        gauge = Gauge("g", "G", ["a"], registry=self.registry, multiprocess_mode="livesum")
        gauge.labels("x").set(2)

        def child():
            gauge.labels("x").set(5)
            gauge.remove("x")

        self.in_child(child)
        self.assertEqual(self.value("g", {"a": "x"}), 2)
        gauge.remove("x")
        self.assertIsNone(self.value("g", {"a": "x"}))

    def test_reset_of_a_counter(self):
        counter = Counter("c", "C", registry=self.registry)
        if not hasattr(counter, "reset"):
            self.skipTest("this prometheus_client has no Counter.reset()")
        self.in_child(lambda: counter.inc(4))
        counter.reset()
        self.assertEqual(self.value("c_total"), 0)
        counter.inc(3)
        self.assertEqual(self.value("c_total"), 3)

    def test_many_at_once(self):
        counter = Counter("c", "C", ["a"], registry=self.registry)

        def churn(seed):
            chance = random.Random(seed)
            for _ in range(300):
                label = str(chance.randrange(4))
                action = chance.randrange(12)
                if action == 0:
                    try:
                        counter.remove(label)
                    except KeyError:
                        pass
                elif action == 1 and chance.randrange(4) == 0:
                    counter.clear()
                else:
                    counter.labels(label).inc()

        def process(seed):
            threads = [threading.Thread(target=churn, args=(seed + i,)) for i in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        context = multiprocessing.get_context("fork")
        processes = [context.Process(target=process, args=(10 * i,)) for i in range(8)]
        for each in processes:
            each.start()
        churn(99)
        for each in processes:
            each.join()
            self.assertEqual(each.exitcode, 0)
        counted = [row[1] for row in self.family("c_total").values()]
        self.assertLessEqual(sum(counted), 17 * 300)
        self.assertTrue(all(value >= 0 and value == int(value) for value in counted), counted)
        counter.clear()
        self.assertEqual(self.family("c_total"), {})
        for label in range(4):
            self.in_child(lambda: counter.labels(label).inc(label + 1))
        self.assertEqual({row[0][0]: row[1] for row in self.family("c_total").values()},
                         {str(label): label + 1 for label in range(4)})


class Worker:
    """A process that does what it is told with metrics by name, and keeps children of labels."""

    def __init__(self):
        self.connection, theirs = multiprocessing.Pipe()
        self.pid = os.fork()
        if self.pid == 0:
            self.connection.close()
            try:
                self.work(theirs)
            finally:
                os._exit(0)
        theirs.close()

    @staticmethod
    def work(connection):
        metrics, kept = {}, {}

        def do(action, name, label, amount):
            if name not in metrics:
                metrics[name] = (Counter(name, "C", ["a"], registry=None),
                                 Histogram(name + "_h", "H", ["a"], registry=None, buckets=(1, 5)))
            for metric in metrics[name]:
                add = "inc" if metric is metrics[name][0] else "observe"
                if action == "add":
                    kept[metric, label] = metric.labels(label)
                    getattr(kept[metric, label], add)(amount)
                elif action == "add by a handle from before":
                    getattr(kept.get((metric, label)) or metric.labels(label), add)(amount)
                elif action == "clear":
                    metric.clear()
                else:
                    try:
                        metric.remove(label)
                    except KeyError:
                        pass

        while True:
            order = connection.recv()
            if order is None:
                return
            try:
                connection.send(do(*order))
            except Exception as error:
                connection.send(repr(error))

    def tell(self, *order):
        self.connection.send(order)
        assert self.connection.poll(60), "a worker does not answer"
        answer = self.connection.recv()
        assert answer is None, answer

    def end(self):
        self.connection.send(None)
        os.waitpid(self.pid, 0)
        self.connection.close()


class Machine(RuleBasedStateMachine):
    """One after the other, by any process: what is in the segment is what a dictionary would have."""

    labels = strategies.one_of(strategies.sampled_from(["a", "b", ""]), strategies.text(
        strategies.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=6))
    who = strategies.integers(0, WORKERS - 1)
    workers = segment = None
    runs = 0

    def __init__(self):
        super().__init__()
        Machine.runs += 1
        self.name, self.expected = f"m{Machine.runs}", {}

    @rule(who=who, label=labels, amount=strategies.integers(1, 9), before=strategies.booleans())
    def add(self, who, label, amount, before):
        self.workers[who].tell("add by a handle from before" if before else "add", self.name, label, amount)
        count, total = self.expected.get(label, (0, 0))
        self.expected[label] = count + 1, total + amount

    @rule(who=who, label=labels)
    def remove(self, who, label):
        self.workers[who].tell("remove", self.name, label, 0)
        self.expected.pop(label, None)

    @rule(who=who)
    def clear(self, who):
        self.workers[who].tell("clear", self.name, "", 0)
        self.expected.clear()

    @invariant()
    def as_a_dictionary_has_it(self):
        families = {f["name"]: f["series"] for f in self.segment.snapshot(self.name + "*").families()}
        counted = {row[0][0]: row[1] for row in families.get(self.name + "_total", ())}
        observed = {row[0][0]: (row[2], row[1]) for row in families.get(self.name + "_h", ())}
        assert counted == {label: total for label, (_, total) in self.expected.items()}, (counted, self.expected)
        assert observed == self.expected, (observed, self.expected)


class States(Installed):
    options = {"max_bytes": 64 << 20}

    def test_whatever_the_order(self):
        Machine.workers, Machine.segment = [Worker() for _ in range(WORKERS)], self.segment
        try:
            run_state_machine_as_test(Machine, settings=settings(
                max_examples=int(os.environ.get("PROMCB_EXAMPLES", "25")), stateful_step_count=30, deadline=None,
                derandomize=True, database=None, print_blob=False))
        finally:
            for worker in Machine.workers:
                worker.end()


if __name__ == "__main__":
    unittest.main()
