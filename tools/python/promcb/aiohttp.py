# SPDX-License-Identifier: MIT
"""aiohttp middleware that counts requests by route, and a handler for /metrics.

    app = aiohttp.web.Application(middlewares=[promcb.aiohttp.middleware(), ...])       # the first
    app.router.add_get("/metrics", promcb.aiohttp.metrics)

A request's component is its method and its route, GET_/items/{id}; what matches no route is one component,
GET__unmatched. Its latency ends when its handler does, which writes streams itself. Websockets are not counted. Nothing
that the middleware does can raise into a request.
"""
from aiohttp import web

from promcb import _promcb, export
from promcb._requests import SKIPPED, UNMATCHED, Recorder, is_server_fine, is_success

__all__ = ["is_server_fine", "is_success", "metrics", "middleware"]

_SEEN = "promcb.middleware"


async def _template(request, status):
    """The route's, with what its application is mounted under; None: no route matched."""
    resource = getattr(getattr(request.match_info, "route", None), "resource", None)
    if resource is None and status == 405:
        # A route that is there, and not by this method.
        for candidate in request.app.router.resources():
            match, methods = await candidate.resolve(request)
            if match is not None or methods:
                resource = candidate
                break
    return getattr(resource, "canonical", None)


def middleware(skip=SKIPPED, success=is_success, disconnect="ignore", name=None, segment=None):
    """skip: routes that are not counted; success: of a status, whether it is one (200 to 399); disconnect: "ignore"
    counts requests whose client went away in the component _disconnected, "failure" as failures; name: of a request
    and a status, the route, a coroutine function; None: as aiohttp has it."""
    recorder = Recorder(skip, success, disconnect, segment)
    name = name or _template

    async def finish(request, start, status, is_broken=False, is_given_up=False):
        try:
            template = await name(request, status) or UNMATCHED
            if is_given_up:
                recorder.disconnected(request.method, template, start)
            else:
                recorder.finish(request.method, template, start, status, is_broken)
        except Exception:  # a request is worth more than its record
            pass

    @web.middleware
    async def counted(request, handler):
        if request.get(_SEEN):
            return await handler(request)
        request[_SEEN] = True
        start = _promcb.start()
        try:
            response = await handler(request)
        except web.HTTPException as answer:
            await finish(request, start, answer.status)
            raise
        except BaseException as error:
            gone = isinstance(error, ConnectionError) or not isinstance(error, Exception)
            await finish(request, start, 500, True, gone)
            raise
        if not isinstance(response, web.WebSocketResponse):
            await finish(request, start, getattr(response, "status", 500))
        return response

    return counted


async def metrics(request):
    """/metrics by Accept, /health/metrics, /prometheus/query?q=TEXT."""
    status, kind, body = export.answer(request.path, request.query_string, request.headers.get("Accept"))
    return web.Response(status=status, headers={"Content-Type": kind}, body=body)
