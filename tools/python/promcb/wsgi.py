# SPDX-License-Identifier: MIT
"""WSGI middleware that counts requests by route, and an application for /metrics.

    app.wsgi_app = promcb.wsgi.Middleware(app.wsgi_app)         # Flask; Django: promcb.django

A request's component is its method and its route's template, GET_/items/<item_id>; what matches no route is one
component, GET__unmatched. Its latency ends when the server closes the body. Nothing that the middleware does can raise
into a request.
"""
from promcb import _promcb, export
from promcb._requests import SKIPPED, UNMATCHED, Recorder, is_server_fine, is_success

__all__ = ["Middleware", "is_server_fine", "is_success", "metrics_app"]

_SEEN = "promcb.middleware"


def flask_template(environ):
    """The rule of the request, with what the application is mounted under in this process; None: no rule matched."""
    rule = getattr(environ.get("werkzeug.request"), "url_rule", None)
    rule = getattr(rule, "rule", None)
    if rule is None:
        return None
    before = environ.get(_SEEN, "")
    script = environ.get("SCRIPT_NAME", "")
    return (script[len(before):] if script.startswith(before) else "") + rule


class _Body:
    """The body of a response; its end is the request's."""

    def __init__(self, body, finish):
        self._body, self._finish = body, finish
        self._next = iter(body).__next__
        self._is_begun = False

    def __iter__(self):
        return self

    def __next__(self):
        try:
            self._is_begun = True
            return self._next()
        except StopIteration:
            self._is_begun = False
            raise
        except BaseException as error:
            self._end(True, not isinstance(error, Exception))
            raise

    def close(self):
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            # A server that has begun with it and does not come to its end has lost the client.
            self._end(False, self._is_begun)

    def _end(self, is_broken, is_given_up):
        finish, self._finish = self._finish, None
        if finish is not None:
            finish(is_broken, is_given_up)


class Middleware:
    """skip: route templates that are not counted; success: of a status, whether it is one (200 to 399); disconnect:
    what a request counts as that was given up; name: of an environ, the template after the call; None: as Flask."""

    def __init__(self, app, skip=SKIPPED, success=is_success, disconnect="ignore", name=flask_template, segment=None):
        self.app = app
        self._recorder = Recorder(skip, success, disconnect, segment)
        self._name = name

    def __call__(self, environ, start_response):
        if _SEEN in environ:
            return self.app(environ, start_response)
        environ[_SEEN] = environ.get("SCRIPT_NAME", "")
        start = _promcb.start()
        answered = []

        def observed_start_response(status, headers, *more):
            # Flask lets go of its request before the body ends.
            try:
                answered[:] = [status, self._name(environ)]
            except Exception:
                answered[:] = [status, None]
            return start_response(status, headers, *more)

        def finish(is_broken, is_given_up=False):
            try:
                template = (answered[1] if answered else self._name(environ)) or UNMATCHED
                method = environ.get("REQUEST_METHOD", "_OTHER")
                if is_given_up:
                    self._recorder.disconnected(method, template, start)
                else:
                    status = answered[0][:3] if answered else 500
                    self._recorder.finish(method, template, start, status, is_broken)
            except Exception:  # a request is worth more than its record
                pass

        try:
            body = self.app(environ, observed_start_response)
        except BaseException as error:
            finish(True, not isinstance(error, Exception))
            raise
        wrapper = environ.get("wsgi.file_wrapper")
        if isinstance(wrapper, type) and isinstance(body, wrapper):
            # The server sends the file itself, if it can see that it is one.
            finish(False)
            return body
        return _Body(body, finish)


def metrics_app(environ, start_response):
    """/metrics by Accept, /health/metrics, /prometheus/query?q=TEXT."""
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    status, kind, body = export.answer(path, environ.get("QUERY_STRING", ""), environ.get("HTTP_ACCEPT"))
    phrase = {200: "OK", 404: "Not Found", 503: "Service Unavailable"}[status]
    start_response(f"{status} {phrase}", [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [] if environ.get("REQUEST_METHOD") == "HEAD" else [body]
