#!/bin/bash
# SPDX-License-Identifier: MIT
# Counts of nginx's module over the lives of workers, under load: reloads, workers that are killed, a new binary, the
# end. nginx's own log says how many there were: exactly as many were counted, but for those that a killed worker was
# just logging, which are one for each.
. "$(dirname "$0")/nginx_prelude.sh"
command -v wrk >/dev/null || { echo "wrk is not installed"; exit 77; }
read -r port < <("$(dirname "$0")/free_ports.py" 1)
{
  begin_nginx 2 | sed 's/^daemon off/daemon on/'
  cat <<CONF
  promcb_segment $PROMCB_SEGMENT;
  log_format counted '\$component \$status';
  access_log $scratch/access.log counted;
  map \$uri \$component { ~^/users/ users; /broken broken; default constant; }
  keepalive_requests 100;
  server {
    listen 127.0.0.1:$port reuseport;
    location / { promcb_component constant; return 200 constant; }
    location /users/ { promcb_component \$component; return 204; }
    location /broken { promcb_component \$component; return 500; }
  }
}
CONF
} >"$scratch/nginx.conf"
touch "$scratch/access.log"
chmod a+rw "$scratch/access.log"
# A new binary is looked for by the path of the old one.
env ${preload:+"LD_PRELOAD=$preload"} "$(type -P nginx)" -e "$scratch/error.log" -p "$scratch/" \
  -c "$scratch/nginx.conf" 2>"$scratch/nginx.err" || nginx_failed "nginx does not start"
await test -s "$scratch/nginx.pid"
master=$(cat "$scratch/nginx.pid")

cat >"$scratch/mix.lua" <<'LUA'
local paths, count = {"/", "/users/1", "/users/2", "/broken"}, 0
-- Others have tests, too: each connection asks some 300 times a second.
function delay()
  return 3
end
function request()
  count = count + 1
  return wrk.format("GET", paths[count % #paths + 1])
end
LUA
wrk -t1 -c8 -d300s -s "$scratch/mix.lua" "http://127.0.0.1:$port" >"$scratch/wrk" 2>&1 &
background=$!

logged() {
  wc -l <"$scratch/access.log"
}
# goes_on: requests are made and logged after this.
grown() { [ "$(logged)" -ge "$1" ]; }
goes_on() {
  kill -0 "$background" || nginx_failed "wrk: $(cat "$scratch/wrk")"
  await grown $(($(logged) + $(scaled 200) + 20))
}
gone() { # PID...
  for pid; do kill -0 "$pid" 2>/dev/null && return 1; done
  return 0
}
two_workers() { [ "$(workers "$master" | wc -l)" = 2 ]; }
await two_workers
goes_on

for _ in 1 2 3; do
  mapfile -t old < <(workers "$master")
  kill -HUP "$master"
  await gone "${old[@]}"
  await two_workers
  goes_on
done

kills=0
for _ in $(seq "$(scaled 6)") again; do
  victim=$(workers "$master" | head -n 1)
  kill -KILL "$victim"
  kills=$((kills + 1))
  await gone "$victim"
  await two_workers
  goes_on
done

# A new binary beside the old, whose workers then end.
mapfile -t old < <(workers "$master")
kill -USR2 "$master"
await test -s "$scratch/nginx.pid.oldbin"
await test -s "$scratch/nginx.pid"
new=$(cat "$scratch/nginx.pid")
[ "$new" != "$master" ] || nginx_failed "there is no new master"
both() { [ "$(workers "$new" | wc -l)" = 2 ]; }
await both
goes_on
kill -WINCH "$master"
await gone "${old[@]}"
goes_on
kill -QUIT "$master"
await gone "$master"
master=$new
goes_on

kill -INT "$background"
wait "$background"
background=
grep -q '^Requests/sec' "$scratch/wrk" || fail "wrk: $(cat "$scratch/wrk")"
kill -QUIT "$master"
await gone "$master"
quiet_nginx -v 'exited on signal 9'

sort "$scratch/access.log" | uniq -c >"$scratch/log"
counted >"$scratch/counted"
python3 - "$scratch/log" "$scratch/counted" $kills <<'PYTHON' || fail "$(cat "$scratch/log" "$scratch/counted")"
import sys

log, failed = {}, {}
for line in open(sys.argv[1]):
    count, name, status = line.split()
    log[name] = log.get(name, 0) + int(count)
    failed[name] = failed.get(name, 0) + int(count) * (status >= "500")
missing = 0
rows = [line.split() for line in open(sys.argv[2])]
assert {row[0] for row in rows} == set(log) == {"constant", "users", "broken"}, (rows, log)
for name, calls, failures, latencies in rows:
    assert calls == latencies, name
    missing += log[name] - int(calls)
    assert 0 <= log[name] - int(calls) <= int(sys.argv[3]), name
    assert 0 <= failed[name] - int(failures) <= int(sys.argv[3]), name
assert missing <= int(sys.argv[3]), missing
print(f"{sum(log.values())} requests, {sys.argv[3]} workers killed, {missing} of their requests not counted")
PYTHON
"$tools/promcb-export" --check >"$scratch/out" || fail "check: $(cat "$scratch/out")"
