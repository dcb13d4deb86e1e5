# SPDX-License-Identifier: MIT
# What the tests of nginx's module share: an nginx of their own that has it, and what it counted.
. "$(dirname "$0")/tools_prelude.sh"
PATH=$PATH:/usr/sbin
module=$tools/nginx/ngx_http_promcb_module.so
for program in nginx curl python3 ${nginx_needs:-}; do
  command -v $program >/dev/null || { echo "$program is not installed"; exit 77; }
done
if [ ! -e "$module" ]; then
  echo "nginx-dev is not installed, so that the module for nginx is not built"
  exit 77
fi
# nginx is not built with the sanitizer: its runtime comes first by hand. What nginx keeps to its end is no leak.
preload=
case ${PROMCB_SANITIZE:-} in
*address*)
  preload="$(${CC:-gcc} -print-file-name=libasan.so) $(${CC:-gcc} -print-file-name=libubsan.so)"
  export ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0:verify_asan_link_order=0
  ;;
esac
nginx_pid=
helpers=()
finish_nginx() {
  [ -z "$background" ] || kill -KILL "$background" 2>/dev/null
  # A master that a binary upgrade has left is in the file, and not our child.
  for pid in $nginx_pid $(cat "$scratch/nginx.pid" "$scratch/nginx.pid.oldbin" 2>/dev/null) "${helpers[@]}"; do
    kill -TERM "$pid" 2>/dev/null
  done
  wait 2>/dev/null
  rm -rf "$scratch" "/dev/shm$PROMCB_SEGMENT" "/dev/shm${PROMCB_SEGMENT}_bad"
}
trap finish_nginx EXIT
trap 'exit 1' INT TERM
# Where the master is root, its workers are somebody else.
mkdir "$scratch/www" "$scratch/temporary"
chmod a+rx "$scratch" "$scratch/www"
chmod a+rwx "$scratch/temporary"
: >"$scratch/reached"

# begin_nginx [WORKERS]: a configuration up to its http block, whose directives of promcb are the test's.
begin_nginx() {
  cat <<CONF
load_module $module;
daemon off;
pid $scratch/nginx.pid;
error_log $scratch/error.log notice;
worker_processes ${1:-2};
worker_shutdown_timeout 20s;
env LD_PRELOAD;
env ASAN_OPTIONS;
env UBSAN_OPTIONS;
events { worker_connections 256; }
http {
  client_body_temp_path $scratch/temporary/body;
  proxy_temp_path $scratch/temporary/proxy;
  fastcgi_temp_path $scratch/temporary/fastcgi;
  uwsgi_temp_path $scratch/temporary/uwsgi;
  scgi_temp_path $scratch/temporary/scgi;
CONF
}
nginx() {
  env ${preload:+"LD_PRELOAD=$preload"} nginx -e "$scratch/error.log" -p "$scratch/" "$@"
}
nginx_failed() {
  cat "$scratch/error.log" "$scratch/nginx.err" >&2 2>/dev/null
  fail "$@"
}
# start_nginx FILE PORT: until it answers there.
start_nginx() {
  env ${preload:+"LD_PRELOAD=$preload"} nginx -e "$scratch/error.log" -p "$scratch/" -c "$1" \
    2>>"$scratch/nginx.err" &
  nginx_pid=$!
  for _ in $(seq 400); do
    (exec 3<>"/dev/tcp/127.0.0.1/$2") 2>/dev/null && return 0
    kill -0 "$nginx_pid" 2>/dev/null || nginx_failed "nginx does not start"
    sleep 0.05
  done
  nginx_failed "nginx does not answer"
}
# end_nginx: in order, so that all that was counted is there.
end_nginx() {
  kill -QUIT "$nginx_pid"
  wait "$nginx_pid" || nginx_failed "nginx: status $?"
  nginx_pid=
  quiet_nginx
}
# quiet_nginx [GREP-OPTIONS]: nginx has told of nothing serious, but for what the options take out.
quiet_nginx() {
  matches -E '\[(alert|emerg|crit)\]|Sanitizer|runtime error' "$scratch/error.log" "$scratch/nginx.err" \
    >"$scratch/serious"
  [ $# = 0 ] || { grep -v "$@" "$scratch/serious" >"$scratch/left"; mv "$scratch/left" "$scratch/serious"; }
  filled "$scratch/serious" && nginx_failed "nginx complained: $(cat "$scratch/serious")"
  return 0
}
# workers: of the present master.
workers() {
  pgrep -P "${1:-$nginx_pid}" -f 'nginx: worker process$'
}

# counted: all components with calls, as NAME CALLS FAILURES LATENCIES; from one export.
counted() {
  "$tools/promcb-export" >"$scratch/text" || fail export
  python3 - "$scratch/text" "$(dirname "$0")" <<'PYTHON'
import sys

sys.path.insert(0, sys.argv[2])
from metrics import series_of

series = series_of(open(sys.argv[1], encoding="utf-8").read())
for (name, labels), calls in series.items():
    if name != "circuit_breaker_calls_total" or calls == "0":
        continue
    failures = series["circuit_breaker_failures_total", labels]
    assert int(calls) == int(failures) + int(series["circuit_breaker_successes_total", labels]), labels
    others = dict(labels)
    component = others.pop("component")
    if others:
        component += "{" + ",".join(f'{key}="{value}"' for key, value in others.items()) + "}"
    print(component, calls, failures, series["circuit_breaker_latency_seconds_count", labels])
PYTHON
}
# expect: standard input is what counted prints. nginx counts a request when its last byte is sent: some are to come.
expect() {
  LC_ALL=C sort >"$scratch/expected"
  for _ in $(seq 50); do
    counted | LC_ALL=C sort >"$scratch/actual"
    cmp -s "$scratch/expected" "$scratch/actual" && return 0
    sleep 0.1
  done
  nginx_failed "expected (<), counted (>): $(diff "$scratch/expected" "$scratch/actual")"
}
# leave COUNT URL [OPTION...]: asks, and goes when the request has reached its upstream, which adds a line to a file.
leave() {
  local n lines client
  reached() { [ "$(wc -l <"$scratch/reached")" -gt "$lines" ]; }
  for n in $(seq "$1"); do
    lines=$(wc -l <"$scratch/reached")
    curl -s -o /dev/null "${@:3}" "$2" &
    client=$!
    await reached
    kill "$client"
    wait "$client" 2>/dev/null
  done
}
# get COUNT URL [OPTION...]
get() {
  local n
  for n in $(seq "$1"); do
    curl -s -o /dev/null "${@:3}" "$2"
  done
}
