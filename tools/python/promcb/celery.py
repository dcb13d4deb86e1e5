# SPDX-License-Identifier: MIT
"""Celery's tasks as components: how long they take, and whether they succeed, in all workers together.

    import promcb.celery

    promcb.celery.install()                 # in the module that makes the application

A task's component is TASK_ and its name, TASK_orders.pay. An attempt that is to be retried is a failure unless
install(retry="ignore") says otherwise. Children of the pool count in the segment that the worker has opened, or open it
themselves: prefork, threads, gevent and solo alike. Nothing that this does can raise into a task.
"""
from celery import signals

from promcb import _promcb

__all__ = ["install", "uninstall"]

_running = {}
_options = {"retry": "failure", "segment": None, "skip": frozenset()}


def _begin(task_id=None, **_):
    _running[task_id] = _promcb.start()


def _end(sender=None, task_id=None, task=None, state=None, **_):
    start = _running.pop(task_id, None)
    try:
        name = getattr(task if task is not None else sender, "name", None) or "_unknown"
        if start is None or name in _options["skip"] or (state == "RETRY" and _options["retry"] == "ignore"):
            return
        component = (_options["segment"] or _promcb.default()).component(("TASK_" + name)[:127])
        component.stop(start, state == "SUCCESS")
    except Exception:  # a task is worth more than its record
        pass


def install(retry="failure", skip=(), segment=None):
    """retry: "failure" or "ignore"; skip: names of tasks that are not counted. To call it twice does no harm."""
    if retry not in ("failure", "ignore"):
        raise ValueError('retry is "failure" or "ignore"')
    _options.update(retry=retry, segment=segment, skip=frozenset([skip] if isinstance(skip, str) else skip))
    signals.task_prerun.connect(_begin, weak=False, dispatch_uid="promcb.begin")
    signals.task_postrun.connect(_end, weak=False, dispatch_uid="promcb.end")


def uninstall():
    signals.task_prerun.disconnect(_begin, dispatch_uid="promcb.begin")
    signals.task_postrun.disconnect(_end, dispatch_uid="promcb.end")
