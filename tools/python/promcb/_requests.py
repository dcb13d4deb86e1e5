# SPDX-License-Identifier: MIT
"""What the middlewares share: which component a request counts in, and what is a success."""
from promcb import _promcb

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "WS"))
#: What is not counted: the scrape itself, and the question whether the process lives.
SKIPPED = ("/metrics", "/health/metrics", "/prometheus/query")
UNMATCHED = "_unmatched"
_NAME_MAX = 127


def is_success(status):
    """As the reference guide has it. For alerts on servers' faults alone: lambda status: status < 500."""
    return 200 <= status < 400


def is_server_fine(status):
    return status < 500


class Recorder:
    """Components by method and route template: as many as there are routes, whatever is requested."""

    def __init__(self, skip=SKIPPED, success=is_success, disconnect="ignore", segment=None):
        if disconnect not in ("ignore", "failure"):
            raise ValueError('disconnect is "ignore" or "failure"')
        self._skip = frozenset([skip] if isinstance(skip, str) else skip)
        self._is_success, self._disconnect, self._segment = success, disconnect, segment
        self._components = {}

    def component(self, method, template):
        """None: it is skipped."""
        if method not in METHODS:
            method = "_OTHER"
        key = (method, template)
        try:
            return self._components[key]
        except KeyError:
            pass
        component = None
        if template not in self._skip:
            name = f"{method}_{template}".encode("utf-8", "replace")[:_NAME_MAX].decode("utf-8", "ignore")
            name = "".join(c if c.isprintable() else "?" for c in name)
            component = (self._segment or _promcb.default()).component(name)
        self._components[key] = component
        return component

    def finish(self, method, template, start, status, is_broken=False):
        """A response was sent, or an exception came instead: is_broken."""
        component = self.component(method, template)
        if component is not None:
            try:
                success = not is_broken and bool(self._is_success(int(status)))
            except (TypeError, ValueError):
                success = False
            component.stop(start, success)

    def disconnected(self, method, template, start):
        """The client, or the server's end, came before the response's."""
        if self._disconnect == "failure":
            self.finish(method, template, start, 499, True)
        elif template not in self._skip:
            (self._segment or _promcb.default()).component("_disconnected").record_outcome(True)
