#!/bin/bash
# SPDX-License-Identifier: MIT
# The main job on real input: nginx logs into a pipe, promcb-record reads it, and the export says what nginx's log says:
# for each component exactly as many calls, exactly as many failures, and exactly the same sum of latencies.
. "${0%/*}/tools_prelude.sh"
PATH=$PATH:/usr/sbin
for program in nginx wrk curl python3; do
  command -v $program >/dev/null || { echo "$program is not installed"; exit 77; }
done
nginx=
recorder=
finish() {
  [ -z "$nginx" ] || kill -TERM "$nginx" 2>/dev/null
  [ -z "$recorder" ] || kill -TERM "$recorder" 2>/dev/null
  wait
  rm -rf "$scratch" "/dev/shm$PROMCB_SEGMENT"
}
trap finish EXIT
trap 'exit 1' INT TERM

fail() {
  echo "FAIL: $*" >&2
  cat "$scratch/error.log" "$scratch/recorder.err" >&2 2>/dev/null
  exit 1
}

# Ports that are free now; the second stays without a listener, so that nginx gets its connections refused.
read -r port dead < <("${0%/*}/free_ports.py" 2)

mkdir "$scratch/www" "$scratch/temporary"
echo '<p>hello</p>' | tee "$scratch/www/index.html" >"$scratch/www/known.html"
head -c 200000 /dev/zero >"$scratch/www/large.bin"
chmod -R go+rX "$scratch"
cat >"$scratch/nginx.conf" <<CONF
daemon off;
pid $scratch/nginx.pid;
error_log $scratch/error.log crit;
worker_processes 2;
events { worker_connections 256; }
http {
  client_body_temp_path $scratch/temporary/body;
  proxy_temp_path $scratch/temporary/proxy;
  fastcgi_temp_path $scratch/temporary/fastcgi;
  uwsgi_temp_path $scratch/temporary/uwsgi;
  scgi_temp_path $scratch/temporary/scgi;
  # A component is METHOD_/path; the time is seconds, the outcome an HTTP status.
  log_format promcb "\${request_method}_\$uri \$request_time \$status";
  access_log $scratch/access.pipe promcb;
  keepalive_requests 100000;
  server {
    listen 127.0.0.1:$port reuseport;
    root $scratch/www;
    location = /moved { return 302 /; }
    location = /api/orders { return 200 "[]"; }
    location = /maintenance { return 503; }
    location = /broken { return 500; }
    location /upstream/ { proxy_pass http://unix:$scratch/upstream.sock:/; }
    location = /gone { proxy_pass http://127.0.0.1:$dead; }
  }
  server {
    listen unix:$scratch/upstream.sock;
    access_log off;
    root $scratch/www;
  }
}
CONF

# The log goes both ways at once. tee ends, and with it the recorder, when nginx has closed the pipe.
mkfifo "$scratch/access.pipe"
(tee "$scratch/access.log" <"$scratch/access.pipe" |
  "$tools/promcb-record" --stdin --names-with-blanks --failure=0xx,1xx,4xx,5xx 2>"$scratch/recorder.err") &
recorder=$!
nginx -e "$scratch/error.log" -c "$scratch/nginx.conf" -p "$scratch" &
nginx=$!
for _ in $(seq 100); do
  curl -s -o /dev/null "http://127.0.0.1:$port/" && break
  kill -0 $nginx 2>/dev/null || fail "nginx does not start"
  sleep 0.1
done

# A known number of requests, over few connections: what must come out can be told without the log.
known=20
url=http://127.0.0.1:$port
for _ in $(seq $known); do
  curl -s -o /dev/null -o /dev/null -o /dev/null -o /dev/null -o /dev/null -o /dev/null "$url/known.html?one=1" \
    "$url/known" "$url/maintenance" "$url/upstream/known.html" "$url/gone" "$url/a%20b%22c" ||
    fail "curl: status $?"
  curl -s -o /dev/null -X DELETE "$url/api/orders" || fail "curl DELETE: status $?"
done

# Then as many as wrk can ask for.
cat >"$scratch/mix.lua" <<'LUA'
local paths = {
  "/", "/index.html", "/large.bin", "/missing", "/api/orders", "/broken", "/moved", "/upstream/index.html"
}
local count = 0
function request()
  count = count + 1
  return wrk.format(count % 10 == 0 and "POST" or "GET", paths[count % #paths + 1])
end
LUA
wrk -t2 -c8 -d"$(scaled 3)s" -s "$scratch/mix.lua" "$url" >"$scratch/wrk" || fail "wrk: $(cat "$scratch/wrk")"

# Ended in order, nginx closes the pipe after its last line.
kill -QUIT $nginx
wait $nginx || fail "nginx: status $?"
nginx=
wait $recorder || fail "promcb-record: status $?"
recorder=
filled "$scratch/recorder.err" && fail "promcb-record complained"

# Calls, failures and the sum of microseconds by component, from the log.
awk '{
  status = $NF; time = $(NF - 1)
  name = $0
  sub(/ [^ ]+ [^ ]+$/, "", name)
  calls[name]++
  failures[name] += status < 200 || status >= 400
  sum[name] += int(time * 1000 + 0.5)
} END {
  for (name in calls)
    printf "%s\t%d\t%d\t%d\n", name, calls[name], failures[name], sum[name]
}' "$scratch/access.log" | LC_ALL=C sort >"$scratch/expected"

# The same from the export, which must also agree with itself.
"$tools/promcb-export" >"$scratch/text" || fail "promcb-export"
python3 - "$scratch/text" "${0%/*}" >"$scratch/actual" <<'PYTHON' || fail "the export cannot be read"
import sys

sys.path.insert(0, sys.argv[2])
from metrics import by_component

values = by_component(open(sys.argv[1], encoding="utf-8").read())
for name in sorted(values, key=str.encode):
    if name == "_overflow":
        continue
    value = values[name]
    calls, failures = int(value["calls_total", None]), int(value["failures_total", None])
    assert calls == failures + int(value["successes_total", None]), name
    assert calls == int(value["latency_seconds_count", None]), name
    assert calls == int(value["call_duration_seconds_count", None]), name
    sum_ms = float(value["latency_seconds_sum", None]) * 1000
    assert abs(sum_ms - round(sum_ms)) < 1e-3, (name, sum_ms)
    print(name, calls, failures, round(sum_ms), sep="\t")
PYTHON
diff "$scratch/expected" "$scratch/actual" >"$scratch/diff" ||
  fail "log (<) and export (>) differ: $(cat "$scratch/diff")"

# And the requests whose number was known beforehand.
check() { # component, calls, failures
  grep -qF -x "$(printf '%s\t%d\t%d' "$1" "$2" "$3")" <(cut -f1-3 "$scratch/actual") ||
    fail "$1: $2 calls and $3 failures are expected: $(cat "$scratch/actual")"
}
check GET_/known.html $known 0
check GET_/known $known $known
check GET_/upstream/known.html $known 0
check GET_/maintenance $known $known
check GET_/gone $known $known
check 'GET_/a b\x22c' $known $known
check DELETE_/api/orders $known 0
[ "$(awk -F '\t' '{ calls += $2 } END { print calls }' "$scratch/actual")" -eq "$(wc -l <"$scratch/access.log")" ] ||
  fail "the total is not the number of lines"
"$tools/promcb-export" --check >/dev/null || fail "promcb-export --check"
echo "$(wc -l <"$scratch/access.log") requests, $(wc -l <"$scratch/actual") components"
