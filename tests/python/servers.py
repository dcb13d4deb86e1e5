# SPDX-License-Identifier: MIT
"""Run by tests/e2e/93_python_servers.sh: other servers of Python, with their processes, count in one segment."""
import json
import os
import subprocess
import sys
import time

import promcb
from workers import fetch, free_port, value

HERE = os.path.dirname(os.path.abspath(__file__))


def until(condition, what, server=None):
    deadline = time.monotonic() + 90
    while True:
        try:
            found = condition()
        except Exception as error:
            found, what = None, f"{what}: {error!r}"
        if found:
            return found
        assert server is None or server.poll() is None, f"{what}: the server ended"
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def end(server):
    server.terminate()
    try:
        server.wait(60)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def uwsgi():
    """A program that knows prometheus_client alone, in processes that uWSGI forks in C after the program was loaded."""
    port = free_port()
    server = subprocess.Popen(
        ["uwsgi", "--plugin", "python3", "--http-socket", f"127.0.0.1:{port}", "--master", "--processes", "4",
         "--enable-threads", "--threads", "2", "--max-requests", "20", "--wsgi-file",
         os.path.join(HERE, "workers.py"), "--callable", "wsgi", "--die-on-term", "--disable-logging", "--need-app"],
        env={**os.environ, "PROMCB_TEST_SERVER": "wsgi",
             "PYTHONPATH": os.pathsep.join([os.path.join(os.environ["PYTHONPATH"], "promcb", "site"),
                                            os.environ["PYTHONPATH"], HERE])},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: fetch(port, "/metrics")[0] == 200, "uWSGI does not answer", server)
        pids = set()
        for number in range(200):
            pids.add(until(lambda: fetch(port, "/work"), "no answer", server)[1])
            if number % 40 == 39:
                text = fetch(port, "/metrics")[1].decode()
                counted = value(text, 'app_requests_total{path="/work"}')
                assert counted == number + 1, f"{counted} counted, {number + 1} answered"
                assert value(text, "app_seconds_count") == number + 1, text
    finally:
        end(server)
    print(f"uWSGI: 200 requests by {len(pids)} processes, 200 counted in each scrape")


def celery(tasks, directory):
    """Prefork children, started anew after each 10 tasks."""
    environment = {**os.environ, "PROMCB_TEST_QUEUE": directory,
                   "PYTHONPATH": os.pathsep.join([os.environ["PYTHONPATH"], HERE])}
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "celery_tasks", "worker", "-P", "prefork", "-c", "2", "-l", "ERROR",
         "--max-tasks-per-child", "10", "--without-gossip", "--without-mingle", "--without-heartbeat"],
        env=environment, stdout=subprocess.DEVNULL, cwd=directory)
    try:
        subprocess.run([sys.executable, "-c",
                        f"import celery_tasks as c\nfor n in range({tasks}): c.work.delay(n)\n"
                        "for n in range(5): c.fails.delay()\nc.retried.delay()"], env=environment, check=True)

        def calls():
            found = {s["component"]: (s["successful_calls"], s["failed_calls"])
                     for s in promcb.snapshot().summaries() if s["component"].startswith("TASK_")}
            return found if sum(map(sum, found.values())) >= tasks + 7 else None

        found = until(calls, "tasks are not done", worker)
    finally:
        end(worker)
    assert found == {"TASK_celery_tasks.work": (tasks, 0), "TASK_celery_tasks.fails": (0, 5),
                     "TASK_celery_tasks.retried": (1, 1)}, found
    counted = {row[0]: row[1] for family in promcb.snapshot().families() if family["name"] == "tasks_done_total"
               for row in family["series"]}
    assert counted == {(): tasks}, counted
    print(f"Celery: {tasks} tasks, {tasks} counted")


def guide():
    """The guide's service with four workers: each of its pages has the numbers of all."""
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-w", "4", "-k", "uvicorn.workers.UvicornWorker", "-b", f"127.0.0.1:{port}",
         "--log-level", "critical", "guide:app"], cwd=os.path.join(HERE, "..", "..", "tools", "examples"),
        stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "yes"})
    try:
        until(lambda: fetch(port, "/metrics")[0] == 200, "the guide's service does not answer", server)
        for _ in range(40):
            assert fetch(port, "/process", b'{"amount": 12}')[0] == 200
        statuses = [fetch(port, "/process", b'{"fail": true}')[0] for _ in range(10)]
        assert set(statuses) <= {502, 503} and statuses[0] == 502, statuses
        failed = statuses.count(502)
        for _ in range(8):
            text = fetch(port, "/metrics")[1].decode()
            assert value(text, 'circuit_breaker_calls_total{component="data_processor"}') == 40 + failed, text
            assert value(text, 'circuit_breaker_calls_total{component="POST_/process"}') == 50, text
            assert value(text, 'log_entries_total{component="data_processor",level="error"}') == failed, text
            health = json.loads(fetch(port, "/health/metrics")[1])
            assert health["healthy"] and health["components"]["data_processor"]["total_calls"] == 40 + failed, health
            found = json.loads(fetch(port, "/prometheus/query?q=data_")[1])
            assert list(found) == ["data_processor"] and found["data_processor"]["failed_calls"] == failed, found
    finally:
        end(server)
    print(f"the guide: {50} requests, in every answer of four workers")


if __name__ == "__main__":
    which, directory = sys.argv[1:]
    if which == "uwsgi":
        uwsgi()
    elif which == "celery":
        celery(100, directory)
    else:
        guide()
