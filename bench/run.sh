#!/bin/bash
# SPDX-License-Identifier: MIT
#
# run.sh: how fast is promcb on this machine, beside what cannot be saved and beside its peers?
#
#   bench/run.sh [--quick] [--no-install] [--rounds N] [--drift SECONDS]
#
# --quick         fewer cases and rounds: under two minutes once built
# --no-install    installs nothing: peers that are not there are told as "not installed"
# --rounds N      how often each program is run (5, quick: 2), with eight measurements of each case in a run
# --drift SECONDS how long the timer is held against CLOCK_MONOTONIC (10, quick: 2)
#
# Builds promcb twice, as released and with link-time optimization, in build/bench and build/bench-lto. Every program
# has its turn in each round, so that a drifting machine hits all alike; workers are pinned to processors. Prints one
# table (report.py). The rows lie in build/bench-results/*.csv then, from which plot.py draws.
set -u
cd "$(dirname "$0")/.." || exit 1
exec </dev/null
export LC_ALL=C.UTF-8
unset PROMCB_SEGMENT

quick= install=yes rounds= drift=
while [ $# -gt 0 ]; do
  case $1 in
  --quick) quick=yes ;;
  --no-install) install= ;;
  --rounds) rounds=${2?} && shift ;;
  --drift) drift=${2?} && shift ;;
  *)
    sed -n '3,13s/^# \{0,1\}//p' "$0"
    [ "$1" = --help ] && exit 0
    exit 2
    ;;
  esac
  shift
done

# Milliseconds of one measurement; components and lanes; what is too much for quick is what takes memory and time. Many
# short measurements: most of them are over before a neighbour's turn comes, so that the median is of those.
repeats=8
if [ -n "$quick" ]; then
  rounds=${rounds:-2} drift=${drift:-2}
  budget=2 once=10000 components="1 1000" names="100 1000"
  scraped=1000 served="1 1000" scraped_repeats=1 scraped_budget=100 rendered="10 1000" series="1 1000"
  segments="10x1xcold 10x1xfull 1000x1xfull 1000x16xcold 1000x16xfull 10000x4xcold 10000x4xfull"
else
  rounds=${rounds:-5} drift=${drift:-10}
  budget=10 once=100000 components="1 100 1000 10000" names="100 1000 10000"
  scraped="1 100 1000" served="1 100 1000" scraped_repeats=3 scraped_budget=200 rendered="10 1000 10000"
  series="1 10 1000 100000"
  segments=
  for state in cold full; do
    for c in 10 1000 10000; do
      for lanes in 1 16 64; do
        segments="$segments ${c}x${lanes}x$state"
      done
    done
  done
  segments="$segments 1000x4xfull 10000x4xcold 10000x4xfull 10000x4xmixed"
fi

if [ -n "$install" ]; then
  tools/packages.sh build bench || echo "run.sh: going on without what is missing" >&2
fi

build() { # directory, options
  local log=$1.log
  mkdir -p build
  {
    # shellcheck disable=SC2086
    if [ -e "$1/build.ninja" ]; then meson setup --reconfigure $2 "$1"; else meson setup $2 "$1"; fi &&
      ninja -C "$1" bench
  } >"$log" 2>&1 && return
  tail -n 40 "$log" >&2
  echo "run.sh: $1 cannot be built" >&2
  exit 1
}
build build/bench "-Dbuildtype=release"
build build/bench-lto "-Dbuildtype=release -Db_lto=true"

mkdir -p build/bench-results
results=build/bench-results/$(date -u +%Y%m%dT%H%M%SZ).csv
segment=/promcb-bench-run-$$
trap 'rm -f "/dev/shm$segment"; [ -z "${half-}" ] || rm -f "$half"' EXIT
trap 'exit 130' INT TERM
half=$(mktemp)

# -- The machine ----------------------------------------------------------------------------------------------------

python_client=
/usr/bin/python3 -c 'import prometheus_client' 2>/dev/null && python_client=yes

