#!/bin/bash
# SPDX-License-Identifier: MIT
# What nginx's module adds to a request, in instructions, as valgrind counts them in the module's two handlers and in
# all that they call: below a limit for a constant component, and for a name that is looked up.
. "$(dirname "$0")/nginx_prelude.sh"
[ -n "${PROMCB_COUNTED-}" ] || { echo "only a plain release build for x86-64 is counted"; exit 77; }
case $PROMCB_COUNTED in
gcc-12 | clang-14) ;;
*)
  echo "no limits are known for $PROMCB_COUNTED"
  exit 77
  ;;
esac
command -v valgrind >/dev/null || { echo "valgrind is not installed"; exit 77; }
export LD_BIND_NOW=1
unset MALLOC_PERTURB_
read -r port < <("$(dirname "$0")/free_ports.py" 1)

# count COMPONENT REQUESTS: instructions in the handlers, of so many requests of one connection.
count() {
  rm -f "/dev/shm$PROMCB_SEGMENT" "$scratch/callgrind"*
  {
    echo 'master_process off;'
    begin_nginx 1
    cat <<CONF
  access_log off;
  promcb_segment $PROMCB_SEGMENT;
  map \$arg_route \$route { default "GET /api/orders/:id"; }
  keepalive_requests 1000000;
  server { listen 127.0.0.1:$port; location / { promcb_component $1; return 204; } }
}
CONF
  } >"$scratch/nginx.conf"
  valgrind --tool=callgrind --callgrind-out-file="$scratch/callgrind" --toggle-collect=promcb_nginx_start_request \
    --toggle-collect=promcb_nginx_count_request "$(type -P nginx)" -e "$scratch/error.log" -p "$scratch/" \
    -c "$scratch/nginx.conf" 2>"$scratch/valgrind" &
  nginx_pid=$!
  answers() { curl -s -o /dev/null "http://127.0.0.1:$port/"; }
  for _ in $(seq 600); do
    answers && break
    kill -0 "$nginx_pid" 2>/dev/null || nginx_failed "nginx under valgrind: $(tail -n 3 "$scratch/valgrind")"
    sleep 0.1
  done
  curl -s -o /dev/null "http://127.0.0.1:$port/[1-$2]" || nginx_failed "curl"
  # A single process may go to sleep just after the signal, and does not look again until something wakes it.
  for _ in $(seq 1200); do
    kill -QUIT "$nginx_pid" 2>/dev/null || break
    sleep 0.1
  done
  wait "$nginx_pid" || nginx_failed "nginx: status $?"
  nginx_pid=
  [ "$(counted | awk '{ print $(NF - 2) }')" = $(($2 + 1)) ] || nginx_failed "not $2 requests: $(counted)"
  awk '/^totals:|^summary:/ { total = $2 } END { print total }' "$scratch/callgrind"
}
limit() { # COMPONENT INSTRUCTIONS
  local few many each try
  # What the library does once a second is in it: more of that where the machine is slow.
  for try in 1 2 3; do
    few=$(count "$1" 100) && many=$(count "$1" 1100) || exit 1
    each=$(((many - few) / 1000))
    [ "$each" -gt "$2" ] || break
  done
  echo "$1: $each instructions a request (limit $2)"
  [ "$each" -gt 20 ] || fail "$1: these are not all: $few, $many"
  [ "$each" -le "$2" ] || fail "$1: what the module does has grown"
}
limit http 250
[ -n "${PROMCB_QUICK-}" ] || limit '$route' 950
