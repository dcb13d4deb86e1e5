#!/bin/bash
# SPDX-License-Identifier: MIT
# Workers of gunicorn that are killed and replaced all the time, in a program that was made for prometheus_client and
# knows nothing of promcb: every scrape, whichever worker answers, has all that was counted, and never less than before.
# And workers of uvicorn with the middleware: each request in the component of its route.
python_needs="prometheus_client gunicorn uvicorn fastapi"
. "$(dirname "$0")/python_prelude.sh"
cp "$PROMCB_SOURCE/tests/python/workers.py" "$scratch" || exit 1
cd "$scratch" || exit 1
# Not under a sanitizer's runtime: servers start programs of their own.
[ -z "$preload" ] || { echo "servers are tried where no sanitizer is built in"; exit 77; }
timeout 300 "$python" workers.py "$(scaled 600)" >"$scratch/out" 2>&1 || fail "$(tail -n 60 "$scratch/out")"
cat "$scratch/out"
