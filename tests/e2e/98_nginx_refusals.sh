#!/bin/bash
# SPDX-License-Identifier: MIT
# nginx's module and what is wrong: directives are refused with file and line; a segment that cannot be used costs
# neither a start nor a request, unless promcb_required says so, and is used as soon as it can be; names have a bound.
. "$(dirname "$0")/nginx_prelude.sh"
read -r port < <("$(dirname "$0")/free_ports.py" 1)
url=http://127.0.0.1:$port

# configured LINE...: a configuration of one server, with these lines where http's are, and behind "--" the server's.
configured() {
  begin_nginx 1
  echo "  access_log off;"
  while [ $# -gt 0 ] && [ "$1" != -- ]; do
    echo "  $1"
    shift
  done
  echo "  server { listen 127.0.0.1:$port; root $scratch/www;"
  [ $# = 0 ] || shift
  printf '    %s\n' "$@"
  echo "  location / { return 204; } } }"
}
refused() { # MESSAGE LINE...
  configured "${@:2}" >"$scratch/bad.conf"
  succeeds nginx -t -c "$scratch/bad.conf" 2>"$scratch/out" && fail "nginx takes ${*:2}"
  grep -q -F -e "[emerg]" "$scratch/out" || fail "${*:2}: $(cat "$scratch/out")"
  LC_ALL=C grep -q -a -e "$1" "$scratch/out" || fail "${*:2}: not \"$1\": $(cat "$scratch/out")"
}
at='in .*/bad.conf:[0-9]*$'
long=$(printf 'x%.0s' $(seq 128))
refused "names no segment.* $at" "promcb_segment '';"
refused "\"run/x\" is a relative path.* $at" 'promcb_segment run/x;'
refused "invalid parameter \"size=x\".* $at" 'promcb_segment /a size=x;'
refused "invalid parameter \"lanes=0\".* $at" 'promcb_segment /a lanes=0;'
refused "invalid parameter \"mode=800\".* $at" 'promcb_segment /a mode=800;'
refused "invalid parameter \"group=no-such-group\".* $at" 'promcb_segment /a group=no-such-group;'
refused "invalid parameter \"colour=red\".* $at" 'promcb_segment /a colour=red;'
refused "\"promcb_segment\" directive is duplicate.* $at" 'promcb_segment /a;' 'promcb_segment /a;'
refused "\"promcb_segment\" directive is not allowed here.* $at" -- 'promcb_segment /a;'
refused "invalid number of arguments in \"promcb_segment\".* $at" 'promcb_segment;'
refused "is no number of names: 1 to 60000.* $at" 'promcb_names 0;'
refused "is no number of names: 1 to 60000.* $at" 'promcb_names many;'
refused "at most 127 bytes.* $at" "promcb_component $long;"
refused "may not be empty.* $at" 'promcb_component " ";'
refused "the name is empty.* $at" -- 'promcb_component "";'
refused "UTF-8.* $at" "promcb_component \"$(printf '\377')\";"
refused "label.* $at" "promcb_component 'a{component=\"b\"}';"
refused "unknown \"nowhere\" variable" 'promcb_component $nowhere;'
refused "\"promcb_component\" directive is duplicate.* $at" 'promcb_component a;' 'promcb_component b;'
refused "a status such as 499.*where \"4x\" is.* $at" 'promcb_failure 5xx 4x;'
refused "where \"none\" is.* $at" 'promcb_no_latency 101 none;'
refused "\"yes\" has no variable.* $at" 'promcb_failed yes;'
refused "it must be \"on\" or \"off\".* $at" 'promcb maybe;'
refused "it must be \"on\" or \"off\".* $at" 'promcb_required yes;'

# What is no segment: nothing is made, whoever asks.
garbage() {
  rm -f "/dev/shm$PROMCB_SEGMENT"
  head -c 100000 /dev/zero >"/dev/shm$PROMCB_SEGMENT"
}
garbage
configured "promcb_segment $PROMCB_SEGMENT;" 'promcb_component needed;' 'promcb_required on;' >"$scratch/required.conf"
for option in -t -q; do # to look, and to start
  succeeds nginx $option -c "$scratch/required.conf" 2>"$scratch/out" && fail "nginx $option: it is taken"
  grep -q -e 'promcb_required: .*'"$PROMCB_SEGMENT" "$scratch/out" || fail "required: $(cat "$scratch/out")"
done

# Without promcb_required nginx serves; and counts as soon as it can.
configured "promcb_segment $PROMCB_SEGMENT;" 'promcb_component patient;' >"$scratch/patient.conf"
nginx -t -c "$scratch/patient.conf" 2>"$scratch/out" || fail "$(cat "$scratch/out")"
: >"$scratch/error.log"
start_nginx "$scratch/patient.conf" "$port"
[ "$(curl -s -o /dev/null -w '%{http_code}' "$url/")" = 204 ] || nginx_failed "without a segment: not 204"
[ "$(grep -c -F "nothing is counted" "$scratch/error.log")" = 1 ] || nginx_failed "not one line of one worker"
rm "/dev/shm$PROMCB_SEGMENT"
counts() {
  get 1 "$url/"
  [ -e "/dev/shm$PROMCB_SEGMENT" ] && has_calls patient
}
has_calls() {
  [ "$(counted 2>/dev/null | awk -v name="$1" '$1 == name { print $2 }')" -gt 0 ] 2>/dev/null
}
await counts
grep -q -F '[notice]' "$scratch/error.log" && grep -q -F 'the segment is open' "$scratch/error.log" ||
  nginx_failed "it does not say that the segment is open"

# Removed while nginx runs, it is made anew within a second.
"$tools/promcb-admin" remove --force || fail remove
await counts
end_nginx

# The bound: four names, and what is beyond, from one worker.
rm -f "/dev/shm$PROMCB_SEGMENT"
configured "promcb_segment $PROMCB_SEGMENT mode=0644;" 'promcb_names 4;' 'promcb_required on;' \
  'promcb_component "$request_method $arg_name";' >"$scratch/names.conf"
start_nginx "$scratch/names.conf" "$port"
for name in a b c d e f a e; do get 1 "$url/?name=$name"; done
get 3 "$url/?name=$long"
expect <<'EXPECTED'
GET a 2 0 2
GET b 1 0 1
GET c 1 0 1
GET d 1 0 1
_overflow 6 0 6
EXPECTED
[ "$(grep -c 'promcb_names' "$scratch/error.log")" = 1 ] || nginx_failed "the bound is not told once"
[ "$(stat -c %a "/dev/shm$PROMCB_SEGMENT")" = 644 ] || fail "not the mode that was asked for"

# The segment is its workers', and one that they may not write is told before they try.
if [ "$(id -u)" = 0 ]; then
  owner=$(ps -o uid= -p "$(workers)" | tr -d ' ')
  [ "$(stat -c %u "/dev/shm$PROMCB_SEGMENT")" = "$owner" ] || fail "the segment is not the workers'"
  [ "$owner" != 0 ] || fail "workers are root"
  chown root:root "/dev/shm$PROMCB_SEGMENT"
  succeeds nginx -t -c "$scratch/names.conf" 2>"$scratch/out" && fail "nginx takes a segment of root's"
  grep -q 'promcb_required: .* is not for workers' "$scratch/out" || fail "$(cat "$scratch/out")"
  # A reload is refused, and nothing of it matters to the workers that there are.
  lines=$(wc -l <"$scratch/error.log")
  kill -HUP "$nginx_pid"
  refused_reload() { tail -n "+$((lines + 1))" "$scratch/error.log" | grep -q 'promcb_required'; }
  await refused_reload
  get 1 "$url/?name=a"
  await calls 'GET a' 3
fi
kill -QUIT "$nginx_pid"
wait "$nginx_pid" || nginx_failed "nginx: status $?"
nginx_pid=
quiet_nginx -v promcb_required
