# SPDX-License-Identifier: MIT
"""The middleware for aiohttp, in its own test server; and Celery's signals without a worker."""
import asyncio
import logging
import unittest

import promcb
import promcb.aiohttp
from case import SegmentCase

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer


class Aiohttp(SegmentCase):
    def setUp(self):
        super().setUp()
        logging.getLogger("aiohttp.server").disabled = True

    def calls(self):
        return {s["component"]: (s["successful_calls"], s["failed_calls"])
                for s in self.segment.snapshot().summaries()}

    def app(self, **options):
        async def item(request):
            return web.Response(text=request.match_info.get("id", ""))

        async def fails(request):
            raise KeyError

        async def denied(request):
            raise web.HTTPForbidden

        async def streams(request):
            response = web.StreamResponse()
            await response.prepare(request)
            await response.write(b"a")
            await response.write_eof(b"b")
            return response

        async def socket(request):
            answer = web.WebSocketResponse()
            await answer.prepare(request)
            await answer.close()
            return answer

        async def forever(request):
            self.task = asyncio.current_task()
            self.begun.set()
            await asyncio.Event().wait()

        inner = web.Application(middlewares=[promcb.aiohttp.middleware()])
        inner.router.add_get("/things/{thing}", item)
        app = web.Application(middlewares=[promcb.aiohttp.middleware(**options)])
        app.router.add_get("/items/{id}", item)
        for path, handler in (("/fails", fails), ("/denied", denied), ("/streams", streams), ("/socket", socket),
                              ("/forever", forever), ("/metrics", promcb.aiohttp.metrics)):
            app.router.add_get(path, handler)
        app.add_subapp("/sub/", inner)
        return app

    def ask(self, app, *requests):
        async def run():
            self.begun = asyncio.Event()
            async with TestClient(TestServer(app)) as client:
                answers = []
                for method, path in requests:
                    async with client.request(method, path) as answer:
                        answers.append((answer.status, await answer.text()))
                return answers

        return asyncio.run(run())

    def test_components_are_routes(self):
        answers = self.ask(self.app(), ("GET", "/items/1"), ("GET", "/items/2"), ("POST", "/items/1"), ("GET", "/none"),
                           ("GET", "/other"), ("GET", "/fails"), ("GET", "/denied"), ("GET", "/streams"),
                           ("GET", "/sub/things/3"), ("PROPFIND", "/items/1"), ("GET", "/metrics"))
        self.assertEqual([status for status, _ in answers], [200, 200, 405, 404, 404, 500, 403, 200, 200, 405, 200])
        self.assertIn('circuit_breaker_calls_total{component="GET_/items/{id}"} 2', answers[-1][1])
        self.assertEqual(self.calls(), {
            "GET_/items/{id}": (2, 0), "POST_/items/{id}": (0, 1), "GET__unmatched": (0, 2), "GET_/fails": (0, 1),
            "GET_/denied": (0, 1), "GET_/streams": (1, 0), "GET_/sub/things/{thing}": (1, 0),
            "_OTHER_/items/{id}": (0, 1)})

    def test_sockets_and_clients_that_go(self):
        async def run():
            self.begun = asyncio.Event()
            app = self.app()
            server = TestServer(app)
            async with TestClient(server) as client:
                async with client.ws_connect("/socket"):
                    pass
                asked = asyncio.ensure_future(client.get("/forever"))
                await self.begun.wait()
                # As a server does that ends, and older versions when the client goes.
                self.task.cancel()
                with self.assertRaises(aiohttp.ClientError):
                    await asked

        asyncio.run(run())
        self.assertEqual(self.calls(), {"_disconnected": (1, 0)})

    def test_nothing_raises_into_a_request(self):
        async def bad(request, status):
            raise RuntimeError

        for options in ({"name": bad}, {"success": lambda status: 1 / 0}, {"segment": object()}):
            self.assertEqual(self.ask(self.app(**options), ("GET", "/items/7")), [(200, "7")])
        self.assertRaises(ValueError, promcb.aiohttp.middleware, disconnect="maybe")


class Celery(SegmentCase):
    def test_tasks_that_are_called_here(self):
        import celery

        import promcb.celery

        app = celery.Celery("here", broker="memory://")
        app.conf.task_always_eager = True

        @app.task(name="orders.pay")
        def pay(amount):
            return 100 / amount

        @app.task(name="orders.skipped")
        def skipped():
            pass

        promcb.celery.install(skip="orders.skipped")
        self.addCleanup(promcb.celery.uninstall)
        self.assertRaises(ValueError, promcb.celery.install, retry="never")
        for amount in (1, 2, 0):
            pay.apply((amount,))
        skipped.apply()
        self.segment.component("x")
        calls = {s["component"]: (s["successful_calls"], s["failed_calls"])
                 for s in self.segment.snapshot().summaries() if s["component"].startswith("TASK_")}
        self.assertEqual(calls, {"TASK_orders.pay": (2, 1)})
        promcb.celery.install(segment=object())
        self.assertEqual(pay.apply((5,)).get(), 20)


if __name__ == "__main__":
    unittest.main()
