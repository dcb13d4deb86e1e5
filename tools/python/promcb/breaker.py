# SPDX-License-Identifier: MIT
"""Circuit breakers for functions, coroutines and blocks, with the reference guide's interface.

    from promcb.breaker import CircuitBreakerOpenError, get_circuit_breaker

    breaker = get_circuit_breaker("payment_api", failure_threshold=5, timeout_seconds=30)
    try:
        breaker.call(pay, 12)
    except CircuitBreakerOpenError:
        ...

Each process has breakers of its own; their state is reported to the component of their name, so that dashboards and
alerts see it. The timeout is by the monotonic clock; when it is over, one call at a time is let through as a probe. An
Exception is a failure; a call that is cancelled is neither success nor failure.
"""
import contextvars
import functools
import inspect
import threading
import time
from collections import deque
from dataclasses import dataclass, field, replace
from enum import Enum

from promcb import _promcb

__all__ = ["CircuitBreaker", "CircuitBreakerMetrics", "CircuitBreakerOpenError", "CircuitState", "LLMCircuitBreaker",
           "get_all_circuit_breaker_stats", "get_circuit_breaker", "reset_all_circuit_breakers"]

_LATENCIES = 100
#: Breakers that "with" has entered, by thread and task, innermost last.
_entered = contextvars.ContextVar("promcb_breakers", default=())


