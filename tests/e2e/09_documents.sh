#!/bin/bash
# SPDX-License-Identifier: MIT
# What the documents print is run as printed and in order: the README, the five minutes of tools/monitoring/README.md
# and the examples of the man pages. In namespaces of its own, where the ports and the directories that they name are
# free, with what is built here installed in /usr/local. (That it builds on a bare Debian is tests/chroot's business.)
. "${0%/*}/tools_prelude.sh"
PATH=$PATH:/usr/sbin:/sbin
for program in meson curl jq prometheus prometheus-alertmanager python3 pkg-config unshare; do
  command -v $program >/dev/null || { echo "$program is not installed"; exit 77; }
done

if [ "${1-}" != inside ]; then
  unshare --mount --net --pid --fork true 2>/dev/null || { echo "no namespaces can be made here"; exit 77; }
  DESTDIR=$scratch/root meson install -C "$PROMCB_BUILD" --no-rebuild --quiet >"$scratch/out" 2>&1 ||
    fail "meson install: $(cat "$scratch/out")"
  [ -d "$scratch/root/usr/local/lib" ] || { echo "this build has another prefix than /usr/local"; exit 77; }
  unshare --mount --net --pid --fork --mount-proc --kill-child "$0" inside "$scratch"
  status=$?
  rmdir /tmp/prometheus /tmp/alertmanager 2>/dev/null
  exit $status
fi

# -- Inside ------------------------------------------------------------------------------------------------------------
scratch=$2
blocks=$PROMCB_SOURCE/tests/blocks.sh
trap - EXIT
mount -t tmpfs tmpfs /dev/shm && mount --bind "$scratch/root/usr/local" /usr/local || fail mount
mkdir "$scratch/tmp" "$scratch/node-exporter" && mkdir -p /var/lib/prometheus/node-exporter &&
  mount --bind "$scratch/node-exporter" /var/lib/prometheus/node-exporter || fail "the node exporter's directory"
(cat /etc/group && echo metrics:x:60001:) >"$scratch/group" && mount --bind "$scratch/group" /etc/group || fail group
# localhost is an address here, which a bare root does not know.
grep -qs localhost /etc/hosts || { (cat /etc/hosts 2>"$scratch/err"; echo "127.0.0.1 localhost") >"$scratch/hosts" &&
  "$PROMCB_SOURCE/tests/e2e/own_hosts.sh" "$scratch/hosts"; } || fail hosts
