# SPDX-License-Identifier: MIT
"""Django middleware that counts requests by route, synchronous and asynchronous.

    MIDDLEWARE = ["promcb.django.Middleware", ...]              # the first
    urlpatterns = [path("metrics", promcb.django.metrics), ...]

settings.PROMCB, a dict, may have skip, success and disconnect, as promcb.asgi.Middleware.
"""
import inspect

from promcb import _promcb, export
from promcb._requests import UNMATCHED, Recorder


class Middleware:
    sync_capable = True
    async_capable = True

    def __init__(self, get_response):
        from django.conf import settings

        self.get_response = get_response
        self._recorder = Recorder(**getattr(settings, "PROMCB", {}))
        self._is_async = inspect.iscoroutinefunction(get_response)
        if self._is_async:
            # Django asks whether it is a coroutine function: as asyncio marks them.
            import asyncio.coroutines

            self._is_coroutine = getattr(asyncio.coroutines, "_is_coroutine", None)
            mark = getattr(inspect, "markcoroutinefunction", None)
            if mark is not None:
                mark(self)

    def __call__(self, request):
        if self._is_async:
            return self._call_async(request)
        start = _promcb.start()
        try:
            response = self.get_response(request)
        except BaseException as error:
            self._finish(request, start, None, error)
            raise
        return self._answered(request, start, response)

    async def _call_async(self, request):
        start = _promcb.start()
        try:
            response = await self.get_response(request)
        except BaseException as error:
            self._finish(request, start, None, error)
            raise
        return self._answered(request, start, response)

    def _answered(self, request, start, response):
        closers = getattr(response, "_resource_closers", None)
        if getattr(response, "streaming", False) and isinstance(closers, list):
            closers.append(lambda: self._finish(request, start, response, None))
        else:
            self._finish(request, start, response, None)
        return response

    def _finish(self, request, start, response, error):
        try:
            route = getattr(getattr(request, "resolver_match", None), "route", None)
            template = UNMATCHED if route is None else "/" + route.lstrip("^/")
            if error is not None and not isinstance(error, Exception):
                self._recorder.disconnected(request.method, template, start)
            else:
                self._recorder.finish(request.method, template, start, getattr(response, "status_code", 500),
                                      error is not None)
        except Exception:  # a request is worth more than its record
            pass


def metrics(request):
    """A view of /metrics, /health/metrics and /prometheus/query."""
    from django.http import HttpResponse

    status, kind, body = export.answer(request.path, request.META.get("QUERY_STRING", ""),
                                       request.META.get("HTTP_ACCEPT"))
    return HttpResponse(body, status=status, content_type=kind)
