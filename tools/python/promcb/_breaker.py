# SPDX-License-Identifier: MIT
"""promcb.Breaker: one circuit breaker for all threads and processes, for functions, coroutines and blocks."""
import contextvars
import functools
import inspect
import sys

from promcb import _promcb

__all__ = ["Breaker", "BreakerOpen"]

_OFF = 0xffffffff
_MODES = ("automatic", "open", "closed", "shadow")
#: Calls that "with" has begun, by thread and task, innermost last.
_entered = contextvars.ContextVar("promcb_shared_breakers", default=())


class BreakerOpen(Exception):
    """The call was not made: the breaker is open, or half-open and others are trying."""

    def __init__(self, breaker):
        super().__init__(breaker, breaker.retry_after)
        self.breaker, self.retry_after = self.args

    def __reduce__(self):
        # A breaker is of its process: from one of a pool, what is raised comes back without it.
        return _BreakerElsewhere, (str(self), self.retry_after)

    def __str__(self):
        wait = f", for {self.retry_after:.1f} s more" if self.retry_after else ""
        return f"the circuit breaker of {self.breaker.component.name} is {self.breaker.state}{wait}"


class _BreakerElsewhere(BreakerOpen):
    """The same in another process, where breaker is None."""

    def __init__(self, text, retry_after):
        Exception.__init__(self, text, retry_after)
        self.breaker, self.retry_after = None, retry_after

    def __str__(self):
        return self.args[0]


def _outcome(error):
    """What an exception that a call raised says of its component."""
    if not isinstance(error, Exception):
        return "ignored"
    if isinstance(error, TimeoutError):
        return "timeout"
    # Before Python 3.11 those of asyncio are of a sort of their own. Who has one has imported it.
    asyncio = sys.modules.get("asyncio")
    if asyncio and isinstance(error, asyncio.TimeoutError):
        return "timeout"
    if isinstance(error, (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)):
        return "reset"
    return "connect" if isinstance(error, ConnectionError) else "failure"


def _parts(name, share, whole):
    """Of a whole: thousandths, hundredths. None: the default; 0: off."""
    if share is None or share == 0:
        return 0 if share is None else _OFF
    if not 0 < share <= 1:
        raise ValueError(f"{name} is a share, 0 to 1")
    return max(1, round(share * whole))


def _time(name, seconds, unit, most=_OFF - 1):
    """In units of a second. None: the default."""
    if seconds is None:
        return 0
    if not 0 < seconds * unit <= most or round(seconds * unit) == 0:
        raise ValueError(f"{name} is a time in seconds, and not {seconds!r}")
    return round(seconds * unit)


def _number(name, number, can_be_off=False):
    if number is None or number == 0 and can_be_off:
        return 0 if number is None else _OFF
    if not 0 < number < _OFF:
        raise ValueError(f"{name} is a number from 1 on, and not {number!r}")
    return int(number)


class Breaker(_promcb.BreakerBase):
    """The circuit breaker of a component, which all processes of the segment share.

        payments = promcb.Breaker("payment_api", failure_rate=0.5, window=10, open_for=5, ignore=(NotFound,))

        payments.call(charge, 100)              # promcb.BreakerOpen where it may not be made
        @payments.protected                     # functions and coroutine functions
        async def charge(amount): ...
        with payments:                          # or: async with
            charge(100)

    component: a name in the default segment, or a promcb.Component. Without further arguments the policy that is in
    force counts, or the default. Shares are 0 to 1, times seconds; 0 is off for rates, consecutive and jitter. What they
    mean is in promcb(3) and promcb/breaker.h; of two policies the one of the higher version counts, for all processes,
    and error says where another of the same version is in force. ValueError: a number out of range.

    An Exception is a failure (TimeoutError and ConnectionError of a class of their own), but for those of ignore, which
    say nothing of the component; and so does what is no Exception: asyncio.CancelledError, KeyboardInterrupt. Calls are
    recorded in the component; those that are refused are counted apart. fallback: called in place of a refused call,
    with its arguments, by call() and protected().
    """

    def __init__(self, component, *, failure_rate=None, slow_rate=None, slow_after=None, consecutive=None,
                 min_calls=None, window=None, open_for=None, open_max=None, jitter=None, probes=None, successes=None,
                 failures=None, lease=None, mode=None, version=None, ignore=(), fallback=None):
        fields = (_parts("failure_rate", failure_rate, 1000), _parts("slow_rate", slow_rate, 1000),
                  _number("consecutive", consecutive, True), _time("slow_after", slow_after, 10**9, 2**62),
                  _time("open_for", open_for, 1000), _time("open_max", open_max, 1000), _parts("jitter", jitter, 100),
                  _number("probes", probes), _number("successes", successes), _number("failures", failures),
                  _time("lease", lease, 1000))
        if mode is not None and mode not in _MODES:
            raise ValueError('a mode is "automatic", "open", "closed" or "shadow"')
        if version is not None and not 0 <= version < 2**32:
            raise ValueError("version is a number of 32 bits")
        has_policy = any(fields) or (mode, version, min_calls, window) != (None,) * 4
        if not isinstance(component, _promcb.Component):
            component = _promcb.component(component)
        super().__init__(component, has_policy, version or 0, _time("window", window, 1000),
                         _number("min_calls", min_calls), *fields, _MODES.index(mode or "automatic"))
        self.ignore, self.fallback = tuple(ignore), fallback

    def __repr__(self):
        return f"promcb.Breaker({self.component.name!r})"

    def _end(self, call, error):
        call.end("success" if error is None else "ignored" if isinstance(error, self.ignore) else _outcome(error))

    def _refuse(self, args, kwargs):
        if self.fallback is None:
            raise BreakerOpen(self)
        return self.fallback(*args, **kwargs)

    async def _call_async(self, func, args, kwargs):
        call = self.begin()
        if call is None:
            result = self._refuse(args, kwargs)
            return await result if inspect.isawaitable(result) else result
        try:
            result = await func(*args, **kwargs)
        except BaseException as error:
            self._end(call, error)
            raise
        call.end("success")
        return result

    def call(self, func, *args, **kwargs):
        """Calls func, or, where the call is refused, the fallback; raises BreakerOpen where there is none. Of a coroutine
        function it returns what is to be awaited, and asks when it is."""
        if inspect.iscoroutinefunction(func):
            return self._call_async(func, args, kwargs)
        call = self.begin()
        if call is None:
            return self._refuse(args, kwargs)
        try:
            result = func(*args, **kwargs)
        except BaseException as error:
            self._end(call, error)
            raise
        call.end("success")
        return result

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
        call = self.begin()
        if call is None:
            raise BreakerOpen(self)
        _entered.set((*_entered.get(), (self, call)))
        return self

    def __exit__(self, kind, value, traceback):
        entered = _entered.get()
        for i in reversed(range(len(entered))):
            if entered[i][0] is self:
                _entered.set(entered[:i] + entered[i + 1:])
                self._end(entered[i][1], value)
                break
        return False

    async def __aenter__(self):
        return self.__enter__()

    async def __aexit__(self, kind, value, traceback):
        return self.__exit__(kind, value, traceback)