python3 - <<'PYTHON' || fail "no loopback"
import fcntl, socket, struct
control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
fcntl.ioctl(control, 0x8914, struct.pack("16sH14x", b"lo", 1 | 0x40))  # SIOCSIFFLAGS: IFF_UP, IFF_RUNNING
PYTHON
unset PROMCB_SEGMENT
# Instead of ldconfig, which writes to /etc.
library=$(find /usr/local -name libpromcb.so.0)
export PATH=/usr/local/bin:$PATH LD_LIBRARY_PATH=${library%/*} TMPDIR=$scratch/tmp
# The project's root, with build/ where the documents have it.
mkdir "$scratch/project" && ln -s "$PROMCB_SOURCE/tools" "$PROMCB_BUILD" "$scratch/project" || fail project
[ -e "$scratch/project/build" ] || ln -s "$PROMCB_BUILD" "$scratch/project/build"
cd "$scratch/project" || exit 1

# printed NAME SCRIPT: ends with 0, and says nothing on standard error.
printed() {
  bash -e -c "$2" >"$scratch/out" 2>"$scratch/err" || fail "$1: exit $?: $(cat "$scratch/out" "$scratch/err")"
  [ ! -s "$scratch/err" ] || fail "$1: $(cat "$scratch/err")"
}
# until_stopped NAME LINE WHAT...: a line that goes on; WHAT becomes true, and SIGINT ends it.
until_stopped() {
  local name=$1 line=$2
  shift 2
  env --default-signal=INT bash -c "exec $line" >"$scratch/out" 2>"$scratch/err" &
  background=$!
  await "$@"
  kill -INT "$background"
  wait "$background" || [ $? = 130 ] || fail "$name: exit $?: $(cat "$scratch/err")"
  background=
}

readme=$PROMCB_SOURCE/README.md
# What is installed compiles by itself, the inline functions too, without what only promcb's tests have.
[ ! -e /usr/local/include/promcb/inject.h ] || fail "the tests' inject.h is installed"
printf '#include <promcb/%s>\n' inline.h reader.h admin.h >all.c
printed "all headers" 'cc -Wall -Wextra -Werror -c all.c $(pkg-config --cflags promcb) && g++ -x c++ -c all.c'
"$blocks" "$readme" Record c >program.c || fail "README.md, Record: no program"
printed Record "$("$blocks" "$readme" Record sh)"
for line in 'circuit_breaker_calls_total{component="payment_api"} 1000' \
  'circuit_breaker_failures_total{component="payment_api"} 100'; do
  grep -q -x -F -e "$line" "$scratch/out" || fail "Record: no line $line"
done
printed Look "$("$blocks" "$readme" Look sh 1)"
calls payment_api 1001 || fail "Look: not the program's calls and the one of a line"
calls nightly_backup 2 || fail "Look: nightly_backup was not run by itself and through its breaker"
until_stopped "the textfile collector" "$("$blocks" "$readme" Look sh 2)" \
  test -s /var/lib/prometheus/node-exporter/promcb.prom
# Whether it answers, at loopback alone: 10042 is 273A.
serves() {
  curl -s -f -o /dev/null http://localhost:10042/metrics || return 1
  awk '$4 == "0A" && $2 ~ /:273A$/ { print $2 }' /proc/net/tcp /proc/net/tcp6 >"$scratch/listening" 2>/dev/null
  matches -v -x -e 0100007F:273A -e 00000000000000000000000001000000:273A "$scratch/listening" &&
    fail "Serve: it listens for others, too: $(cat "$scratch/listening")"
  filled "$scratch/listening"
}
until_stopped Serve "$("$blocks" "$readme" Serve sh)" serves

# -- Man pages ---------------------------------------------------------------------------------------------------------
"$blocks" "$PROMCB_SOURCE/tools/promcb-export.1" >"$scratch/examples" || fail "promcb-export(1) has no examples"
while read -r example; do
  case $example in
  *--interval*)
    output=$(grep -o -e '--output=[^ ]*' <<<"$example")
    rm -f "${output#--output=}"
    until_stopped "$example" "$example" test -s "${output#--output=}"
    ;;
  *)
    printed "$example" "$example"
    matches -q 'not healthy' "$scratch/out" && fail "$example: all is healthy"
    ;;
  esac
done <"$scratch/examples"
# The same examples where nothing is there to be read.
promcb-admin remove
grep 'not healthy' "$scratch/examples" >"$scratch/verdicts"
[ "$(wc -l <"$scratch/verdicts")" = 2 ] || fail "promcb-export(1) has other examples of health"
while read -r example; do
  [ "$(bash -c "$example" 2>/dev/null)" = 'not healthy' ] || fail "$example: a missing segment is healthy"
done <"$scratch/verdicts"
# Of a service that is there.
printed "promcb-admin(1)" "$("$blocks" "$PROMCB_SOURCE/tools/promcb-admin.1" |
  sed '/^promcb-admin create/a promcb-record payment_api --success')"
has 'circuit_breaker_not_permitted_calls_total{component="payment_api",reason="open"} 0'
has 'circuit_breaker_state{component="payment_api",state="open"} 1'
[ "$(stat -c %g:%a /dev/shm/promcb)" = 60001:660 ] || fail "promcb-admin(1): $(stat -c %g:%a /dev/shm/promcb)"
promcb-admin remove

# -- Five minutes ------------------------------------------------------------------------------------------------------
monitoring=$PROMCB_SOURCE/tools/monitoring/README.md
for directory in /tmp/prometheus /tmp/alertmanager; do
  mkdir -p $directory && mount -t tmpfs tmpfs $directory || fail $directory
done
cat >"$scratch/asks" <<'ASKS'
ask() { # URL JQ: until it is so
  for _ in $(seq 600); do
    # No pipe: jq takes an empty answer for a yes.
    curl -s -f -o "$TMPDIR/answer" "$1" && jq -e "$2" <"$TMPDIR/answer" >/dev/null 2>&1 && return
    sleep 0.2
  done
  echo "$1: $(head -c 1000 "$TMPDIR/answer")"
  exit 1
}
ASKS
{
  cat "$scratch/asks"
  "$blocks" "$monitoring" 'Five minutes.*' sh 2
  # The link of the README, as the page asks; and what the alerts page is made of.
  echo "ask 'http://localhost:9090/api/v1/query?query=circuit_breaker_calls_total' '.data.result | length > 3'"
  echo "ask http://localhost:9090/api/v1/alerts '.data.alerts[] | select(.labels.alertname == \"CircuitBreakerOpen\")'"
  echo "ask http://localhost:9093/api/v2/status .cluster"
  "$blocks" "$monitoring" 'Five minutes.*' sh 3
} >"$scratch/five.sh" || fail "tools/monitoring/README.md: no blocks"
timeout 900 bash "$scratch/five.sh" >"$scratch/out" 2>"$scratch/err" ||
  fail "five minutes: exit $?: $(cat "$scratch/out"; tail -n 20 "$scratch/err")"
[ ! -e /dev/shm/promcb ] || fail "the segment stays"
exit 0