class CircuitState(Enum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CircuitBreakerOpenError(Exception):
    """The breaker is open: the call was not made."""

    def __init__(self, message="Circuit breaker is OPEN", breaker=None):
        super().__init__(message)
        self.breaker = breaker


@dataclass
class CircuitBreakerMetrics:
    success_count: int = 0
    failure_count: int = 0
    total_calls: int = 0
    rejected_calls: int = 0
    last_failure_time: float = None
    last_success_time: float = None
    consecutive_successes: int = 0
    consecutive_failures: int = 0
    state_transitions: int = 0
    latencies: deque = field(default_factory=lambda: deque(maxlen=_LATENCIES))

    def record_success(self, latency):
        self.total_calls += 1
        self.success_count += 1
        self.last_success_time = time.time()
        self.consecutive_successes += 1
        self.consecutive_failures = 0
        self.latencies.append(latency)

    def record_failure(self):
        self.total_calls += 1
        self.failure_count += 1
        self.last_failure_time = time.time()
        self.consecutive_failures += 1
        self.consecutive_successes = 0

    def record_state_transition(self):
        self.state_transitions += 1

    def get_failure_rate(self):
        return self.failure_count / self.total_calls if self.total_calls else 0.0

    def get_average_latency(self):
        return sum(self.latencies) / len(self.latencies) if self.latencies else 0.0


class CircuitBreaker:
    """failure_threshold: consecutive failures that open it; timeout_seconds: how long it stays open; success_threshold:
    consecutive successes that close it again; fallback: what is called while it is open; report: whether the segment is
    told its state."""

    def __init__(self, failure_threshold=5, timeout_seconds=60.0, success_threshold=2, fallback=None,
                 name="llm_circuit_breaker", report=True):
        if failure_threshold < 1:
            raise ValueError("failure_threshold must be at least 1")
        if timeout_seconds <= 0:
            raise ValueError("timeout_seconds must be positive")
        if success_threshold < 1:
            raise ValueError("success_threshold must be at least 1")
        self.failure_threshold, self.timeout_seconds = failure_threshold, timeout_seconds
        self.success_threshold, self.fallback, self.name = success_threshold, fallback, name
        self._lock = threading.RLock()
        self._state, self._metrics = CircuitState.CLOSED, CircuitBreakerMetrics()
        self._opened, self._probing = None, False
        self._is_reported = report

    # -- State --------------------------------------------------------------------------------------------------------

    def _change(self, state):
        if self._state is state:
            return
        self._state = state
        self._metrics.record_state_transition()
        self._metrics.consecutive_successes = 0
        self._probing = False
        self._opened = time.monotonic() if state is CircuitState.OPEN else None
        if self._is_reported:
            try:
                _promcb.component(self.name).state = state.value
            except (ValueError, TypeError):
                self._is_reported = False

    def _is_due(self):
        return self._opened is not None and time.monotonic() - self._opened >= self.timeout_seconds

    @property
    def state(self):
        return self._state

    @property
    def metrics(self):
        """A copy."""
        with self._lock:
            return replace(self._metrics, latencies=deque(self._metrics.latencies, maxlen=_LATENCIES))

    def refresh_state(self):
        """Half open where the timeout is over. Returns the state."""
        with self._lock:
            if self._state is CircuitState.OPEN and self._is_due():
                self._change(CircuitState.HALF_OPEN)
            return self._state

    # -- Calls --------------------------------------------------------------------------------------------------------

    def _enter(self):
        """Whether a call may be made; a token for the end: the time, and whether it is a probe."""
        with self._lock:
            state = self.refresh_state()
            if state is CircuitState.OPEN or (state is CircuitState.HALF_OPEN and self._probing):
                self._metrics.rejected_calls += 1
                return None
            self._probing = state is CircuitState.HALF_OPEN
            return time.perf_counter(), self._probing, self._metrics

    def _leave(self, token, outcome):
        """outcome: True, False, or None for a call that was given up."""
        begun, is_probe, metrics = token
        with self._lock:
            if metrics is not self._metrics:
                return
            if is_probe:
                self._probing = False
            if outcome is None:
                return
            if outcome:
                metrics.record_success(time.perf_counter() - begun)
                if self._state is CircuitState.HALF_OPEN and is_probe and \
                        metrics.consecutive_successes >= self.success_threshold:
                    self._change(CircuitState.CLOSED)
                return
            metrics.record_failure()
            if self._state is CircuitState.HALF_OPEN and is_probe or self._state is CircuitState.CLOSED and \
                    metrics.consecutive_failures >= self.failure_threshold:
                self._change(CircuitState.OPEN)

    def _refuse(self):
        if self.fallback is not None:
            return self.fallback()
        raise CircuitBreakerOpenError(f"Circuit breaker '{self.name}' is OPEN", self)

    async def _finish(self, token, awaitable):
        outcome = None
        try:
            result = await awaitable
            outcome = True
            return result
        except Exception:
            outcome = False
            raise
        finally:
            self._leave(token, outcome)

    async def _call_async(self, func, args, kwargs):
        token = self._enter()
        if token is None:
            result = self._refuse()
            return await result if inspect.isawaitable(result) else result
        return await self._finish(token, func(*args, **kwargs))

    def call(self, func, *args, **kwargs):
        """Calls func, or, while open, the fallback; raises CircuitBreakerOpenError where there is none. Of a coroutine
        function it returns what is to be awaited."""
        if inspect.iscoroutinefunction(func):
            return self._call_async(func, args, kwargs)
        token = self._enter()
        if token is None:
            return self._refuse()
        outcome = None
        try:
            result = func(*args, **kwargs)
            if inspect.isawaitable(result):
                finished, token = self._finish(token, result), None
                return finished
            outcome = True
            return result
        except Exception:
            outcome = False
            raise
        finally:
            if token is not None:
                self._leave(token, outcome)

    def protected(self, func):
        """A decorator, for functions and coroutine functions."""
        if inspect.iscoroutinefunction(func):

            @functools.wraps(func)
            async def wrapper(*args, **kwargs):
                return await self._call_async(func, args, kwargs)

        else:

            @functools.wraps(func)
            def wrapper(*args, **kwargs):
                return self.call(func, *args, **kwargs)

        return wrapper

    def __enter__(self):
        token = self._enter()
        if token is None:
            raise CircuitBreakerOpenError(f"Circuit breaker '{self.name}' is OPEN", self)
        _entered.set((*_entered.get(), (self, token)))
        return self

    def __exit__(self, kind, value, traceback):
        outcome = True if kind is None else False if issubclass(kind, Exception) else None
        entered = _entered.get()
        for i in reversed(range(len(entered))):
            if entered[i][0] is self:
                _entered.set(entered[:i] + entered[i + 1:])
                self._leave(entered[i][1], outcome)
                break
        return False

    # -- Administration -----------------------------------------------------------------------------------------------

    def reset(self):
        """Closed, with nothing counted."""
        with self._lock:
            self._change(CircuitState.CLOSED)
            self._metrics, self._probing = CircuitBreakerMetrics(), False

    def force_open(self):
        """Open from now on, for its timeout."""
        with self._lock:
            self._change(CircuitState.OPEN)
            self._opened = time.monotonic()
            self._metrics.consecutive_successes = 0

    def get_stats(self):
        with self._lock:
            m = self._metrics
            return {
                "name": self.name,
                "state": self._state.value,
                "thresholds": {"failure_threshold": self.failure_threshold, "timeout_seconds": self.timeout_seconds,
                               "success_threshold": self.success_threshold},
                "metrics": {"total_calls": m.total_calls, "success_count": m.success_count,
                            "failure_count": m.failure_count, "rejected_calls": m.rejected_calls,
                            "failure_rate": m.get_failure_rate(), "average_latency": m.get_average_latency(),
                            "consecutive_failures": m.consecutive_failures,
                            "consecutive_successes": m.consecutive_successes,
                            "state_transitions": m.state_transitions},
                "timing": {"last_failure_time": m.last_failure_time, "last_success_time": m.last_success_time},
            }

    def __repr__(self):
        return f"{type(self).__name__}(name={self.name!r}, state={self._state.value!r})"


#: By the name that the guide's code imports.
LLMCircuitBreaker = CircuitBreaker

_breakers = {}
_lock = threading.Lock()


def get_circuit_breaker(name, **kwargs):
    """The breaker of that name, made with these arguments at the first call."""
    with _lock:
        if name not in _breakers:
            _breakers[name] = CircuitBreaker(name=name, **kwargs)
        return _breakers[name]


def reset_all_circuit_breakers():
    """Returns how many there are."""
    with _lock:
        breakers = list(_breakers.values())
    for breaker in breakers:
        breaker.reset()
    return len(breakers)


def get_all_circuit_breaker_stats():
    with _lock:
        breakers = dict(_breakers)
    return {name: breaker.get_stats() for name, breaker in breakers.items()}
