# SPDX-License-Identifier: MIT
"""The reference guide's complete FastAPI service, over all workers. With four of them:

    cd tools/examples && gunicorn -w 4 -k uvicorn.workers.UvicornWorker -b 127.0.0.1:8000 guide:app

    curl -X POST -H 'Content-Type: application/json' -d '{"amount": 12}' localhost:8000/process
    curl localhost:8000/metrics
    curl localhost:8000/health/metrics
    curl 'localhost:8000/prometheus/query?q=data'

What the guide imports from two modules comes from promcb.collector and promcb.breaker; /metrics is text, of whichever
worker. Whoever answers, the numbers are those of all.
"""
import logging
import time

from fastapi import FastAPI, HTTPException
from fastapi.responses import PlainTextResponse

import promcb.asgi
import promcb.logging
from promcb.breaker import CircuitBreakerOpenError, get_circuit_breaker
from promcb.collector import get_prometheus_collector

app = FastAPI()
collector = get_prometheus_collector()
# Each request in the component of its method and route, GET_/metrics excepted.
app.add_middleware(promcb.asgi.Middleware)
log = logging.getLogger("data_processor")
log.addHandler(promcb.logging.Handler())


def external_service(data):
    """What may fail: here, where it is told to."""
    if data.get("fail"):
        raise ConnectionError("the external service does not answer")
    return {"fields": len(data)}


@app.post("/process")
async def process(data: dict):
    component = "data_processor"
    breaker = get_circuit_breaker(component, failure_threshold=3, timeout_seconds=5)
    begin = time.perf_counter()
    try:
        result = breaker.call(external_service, data)
    except CircuitBreakerOpenError:
        raise HTTPException(status_code=503, detail="Service temporarily unavailable")
    except ConnectionError as error:
        collector.record_circuit_breaker_call(component, time.perf_counter() - begin, success=False)
        log.error("%s", error)
        raise HTTPException(status_code=502, detail=str(error))
    collector.record_circuit_breaker_call(component, time.perf_counter() - begin, success=True)
    return {"status": "success", "result": result}


@app.get("/metrics", response_class=PlainTextResponse)
async def metrics():
    return collector.export_prometheus_format()


@app.get("/health/metrics")
async def health():
    """Not healthy while a component fails in more than half of its calls."""
    components = {}
    for name in collector.get_components():
        summary = collector.get_metrics_summary(name)
        components[name] = {
            "total_calls": summary["total_calls"],
            "success_rate": summary["success_rate"],
            "failure_rate": summary["failure_rate"],
            "avg_latency_ms": summary["avg_latency"] * 1000,
            "p99_latency_ms": summary["latency_percentiles"]["p99"] * 1000,
        }
    return {"healthy": all(c["failure_rate"] <= 50 for c in components.values()), "components": components,
            "timestamp": time.time()}


@app.get("/prometheus/query")
async def query(q: str = ""):
    """Summaries of the components whose name has the text in it."""
    return {name: collector.get_metrics_summary(name) for name in collector.get_components() if q in name}
