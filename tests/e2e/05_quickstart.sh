#!/bin/bash
# SPDX-License-Identifier: MIT
# The first command of the README: builds, shows live numbers of real calls, serves them, and leaves nothing running.
set -u
cd "${PROMCB_SOURCE:?}" || exit 1
unset LD_LIBRARY_PATH PROMCB_SEGMENT
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() {
  echo "FAIL: $*" >&2
  cat "$scratch/out" "$scratch/error" >&2
  exit 1
}

# Prints the processes that a run left with its segment.
left() { # segment
  grep -l -s -z -x "PROMCB_SEGMENT=$1" /proc/[0-9]*/environ
}

segment_of_run() {
  sed -n 's,^== Three processes .* \(/promcb-quickstart-[0-9]*\)$,\1,p' "$scratch/out"
}

ends_clean() {
  segment=$(segment_of_run)
  [ -n "$segment" ] || fail "no segment was named"
  [ ! -e "/dev/shm$segment" ] || fail "the segment is left"
  for _ in $(seq 100); do
    [ -n "$(left "$segment")" ] || return 0
    sleep 0.05
  done
  fail "processes are left: $(left "$segment")"
}

missing=$(tools/packages.sh --missing build)
if [ -n "$missing" ]; then
  echo "not installed: $missing"
  exit 77
fi

tools/quickstart.sh --once --no-install --seconds 3 </dev/null >"$scratch/out" 2>"$scratch/error" ||
  fail "exit status $?"
[ ! -s "$scratch/error" ] || fail "something on standard error"
# Name, calls, calls a second, percent failed: of the last table.
for row in 'connect_closed_port 100.00' 'connect_open_port 0.00' 'read_proc_status 0.00' \
  'script_list_usr_bin 0.00'; do
  tac "$scratch/out" | awk -v name="${row% *}" -v failed="${row#* }" '
    $1 == name { seen = 1; good = $2 > 0 && $3 > 0 && $4 == failed && $5 + 0 > 0; exit }
    END { exit !(seen && good) }' || fail "not $row percent failed, or no calls"
done
grep -q '^[34] processes recording' "$scratch/out" || fail "not three processes, and a script at times"
for pattern in 'demo_read_bytes_total [1-9][0-9]*' 'demo_pending_connections -\?[0-9]*' 'demo_threads 9' \
  'demo_file_bytes_bucket{le="+Inf"} [1-9][0-9]*' 'script_rounds_total{script="quickstart"} [1-9]'; do
  grep -q -x "   $pattern" "$scratch/out" || fail "not shown: $pattern"
done
grep -q -x -E '   refused      open [1-9][0-9]*, half_open [0-9]+, forced 0; in shadow mode 0' "$scratch/out" ||
  fail "the breaker refused nothing"
series=$(sed -n 's,^\([0-9]*\) series were served at http://127.0.0.1:[0-9]*/metrics.*,\1,p' "$scratch/out")
[ "${series:-0}" -gt 250 ] || fail "the sidecar served ${series:-nothing}"
ends_clean

# It is stopped under way. What the run before named is not taken for its segment.
: >"$scratch/out"
tools/quickstart.sh --no-install --seconds 99 </dev/null >"$scratch/out" 2>"$scratch/error" &
for _ in $(seq 400); do
  [ -z "$(segment_of_run)" ] || break
  sleep 0.05
done
kill -TERM $!
wait $!
status=$?
[ $status -eq 143 ] || fail "stopped by SIGTERM: exit status $status"
ends_clean

tools/quickstart.sh --seconds 0 >"$scratch/out" 2>"$scratch/error" && fail "0 seconds are taken"
grep -q 'invalid --seconds "0": expected 1 to 99999' "$scratch/error" || fail "0 seconds: no clear message"
tools/quickstart.sh --sometimes >"$scratch/out" 2>"$scratch/error" && fail "an unknown argument is taken"
grep -q 'unexpected argument "--sometimes"' "$scratch/error" || fail "unknown argument: no clear message"
echo "quickstart: $series series served, nothing left"
