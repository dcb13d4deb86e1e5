#!/bin/bash
# SPDX-License-Identifier: MIT
# promcb for Python: tests/python/test_*.py, each in segments of its own.
python_needs="prometheus_client starlette fastapi flask django hypothesis aiohttp celery"
. "$(dirname "$0")/python_prelude.sh"
cd "$PROMCB_SOURCE/tests/python" || exit 1
LD_PRELOAD=$preload "$python" -W ignore::ResourceWarning -m unittest -v >"$scratch/out" 2>&1 &
background=$!
wait "$background" || fail "$(tail -n 80 "$scratch/out")"
pid=$background
background=
count=$(sed -n 's/^Ran \([0-9]*\) tests.*/\1/p' "$scratch/out")
[ "$count" -ge 88 ] || fail "only $count tests were run"
# Private segments go with their tests, and with their collectors.
left=$(compgen -G "/dev/shm/promcb-private-$pid-*")
[ -z "$left" ] || fail "segments are left: $left"
LD_PRELOAD=$preload "$python" "$PROMCB_SOURCE/bench/bench_python.py" 1 0.1 >"$scratch/bench" 2>&1 ||
  fail "bench_python.py: $(cat "$scratch/bench")"
grep -qE '^promcb.metrics +c.inc\(\) +-?[0-9.]+ +-?[0-9.]+$' "$scratch/bench" ||
  fail "no c.inc() in $(cat "$scratch/bench")"
exit 0
