# SPDX-License-Identifier: MIT
"""promcb.Breaker: what it lets through, what it counts, and that processes share it."""
import asyncio
import gc
import json
import os
import pickle
import subprocess
import sys
import unittest

import promcb
from case import SegmentCase


class NotFound(Exception):
    pass


def fail(error=ValueError):
    raise error


class BreakerCase(SegmentCase):
    def breaker(self, name="pay", **policy):
        return promcb.Breaker(name, **(policy or {"failure_rate": 0, "version": 1}))

    def number(self, family, name="pay", value=None):
        """Of a series of the component, whose second label has that value."""
        key = (name,) if value is None else (name, value)
        rows = {tuple(row[0]): row for row in self.family(family).values()}
        return rows[key][1] if key in rows else 0

    def has(self, good, bad, ignored=0, name="pay"):
        summary = self.summary(name) or {"successful_calls": 0, "failed_calls": 0}
        self.assertEqual((summary["successful_calls"], summary["failed_calls"]), (good, bad))
        self.assertEqual(self.number("circuit_breaker_ignored_calls_total", name), ignored)
        self.assertEqual(self.number("circuit_breaker_permitted_calls_total", name), good + bad + ignored)


class Calls(BreakerCase):
    def test_functions(self):
        breaker = self.breaker()
        self.assertEqual(breaker.call(lambda a, b=0: a + b, 1, b=2), 3)
        with self.assertRaises(ValueError):
            breaker.call(fail)
        with self.assertRaises(KeyboardInterrupt):
            breaker.call(fail, KeyboardInterrupt)
        self.has(1, 1, 1)

        @breaker.protected
        def twice(number):
            """Twice."""
            return 2 * number

        self.assertEqual((twice(4), twice.__name__, twice.__doc__), (8, "twice", "Twice."))
        self.has(2, 1, 1)

    def test_classes_of_failures(self):
        breaker = self.breaker()
        for error, outcome in ((TimeoutError, "timeout"), (asyncio.TimeoutError, "timeout"),
                               (ConnectionRefusedError, "connect"), (ConnectionResetError, "reset"),
                               (BrokenPipeError, "reset"), (OSError, "failure")):
            before = self.number("circuit_breaker_failures_by_class_total", value=outcome)
            with self.assertRaises(error):
                breaker.call(fail, error)
            self.assertEqual(self.number("circuit_breaker_failures_by_class_total", value=outcome), before + 1, error)

    def test_ignored(self):
        breaker = promcb.Breaker("pay", failure_rate=0, ignore=(NotFound, KeyError))
        for error in (NotFound, KeyError):
            with self.assertRaises(error):
                breaker.call(fail, error)
        self.has(0, 0, 2)

    def test_blocks(self):
        breaker = self.breaker()
        with breaker as same:
            self.assertIs(same, breaker)
            with breaker:
                pass
            with self.assertRaises(ValueError), breaker:
                fail()
        self.has(2, 1)

    def test_coroutines(self):
        breaker = self.breaker()

        @breaker.protected
        async def work(error=None):
            await asyncio.sleep(0)
            if error:
                raise error
            return 7

        async def main():
            self.assertEqual(await work(), 7)
            self.assertEqual(await breaker.call(work.__wrapped__), 7)
            with self.assertRaises(ValueError):
                await work(ValueError)
            async with breaker:
                await asyncio.sleep(0)
            # What is cancelled says nothing.
            task = asyncio.ensure_future(work())
            await asyncio.sleep(0)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            # Blocks of several tasks in between each other.
            async def block(error):
                with breaker:
                    await asyncio.sleep(0)
                    if error:
                        raise error

            await asyncio.gather(block(None), block(OSError), block(None), block(OSError), return_exceptions=True)

        asyncio.run(main())
        self.has(5, 3, 1)

    def test_by_hand(self):
        breaker = self.breaker()
        call = breaker.begin()
        call.end("overload")
        call.end("success")
        with self.assertRaises(ValueError):
            breaker.begin().end("good")
        # What is dropped is ignored.
        breaker.begin()
        gc.collect()
        self.has(0, 1, 2)
        self.assertEqual(self.number("circuit_breaker_failures_by_class_total", value="overload"), 1)

    def test_refusals_come_back_from_other_processes(self):
        breaker = self.breaker()
        breaker.trip(10)
        with self.assertRaises(promcb.BreakerOpen) as caught:
            breaker.call(fail)
        there = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(caught.exception))))
        self.assertIsInstance(there, promcb.BreakerOpen)
        self.assertEqual((str(there), there.retry_after), (str(caught.exception), caught.exception.retry_after))

    def test_without_a_segment(self):
        self.assertEqual(self.python("""
import promcb
breaker = promcb.Breaker("a", consecutive=1)
assert breaker.error, breaker.error
try:
    with breaker:
        raise ValueError
except ValueError:
    pass
assert (breaker.call(lambda: 1), breaker.state, breaker.retry_after) == (1, "closed", 0.0)
breaker.force("open")
breaker.trip(1)
breaker.reset()
print(breaker.call(lambda: 2))
""", PROMCB_SEGMENT="/no/such/directory/segment"), "2\n")


