#!/bin/bash
# SPDX-License-Identifier: MIT
# Tries of upstreams, as nginx's module counts them: each once, by its own status and time, those of subrequests and of
# requests that were given up included; and the same from nginx's log.
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
PYTHON
python3 "$scratch/slow.py" "$slow" &
helpers+=($!)
echo hello >"$scratch/www/page.html"
chmod -R a+rX "$scratch/www"
{
  begin_nginx 1
  cat <<CONF
  promcb_segment $PROMCB_SEGMENT;
  log_format tries '\$uri|\$upstream_addr|\$upstream_status|\$upstream_response_time|\$status';
  access_log $scratch/access.log tries;
  upstream half { server 127.0.0.1:$dead max_fails=0 weight=100; server unix:$scratch/good.sock backup; }
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
    location /auth { auth_request /allowed; try_files /page.html =404; promcb_component auth; promcb_upstream page; }
    location /allowed { internal; proxy_pass http://unix:$scratch/good.sock:/; promcb_upstream allowed; }
    location /strict { proxy_pass http://unix:$scratch/good.sock:/missing; promcb_upstream strict; promcb_failure 404; }
    location /variable { set \$to 127.0.0.1:$dead; proxy_pass http://\$to; promcb_upstream variable; }
  }
  server {
    listen unix:$scratch/good.sock;
    access_log off;
    promcb off;
    location / { return 200 ok; }
    location /missing { return 404; }
    location /accel { add_header X-Accel-Redirect /inner/; return 200; }
  }
}
CONF
} >"$scratch/nginx.conf"
start_nginx "$scratch/nginx.conf" "$port"
get 3 "$url/good"
get 2 "$url/missing"
get 4 "$url/half"
get 3 "$url/dead"
get 2 "$url/slow"
get 2 "$url/gone" -m 0.3
get 3 "$url/off"
get 2 "$url/accel"
get 3 "$url/none"
get 5 "$url/cached"
get 2 "$url/auth"
get 2 "$url/strict"
get 2 "$url/variable"
expect <<EXPECTED
none 4 4 4
allowed 2 0 2
auth 2 0 2
cached 1 0 1
dead 3 3 3
gone 2 0 2
half 4 0 4
inner 4 0 4
requests 3 3 3
slow 2 2 2
strict 2 2 2
up 127.0.0.1:$dead 4 4 4
up unix:$scratch/good.sock 9 0 9
variable 2 2 2
EXPECTED
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