first() { # file, or what is said if it cannot be read
  head -n 1 "$1" 2>/dev/null || echo "$2"
}
{
  echo "# promcb $(git describe --always --dirty 2>/dev/null), $(date -u +'%Y-%m-%d %H:%M') UTC"
  echo "# processor: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) usable," \
    "family $(sed -n 's/^cpu family[^:]*: //p' /proc/cpuinfo | head -n 1)" \
    "model $(sed -n 's/^model[[:blank:]]*: //p' /proc/cpuinfo | head -n 1)," \
    "$(grep -q '^flags.* hypervisor' /proc/cpuinfo && echo 'virtual machine' || echo 'no hypervisor')"
  echo "# memory: $(sed -n 's/^MemTotal: *//p' /proc/meminfo), governor:" \
    "$(first /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor unknown), clock source:" \
    "$(first /sys/devices/system/clocksource/clocksource0/current_clocksource unknown)"
  echo "# kernel: $(uname -sr), compiler: $(sed -n 's/^C compiler for the host machine: [^(]*(\(.*\))$/\1/p' \
    build/bench.log | head -n 1)"
  echo "# load before: $(cut -d' ' -f1-3 /proc/loadavg)"
  echo "# rounds: $rounds, measurements in each: $repeats of $budget ms"
  [ -x build/bench/bench/peer_prometheus_cpp ] || echo "# absent prometheus-cpp"
  [ -x build/bench/bench/peer_pcp ] || echo "# absent PCP MMV"
  [ -n "$python_client" ] || printf '# absent %s\n' python "python multiprocess"
} >"$results"
echo variant,round,group,what,who,x,y,workers,unit,value >>"$results"

# -- Running it -----------------------------------------------------------------------------------------------------

round=0
bench() { # variant, program, arguments: its rows, or a word that there are none
  local variant=$1 directory=build/bench/bench program=$2
  shift 2
  [ "$variant" = release ] || directory=build/bench-lto/bench
  case $program in
  */*) ;;
  *) program=$directory/$program ;;
  esac
  [ -x "$program" ] || return 0
  if ! "$program" "$@" >"$half"; then
    echo "run.sh: $program $* failed" >&2
    failed=yes
  fi
  sed "s/^/$variant,$round,/" "$half" >>"$results"
}

# Whether a segment of this size leaves half of the memory to others. A full pair takes 13.4 KiB, a cold one 5.4, and
# a reader's copy of the recent samples as much again.
fits() { # components, lanes, state
  local per_pair=11 available
  [ "$3" = cold ] || per_pair=27
  available=$(sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo)
  [ $(($1 * $2 * per_pair)) -lt $((available / 2)) ]
}

failed=
for round in $(seq "$rounds"); do
  [ ! -t 2 ] || printf '\rround %s of %s ' "$round" "$rounds" >&2
  for variant in release lto; do
    bench $variant bench_record $repeats $budget
  done
  bench release bench_record_cxx $repeats $budget
  bench release peer_prometheus_cpp $repeats $budget $rendered
  bench release peer_pcp $repeats $budget
  # The slow ones once in two rounds.
  if [ $((round % 2)) = 1 ]; then
    if [ -n "$python_client" ]; then
      bench release bench/peer_python.py 2 20 $rendered
      bench release bench/peer_python.py --multiprocess 1 20 $rendered
    fi
    bench release bench_scraped $scraped_repeats $scraped_budget $scraped
    bench release bench_sidecar build/bench/tools/sidecar/promcb-sidecar $scraped_repeats 500 $served
  fi
  for variant in release lto; do
    bench $variant bench_components $repeats $budget $components
    bench $variant bench_series $repeats $budget $series
    bench $variant bench_breaker $repeats $budget
    for count in $names; do
      bench $variant bench_name $repeats $budget "$count"
    done
  done
  bench release peer_prometheus_cpp_series $repeats $budget $series
  for count in $series; do
    [ "$count" = 1 ] || bench release bench_read_series $segment "$count" 16 2
  done
  for size in $segments; do
    IFS=x read -r count lanes state <<<"$size"
    if ! fits "$count" "$lanes" "$state"; then
      [ "$round" != 1 ] || echo "# left out: $count components, $lanes lanes, $state: not enough memory" >>"$results"
      continue
    fi
    # A segment that takes seconds to fill is filled in the first round, and one that takes long to read, too.
    if [ "$round" -gt 1 ] && [ $((count * lanes)) -gt "$once" ]; then
      continue
    fi
    rm -f "/dev/shm$segment"
    bench release bench_fill $segment "$count" "$lanes" "$state"
    bench release bench_read $segment "$state" "$lanes" 2
    bench release bench_export build/bench/tools/promcb-export $segment "$state" "$count" "$lanes" 3
    rm -f "/dev/shm$segment"
  done
  bench release bench_clock $repeats $budget "$([ "$round" = 1 ] && echo "$drift" || echo 0)"
done
[ ! -t 2 ] || printf '\r%20s\r' '' >&2
echo "# load after: $(cut -d' ' -f1-3 /proc/loadavg)" >>"$results"

bench/report.py "$results" | tee "${results%.csv}.txt"
echo "$results"
[ -z "$failed" ]
