# SPDX-License-Identifier: MIT
"""ASGI middleware that counts requests by route, and an application for /metrics.

    app.add_middleware(promcb.asgi.Middleware)          # Starlette, FastAPI
    app.mount("/metrics", promcb.asgi.metrics_app)      # or: app = promcb.asgi.Middleware(app)

A request's component is its method and its route's template, GET_/items/{item_id}; what matches no route is one
component, GET__unmatched. Its latency ends with the last byte of the body, before background tasks. Nothing that the
middleware does can raise into a request.
"""
import re

from promcb import _promcb, export
from promcb._requests import SKIPPED, UNMATCHED, Recorder, is_server_fine, is_success

__all__ = ["Middleware", "is_server_fine", "is_success", "metrics_app"]

_SEEN = "promcb.middleware"


class _Exchange:
    """One request: what was sent, and whether it is recorded."""

    __slots__ = ("start", "status", "is_over", "is_gone", "has_trailers")

    def __init__(self):
        self.start = _promcb.start()
        self.status = None
        self.is_over = self.is_gone = self.has_trailers = False


class Middleware:
    """skip: route templates that are not counted; success: of a status, whether it is one (200 to 399; another is
    is_server_fine); until: "body" or "headers", what ends a request; disconnect: "ignore" counts those whose client
    went away in the component _disconnected, "failure" as failures; websocket: whether to count how long websockets
    take to be accepted, as WS_/route; name: of a scope, the template; None: as Starlette and FastAPI have it."""

    def __init__(self, app, skip=SKIPPED, success=is_success, until="body", disconnect="ignore", websocket=False,
                 name=None, segment=None):
        if until not in ("body", "headers"):
            raise ValueError('until is "body" or "headers"')
        self.app = app
        self._recorder = Recorder(skip, success, disconnect, segment)
        self._until_headers, self._counts_websockets = until == "headers", websocket
        self._name = name or Templates()

    async def __call__(self, scope, receive, send):
        kind = scope["type"]
        if kind == "http" and _SEEN not in scope:
            scope[_SEEN] = True
            await self._http(scope, receive, send)
        elif kind == "websocket" and self._counts_websockets and _SEEN not in scope:
            scope[_SEEN] = True
            await self._websocket(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _http(self, scope, receive, send):
        exchange = _Exchange()

        async def observed_receive():
            message = await receive()
            if message["type"] == "http.disconnect":
                exchange.is_gone = True
            return message

        async def observed_send(message):
            kind = message["type"]
            is_end = False
            if kind == "http.response.body":
                is_end = not message.get("more_body") and not exchange.has_trailers
            elif kind == "http.response.start":
                exchange.status = message.get("status")
                exchange.has_trailers = bool(message.get("trailers"))
                is_end = self._until_headers
            elif kind in ("http.response.pathsend", "http.response.trailers"):
                is_end = not message.get("more_trailers")
            try:
                await send(message)
            except OSError:
                exchange.is_gone = True
                raise
            if is_end and not exchange.is_over:
                self._finish(scope, exchange, False)

        try:
            await self.app(scope, observed_receive, observed_send)
        except BaseException as error:
            if not exchange.is_over:
                # What is no Exception is a server that ends, or gives up.
                self._finish(scope, exchange, True, not isinstance(error, Exception))
            raise
        if not exchange.is_over:
            self._finish(scope, exchange, exchange.status is None, exchange.status is not None)

    def _finish(self, scope, exchange, is_broken, is_given_up=False):
        exchange.is_over = True
        try:
            template = self._name(scope) or UNMATCHED
            if template is UNMATCHED and exchange.status in (307, 308) and isinstance(self._name, Templates):
                template = self._name.of_redirect(scope) or UNMATCHED
            method = scope.get("method", "_OTHER")
            if is_given_up or (is_broken and exchange.is_gone):
                self._recorder.disconnected(method, template, exchange.start)
            else:
                self._recorder.finish(method, template, exchange.start, exchange.status or 500, is_broken)
        except Exception:  # a request is worth more than its record
            pass

    async def _websocket(self, scope, receive, send):
        exchange = _Exchange()

        async def observed_send(message):
            kind = message["type"]
            await send(message)
            if not exchange.is_over and kind in ("websocket.accept", "websocket.close",
                                                 "websocket.http.response.start"):
                exchange.is_over = True
                try:
                    self._recorder.finish("WS", self._name(scope) or UNMATCHED, exchange.start,
                                          200 if kind == "websocket.accept" else 500)
                except Exception:
                    pass

        await self.app(scope, receive, observed_send)


class Templates:
    """The template of a scope's route, as Starlette and FastAPI leave it; None: no route matched."""

    def __init__(self):
        # (router, endpoint) -> templates that lead there, each with its regular expression
        self._known = {}

    def __call__(self, scope):
        context = scope.get("fastapi")
        if isinstance(context, dict):
            path = getattr(context.get("effective_route_context"), "path", None)
            if isinstance(path, str):
                return path
        endpoint = scope.get("endpoint")
        if endpoint is None:
            return None
        router = scope.get("router")
        key = (id(router), endpoint)
        try:
            found = self._known[key]
        except KeyError:
            found = self._known[key] = list(_lead_to(getattr(router, "routes", ()), endpoint, "", 0))
        except TypeError:  # an endpoint that has no hash
            found = list(_lead_to(getattr(router, "routes", ()), endpoint, "", 0))
        if not found:
            # Newer Starlettes leave the mount there of which no route matched.
            route = scope.get("route")
            path = getattr(route, "path", None) if hasattr(route, "endpoint") else None
            return path if isinstance(path, str) else None
        if len(found) == 1:
            return found[0][0]
        for path in _paths(scope):
            for template, pattern in found:
                if pattern.match(path):
                    return template
        return found[0][0]

    def of_redirect(self, scope):
        """Where a redirect leads that adds or takes away a slash."""
        everything = list(_lead_to(getattr(scope.get("router"), "routes", ()), None, "", 0))
        for path in _paths(scope):
            other = path[:-1] if path.endswith("/") else path + "/"
            for template, pattern in everything:
                if pattern.match(other):
                    return template
        return None


def _paths(scope):
    """The path, without what a proxy, or a mount of older Starlettes, has put before it."""
    path, root = scope.get("path", ""), scope.get("root_path", "")
    outer = scope.get("app_root_path", "")
    yield path
    if outer and path.startswith(outer):
        yield path[len(outer):]
    if root and not path.startswith(root):
        yield root + path


def _pattern(template):
    """A template as a regular expression; what a path convertor takes may have slashes."""
    parts = re.split(r"(\{[^{}]*\})", template)
    return re.compile("".join(
        (".*" if part.endswith(":path}") else "[^/]+") if part.startswith("{") else re.escape(part)
        for part in parts) + r"\Z")


def _lead_to(routes, endpoint, before, depth):
    """Templates of the routes that have the endpoint; None: of all that are no mounts."""
    if depth > 16:
        return
    for route in routes or ():
        path = getattr(route, "path", "")
        if not isinstance(path, str):
            continue
        app = getattr(route, "app", None)
        inner = getattr(route, "routes", None)
        if hasattr(route, "endpoint"):
            if endpoint is None or route.endpoint is endpoint:
                yield before + path, _pattern(before + path)
            continue
        if endpoint is not None and app is endpoint and not inner:
            # A mounted application that has no routes.
            yield before + path.rstrip("/") + "/*", re.compile(".*")
        if inner:
            yield from _lead_to(inner, endpoint, before + path.rstrip("/"), depth + 1)


async def metrics_app(scope, receive, send):
    """/metrics by Accept, /health/metrics, /prometheus/query?q=TEXT."""
    if scope["type"] != "http":
        return
    accept = b",".join(value for name, value in scope["headers"] if name == b"accept").decode("latin-1")
    query = scope.get("query_string", b"").decode("latin-1")
    status, kind, body = export.answer(scope["path"], query, accept)
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
