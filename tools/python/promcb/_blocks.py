# SPDX-License-Identifier: MIT
"""What metrics measure around a function or a block: for "with", and as decorators of functions and coroutines."""
import functools
import inspect
import time


class _Block:
    """A decorator makes a new one for each call: functions may be in themselves, and in threads."""

    def _again(self):
        return self

    def __call__(self, function):
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def wrapper(*args, **kwargs):
                with self._again():
                    return await function(*args, **kwargs)

        else:

            @functools.wraps(function)
            def wrapper(*args, **kwargs):
                with self._again():
                    return function(*args, **kwargs)

        return wrapper


class ExceptionCounter(_Block):
    def __init__(self, counter, exception):
        self._counter, self._exception = counter, exception

    def __enter__(self):
        pass

    def __exit__(self, kind, value, traceback):
        if isinstance(value, self._exception):
            self._counter.inc()
        return False


class InprogressTracker(_Block):
    def __init__(self, gauge):
        self._gauge = gauge

    def __enter__(self):
        self._gauge.inc()

    def __exit__(self, kind, value, traceback):
        self._gauge.dec()


class Timer(_Block):
    """duration: the seconds, once it is over."""

    def __init__(self, metric, callback):
        self._metric, self._callback, self.duration = metric, callback, None

    def _again(self):
        return type(self)(self._metric, self._callback)

    def __enter__(self):
        self._start = time.perf_counter()
        return self

    def __exit__(self, kind, value, traceback):
        self.duration = max(time.perf_counter() - self._start, 0)
        getattr(self._metric, self._callback)(self.duration)

    def labels(self, *args, **kwargs):
        """Of a metric with labels: before the end of the block."""
        self._metric = self._metric.labels(*args, **kwargs)
