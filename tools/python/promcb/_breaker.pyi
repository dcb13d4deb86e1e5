# SPDX-License-Identifier: MIT
from types import TracebackType
from typing import Any, Callable, Optional, Sequence, Type, TypeVar, Union

from promcb._promcb import BreakerBase, Component

_F = TypeVar("_F", bound=Callable[..., Any])
_B = TypeVar("_B", bound="Breaker")

class BreakerOpen(Exception):
    breaker: Breaker
    retry_after: float
    def __init__(self, breaker: Breaker) -> None: ...

class Breaker(BreakerBase):
    ignore: Sequence[Type[BaseException]]
    fallback: Optional[Callable[..., Any]]
    def __init__(self, component: Union[str, Component], *, failure_rate: Optional[float] = None,
                 slow_rate: Optional[float] = None, slow_after: Optional[float] = None,
                 consecutive: Optional[int] = None, min_calls: Optional[int] = None, window: Optional[float] = None,
                 open_for: Optional[float] = None, open_max: Optional[float] = None, jitter: Optional[float] = None,
                 probes: Optional[int] = None, successes: Optional[int] = None, failures: Optional[int] = None,
                 lease: Optional[float] = None, mode: Optional[str] = None, version: Optional[int] = None,
                 ignore: Sequence[Type[BaseException]] = (),
                 fallback: Optional[Callable[..., Any]] = None) -> None: ...
    def call(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any: ...
    def protected(self, func: _F) -> _F: ...
    def __enter__(self: _B) -> _B: ...
    def __exit__(self, kind: Optional[Type[BaseException]], value: Optional[BaseException],
                 traceback: Optional[TracebackType]) -> bool: ...
    async def __aenter__(self: _B) -> _B: ...
    async def __aexit__(self, kind: Optional[Type[BaseException]], value: Optional[BaseException],
                        traceback: Optional[TracebackType]) -> bool: ...
