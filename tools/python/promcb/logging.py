# SPDX-License-Identifier: MIT
"""A handler that counts lines of a log: log_entries_total by component and level.

    logging.getLogger().addHandler(promcb.logging.Handler())            # a component for each logger's name
    logging.getLogger("orders").addHandler(promcb.logging.Handler("orders"))
"""
import logging

from promcb import _promcb


class Handler(logging.Handler):
    """component: where lines are counted; None: by the logger's name. Critical lines count as errors."""

    def __init__(self, component=None, level=logging.NOTSET, segment=None):
        super().__init__(level)
        self._component, self._segment = component, segment

    def handle(self, record):
        # Without the handler's lock: there is nothing to be guarded, and a signal handler may log.
        passes = self.filter(record)
        if passes:
            self.emit(record)
        return passes

    def emit(self, record):
        try:
            (self._segment or _promcb.default()).count_log(self._component or record.name, record.levelno)
        except Exception:
            pass
