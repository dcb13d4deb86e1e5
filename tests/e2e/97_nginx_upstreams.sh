#!/bin/bash
# SPDX-License-Identifier: MIT
# Tries of upstreams, as nginx's module counts them: each once, by its own status and time, those of subrequests and of
# requests that were given up included; and the same from nginx's log.
nginx_needs=openssl
. "$(dirname "$0")/nginx_prelude.sh"
read -r port dead slow < <("$(dirname "$0")/free_ports.py" 3)
url=http://127.0.0.1:$port
# Accepts, and never answers.
cat >"$scratch/slow.py" <<'PYTHON'
import socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=64)
kept = []
while True:
    kept.append(server.accept())
    with open(sys.argv[2], "a") as file:
        print("reached", file=file)
PYTHON
python3 "$scratch/slow.py" "$slow" "$scratch/reached" &
helpers+=($!)
echo hello >"$scratch/www/page.html"
head -c 2500 /dev/zero >"$scratch/www/big"
chmod -R a+rX "$scratch/www"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -days 9 \
  -keyout "$scratch/key" -out "$scratch/certificate" 2>"$scratch/out" || fail "openssl: $(cat "$scratch/out")"
cat "$scratch/key" "$scratch/certificate" >"$scratch/pem"
{
  begin_nginx 1
  cat <<CONF
  promcb_segment $PROMCB_SEGMENT;
  log_format tries '\$uri|\$upstream_addr|\$upstream_status|\$upstream_response_time|\$status';
  access_log $scratch/access.log tries;
  upstream half { server 127.0.0.1:$dead max_fails=0 weight=100; server unix:$scratch/good.sock backup; }
  upstream kept { server unix:$scratch/good.sock; keepalive 4; }
  upstream hashed { hash \$uri consistent; server unix:$scratch/good.sock; }
  upstream none {
    server 127.0.0.1:$dead max_fails=1 fail_timeout=1h;
    server 127.0.0.1:$dead max_fails=1 fail_timeout=1h;
  }
  proxy_cache_path $scratch/temporary/cache keys_zone=cache:1m;
  promcb_upstream "up \$promcb_peer";
  server {
    listen 127.0.0.1:$port;
    root $scratch/www;
    location /good { proxy_pass http://unix:$scratch/good.sock:/; }
    location /missing { proxy_pass http://unix:$scratch/good.sock:/missing; }
    location /kept {
      proxy_pass http://kept/; promcb_upstream kept; proxy_http_version 1.1; proxy_set_header Connection "";
    }
    location /hashed { proxy_pass http://hashed/; promcb_upstream hashed; }
    location /tls { proxy_pass https://unix:$scratch/tls.sock:/; promcb_upstream tls; }
    location /half { proxy_pass http://half/; promcb_component half; }
    location /dead { proxy_pass http://127.0.0.1:$dead; promcb_upstream dead; promcb_component requests; }
    location /slow { proxy_pass http://127.0.0.1:$slow; promcb_upstream slow; proxy_read_timeout 1s; }
    location /gone { proxy_pass http://127.0.0.1:$slow; promcb_upstream gone; }
    location /off { proxy_pass http://unix:$scratch/good.sock:/; promcb_upstream off; }
    location /none { proxy_pass http://none/; promcb_upstream none; }
    # Handed on to another location, which counts both.
    location /accel { proxy_pass http://unix:$scratch/good.sock:/accel; promcb_upstream accel; }
    location /inner/ { internal; proxy_pass http://unix:$scratch/good.sock:/; promcb_upstream inner; }
    location /cached {
      proxy_pass http://unix:$scratch/good.sock:/; promcb_upstream cached; proxy_cache cache; proxy_cache_valid 1h;
    }
    location /sliced {
      slice 1k; proxy_set_header Range \$slice_range; proxy_http_version 1.1;
      proxy_pass http://unix:$scratch/good.sock:/big;
      promcb_upstream sliced; promcb_component sliced_request;
    }
    location /mirrored { mirror /copy; try_files /page.html =404; }
    location /copy { internal; proxy_pass http://unix:$scratch/good.sock:/; promcb_upstream copy; }
    location /auth { auth_request /allowed; try_files /page.html =404; promcb_component auth; promcb_upstream page; }
    location /allowed { internal; proxy_pass http://unix:$scratch/good.sock:/; promcb_upstream allowed; }
    location /strict { proxy_pass http://unix:$scratch/good.sock:/missing; promcb_upstream strict; promcb_failure 404; }
    location /variable { set \$to 127.0.0.1:$dead; proxy_pass http://\$to; promcb_upstream variable; }
  }
  server {
    listen unix:$scratch/tls.sock ssl;
    ssl_certificate $scratch/pem;
    ssl_certificate_key $scratch/pem;
    access_log off;
    promcb off;
    location / { return 200 ok; }
  }
  server {
    listen unix:$scratch/good.sock;
    access_log off;
    promcb off;
    root $scratch/www;
    location / { return 200 ok; }
    location = /big { }
    location /missing { return 404; }
    location /accel { add_header X-Accel-Redirect /inner/; return 200; }
  }
}
CONF
} >"$scratch/nginx.conf"
start_nginx "$scratch/nginx.conf" "$port"
get 3 "$url/good"
get 2 "$url/missing"
get 3 "$url/kept"
get 2 "$url/hashed"
get 3 "$url/tls"
get 4 "$url/half"
get 3 "$url/dead"
get 2 "$url/slow"
leave 2 "$url/gone"
get 3 "$url/off"
get 2 "$url/accel"
get 3 "$url/none"
get 5 "$url/cached"
get 2 "$url/auth"
get 2 "$url/sliced"
get 3 "$url/mirrored"
get 2 "$url/strict"
get 2 "$url/variable"
expect <<EXPECTED
kept 3 0 3
none 4 4 4
allowed 2 0 2
auth 2 0 2
cached 1 0 1
copy 3 0 3
dead 3 3 3
gone 2 0 2
half 4 0 4
hashed 2 0 2
inner 4 0 4
requests 3 3 3
sliced 6 0 6
sliced_request 2 0 2
slow 2 2 2
strict 2 2 2
tls 3 0 3
up 127.0.0.1:$dead 4 4 4
up unix:$scratch/good.sock 9 0 9
variable 2 2 2
EXPECTED
# Milliseconds would be 0 for most, and a try is no longer than its request.
sum() {
  awk -v series="circuit_breaker_latency_seconds_sum{component=\"$1\"}" 'index($0, series " ") == 1 { print $NF }' \
    "$scratch/text"
}
for name in "up unix:$scratch/good.sock" kept hashed tls cached allowed inner dead half; do
  python3 -c "import sys; sys.exit(not 0 < float(sys.argv[1]))" "$(sum "$name")" ||
    fail "$name: in no time: $(sum "$name")"
done
python3 -c 'import sys; sys.exit(not float(sys.argv[1]) < float(sys.argv[2]))' "$(sum dead)" "$(sum requests)" ||
  fail "tries of $(sum dead) s in requests of $(sum requests) s"
python3 -c 'import sys; sys.exit(not 2 <= float(sys.argv[1]) < 9)' "$(sum slow)" || fail "two seconds are $(sum slow)"
end_nginx

# -- The example ------------------------------------------------------------------------------------------------------
example=$PROMCB_SOURCE/tools/examples/nginx/nginx.conf
rm -f "/dev/shm$PROMCB_SEGMENT"
{
  begin_nginx 1 | sed '/^events/,$d'
  # What it is given here: its module, places of its own, ports; a port that answers and one where nobody does.
  sed "/^load_module/d; s|listen 8080|listen 127.0.0.1:$port|; s|127.0.0.1:8001|127.0.0.1:$dead max_fails=0|
    s|server 127.0.0.1:8002|server unix:$scratch/good.sock|; s|promcb_segment /promcb;|promcb_segment $PROMCB_SEGMENT;|
    s|root /srv/www|alias $scratch/www/|" "$example" | sed '$d'
  begin_nginx 1 | sed '1,/^http/d'
  cat <<CONF
  access_log off;
  server { listen unix:$scratch/good.sock; promcb off; location / { return 200 ok; } }
}
CONF
} >"$scratch/example.conf"
start_nginx "$scratch/example.conf" "$port"
get 2 "$url/healthz"
get 5 "$url/api/orders/17"
get 3 "$url/api/customers"
get 2 "$url/nothing"
get 4 "$url/static/page.html"
expect <<EXPECTED
/api/orders/:id 5 0 5
api 3 0 3
backend 127.0.0.1:$dead 4 4 4
backend unix:$scratch/good.sock 8 0 8
other 2 0 2
static 4 0 4
EXPECTED
end_nginx
"$tools/promcb-export" --check >"$scratch/out" || fail "check: $(cat "$scratch/out")"
