# SPDX-License-Identifier: MIT
"""Middlewares: components by route, the end of a request, and nothing that raises into one."""
import asyncio
import unittest

import promcb
import promcb.asgi
import promcb.wsgi
from case import SegmentCase

import django.conf
import django.core.handlers.asgi
import django.core.handlers.wsgi
import django.http
import django.urls
import flask
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute


class WebCase(SegmentCase):
    def calls(self):
        """component -> (successes, failures)."""
        return {s["component"]: (s["successful_calls"], s["failed_calls"])
                for s in self.segment.snapshot().summaries()}

    def request(self, app, path, method="GET", messages=None, broken_after=None, **more):
        """Sends a request into an ASGI application. Returns its messages."""
        sent = []
        messages = list(messages or [{"type": "http.request", "body": b"", "more_body": False}])

        async def receive():
            if messages:
                return messages.pop(0)
            await asyncio.Event().wait()

        async def send(message):
            if broken_after is not None and len(sent) >= broken_after:
                raise OSError("gone")
            sent.append(message)

        scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "root_path": "",
                 "scheme": "http", "query_string": b"", "headers": [], "server": ("x", 80), "http_version": "1.1",
                 "client": ("c", 1), "asgi": {"version": "3.0"}, **more}
        asyncio.run(asyncio.wait_for(app(scope, receive, send), 60))
        return sent


async def item(request):
    return PlainTextResponse(str(request.path_params.get("id", "")))


async def fails(request):
    raise KeyError("handler")


async def streams(request):
    async def body():
        yield b"a"
        yield b"b"

    return StreamingResponse(body())


async def breaks(request):
    async def body():
        yield b"a"
        raise KeyError("body")

    return StreamingResponse(body())


async def background(request):
    async def task():
        raise KeyError("background")

    return PlainTextResponse("x", background=BackgroundTask(task))


async def forever(request):
    await asyncio.Event().wait()


async def opaque(scope, receive, send):
    await PlainTextResponse("opaque")(scope, receive, send)


async def accepts(websocket):
    await websocket.accept()
    await websocket.close()


ROUTES = [
    Route("/items/{id}", item, methods=["GET", "POST"]), Route("/fails", fails), Route("/streams", streams),
    Route("/breaks", breaks), Route("/background", background), Route("/forever", forever),
    Route("/twice/a/{id}", item), Route("/twice/b/{id}", item),
    Mount("/api/{version}", routes=[Route("/users/{id:int}", item), Mount("/deep", routes=[Route("/", item)])]),
    Mount("/opaque", opaque), WebSocketRoute("/ws/{id}", accepts),
]


