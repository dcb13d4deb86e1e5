#!/bin/bash
# SPDX-License-Identifier: MIT
# Other servers of Python with all of their processes in one segment: uWSGI, which forks in C; Celery's prefork pool;
# and the reference guide's service, an example, with four workers of uvicorn.
python_needs="prometheus_client gunicorn uvicorn fastapi celery"
. "$(dirname "$0")/python_prelude.sh"
[ -z "$preload" ] || { echo "servers are tried where no sanitizer is built in"; exit 77; }
command -v uwsgi >/dev/null || { echo "uwsgi is not installed"; exit 77; }
for which in guide celery uwsgi; do
  rm -f "/dev/shm$PROMCB_SEGMENT"
  timeout 240 "$python" "$PROMCB_SOURCE/tests/python/servers.py" $which "$scratch" >"$scratch/out" 2>&1 ||
    fail "$which: $(tail -n 60 "$scratch/out")"
  tail -n 1 "$scratch/out"
done
exit 0
