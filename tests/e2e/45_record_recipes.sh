#!/bin/bash
# SPDX-License-Identifier: MIT
# The recipes of promcb-record(1), as printed there, with the real servers; and an outage as nginx and HAProxy log it:
# upstreams that are dead, too slow, or refuse, a client that goes away, a WebSocket. Calls, failures and the sum of
# latencies are what an operator works out from the requests that were made and from the log.
. "$(dirname "$0")/recipes_prelude.sh"
for program in nginx curl python3; do
  command -v $program >/dev/null || { echo "$program is not installed"; exit 77; }
done
read -r port second dead upstream haport < <("${0%/*}/free_ports.py" 5)

# /ok answers, /slow does after 3 s, /ws changes the protocol and holds it for a second.
cat >"$scratch/upstream.py" <<'PYTHON'
import http.server, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith("/slow"):
            time.sleep(3)
        if self.path.startswith("/ws"):
            self.send_response(101)
            self.send_header("Connection", "Upgrade")
            self.send_header("Upgrade", "websocket")
            self.end_headers()
            self.wfile.flush()
            time.sleep(1)
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *ignored):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
PYTHON
python3 "$scratch/upstream.py" "$upstream" 2>/dev/null &
pids+=($!)

# -- nginx: the printed block, then an outage ------------------------------------------------------------------------
{
  begin_nginx
  recipe nginx
  cat <<CONF
  log_format outage '\$request_uri \$upstream_response_time \$status';
  upstream broken { server 127.0.0.1:$dead max_fails=0; server 127.0.0.1:$second max_fails=0; }
  upstream half { server 127.0.0.1:$dead max_fails=0 weight=100; server 127.0.0.1:$upstream backup; }
  server {
    listen 127.0.0.1:$port;
    location / { return 204; }
    location /nothing { return 404; }
    location /out/ {
      access_log $scratch/outage.log outage;
      proxy_read_timeout 1s; proxy_http_version 1.1;
      proxy_set_header Upgrade \$http_upgrade; proxy_set_header Connection \$http_connection;
      location /out/broken { proxy_pass http://broken/ok; }
      location /out/half { proxy_pass http://half/ok; }
      location /out/slow { proxy_pass http://127.0.0.1:$upstream/slow; proxy_next_upstream off; }
      location /out/ok { proxy_pass http://127.0.0.1:$upstream/ok; }
      location /out/gone { proxy_pass http://127.0.0.1:$upstream/slow; proxy_read_timeout 9s; }
      location /out/ws { proxy_pass http://127.0.0.1:$upstream/ws; proxy_read_timeout 9s; }
      location /out/refused { return 503; }
    }
  }
}
CONF
} >"$scratch/nginx.conf"
touch "$scratch/promcb.log" "$scratch/outage.log"
nginx -t -e "$scratch/error.log" -c "$scratch/nginx.conf" 2>"$scratch/nginx.err" || fail "$(cat "$scratch/nginx.err")"
chmod a+rwx "$scratch"
chmod a+rw "$scratch"/*.log
follow tail
nginx -e "$scratch/error.log" -c "$scratch/nginx.conf" &
pids+=($!)
url=http://127.0.0.1:$port
until_counted GET_/static "$url/static/x"
get 7 $url/
get 5 $url/api/orders/17
get 3 $url/nothing
get 2 $url/nothing -X EVIL
await calls other_other 2
await calls GET_other 3
is GET_home 7 0 7
is GET_/api/orders/:id 5 0 5
is GET_other 3 0 3
is other_other 2 0 2
# Started anew it counts nothing again: what follows is in the log once, and so are the calls.
kill -- "${pids[-2]}"
wait "${pids[-2]#-}" 2>/dev/null
follow tail
before=$(value calls_total GET_/static)
again() {
  curl -s -o /dev/null "$url/static/x"
  [ "$(value calls_total GET_/static)" -gt "$before" ]
}
await again
is GET_home 7 0 7
is GET_/api/orders/:id 5 0 5
is GET_other 3 0 3
is other_other 2 0 2
# README's line, too: its options, on a map as printed.
options=$(sed -n 's/.*`tail -n 0 -F access.log | promcb-record \(--stdin[^`]*\) --map=routes`.*/\1/p' \
  "$PROMCB_SOURCE/README.md")
[ -n "$options" ] || fail "README has no such line"
recipe map >"$scratch/routes"
# shellcheck disable=SC2086
promcb-record $options --map="$scratch/routes" </dev/null || fail "README: $options"

# A FIFO: as printed, read by one recorder over a restart of nginx, and none of its lines is lost.
mkdir "$scratch/fifo" && chmod a+rx "$scratch/fifo"
recipe fifo | sed "s|$scratch/|$scratch/fifo/|g" >"$scratch/fifo.sh"
[ "$(wc -l <"$scratch/fifo.sh")" = 2 ] || fail "no recipe fifo"
grep -q -F 'access_log /var/log/nginx/promcb.fifo promcb' "$page" || fail "nginx's side of the FIFO is not said"
setsid bash -e "$scratch/fifo.sh" 2>"$scratch/fifo.err" &
fifo=$!
pids+=(-$fifo)
is_open() { # by the recorder: nginx opens a FIFO as soon as somebody reads
  for reader in "$fifo" $(cat "/proc/$fifo/task/$fifo/children"); do
    [ "$(readlink "/proc/$reader/fd/0")" = "$scratch/fifo/promcb.fifo" ] && return 0
  done
  return 1
}
await is_open
for round in 1 2; do
  cat >"$scratch/fifo/nginx.conf" <<CONF
daemon off; pid $scratch/fifo/nginx.pid; error_log $scratch/fifo/error.log crit; worker_processes 2; events {}
http { proxy_temp_path $scratch/p; client_body_temp_path $scratch/b; fastcgi_temp_path $scratch/f;
  uwsgi_temp_path $scratch/u; scgi_temp_path $scratch/s;
  $(recipe nginx | sed "s|^access_log .*|access_log $scratch/fifo/promcb.fifo promcb;|; s|/static;|/through_fifo;|")
  server { listen 127.0.0.1:$second; location / { return 204; } }
}
CONF
  nginx -e "$scratch/fifo/error.log" -c "$scratch/fifo/nginx.conf" &
  server=$!
  until_counted GET_/through_fifo "http://127.0.0.1:$second/static/x"
  [ $round = 1 ] || break
  before=$(value calls_total GET_/through_fifo)
  seq 400 | xargs -P 4 -n 20 sh -c 'for i; do echo "url=$0/static/$i"; done | curl -s -o /dev/null -K -' \
    "http://127.0.0.1:$second"
  await calls GET_/through_fifo $((before + 400))
  kill -QUIT $server
  wait $server
  promcb-admin reset GET_/through_fifo || fail reset
done
kill -QUIT $server
wait $server
filled "$scratch/fifo.err" && fail "FIFO: $(cat "$scratch/fifo.err")"

# By hand: 4 refused by both upstreams, 6 saved by the second, 2 too slow, 3 gone away, 1 WebSocket, 5 refused, 9 good.
tail -n +1 -F "$scratch/outage.log" 2>/dev/null | promcb-record --stdin 2>"$scratch/outage.err" &
pids+=($!)
get 4 $url/out/broken
get 6 $url/out/half
get 2 $url/out/slow
get 3 $url/out/gone -m 0.3
get 1 $url/out/ws -m 2 -H "Connection: Upgrade" -H "Upgrade: websocket"
get 5 $url/out/refused
get 9 $url/out/ok
await calls /out/ok 9
await calls /out/gone 3
await calls /out/ws 1
is /out/broken 4 4 4
is /out/half 6 0 6
is /out/slow 2 2 2
is /out/gone 3 0 3
is /out/ws 1 0 0
is /out/refused 5 5 0
is /out/ok 9 0 9
# That is what nginx logged: a list, no answer in time, a client that went away, no upstream, another protocol.
for line in '/out/broken [0-9.]*, [0-9.]* 502' '/out/half [0-9.]*, [0-9.]* 200' '/out/slow [0-9.]* 504' \
  '/out/gone [0-9.]* 499' '/out/refused - 503' '/out/ws [0-9.]* 101'; do
  grep -q -x -e "$line" "$scratch/outage.log" || fail "no line $line: $(cat "$scratch/outage.log")"
done
# The sums, from the log: every number between the first field and the last.
for name in broken half slow gone ok; do
  want=$(awk -v name="/out/$name" '$1 == name { for (i = 2; i < NF; i++) { sub(",", "", $i); sum += $i } }
    END { printf "%.3f", sum }' "$scratch/outage.log")
  have=$(value latency_seconds_sum /out/$name)
  [ "$(printf %.3f "$have")" = "$want" ] || fail "$name: the sum is $have, not $want: $(cat "$scratch/outage.log")"
done
filled "$scratch/outage.err" && fail "outage: $(cat "$scratch/outage.err")"
has 'promcb_bad_lines_total 0'

# -- HAProxy: as printed ----------------------------------------------------------------------------------------------
if command -v haproxy >/dev/null; then
  {
    recipe haproxy
    cat <<CONF
    timeout connect 1s
    timeout client 9s
    timeout server 1s
    retries 0
frontend f
    bind 127.0.0.1:$haport
    use_backend dead if { path /dead }
    default_backend alive
backend alive
    server one 127.0.0.1:$upstream
backend dead
    server one 127.0.0.1:$dead
CONF
  } >"$scratch/haproxy.cfg"
  follow haproxy-run
  until_counted alive/one "http://127.0.0.1:$haport/ok"
  promcb-admin reset alive/one || fail "reset"
  get 8 "http://127.0.0.1:$haport/ok"
  get 2 "http://127.0.0.1:$haport/slow"
  get 4 "http://127.0.0.1:$haport/dead"
  await calls dead/one 4
  # Tr is -1 where the server gave no answer: 504 and 503.
  is alive/one 10 2 8
  is dead/one 4 4 0
else
  echo "haproxy is not installed: left out"
fi

# A log of httplog, and one of Traefik, as printed; the kind of lines, not copies of any.
touch "$scratch/haproxy.log" "$scratch/access.log"
follow httplog
follow json
# The former by HAProxy itself, too: an answer, none in time, a server that is dead.
if command -v haproxy >/dev/null; then
  {
    echo 'global'
    echo '    log stdout format raw local0'
    sed -n '/^defaults/,$p' "$scratch/haproxy.cfg" | sed 's/log-format .*/option httplog/; s/alive/real/; s/dead/lost/g
      s/:'"$haport"'$/:'"$second"'/'
  } >"$scratch/httplog.cfg"
  grep -q 'option httplog' "$scratch/httplog.cfg" || fail "no httplog: $(cat "$scratch/httplog.cfg")"
  haproxy -f "$scratch/httplog.cfg" >>"$scratch/haproxy.log" 2>"$scratch/httplog-run.err" &
  pids+=($!)
  until_counted real/one "http://127.0.0.1:$second/ok"
  promcb-admin reset real/one || fail "reset"
  get 6 "http://127.0.0.1:$second/ok"
  get 2 "http://127.0.0.1:$second/slow"
  get 3 "http://127.0.0.1:$second/lost"
  await calls lost/one 3
  is real/one 8 2 6
  is lost/one 3 3 0
  grep -q ' lost/one 0/0/-1/-1/[0-9]* 503 ' "$scratch/haproxy.log" &&
    grep -q ' real/one 0/0/[0-9]*/-1/[0-9]* 504 ' "$scratch/haproxy.log" ||
    fail "no such outage: $(cat "$scratch/haproxy.log")"
  kill "${pids[-1]}"
  wait "${pids[-1]}" 2>/dev/null
  unset 'pids[-1]'
fi
log="Nov 28 10:00:00 lb haproxy[7]:" from="192.0.2.1:5 [28/Nov/2026:10:00:00.1] web"
rest='1/1/0/0/0 0/0 "GET / HTTP/1.1"'
for i in $(seq 200); do
  printf '%s\n' "$log $from shop/s1 0/0/1/25/30 200 12 - - ---- $rest" \
    "$log $from shop/<NOSRV> 0/-1/-1/-1/+30 503 12 - - SC-- $rest" \
    "$log Connect from 192.0.2.1:5 to 192.0.2.2:80 (web/HTTP)" >>"$scratch/haproxy.log"
  printf '%s\n' '{"RouterName":"shop web","Duration":2500000,"DownstreamStatus":200}' '{"cut":' \
    '{"RouterName":"shop web","Duration":null,"DownstreamStatus":502}' >>"$scratch/access.log"
  [ -n "$(value calls_total shop/s1)" ] && [ -n "$(value calls_total 'shop web')" ] && break
  sleep 0.1
done
[ -n "$(value calls_total shop/s1)" ] || fail "httplog: $(cat "$scratch/httplog.err")"
[ -n "$(value calls_total 'shop web')" ] || fail "JSON: $(cat "$scratch/json.err")"
ratio() { # component: sum and failures for each call
  echo "$(value failures_total "$1") $(value latency_seconds_count "$1")"
}
[ "$(value failures_total 'shop/<NOSRV>')" = "$(value calls_total 'shop/<NOSRV>')" ] &&
  [ "$(value latency_seconds_count 'shop/<NOSRV>')" = 0 ] || fail "httplog: $(ratio 'shop/<NOSRV>')"
[ "$(value latency_seconds_count 'shop web')" = "$(value successes_total 'shop web')" ] ||
  fail "JSON: $(ratio 'shop web')"
promcb-export | grep -q '^promcb_bad_lines_total [1-9]' || fail "what is no JSON is not counted"

# -- Apache: as printed -----------------------------------------------------------------------------------------------
if command -v apache2 >/dev/null; then
  {
    begin_apache "$second"
    echo "Redirect 404 /nothing"
    echo "Redirect 503 /out"
    echo "DocumentRoot $scratch/www"
    recipe apache | sed "s#|promcb-record#|$tools/promcb-record#"
  } >"$scratch/apache.conf"
  mkdir "$scratch/www"
  echo hello >"$scratch/www/index.html"
  apache2 -X -f "$scratch/apache.conf" >"$scratch/apache.err" 2>&1 &
  pids+=($!)
  promcb-admin reset --all
  until_counted GET_/api/orders/:id "http://127.0.0.1:$second/api/orders/1"
  get 4 "http://127.0.0.1:$second/nothing"
  get 3 "http://127.0.0.1:$second/out"
  get 2 "http://127.0.0.1:$second/" -X EVIL
  await calls other_home 2
  await calls GET_other 7
  is GET_other 7 3 7
fi
echo "as printed, as counted by hand"
exit 0
