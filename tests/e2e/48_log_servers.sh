#!/bin/bash
# SPDX-License-Identifier: MIT
# Logs as nginx, HAProxy and Apache write them, by the recipes of promcb-record(1) for sockets and for the format
# combined, as printed there, with the real servers: what was asked for is what is counted.
. "${0%/*}/recipes_prelude.sh"
for program in nginx curl; do
  command -v $program >/dev/null || { echo "$program is not installed"; exit 77; }
done
read -r nginx_port haproxy_port apache_port dead < <("${0%/*}/free_ports.py" 4)
chmod a+rx "$scratch" # for who is not root
recipe map >"$scratch/promcb.map"
[ "$(grep -c . "$scratch/promcb.map")" = 4 ] || fail "no map: $(cat "$scratch/promcb.map")"
# listening RECIPE SOCKET
listening() {
  follow "$1"
  await test -S "$2"
}
# asked PORT: five calls of each kind, one after the other.
asked() {
  get 5 "http://127.0.0.1:$1/api/orders/7?x=y"
  get 5 "http://127.0.0.1:$1/api/orders/8" -X POST
  get 5 "http://127.0.0.1:$1/static/a"
  get 5 "http://127.0.0.1:$1/wp-admin.php?/static/"
  get 5 "http://127.0.0.1:$1/" -X EVIL
}
# All but "home", of which some were asked for before anybody counted.
counted() {
  await calls GET_/api/orders/:id 5
  await calls POST_/api/orders/:id 5
  await calls static 5
  await calls other 10
  is GET_/api/orders/:id 5 0 5
  is POST_/api/orders/:id 5 0 5
  is static 5 5 5
  has 'promcb_bad_lines_total 0'
  promcb-admin reset --all || fail reset
}

# -- nginx, by a socket -----------------------------------------------------------------------------------------------
listening nginx-recorder "$scratch/promcb.sock"
{
  begin_nginx
  recipe nginx-socket
  echo "server { listen 127.0.0.1:$nginx_port; location / { return 204; } location /static/ { return 503; } } }"
} >"$scratch/nginx.conf"
nginx -e "$scratch/error.log" -c "$scratch/nginx.conf" 2>"$scratch/nginx.err" &
pids+=($!)
until_counted home "http://127.0.0.1:$nginx_port/"
asked "$nginx_port"
counted
# Another recorder in its place is found by the server that runs.
kill -- "${pids[0]}"
await test ! -e "$scratch/promcb.sock"
listening nginx-recorder "$scratch/promcb.sock"
until_counted home "http://127.0.0.1:$nginx_port/"
asked "$nginx_port"
counted

# -- Apache, piped ----------------------------------------------------------------------------------------------------
if command -v apache2 >/dev/null; then
  {
    begin_apache "$apache_port"
    echo "Alias /api/orders $scratch/www/index.html"
    echo "Redirect 503 /static"
    echo "DocumentRoot $scratch/www"
    recipe apache-combined | sed "s#|promcb-record#|$tools/promcb-record#"
  } >"$scratch/apache.conf"
  mkdir "$scratch/www"
  echo hello >"$scratch/www/index.html"
  apache2 -X -f "$scratch/apache.conf" >"$scratch/apache.err" 2>&1 &
  pids+=($!)
  until_counted home "http://127.0.0.1:$apache_port/"
  asked "$apache_port"
  counted
else
  echo "apache2 is not installed: left out"
fi
# -- HAProxy, by a socket: the server behind it is nginx ---------------------------------------------------------------
if command -v haproxy >/dev/null; then
  mkdir "$scratch/haproxy"
  recipe haproxy-recorder | sed "s|$scratch/|$scratch/haproxy/|g" >"$scratch/haproxy.sh"
  setsid bash "$scratch/haproxy.sh" 2>"$scratch/haproxy.err" &
  pids+=(-$!)
  await test -S "$scratch/haproxy/promcb.sock"
  {
    recipe haproxy-socket | sed "s|$scratch/|$scratch/haproxy/|g"
    cat <<CONF
    timeout connect 1s
    timeout client 9s
    timeout server 9s
    retries 0
frontend f
    bind 127.0.0.1:$haproxy_port
    use_backend dead if { path /dead }
    use_backend warm if { path /warm }
    default_backend alive
backend alive
    server one 127.0.0.1:$nginx_port
backend warm
    server one 127.0.0.1:$nginx_port
backend dead
    server one 127.0.0.1:$dead
CONF
  } >"$scratch/haproxy.cfg"
  haproxy -db -f "$scratch/haproxy.cfg" >"$scratch/haproxy-run.err" 2>&1 &
  pids+=($!)
  until_counted warm/one "http://127.0.0.1:$haproxy_port/warm"
  get 6 "http://127.0.0.1:$haproxy_port/"
  get 2 "http://127.0.0.1:$haproxy_port/static/x"
  get 3 "http://127.0.0.1:$haproxy_port/dead"
  await calls alive/one 8
  await calls dead/one 3
  is alive/one 8 2 8
  is dead/one 3 3 0
else
  echo "haproxy is not installed: left out"
fi

for complaints in "$scratch"/nginx-recorder.err "$scratch"/haproxy.err; do
  filled "$complaints" && fail "$complaints: $(cat "$complaints")"
done
exit 0
