#!/bin/bash
# SPDX-License-Identifier: MIT
# Wrong options and addresses end the sidecar with one sentence; sockets of every kind work; rights are given up.
. "${0%/*}/tools_prelude.sh"
. "${0%/*}/sidecar_http.sh"

# refused WORDS OPTION...: exit $wanted, the words, no server.
refused() {
  local words=$1 status
  shift
  timeout 120 "$sidecar" "$@" >"$scratch/out" 2>"$scratch/err"
  status=$?
  [ $status = $wanted ] || fail "$*: exit $status, not $wanted: $(cat "$scratch/err")"
  grep -q -F -e "$words" "$scratch/err" || fail "$*: does not say \"$words\": $(cat "$scratch/err")"
}
wanted=2
refused 'unrecognized option' --nonsense
refused 'unexpected argument' something
refused 'begins with /' --web.telemetry-path=metrics
refused 'something else is served' --web.telemetry-path=/-/ready
refused 'a number from 0' --web.max-requests=-1
refused 'a number from 0' --web.share-ms=soon
refused 'nobody could connect' --web.max-connections=0
refused 'python or none' --compat=some
refused 'invalid --prefix' --prefix=promcb_x
refused '0 to 3' --classic-schema=4
refused 'LOW:HIGH' --classic-range=1s
refused 'debug, info, warn or error' --log.level=loud
refused 'is empty' --segment=
refused 'cannot be combined' --web.systemd-socket --web.listen-address=:0
wanted=1
refused 'HOST:PORT' --web.listen-address=nonsense
refused 'HOST:PORT' --web.listen-address=127.0.0.1:99999
refused 'need brackets' --web.listen-address=::1:10042
refused 'cannot listen on' --web.listen-address=203.0.113.1:10042
refused 'cannot listen on' --web.listen-address=unix:/nowhere/at/all
refused 'passed no socket' --web.systemd-socket
refused 'no such user' --web.listen-address=127.0.0.1:0 --user=nobody-of-this-name
refused 'no such group' --web.listen-address=127.0.0.1:0 --user=nobody:no-group-of-this-name
refused "$scratch/none.yml" --web.config.file="$scratch/none.yml"
"$sidecar" --version | grep -q -x -E 'promcb-sidecar [0-9.]+ \(([0-9a-f]{12}|unknown)\)' || fail "--version"

# Two cannot have one port; the second one says which.
start
refused "cannot listen on 127.0.0.1:$port" --web.listen-address=127.0.0.1:$port
stop

# No host is every address, and a name all of its own.
answer_at() {
  curl -s -f -o /dev/null "http://$1/-/healthy" || fail "no answer at $1: $(cat "$scratch/log")"
}
[ -e /proc/net/if_inet6 ] || echo "no IPv6 here: every address is tried with IPv4 alone"
: >"$scratch/log"
"$sidecar" --web.listen-address=:0 2>"$scratch/log" &
background=$!
await listening
port=$(sed -n 's/.*msg=listening address=.*:\([0-9]*\) .*/\1/p' "$scratch/log")
answer_at "127.0.0.1:$port"
[ ! -e /proc/net/if_inet6 ] || answer_at "[::1]:$port"
stop
if [ "$(id -u)" = 0 ] && [ -e /proc/net/if_inet6 ] && unshare -m true 2>/dev/null; then
  # One of them twice, and one that this machine has not.
  printf '%s three.example\n' 127.0.0.1 127.0.0.2 ::1 127.0.0.1 192.0.2.1 >"$scratch/hosts"
  : >"$scratch/log"
  unshare -m sh -c '"$1" "$2" && shift 2 && exec "$@"' sh "$PROMCB_SOURCE/tests/e2e/own_hosts.sh" "$scratch/hosts" \
    "$sidecar" --web.listen-address=three.example:0 2>"$scratch/log" &
  background=$!
  await listening
  sed -n 's/.*msg=listening address=\([^ ]*\) .*/\1/p' "$scratch/log" >"$scratch/addresses"
  while read -r address; do
    answer_at "$address"
  done <"$scratch/addresses"
  [ "$(sed 's/:[0-9]*$//' "$scratch/addresses" | sort | tr '\n' ' ')" = '127.0.0.1 127.0.0.2 [::1] ' ] ||
    fail "not each once: $(cat "$scratch/log")"
  stop