class Asgi(WebCase):
    def app(self, **options):
        app = Starlette(routes=ROUTES)
        app.add_middleware(promcb.asgi.Middleware, **options)
        return app

    def test_components_are_routes(self):
        app = self.app()
        for path in ("/items/1", "/items/2", "/twice/a/1", "/twice/b/1", "/api/v1/users/3", "/opaque/x/y", "/opaque/z",
                     "/no/such", "/other/none", "/api/v1/none"):
            self.request(app, path)
        self.request(app, "/items/1", "POST")
        self.request(app, "/items/1", "DELETE")
        self.request(app, "/items/1/")
        self.request(app, "/items/1", "BREW")
        for path in ("/metrics", "/health/metrics"):
            self.request(app, path)
        self.assertEqual(self.calls(), {
            "GET_/items/{id}": (3, 0), "POST_/items/{id}": (1, 0), "DELETE_/items/{id}": (0, 1),
            "_OTHER_/items/{id}": (0, 1), "GET_/twice/a/{id}": (1, 0), "GET_/twice/b/{id}": (1, 0),
            "GET_/api/{version}/users/{id:int}": (1, 0), "GET_/opaque/*": (2, 0), "GET__unmatched": (0, 5)})

    def test_a_mount_is_no_route(self):
        inner, outer = Mount("/api/{version}", routes=[Route("/users", item)]), Route("/known", item)
        # As Starlette 1.x leaves them: what was reached last, and there is nothing behind it.
        scope = {"router": Starlette(routes=[inner]).router, "path": "/api/v1/none", "root_path": ""}
        templates = promcb.asgi.Templates()
        self.assertIsNone(templates({**scope, "endpoint": inner.app, "route": inner}))
        self.assertEqual(templates({**scope, "endpoint": object(), "route": outer}), "/known")

    def test_ends_and_outcomes(self):
        app = self.app()
        for path, error in (("/fails", KeyError), ("/breaks", KeyError), ("/background", KeyError)):
            with self.assertRaises(error):
                self.request(app, path)
        self.request(app, "/streams")
        self.assertEqual(self.calls(), {"GET_/fails": (0, 1), "GET_/breaks": (0, 1), "GET_/background": (1, 0),
                                        "GET_/streams": (1, 0)})

    def test_clients_that_go(self):
        gone = [{"type": "http.request", "body": b""}, {"type": "http.disconnect"}]
        for options in ({}, {"disconnect": "failure"}):
            app = self.app(**options)
            for broken_after in (1, 2):
                try:
                    self.request(app, "/streams", messages=list(gone), broken_after=broken_after)
                except BaseException:  # as Starlette has it in this version
                    pass
        self.assertEqual(self.calls(), {"_disconnected": (2, 0), "GET_/streams": (0, 2)})

    def test_cancelled_requests(self):
        async def cancel():
            scope = {"type": "http", "method": "GET", "path": "/forever", "root_path": "", "headers": [],
                     "query_string": b""}
            task = asyncio.ensure_future(self.app()(scope, None, None))
            for _ in range(5):
                await asyncio.sleep(0)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task

        asyncio.run(cancel())
        self.assertEqual(self.calls(), {"_disconnected": (1, 0)})

    def test_options(self):
        app = self.app(skip=("/items/{id}",), success=promcb.asgi.is_server_fine, until="headers")
        for path in ("/items/1", "/none"):
            self.request(app, path)
        with self.assertRaises(KeyError):
            self.request(app, "/breaks")
        self.assertEqual(self.calls(), {"GET__unmatched": (1, 0), "GET_/breaks": (1, 0)})
        self.assertRaises(ValueError, promcb.asgi.Middleware, None, until="then")
        self.assertRaises(ValueError, promcb.asgi.Middleware, None, disconnect="maybe")

    def test_counted_once(self):
        inner = self.app()
        app = Starlette(routes=[Mount("/outer", inner)])
        app.add_middleware(BaseHTTPMiddleware, dispatch=lambda request, call_next: call_next(request))
        app.add_middleware(promcb.asgi.Middleware)
        self.request(app, "/outer/items/1")
        self.assertEqual(self.calls(), {"GET_/outer/items/{id}": (1, 0)})

    def test_websockets_and_lifespan(self):
        async def talk(app):
            received = [{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1000}]
            sent = []

            async def receive():
                return received.pop(0)

            async def send(message):
                sent.append(message)

            scope = {"type": "websocket", "path": "/ws/7", "root_path": "", "headers": [], "query_string": b"",
                     "subprotocols": []}
            await app(scope, receive, send)

        asyncio.run(talk(self.app()))
        self.assertEqual(self.calls(), {})
        asyncio.run(talk(self.app(websocket=True)))
        self.assertEqual(self.calls(), {"WS_/ws/{id}": (1, 0)})

    def test_nothing_raises_into_a_request(self):
        def bad(*_):
            raise RuntimeError

        for options in ({"name": bad}, {"success": bad}, {"name": lambda scope: object()}, {"segment": object()}):
            sent = self.request(self.app(**options), "/items/1")
            self.assertEqual(sent[-1]["body"], b"1", options)
        self.segment.close()
        self.assertEqual(self.request(self.app(), "/items/1")[-1]["body"], b"1")

    def test_fastapi(self):
        inner, router, app = FastAPI(), APIRouter(prefix="/v2"), FastAPI()

        @inner.get("/things/{thing}")
        def thing(thing: int):
            return thing

        @router.get("/orders/{order}")
        async def order(order: str):
            return order

        app.include_router(router)
        app.mount("/sub", inner)
        app.add_middleware(promcb.asgi.Middleware)
        for path in ("/v2/orders/a", "/v2/orders/b", "/sub/things/1", "/none"):
            self.request(app, path)
        self.assertEqual(self.calls(), {"GET_/v2/orders/{order}": (2, 0), "GET_/sub/things/{thing}": (1, 0),
                                        "GET__unmatched": (0, 1)})

    def test_metrics_app(self):
        promcb.record("c", 0.1)
        sent = self.request(promcb.asgi.metrics_app, "/metrics",
                            headers=[(b"accept", b"application/openmetrics-text")])
        self.assertIn((b"content-type", b"application/openmetrics-text; version=1.0.0; charset=utf-8"),
                      sent[0]["headers"])
        self.assertTrue(sent[1]["body"].endswith(b"# EOF\n"))
        self.assertEqual(self.request(promcb.asgi.metrics_app, "/metrics", "HEAD")[1]["body"], b"")
        app = Starlette(routes=[Mount("/metrics", promcb.asgi.metrics_app)])
        self.assertIn(b"circuit_breaker", self.request(app, "/metrics/")[1]["body"])