class Policies(BreakerCase):
    def test_opens_and_closes(self):
        breaker = promcb.Breaker("pay", consecutive=2, open_for=600, open_max=600, jitter=0, fallback=lambda *a: ("no", *a))
        for _ in range(2):
            with self.assertRaises(ValueError):
                breaker.call(fail)
        self.assertEqual(breaker.state, "open")
        self.assertTrue(500 < breaker.retry_after <= 601, breaker.retry_after)
        self.assertEqual(breaker.call(fail, KeyError), ("no", KeyError))
        with self.assertRaises(promcb.BreakerOpen) as caught, breaker:
            pass
        self.assertIs(caught.exception.breaker, breaker)
        self.assertRegex(str(caught.exception), r"^the circuit breaker of pay is open, for \d+\.\d s more$")
        self.assertEqual(self.number("circuit_breaker_not_permitted_calls_total", value="open"), 2)
        self.has(0, 2)
        breaker.reset()
        self.assertEqual((breaker.state, breaker.retry_after, breaker.call(lambda: 1)), ("closed", 0.0, 1))
        breaker.trip(700)
        self.assertTrue(600 < breaker.retry_after < 701)
        for mode, allowed in (("closed", True), ("shadow", True), ("open", False), ("automatic", False)):
            breaker.force(mode)
            self.assertEqual(breaker.begin() is not None, allowed, mode)

    def test_arguments(self):
        promcb.Breaker("pay", failure_rate=0.25, slow_rate=0.0001, slow_after=1.5, consecutive=7, min_calls=3, window=30,
                       open_for=0.5, open_max=90, jitter=0.2, probes=2, successes=4, failures=5, lease=60, mode="shadow",
                       version=9)
        thresholds = {row[0][1]: row[1] for row in self.family("circuit_breaker_threshold").values()}
        self.assertEqual(thresholds, {"failure_ratio": 0.25, "slow_ratio": 0.001, "slow_seconds": 1.5, "consecutive": 7,
                                      "calls": 3})
        self.assertEqual(self.number("circuit_breaker_policy_version"), 9)
        self.assertEqual(self.number("circuit_breaker_mode", value="shadow"), 1)
        # Of a lower version, and without any: no error, and nothing changes.
        for policy in ({"version": 8, "consecutive": 1}, {}):
            self.assertIsNone(promcb.Breaker("pay", **policy).error)
        self.assertIn("version 9", promcb.Breaker("pay", version=9).error)
        self.assertEqual(self.number("circuit_breaker_policy_version"), 9)
        for wrong in ({"failure_rate": 1.1}, {"failure_rate": -1}, {"window": 0}, {"window": 0.05}, {"window": 1e9},
                      {"open_for": float("nan")}, {"probes": 9}, {"probes": 0}, {"consecutive": 70000}, {"jitter": 0.6},
                      {"lease": -1}, {"mode": "half"}, {"version": -1}, {"version": 2**32}, {"slow_rate": 0.5},
                      {"open_for": 90, "open_max": 1}, {"slow_after": 1e5, "slow_rate": 1}):
            with self.assertRaises(ValueError, msg=wrong):
                promcb.Breaker("pay", **wrong)
        with self.assertRaises(TypeError):
            promcb.Breaker("pay", 1)
        with self.assertRaises(ValueError):
            promcb.Breaker("\n")
        component = promcb.component("other")
        self.assertIs(promcb.Breaker(component).component, component)

    def test_half_made(self):
        class Odd(promcb.Breaker):
            def __init__(self):
                pass

        for use in (lambda b: b.begin(), lambda b: b.state, lambda b: b.reset(), lambda b: b.force("open"),
                    lambda b: b.trip(), lambda b: b.retry_after):
            with self.assertRaises(RuntimeError):
                use(Odd())
        breaker = self.breaker()
        with self.assertRaises(RuntimeError):
            breaker.__init__("again")


class Processes(BreakerCase):
    TEXT = """
import json, promcb, sys
breaker = promcb.Breaker("pay", consecutive=40, open_for=600, open_max=600)
done = {"refused": 0, "failed": 0}
print("ready", flush=True)
sys.stdin.readline()
while done["refused"] < 5:
    try:
        with breaker:
            raise OSError
    except OSError:
        done["failed"] += 1
    except promcb.BreakerOpen:
        done["refused"] += 1
print(json.dumps(done))
"""

    def test_four_share_one(self):
        """Each of four fails until all are refused: forty failures of whomever, but for those that were under way."""
        processes = [subprocess.Popen([sys.executable, "-c", self.TEXT], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      env={**os.environ, "PROMCB_SEGMENT": self.segment.name}, text=True)
                     for _ in range(4)]
        for process in processes:
            self.assertEqual(process.stdout.readline(), "ready\n")
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        done = [json.loads(process.communicate(timeout=60)[0]) for process in processes]
        self.assertEqual([process.returncode for process in processes], [0] * 4)
        failed = sum(each["failed"] for each in done)
        self.assertTrue(40 <= failed <= 43, done)
        self.assertEqual([each["refused"] for each in done], [5] * 4)
        self.has(0, failed)
        self.assertEqual(self.number("circuit_breaker_not_permitted_calls_total", value="open"), 20)
        self.assertEqual(promcb.Breaker("pay").state, "open")

    def test_children(self):
        breaker = promcb.Breaker("pay", consecutive=3, open_for=600, open_max=600)

        def child():
            with self.assertRaises(ValueError):
                breaker.call(fail)

        # A call of its parent's in the middle is not the child's to end.
        with breaker:
            self.in_child(child)
            self.in_child(child)
        self.assertEqual(breaker.state, "closed")
        for _ in range(3):
            self.in_child(child)
        self.assertEqual(breaker.state, "open")
        self.has(1, 5)


if __name__ == "__main__":
    unittest.main()
