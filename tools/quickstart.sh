#!/bin/bash
# SPDX-License-Identifier: MIT
#
# quickstart.sh: from a fresh Debian 12 to live numbers: installs what is missing, builds into build/, then lets several
# processes record real calls in one segment and shows what it holds.
#
#   tools/quickstart.sh [--seconds N] [--once] [--no-install]
#
# --seconds N    how long to watch (default 10)        --no-install    install nothing
# --once         end then, instead of going on to serve until Ctrl-C; also where standard input is no terminal
# The segment is its own, and is removed at the end, as are the processes; nothing leaves the machine.
set -eu
cd "$(dirname "$0")/.."

seconds=10
install=yes
once=
[ -t 0 ] || once=yes
usage() {
  echo "Usage: tools/quickstart.sh [--seconds N] [--once] [--no-install]"
}
while [ $# -gt 0 ]; do
  case $1 in
  --seconds)
    seconds=${2-}
    shift
    ;;
  --seconds=*) seconds=${1#*=} ;;
  --no-install) install= ;;
  --once) once=yes ;;
  --help | -h)
    usage
    exit 0
    ;;
  *)
    echo "quickstart.sh: unexpected argument \"$1\"" >&2
    usage >&2
    exit 1
    ;;
  esac
  [ $# -eq 0 ] || shift
done
if ! [[ $seconds =~ ^[1-9][0-9]{0,4}$ ]]; then
  echo "quickstart.sh: invalid --seconds \"$seconds\": expected 1 to 99999" >&2
  exit 1
fi

# -- Build ----------------------------------------------------------------------------------------------------------

# Runs a command quietly, unless it fails.
quietly() {
  local log
  log=$(mktemp)
  if ! "$@" >"$log" 2>&1 </dev/null; then
    cat "$log" >&2
    rm -f "$log"
    echo "quickstart.sh: failed: $*" >&2
    return 1
  fi
  rm -f "$log"
}

echo "== Packages"
missing=$(tools/packages.sh --missing build)
if [ -n "$missing" ] && [ -z "$install" ]; then
  echo "quickstart.sh: not installed, and --no-install was given:" $missing >&2
  exit 1
fi
if [ -n "$missing" ]; then
  tools/packages.sh build
else
  echo "all there"
fi
echo "== Build"
[ -e build/build.ninja ] || quietly meson setup build -Dtests=false
quietly ninja -C build
echo "build/tools/: promcb-record, promcb-export, promcb-admin, top/promcb-top, sidecar/promcb-sidecar"
echo "build/lib/: libpromcb.so, libpromcb.a"

# -- Record ---------------------------------------------------------------------------------------------------------

tools=build/tools
segment=/promcb-quickstart-$$
export PROMCB_SEGMENT=$segment
scratch=$(mktemp -d)
finish() {
  status=$?
  trap - EXIT INT TERM HUP
  # Whatever runs by now, were it only for an instant.
  children=$(jobs -p)
  if [ -n "$children" ]; then
    # shellcheck disable=SC2086
    kill -TERM $children 2>/dev/null || true
    wait
  fi
  "$tools/promcb-admin" remove --force >/dev/null 2>&1 || true
  rm -rf "$scratch"
  exit $status
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

echo "== Three processes of three threads each record what they do into the segment $segment"
for _ in 1 2 3; do
  "$tools/examples/promcb-demo" --threads=3 &
done
# Scripts record as well: this one times a command every now and then.
(
  trap 'exit 0' TERM
  while true; do
    "$tools/promcb-record" script_list_usr_bin -- ls /usr/bin >/dev/null
    "$tools/promcb-record" --add 'script_rounds_total{script="quickstart"}' 1
    sleep 0.5 &
    wait $!
  done
) &

# The sidecar serves it all the time, on its own port if that is free.
"$tools/sidecar/promcb-sidecar" --web.listen-address=127.0.0.1:10042 2>"$scratch/sidecar" &
sidecar=$!
for _ in $(seq 100); do
  ! grep -q 'msg=listening' "$scratch/sidecar" || break
  if ! kill -0 $sidecar 2>/dev/null; then
    "$tools/sidecar/promcb-sidecar" --web.listen-address=127.0.0.1:0 2>"$scratch/sidecar" &
    sidecar=$!
  fi
  sleep 0.1
done
url=http://$(sed -n 's/.*msg=listening address=\([^ ]*\).*/\1/p' "$scratch/sidecar" | head -n 1)

# -- Watch ----------------------------------------------------------------------------------------------------------

# From Prometheus text to a table; $1: seconds since the table before, $2: its calls by component.
table() {
  awk -v interval="$1" -v before="$2" -v after="$3" '
  function milliseconds(seconds) { return seconds == "NaN" ? "-" : sprintf("%.4f", seconds * 1000) }
  BEGIN {
    head = "%-22s %10s %9s %10s %9s %9s  %s\n"
    row = "%-22s %10d %9s %10.2f %9s %9s  %s\n"
    while ((getline line < before) > 0) {
      split(line, field, "\t")
      known[field[1]] = field[2]
    }
    printf head, "component", "calls", "calls/s", "failed %", "p50 ms", "p99 ms", "breaker"
  }
  /^[a-z_]+[{]component="/ {
    name = $1
    sub(/^[a-z_]+[{]component="/, "", name)
    sub(/".*/, "", name)
  }
  /^circuit_breaker_calls_total[{]/ { calls[name] = $2; order[count++] = name }
  /^circuit_breaker_failure_rate[{]/ { rate[name] = $2 }
  /^circuit_breaker_latency_seconds[{].*quantile="0.5"[}]/ { median[name] = $2 }
  /^circuit_breaker_latency_seconds[{].*quantile="0.99"[}]/ { slowest[name] = $2 }
  /^circuit_breaker_state[{]/ && $2 == 1 {
    state[name] = $1
    sub(/.*state="/, "", state[name])
    sub(/".*/, "", state[name])
  }
  /^promcb_producers / { producers = $2 }
  /^promcb_lanes[{]state="live"[}]/ { lanes = $2 }
  /^promcb_segment_bytes[{]kind="used"[}]/ { bytes = $2 }
  END {
    for (i = 0; i < count; i++) {
      name = order[i]
      if (name == "_overflow") continue
      speed = name in known ? sprintf("%.0f", (calls[name] - known[name]) / interval) : "-"
      printf row, name, calls[name], speed, rate[name], milliseconds(median[name]), milliseconds(slowest[name]),
        state[name]
      print name "\t" calls[name] > after
    }
    printf "%d processes recording, %d lanes taken, %.0f KiB of shared memory\n", producers, lanes, bytes / 1024
  }' "$scratch/text"
}

look() {
  # The first process may still be making the segment.
  for _ in $(seq 50); do
    "$tools/promcb-export" >"$scratch/text" 2>"$scratch/error" &&
      grep -q '^circuit_breaker_calls_total{' "$scratch/text" && return
    sleep 0.1
  done
  cat "$scratch/error" >&2
  return 1
}

interval=1
[ "$seconds" -lt 20 ] || interval=2
[ -t 1 ] || interval=$(((seconds + 3) / 4))
: >"$scratch/before"
drawn=0
passed=0
while [ "$passed" -lt "$seconds" ]; do
  [ "$interval" -le $((seconds - passed)) ] || interval=$((seconds - passed))
  sleep "$interval" &
  wait $!
  passed=$((passed + interval))
  look
  table "$interval" "$scratch/before" "$scratch/after" >"$scratch/table"
  [ ! -e "$scratch/after" ] || mv "$scratch/after" "$scratch/before"
  # On a terminal the table is drawn over the one before.
  if [ -t 1 ]; then
    [ $drawn -eq 0 ] || printf '\033[%dA\033[J' "$drawn"
    drawn=$(wc -l <"$scratch/table")
  else
    echo "-- after $passed s"
  fi
  cat "$scratch/table"
done

# -- Where to go on -------------------------------------------------------------------------------------------------

component=connect_closed_port
echo
echo "== What Prometheus reads of $component (an excerpt of: promcb-export)"
awk -v component="$component" '
  index($0, "component=\"" component "\"") == 0 { next }
  /^circuit_breaker_(calls|successes|failures|state_transitions|not_permitted_calls)_total[{]/ ||
  /^circuit_breaker_(failure_rate|state|latency_seconds|latency_seconds_sum|latency_seconds_count)[{]/ ||
  /^circuit_breaker_call_duration_seconds_bucket[{].*le="(0.0009|0.03125|1.0|[+])/ {
    print "   " $0
    next
  }
  { more++ }
  END { print "   and " more " more lines" }' "$scratch/text"
echo "== And what its circuit breaker does, which the three processes share (promcb-admin breaker show $component)"
"$tools/promcb-admin" breaker show "$component" | sed 's/^/   /'
echo "== And what is counted beside calls: a counter, a level, a gauge, a histogram, and a script's counter"
awk '
  /^(demo|script)_[a-z_]+_bucket[{]/ && !/le="(256|1024|4096|[+]Inf)(\.0)?"/ { next }
  /^(demo|script)_/ { print "   " $0 }' "$scratch/text"
cat <<TEXT

== On from here
   $url/           the sidecar: a page for you; $url/metrics for Prometheus
   build/tools/top/promcb-top --segment $segment
                                        in another terminal: what is wrong first, latency by time; ? tells its keys
   build/tools/promcb-record --help     record from scripts, cron and access logs
   build/tools/promcb-export --help     Prometheus text or JSON, once or every N seconds, to a file or a pipe
   include/promcb/promcb.h              record from C and C++: the 20 lines at its top are a whole program
   tools/monitoring/README.md           Prometheus, alerts and a dashboard in five minutes
   README.md                            the rest
TEXT
if [ -n "$once" ]; then
  # What a scrape would get, asked for as Prometheus asks.
  command -v curl >/dev/null && curl -s -f -o "$scratch/scrape" "$url/metrics" &&
    echo "$(grep -c -v '^#' "$scratch/scrape") series were served at $url/metrics; all of it ends here."
  exit 0
fi
echo
echo "Producers and sidecar go on: open $url/ in a browser. Ctrl-C ends all of it."
wait $sidecar
