# SPDX-License-Identifier: MIT
# What the tests of promcb-record(1)'s recipes share, sourced by each after its first words: the recipes as they are
# printed, what runs them, and what an export says of a component.
. "$(dirname "${BASH_SOURCE[0]}")/tools_prelude.sh"
PATH=$PATH:/usr/sbin:$tools
page=$PROMCB_SOURCE/tools/promcb-record.1
pids=()
cleanup() {
  for pid in "${pids[@]}"; do kill -- "$pid" 2>/dev/null; done
  wait 2>/dev/null
  rm -rf "$scratch" "/dev/shm$PROMCB_SEGMENT"
}
trap cleanup EXIT

# recipe NAME: as it is printed, with the logs of this test.
recipe() {
  awk -v name="$1" '$0 == ".\\\" recipe " name { on = 1; next } $0 == ".\\\" end" { on = 0 } on && !/^\./' "$page" |
    sed "s/\\\\-/-/g; s/\\\\(aq/'/g; s/\\\\e/\\\\/g" |
    sed "s|/var/log/[a-z0-9]*/|$scratch/|g; s|/var/log/|$scratch/|g; s|/etc/haproxy/|$scratch/|g"
}
follow() { # recipe
  recipe "$1" >"$scratch/$1.sh"
  [ -s "$scratch/$1.sh" ] || fail "no recipe $1"
  setsid bash "$scratch/$1.sh" 2>"$scratch/$1.err" &
  pids+=(-$!)
}
value() { # metric component
  promcb-export | sed -n "s|^circuit_breaker_$1{component=\"$2\"} ||p"
}
is() { # component calls failures calls-with-a-latency
  local have
  have="$(value calls_total "$1") $(value failures_total "$1") $(value latency_seconds_count "$1")"
  [ "$have" = "$2 $3 $4" ] || fail "$1: calls, failures and latencies are $have, not $2 $3 $4"
}
get() { # count URL options
  for _ in $(seq "$1"); do curl -s -o /dev/null "${@:3}" "$2"; done
}
# until_counted COMPONENT URL: asks until a recorder counts there.
until_counted() {
  for _ in $(seq 200); do
    curl -s -o /dev/null "$2"
    [ -n "$(value calls_total "$1")" ] && return 0
    sleep 0.05
  done
  fail "nothing is counted as $1: $(tail -n 5 "$scratch"/*.err "$scratch"/*.log)"
}
# The beginning of a configuration of nginx that writes nothing outside of the test's directory, whoever runs it.
begin_nginx() {
  echo "daemon off; pid $scratch/nginx.pid; error_log $scratch/error.log crit; events {}"
  echo "http { proxy_temp_path $scratch/p; client_body_temp_path $scratch/b; fastcgi_temp_path $scratch/f;"
  echo "uwsgi_temp_path $scratch/u; scgi_temp_path $scratch/s;"
}
# The beginning of a configuration of Apache, likewise, that listens at a port.
begin_apache() { # port
  echo "ServerRoot $scratch"
  echo "ServerName localhost"
  echo "PidFile $scratch/apache.pid"
  echo "DefaultRuntimeDir $scratch"
  echo "Mutex file:$scratch"
  echo "Listen 127.0.0.1:$1"
  echo "ErrorLog $scratch/apache.log"
  for module in mpm_event authz_core setenvif alias; do
    echo "LoadModule ${module}_module /usr/lib/apache2/modules/mod_$module.so"
  done
}
