# SPDX-License-Identifier: MIT
"""Tasks for servers.py, with a directory as the queue."""
import os

import celery

import promcb.celery
from promcb.metrics import Counter

QUEUE = os.environ.get("PROMCB_TEST_QUEUE", "/nonexistent")
for name in ("queue", "processed"):
    os.makedirs(os.path.join(QUEUE, name), exist_ok=True)
app = celery.Celery("celery_tasks", broker="filesystem://")
app.conf.broker_transport_options = {"data_folder_in": os.path.join(QUEUE, "queue"),
                                     "data_folder_out": os.path.join(QUEUE, "queue"),
                                     "control_folder": os.path.join(QUEUE, "control")}
app.conf.worker_hijack_root_logger = False
DONE = Counter("tasks_done", "Tasks that were done.")
promcb.celery.install()


@app.task
def work(number):
    DONE.inc()


@app.task
def fails():
    raise KeyError("as it should")


@app.task(bind=True, max_retries=1, default_retry_delay=0)
def retried(self):
    if not self.request.retries:
        raise self.retry()