fi
many=()
for _ in $(seq 65); do
  many+=(--web.listen-address=127.0.0.1:0)
done
wanted=2
refused 'more than 64' "${many[@]}"
wanted=1

# A unix socket: left by one that was killed, it is replaced; of one that lives, it is not; at the end it is gone.
start --web.listen-address=unix:"$scratch/http"
curl -s -o /dev/null --unix-socket "$scratch/http" http://localhost/-/healthy || fail "unix socket"
[ "$(stat -c %a "$scratch/http")" = 660 ] || fail "mode of the socket"
refused 'another server' --web.listen-address=unix:"$scratch/http"
kill -KILL "$background"
wait "$background" 2>/dev/null
start --web.listen-address=unix:"$scratch/http"
curl -s -o /dev/null --unix-socket "$scratch/http" http://localhost/-/healthy || fail "unix socket again"
stop
[ -e "$scratch/http" ] && fail "the socket's file stays"
echo precious >"$scratch/file"
refused 'another file' --web.listen-address=unix:"$scratch/file"
[ "$(cat "$scratch/file")" = precious ] || fail "a file was replaced"

# systemd's sockets, and its notification.
if command -v python3 >/dev/null; then
  python3 - "$sidecar" "$scratch/notify" <<'PYTHON' || fail "socket activation"
import os, socket, subprocess, sys, urllib.request

sidecar, path = sys.argv[1:]
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen()
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
# Made after descriptor 3 was taken.
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.bind(path)
notify.settimeout(10)
# LISTEN_PID is that of the process itself: a shell tells it and becomes the sidecar. No option asks for the socket.
process = subprocess.Popen(["sh", "-c", 'LISTEN_PID=$$ exec "$0"', sidecar], pass_fds=[3],
                           env={**os.environ, "LISTEN_FDS": "1", "NOTIFY_SOCKET": path})
try:
    ready = notify.recv(1000)
except TimeoutError:
    process.kill()
    raise
assert b"READY=1" in ready
with urllib.request.urlopen("http://127.0.0.1:%d/-/healthy" % listener.getsockname()[1], timeout=30) as answer:
    assert answer.status == 200
process.terminate()
assert b"STOPPING=1" in notify.recv(1000)
assert process.wait(30) == 0, process.returncode
PYTHON
fi

# Rights: no user but nobody is left, and nothing can bring others back. A segment that nobody may read is told.
if [ "$(id -u)" = 0 ]; then
  "$tools/promcb-record" --latency=1 --success x || fail record
  start --user=nobody --web.share-ms=0
  awk '/^(Uid|Gid):/ { for (i = 2; i <= 5; i++) if ($i == 0) exit 1 } /^NoNewPrivs:/ { exit $2 != 1 }' \
    "/proc/$background/status" || fail "rights are left: $(cat "/proc/$background/status")"
  answers 200 /metrics
  body_has 'promcb_up 0'
  grep -q -i 'permission' "$scratch/log" || fail "no word of permission: $(cat "$scratch/log")"
  matches -q 'running as root' "$scratch/log" && fail "it runs as root"
  chmod 644 "/dev/shm$PROMCB_SEGMENT"
  answers 200 /metrics
  body_has 'promcb_up 1'
  stop
  # Its sockets are its own.
  start --user=nobody --web.listen-address=unix:"$scratch/http"
  [ "$(stat -c %U:%a "$scratch/http")" = nobody:660 ] || fail "owner of the socket: $(ls -l "$scratch/http")"
  stop
  # Its memory has keys and passwords: nobody but root looks into it.
  echo 'basic_auth_users: {}' >"$scratch/web.yml"
  start --user=nobody --web.config.file="$scratch/web.yml"
  [ "$(stat -c %U "/proc/$background/maps")" = root ] || fail "the user's other processes read its memory"
  get /metrics
  grep -q '^process_open_fds [1-9]' "$scratch/body" || fail "it does not read about itself"
  stop
fi
exit 0
