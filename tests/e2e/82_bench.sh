#!/bin/bash
# SPDX-License-Identifier: MIT
# The benchmarks run, and what they print becomes a table and drawings. How fast it was is not looked at.
. "$(dirname "$0")/tools_prelude.sh"
bench=$PROMCB_BUILD/bench
source=$PROMCB_SOURCE/bench

rows() { # program, arguments
  local program=$1
  shift
  "$bench/$program" "$@" >>"$scratch/rows" 2>"$scratch/err" || fail "$program: $(cat "$scratch/err")"
}
rows bench_record 1 1
rows bench_record_cxx 1 1
rows bench_components 1 1 1 10
rows bench_name 1 1 10
rows bench_series 1 1 10
rows bench_read_series "$PROMCB_SEGMENT" 10 2 1
[ ! -x "$bench/peer_prometheus_cpp_series" ] || rows peer_prometheus_cpp_series 1 1 10
rows bench_clock 1 1 0
rows bench_breaker 1 1
rows bench_sidecar "$tools/sidecar/promcb-sidecar" 1 1 1
for state in cold full mixed; do
  rm -f "/dev/shm$PROMCB_SEGMENT"
  rows bench_fill "$PROMCB_SEGMENT" 10 2 $state
  rows bench_read "$PROMCB_SEGMENT" $state 2 1
  rows bench_export "$tools/promcb-export" "$PROMCB_SEGMENT" $state 10 2 1
done
matches -vE '^[a-z]+,[^,]+,[^,]+,[0-9]+,[0-9]+,[^,]+,[^,]+,-?[0-9.e+-]+$' "$scratch/rows" && fail "these are no rows"

"$source/report.py" "$scratch/rows" >"$scratch/table" || fail "report.py"
for wanted in '^record_at inlined  *1 thread' '^start \+ stop  *2 processes' '^components at random  x=10' \
  '^by name  x=10' '^counter inlined  x=10' '^counter by label values  x=10' \
  '^protobuf a series  x=10 y=2' '^allow \+ done inlined  *2 threads' \
  '^probe  *2 processes' '^quantiles \(full\)  x=10 y=2' \
  '^of the speed at 10 a second  x=1 y=1000' '^promcb-export whole process \(cold\)  x=10 y=2' \
  '^segment per component and lane \(mixed\)' '[0-9]+ goals reached'; do
  grep -qE "$wanted" "$scratch/table" || fail "no line \"$wanted\" in: $(cat "$scratch/table")"
done

{
  echo "# a run"
  sed 's/^/release,1,/' "$scratch/rows"
} >"$scratch/run.csv"
"$source/plot.py" "$scratch/run.csv" "$scratch/plots" >"$scratch/out" || fail "plot.py"
for name in workers components; do
  python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])' "$scratch/plots/$name.svg" ||
    fail "$name.svg is no SVG"
done
cp "$source/../README.md" "$scratch/README.md"
cp "$source/README.md" "$scratch/bench.md"
"$source/readme.py" "$scratch/run.csv" "$scratch/README.md" "$scratch/bench.md" || fail "readme.py"
grep -qE '^\| `promcb_record_at` \| \*\*[0-9.]+\*\* ns' "$scratch/README.md" || fail "no record in README.md's table"
"$source/run.sh" --help | grep -q -- --quick || fail "run.sh --help"
