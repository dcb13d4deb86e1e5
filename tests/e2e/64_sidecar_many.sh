#!/bin/bash
# SPDX-License-Identifier: MIT
# One segment's trouble is that segment's: beside one whose components are being reset without a pause, and beside 256
# that are cut short and mended over and over while they are read, the others are served and nobody dies.
. "${0%/*}/tools_prelude.sh"
. "${0%/*}/sidecar_http.sh"
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
storms=
spoiler=
trap 'kill -KILL $background $storms $spoiler 2>/dev/null
  rm -rf "$scratch" "/dev/shm$PROMCB_SEGMENT" "/dev/shm$PROMCB_SEGMENT"_*' EXIT

# -- A storm of resets -------------------------------------------------------------------------------------------------
# The stormy one takes milliseconds to read, which is longer than a process waits for its turn.
"$tools/promcb-admin" create --segment="${PROMCB_SEGMENT}_two" --max-bytes=64M --components=3000 || fail create
seq 2000 | sed 's/.*/component& 0.001 success/' |
  "$tools/promcb-record" --segment="${PROMCB_SEGMENT}_two" --stdin || fail record
for name in one two three; do
  "$tools/promcb-record" --segment="${PROMCB_SEGMENT}_$name" --latency=1 --success calls || fail record
done
for i in 1 2 3; do
  "$PROMCB_BUILD/tests/e2e_storm" "${PROMCB_SEGMENT}_two" calls >"$scratch/storm$i" &
  storms="$storms $!"
  await grep -q storming "$scratch/storm$i"
done
start --segment="${PROMCB_SEGMENT}_*" --web.share-ms=0
# Whoever storms does not always run, and a look may find a stable view: then all three are up.
down=0
others_are_up() { # FILE
  for name in one three; do
    grep -q -x -F -e "promcb_up{segment=\"${PROMCB_SEGMENT}_$name\"} 1" "$1" &&
      grep -q -x -F -e "circuit_breaker_calls_total{segment=\"${PROMCB_SEGMENT}_$name\",component=\"calls\"} 1" "$1" ||
      fail "$name is missing: $(grep -F -e promcb_up "$1")"
  done
}
is_down() { # FILE
  others_are_up "$1"
  grep -q -x -F -e "promcb_up{segment=\"${PROMCB_SEGMENT}_two\"} 0" "$1"
}
scrape_is_down() {
  answers 200 /metrics -H 'X-Prometheus-Scrape-Timeout-Seconds: 2'
  is_down "$scratch/body"
}
export_is_down() {
  "$tools/promcb-export" --segment="${PROMCB_SEGMENT}_*" >"$scratch/out" 2>"$scratch/err"
  is_down "$scratch/out"
}
# At least one look falls into the storm, sooner or later.
for ((look = 0; look < $(scaled 20) || (look < 200 && down == 0); look++)); do
  if scrape_is_down; then
    down=$((down + 1))
    grep -q 'msg="segment cannot be read' "$scratch/log" || fail "the log says nothing: $(cat "$scratch/log")"
  fi
done
for _ in $(seq "$(scaled 5)"); do
  export_is_down && down=$((down + 1))
done
echo "in $down of $((look + $(scaled 5))) looks the storm was too much"
[ $down -gt 0 ] || fail "no look fell into the storm"
stop
# shellcheck disable=SC2086
kill $storms
# shellcheck disable=SC2086
wait $storms 2>/dev/null
storms=

# -- Many that are cut short -------------------------------------------------------------------------------------------
rm -f /dev/shm"${PROMCB_SEGMENT}"_*
kept=/dev/shm$PROMCB_SEGMENT
"$tools/promcb-admin" create --max-bytes=2M --lanes=4 --components=64 || fail create
seq 40 | sed 's/.*/component& 0.001 success/' | "$tools/promcb-record" --stdin || fail record
for i in $(seq 100 399); do
  cp --sparse=never "$kept" "${kept}_$i" || fail cp
done
"$tools/promcb-record" --latency=1 --success whole || fail record
start --segment="$PROMCB_SEGMENT" --segment="${PROMCB_SEGMENT}_*" --web.share-ms=0
answers 200 /metrics
[ "$(grep -c '^promcb_up{.* 1$' "$scratch/body")" = 256 ] || fail "$(grep -c '^promcb_up{.* 1$' "$scratch/body") are up"
python3 - "${kept}_" <<'PYTHON' &
import os, sys
files = [os.open(sys.argv[1] + str(i), os.O_RDWR) for i in range(100, 400)]
kept = os.pread(files[0], 1 << 22, 0)
while True:
    for fd in files:
        os.ftruncate(fd, 0)
        os.pwrite(fd, kept, 0)
PYTHON
spoiler=$!
scrapers=
clients=$(scaled 8)
for i in $(seq "$clients"); do
  (
    for _ in 1 2; do
      curl -s -o "$scratch/body$i" -w '%{http_code}\n' "$url/metrics" >>"$scratch/codes" || echo "$?" >>"$scratch/codes"
      grep -q -F "circuit_breaker_calls_total{segment=\"$PROMCB_SEGMENT\",component=\"whole\"} 1" "$scratch/body$i" ||
        echo "the whole one is missing" >>"$scratch/codes"
    done
  ) &
  scrapers="$scrapers $!"
done
# shellcheck disable=SC2086
wait $scrapers
kill -0 "$background" 2>/dev/null || fail "the sidecar died: $(tail -n 3 "$scratch/log")"
[ "$(sort "$scratch/codes" | uniq -c | xargs)" = "$((2 * clients)) 200" ] || fail "$(sort "$scratch/codes" | uniq -c)"
kill $spoiler
wait $spoiler 2>/dev/null
spoiler=
stop
