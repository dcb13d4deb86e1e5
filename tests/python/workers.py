# SPDX-License-Identifier: MIT
"""Run by tests/e2e/91_python_workers.sh; of itself, the applications that the servers serve."""
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time


def wsgi(environ, start_response):
    from prometheus_client import generate_latest

    if environ["PATH_INFO"] == "/metrics":
        body = generate_latest()
    else:
        REQUESTS.labels(environ["PATH_INFO"]).inc()
        SECONDS.observe(0.1)
        body = str(os.getpid()).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def make_asgi():
    from fastapi import FastAPI

    import promcb.asgi

    app = FastAPI()

    @app.get("/items/{item}")
    async def item(item: int):
        return os.getpid()

    app.add_middleware(promcb.asgi.Middleware)
    return app


if os.environ.get("PROMCB_TEST_SERVER") == "wsgi":
    from prometheus_client import Counter, Gauge, Histogram

    REQUESTS = Counter("app_requests", "Requests", ["path"])
    SECONDS = Histogram("app_seconds", "Seconds")
    WORKERS = Gauge("app_started", "Processes that have this module")
    WORKERS.set(1)
elif os.environ.get("PROMCB_TEST_SERVER") == "asgi":
    asgi = make_asgi()


def fetch(port, path, body=None):
    """GET, or POST of a body of JSON: status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST" if body else "GET", path, body, {"Content-Type": "application/json"} if body else {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def serve(kind, port, *arguments):
    server = subprocess.Popen(
        [sys.executable, "-m", "promcb.run", sys.executable, "-m", "gunicorn", "-b", f"127.0.0.1:{port}", "-w", "4",
         "--log-level", "error", *arguments, f"workers:{kind}"], env={**os.environ, "PROMCB_TEST_SERVER": kind})
    deadline = time.monotonic() + 60
    while True:
        try:
            fetch(port, "/metrics")
            return server
        except (OSError, http.client.HTTPException):
            assert server.poll() is None and time.monotonic() < deadline, "the server did not start"
            time.sleep(0.05)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def value(text, series):
    found = re.search("^" + re.escape(series) + " (.*)$", text, re.M)
    return float(found[1]) if found else 0.0


def killed_workers(rounds):
    """rounds requests by four clients; after each 50, a worker that answered is killed."""
    port = free_port()
    server = serve("wsgi", port, "--preload", "--max-requests", "50")
    lock, state = threading.Lock(), {"asked": 0, "answered": 0, "killed": 0, "scraped": 0.0}
    failures = []

    def client():
        while True:
            with lock:
                if state["asked"] >= rounds or failures:
                    return
                state["asked"] += 1
                number = state["asked"]
            try:
                status, body = fetch(port, "/work")
            except (OSError, http.client.HTTPException):
                continue
            with lock:
                state["answered"] += status == 200
                answered = state["answered"]
            if number % 50 == 0:
                try:
                    os.kill(int(body), signal.SIGKILL)
                    state["killed"] += 1
                except ProcessLookupError:
                    pass
            if number % 20 == 0:
                try:
                    text = fetch(port, "/metrics")[1].decode()
                except (OSError, http.client.HTTPException):
                    continue
                total = value(text, 'app_requests_total{path="/work"}')
                with lock:
                    if total < answered:
                        failures.append(f"{total} in a scrape, and {answered} were answered")
                    if "process_resident_memory_bytes" not in text or "pid=" in text:
                        failures.append(text)

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while True:
        try:
            text = fetch(port, "/metrics")[1].decode()
            break
        except (OSError, http.client.HTTPException):
            pass
    server.terminate()
    server.wait(60)
    total = value(text, 'app_requests_total{path="/work"}')
    assert not failures, failures[0]
    assert state["answered"] <= total <= state["asked"], (state, total)
    # Two adds, between which a worker may have been killed.
    assert abs(value(text, "app_seconds_count") - total) <= state["killed"], text
    assert state["killed"] >= rounds // 100, state
    assert 1 <= value(text, "app_started") <= 8, text
    print(f"{state['answered']} of {state['asked']} answered, {state['killed']} workers killed, {total:.0f} counted")


def by_route(rounds):
    import promcb

    port = free_port()
    server = serve("asgi", port, "-k", "uvicorn.workers.UvicornWorker")
    pids = {fetch(port, f"/items/{n}")[1] for n in range(rounds)}
    fetch(port, "/none")
    server.terminate()
    server.wait(60)
    calls = {s["component"]: s["total_calls"] for s in promcb.snapshot().summaries()}
    assert calls["GET_/items/{item}"] == rounds, calls
    # Its own questions whether the server is there are of no route either.
    assert set(calls) == {"GET_/items/{item}", "GET__unmatched"}, calls
    print(f"{rounds} requests by {len(pids)} workers in one component")


if __name__ == "__main__":
    killed_workers(int(sys.argv[1]))
    by_route(int(sys.argv[1]) // 6)
