# SPDX-License-Identifier: MIT
# What the tests of the sidecar's HTTP share, sourced after tools_prelude.sh: a sidecar on a free port of this machine.
sidecar=$tools/sidecar/promcb-sidecar
command -v curl >/dev/null || { echo "curl is not installed"; exit 77; }

# start OPTION...: sets $background, $port and $url. Its log is $scratch/log.
start() {
  # The child empties it too late: what an earlier one said would be taken for its own.
  : >"$scratch/log"
  "$sidecar" --web.listen-address=127.0.0.1:0 --log.level=debug "$@" 2>"$scratch/log" &
  background=$!
  await listening
  port=$(sed -n 's/.*msg=listening address=127\.0\.0\.1:\([0-9]*\).*/\1/p' "$scratch/log" | head -n 1)
  url=http://127.0.0.1:$port
}

listening() {
  grep -q 'msg=listening' "$scratch/log" && return 0
  kill -0 "$background" 2>/dev/null || fail "it does not start: $(cat "$scratch/log")"
  return 1
}

# stop: ends it by SIGTERM; a sanitizer's finding is a status of its own.
stop() {
  kill -TERM "$background"
  wait "$background" || fail "exit $? at the end: $(tail -n 30 "$scratch/log")"
  background=
}

# get PATH CURL-OPTION...: $scratch/head, $scratch/body and $code.
get() {
  local path=$1
  shift
  code=$(curl -s -D "$scratch/head" -o "$scratch/body" -w '%{http_code}' "$@" "$url$path") || fail "curl $path: $?"
}

# answers CODE PATH CURL-OPTION...
answers() {
  local wanted=$1
  shift
  get "$@"
  [ "$code" = "$wanted" ] || fail "$*: $code, not $wanted: $(cat "$scratch/head" "$scratch/body")"
}

# header NAME: its value in the last answer.
header() {
  tr -d '\r' <"$scratch/head" | sed -n "s/^$1: //Ip" | head -n 1
}

body_has() {
  grep -q -F -e "$1" "$scratch/body" || fail "no \"$1\" in: $(head -c 2000 "$scratch/body")"
}
