# SPDX-License-Identifier: MIT
"""A segment of its own for a test: nothing that another test, or another run, has counted is in it.

    with promcb.testing.private_segment() as segment: ...

and for pytest, in conftest.py:  pytest_plugins = ["promcb.testing"]

    def test_orders(promcb_segment):
        ...
        assert promcb_segment.snapshot().summary("orders")["total_calls"] == 1

The fixture is the default segment meanwhile, and where promcb.prometheus.install() was called, metrics that the test
makes lie in it.
"""
import contextlib
import itertools
import os

from promcb import _promcb, _values

_numbers = itertools.count()


@contextlib.contextmanager
def private_segment(**options):
    """A new segment, removed at the end. options: those of promcb.Segment."""
    name = f"/promcb-private-{os.getpid()}-{next(_numbers)}"
    segment = _promcb.Segment(name, **options)
    try:
        yield segment
    finally:
        segment.close()
        with contextlib.suppress(OSError):
            os.unlink("/dev/shm" + name)


@contextlib.contextmanager
def default_segment(**options):
    """The same, which is the default segment meanwhile."""
    with private_segment(**options) as segment:
        before = _promcb.set_default(segment)
        installed = _values.segment
        if installed is not None:
            _values.segment = segment
        try:
            yield segment
        finally:
            _promcb.set_default(before)
            _values.segment = installed


try:
    import pytest
except ImportError:
    pass
else:

    @pytest.fixture
    def promcb_segment():
        """A segment of its own for the test, which is the default one meanwhile."""
        with default_segment() as segment:
            yield segment
