#!/bin/bash
# SPDX-License-Identifier: MIT
# nginx's module: which requests are counted, as what, with which outcome; once each, whatever way they take through
# nginx. What is expected follows from the requests that are made.
. "$(dirname "$0")/nginx_prelude.sh"
read -r port dead second < <("$(dirname "$0")/free_ports.py" 3)
url=http://127.0.0.1:$port

# A WebSocket, by hand: 101, then what is held open until the client goes.
cat >"$scratch/upgrade.py" <<'PYTHON'
import socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    peer, _ = server.accept()
    head = b""
    while b"\r\n\r\n" not in head:
        head += peer.recv(4096)
    if b"/never" not in head:
        peer.sendall(b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello")
    with open(sys.argv[2], "a") as file:
        print("reached", file=file)
    peer.recv(4096)
    peer.close()
PYTHON
python3 "$scratch/upgrade.py" "$second" "$scratch/reached" &
helpers+=($!)

echo hello >"$scratch/www/page.html"
{
  begin_nginx 1
  cat <<CONF
  access_log off;
  promcb_segment $PROMCB_SEGMENT components=64;
  promcb_component all;
  map \$uri \$route {
    ~^/route/users/ /users/:id;
    ~^/route/none "";
    ~^/route/name/(?<rest>.*)\$ \$rest;
    default other;
  }
  log_subrequest on;
  server {
    listen 127.0.0.1:$port reuseport;
    root $scratch/www;
    error_page 418 /teapot.html;
    location / { return 200; }
    location /own { promcb_component own; return 204; }
    location /off { promcb off; return 204; }
    location /off/on { promcb_component on; return 204; }
    location /labelled { promcb_component 'pages{kind="static"}'; return 204; }
    location /route/ { promcb_component \$route; return 204; }
    location /text/ { promcb_component "\$request_method \$route"; return 204; }
    location /status/200 { promcb_component \$status; return 200; }
    location /status/302 { promcb_component \$status; return 302 /; }
    location /status/404 { promcb_component \$status; return 404; }
    location /status/444 { promcb_component \$status; return 444; }
    location /status/500 { promcb_component \$status; return 500; }
    location /pipelined { promcb_component pipelined; return 200 ok; }
    location /strict/ {
      promcb_component strict;
      promcb_failure 4xx !404 5xx;
      location /strict/404 { return 404; }
      location /strict/403 { return 403; }
      location /strict/never { promcb_failure none; promcb_no_latency 5xx; return 503; }
      location /strict/timed { promcb_no_latency none; return 200; }
    }
    # By what the answer says besides its status.
    location /said {
      promcb_component said; promcb_failed \$sent_http_x_failed; add_header X-Failed \$arg_failed; return 200;
      location /said/off { promcb_failed off; add_header X-Failed 1; return 200; }
    }
    # Redirected within nginx: once, where it ends.
    location /inner { promcb_component began; rewrite ^ /own last; }
    location /try { promcb_component began; try_files /missing @named; }
    location @named { promcb_component named; return 204; }
    location /teapot { promcb_component began; return 418; }
    location = /teapot.html { promcb_component teapot; try_files /page.html =404; }
    # Subrequests are not requests.
    location /ssi.html { promcb_component ssi; ssi on; alias $scratch/www/ssi.html; }
    location /part { promcb_component part; try_files /page.html =404; }
    location /auth { promcb_component auth; auth_request /allowed; try_files /page.html =404; }
    location /allowed { promcb_component allowed; return 204; }
    location /ws {
      promcb_component ws; proxy_pass http://127.0.0.1:$second/ws; proxy_http_version 1.1;
      proxy_set_header Upgrade \$http_upgrade; proxy_set_header Connection upgrade;
    }
    location /gone { promcb_component gone; proxy_pass http://127.0.0.1:$second/never; }
    location /dead { promcb_component dead; proxy_pass http://127.0.0.1:$dead; }
    location /if { promcb_component no; if (\$arg_yes) { promcb_component yes; return 204; } return 204; }
  }
  server {
    listen unix:$scratch/quiet.sock;
    promcb off;
    location / { return 204; }
    location /loud { promcb on; return 204; }
  }
  server { listen unix:$scratch/two.sock http2; promcb_component http2; return 200 two; }
}
CONF
} >"$scratch/nginx.conf"
echo '<!--#include virtual="/part/1" --> <!--#include virtual="/part/2" -->' >"$scratch/www/ssi.html"
nginx -t -c "$scratch/nginx.conf" 2>"$scratch/out" || fail "$(cat "$scratch/out")"
[ ! -e "/dev/shm$PROMCB_SEGMENT" ] || fail "nginx -t has made a segment"
start_nginx "$scratch/nginx.conf" "$port"

# Constants are there before the first call: a rate begins at 0.
await calls own 0
get 5 "$url/"
get 4 "$url/own?query=1"
get 3 "$url/off"
get 2 "$url/off/on"
get 3 "$url/labelled"
get 3 "$url/route/users/17"
get 2 "$url/route/users/18"
get 2 "$url/route/else"
get 2 "$url/route/none"
get 2 "$url/text/" -X DELETE
for status in 200 302 404 444 500; do get 2 "$url/status/$status"; done
get 3 "$url/strict/404"
get 2 "$url/strict/403"
get 2 "$url/strict/never"
get 2 "$url/strict/timed"
get 4 "$url/said"
get 3 "$url/said?failed=0"
get 2 "$url/said?failed=12"
get 1 "$url/said?failed=no"
get 1 "$url/said/off"
get 2 "$url/inner"
get 3 "$url/try"
get 2 "$url/teapot"
get 2 "$url/ssi.html"
get 2 "$url/auth"
leave 2 "$url/gone"
get 3 "$url/dead"
get 2 "$url/if"
get 3 "$url/if?yes=1"
get 3 http://localhost/ --unix-socket "$scratch/quiet.sock"
get 4 http://localhost/loud --unix-socket "$scratch/quiet.sock"
get 3 http://localhost/ --unix-socket "$scratch/two.sock" --http2-prior-knowledge
# What cannot be a name, and what only looks odd.
long=$(printf 'x%.0s' $(seq 128))
get 1 "$url/route/name/$long"
get 1 "$url/route/name/%01"
get 1 "$url/route/name/%ff"
get 1 "$url/route/name/${long:1}"
get 2 "$url/route/name/%20a%7bb=%22c%22%7d%20"
get 1 "$url/route/name/%c3%a4"
# Several in one packet; no request; a head that comes in pieces, and one that never ends.
python3 - "$port" <<'PYTHON' || nginx_failed "requests by hand"
import socket, sys, time

def connect():
    return socket.create_connection(("127.0.0.1", int(sys.argv[1])))

def answers(connection, count):
    got = b""
    while got.count(b"\r\n\r\nok") < count:
        more = connection.recv(65536)
        assert more, got
        got += more

connection = connect()
connection.sendall(b"GET /pipelined HTTP/1.1\r\nHost: x\r\n\r\n" * 5)
answers(connection, 5)
connection.sendall(b"GET /pipelined HTTP/1.1\r\nHost: x\r\n\r\n")
answers(connection, 1)
garbage = connect()
garbage.sendall(b"\x16\x03\x01\r\n\r\n")
assert b" 400 " in garbage.recv(4096)
torn = connect()
torn.sendall(b"GET / HTTP/1.1\r\nHo")
torn.close()
connect().close()
connection.close()
websocket = connect()
websocket.sendall(b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
got = b""
while not got.endswith(b"hello"):
    got += websocket.recv(4096)
assert got.startswith(b"HTTP/1.1 101 "), got
websocket.close()
PYTHON
expect <<EXPECTED
_overflow 3 0 3
${long:1} 1 0 1
ä 1 0 1
/users/:id 5 0 5
200 2 0 2
302 2 0 2
404 2 0 2
444 2 0 2
500 2 2 2
DELETE other 2 0 2
a{b="c"} 2 0 2
all 11 0 11
auth 2 0 2
dead 3 3 3
gone 2 0 2
http2 3 0 3
named 3 0 3
no 2 0 2
on 2 0 2
other 2 0 2
own 6 0 6
pages{kind="static"} 3 0 3
pipelined 6 0 6
said 11 3 11
ssi 2 0 2
strict 9 2 7
teapot 2 0 2
ws 1 0 0
yes 3 0 3
EXPECTED
end_nginx
"$tools/promcb-export" --check >"$scratch/out" || fail "check: $(cat "$scratch/out")"