class Wsgi(WebCase):
    def get(self, app, path, method="GET", **more):
        environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "SCRIPT_NAME": "", "QUERY_STRING": "",
                   "SERVER_NAME": "x", "SERVER_PORT": "80", "wsgi.url_scheme": "http", "SERVER_PROTOCOL": "HTTP/1.1",
                   "wsgi.input": __import__("io").BytesIO(), "wsgi.errors": __import__("sys").stderr, **more}
        answered = []
        body = app(environ, lambda status, headers, *rest: answered.append((status, headers)))
        try:
            return answered, b"".join(body)
        finally:
            getattr(body, "close", lambda: None)()

    def flask(self, **options):
        app = flask.Flask("f")
        app.add_url_rule("/items/<int:id>", view_func=lambda id: str(id), endpoint="item")
        app.add_url_rule("/fails", view_func=lambda: 1 / 0, endpoint="fails")
        app.add_url_rule("/streams", view_func=lambda: app.response_class(iter([b"a", b"b"])), endpoint="streams")

        def broken():
            yield b"a"
            raise KeyError

        app.add_url_rule("/breaks", view_func=lambda: app.response_class(broken()), endpoint="breaks")
        app.logger.disabled = True
        app.wsgi_app = promcb.wsgi.Middleware(app.wsgi_app, **options)
        return app

    def test_flask(self):
        from werkzeug.middleware.dispatcher import DispatcherMiddleware

        app = self.flask()
        for path in ("/items/1", "/items/2", "/items/x", "/none", "/fails", "/streams"):
            self.get(app, path)
        self.get(app, "/items/1", "POST")
        with self.assertRaises(KeyError):
            self.get(app, "/breaks")
        outer = promcb.wsgi.Middleware(DispatcherMiddleware(lambda *_: [], {"/sub": app}))
        self.assertEqual(self.get(outer, "/sub/items/3")[1], b"3")
        self.assertEqual(self.calls(), {
            "GET_/items/<int:id>": (2, 0), "GET__unmatched": (0, 2), "GET_/fails": (0, 1), "GET_/streams": (1, 0),
            "POST__unmatched": (0, 1), "GET_/breaks": (0, 1), "GET_/sub/items/<int:id>": (1, 0)})

    def test_bare_applications(self):
        def app(environ, start_response):
            if environ["PATH_INFO"] == "/late":
                start_response("200 OK", [])
                try:
                    raise KeyError
                except KeyError:
                    import sys

                    start_response("500 Oops", [], sys.exc_info())
            else:
                start_response("204 No Content", [])
            return [b""]

        counted = promcb.wsgi.Middleware(app, name=lambda environ: environ["PATH_INFO"])
        for path in ("/a", "/late", "/metrics"):
            self.get(counted, path)
        self.get(promcb.wsgi.Middleware(app, name=lambda environ: 1 / 0), "/a")
        with self.assertRaises(ValueError):
            promcb.wsgi.Middleware(lambda *_: int("x"))({"REQUEST_METHOD": "GET"}, None)
        self.assertEqual(self.calls(), {"GET_/a": (1, 0), "GET_/late": (0, 1), "GET__unmatched": (1, 1)})

    def test_clients_that_go(self):
        def app(environ, start_response):
            start_response("200 OK", [])
            return iter([b"a", b"b"])

        for count in (0, 1, 3):
            body = promcb.wsgi.Middleware(app, name=lambda environ: "/a")({"REQUEST_METHOD": "GET"}, lambda *_: None)
            for _ in range(count):
                next(body, None)
            body.close()
            body.close()
        self.assertEqual(self.calls(), {"GET_/a": (2, 0), "_disconnected": (1, 0)})

    def test_metrics_app(self):
        promcb.record("c", 0.1, False)
        answered, body = self.get(promcb.wsgi.metrics_app, "/health/metrics")
        self.assertEqual(answered[0][0], "503 Service Unavailable")
        answered, body = self.get(promcb.wsgi.metrics_app, "/metrics", HTTP_ACCEPT="text/plain")
        self.assertIn(b'component="c"', body)


def django_fails(request):
    raise KeyError


async def django_async(request):
    return django.http.HttpResponse("async")


urlpatterns = [
    django.urls.path("items/<int:id>", lambda request, id: django.http.HttpResponse(str(id))),
    django.urls.path("fails", django_fails),
    django.urls.path("async", django_async),
    django.urls.path("streams", lambda request: django.http.StreamingHttpResponse([b"a", b"b"])),
    django.urls.path("metrics", lambda request: __import__("promcb.django").django.metrics(request)),
]


class Django(WebCase):
    def setUp(self):
        super().setUp()
        if not django.conf.settings.configured:
            django.conf.settings.configure(ROOT_URLCONF="test_web", MIDDLEWARE=["promcb.django.Middleware"],
                                           ALLOWED_HOSTS=["*"], SECRET_KEY="x", LOGGING_CONFIG=None)
            django.setup()
            import logging

            logging.getLogger("django.request").disabled = True

    def test_synchronous(self):
        app = django.core.handlers.wsgi.WSGIHandler()
        get = lambda path: Wsgi.get(self, app, path)
        self.assertEqual(get("/items/1")[1], b"1")
        for path in ("/items/2", "/none", "/fails", "/async", "/streams"):
            get(path)
        self.assertIn(b"GET_/streams", get("/metrics")[1])
        self.assertEqual(self.calls(), {"GET_/items/<int:id>": (2, 0), "GET__unmatched": (0, 1), "GET_/fails": (0, 1),
                                        "GET_/async": (1, 0), "GET_/streams": (1, 0)})

    def test_asynchronous(self):
        app = django.core.handlers.asgi.ASGIHandler()
        app.load_middleware(is_async=True)
        for path in ("/items/1", "/async", "/fails", "/none"):
            self.request(app, path)
        self.assertEqual(self.calls(), {"GET_/items/<int:id>": (1, 0), "GET_/async": (1, 0), "GET_/fails": (0, 1),
                                        "GET__unmatched": (0, 1)})


if __name__ == "__main__":
    unittest.main()
