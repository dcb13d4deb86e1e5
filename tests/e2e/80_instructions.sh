#!/bin/bash
# SPDX-License-Identifier: MIT
# The fast paths do not grow: instructions, conditional branches and calls of each, as valgrind counts them, stay below
# a limit that lies some 5 % above what they were when the limit was set. Counts do not depend on the machine's mood.
# A row with the counts is printed for each path, so that a limit can be lowered when a path gets shorter. Limits are a
# compiler's: gcc 14 keeps an argument of promcb_record_at() in a register that must be saved, for one that is free.
. "$(dirname "$0")/tools_prelude.sh"
compiler=${PROMCB_COUNTED-}
[ -n "$compiler" ] || { echo "only a plain release build for x86-64 is counted"; exit 77; }
command -v valgrind >/dev/null || { echo "valgrind is not installed"; exit 77; }
paths=${PROMCB_BUILD:?}/tests/e2e_paths
# Neither the dynamic linker nor what fills fresh memory shall be on the path.
export LD_BIND_NOW=1
unset MALLOC_PERTURB_

# path, how often, then limits of instructions, branches and calls, each for one time and with the loop around it
# (3 to 7 instructions); of rendering: for one line of text. Clocks are system calls under valgrind, so "record" and
# "start_stop" are without what the kernel's page of clocks has to do. "call" is 180 where no names meet in the
# hints, which addresses and a random number decide: up to 228 were seen.
case $compiler in
gcc-12)
  limits='
    record_at_inline 10000 47 3.2 0.1
    record_at 10000 60 6.3 1.1
    record_at_failures 10000 81 7.8 1.9
    record_many 10000 35 4.4 0.1
    record 10000 86 9.5 2.1
    start_stop 10000 125 14.0 4.2
    start_stop_coarse 10000 119 14.8 6.3
    lap 10000 120 11.6 2.2
    prepared 1000 96 9.7 2.2
    call 10000 270 36 4.8
    count_log 10000 85 9.5 5.3
    counter_add_inline 10000 16 3.4 0.1
    counter_add 10000 20 4.4 1.2
    counter_add_double 10000 36 7.6 1.2
    counter_add_with 10000 494 76 11.7
    gauge_set 10000 23 4.4 1.2
    histogram_observe 10000 44 4.5 1.2
    guarded_inline 10000 78 9.5 0.1
    guarded 10000 101 14.7 2.2
    render 4 150 16.6 0.1'
  ;;
gcc-14)
  limits='
    record_at_inline 10000 47 3.2 0.1
    record_at 10000 63 6.3 1.1
    record_at_failures 10000 84 7.8 1.9
    record_many 10000 35 4.4 0.1
    record 10000 86 9.5 2.1
    start_stop 10000 125 14.0 4.2
    start_stop_coarse 10000 119 14.8 6.3
    lap 10000 120 11.6 2.2
    prepared 1000 96 9.7 2.2
    call 10000 270 36 4.8
    count_log 10000 82 9.5 4.2
    render 4 158 16.6 0.1'
  ;;
clang-14)
  limits='
    record_at_inline 10000 44 3.2 0.1
    record_at 10000 59 6.3 1.1
    record_at_failures 10000 78 7.8 1.9
    record_many 10000 35 4.4 0.1
    record 10000 87 9.5 2.1
    start_stop 10000 124 14.0 4.2
    start_stop_coarse 10000 118 14.8 6.3
    lap 10000 120 11.6 2.2
    prepared 1000 96 9.7 2.2
    call 10000 270 36 4.8
    count_log 10000 103 11.5 7.4
    counter_add_inline 10000 16 3.4 0.1
    counter_add 10000 20 4.4 1.2
    counter_add_double 10000 37 7.6 1.2
    counter_add_with 10000 505 76 12.7
    gauge_set 10000 21 4.4 1.2
    histogram_observe 10000 44 4.5 1.2
    guarded_inline 10000 76 9.5 0.1
    guarded 10000 102 14.7 3.2
    render 4 149 15.7 0.7'
  ;;
clang-19)
  limits='
    record_at_inline 10000 44 3.2 0.1
    record_at 10000 59 6.3 1.1
    record_at_failures 10000 78 7.8 1.9
    record_many 10000 37 4.4 0.1
    record 10000 87 9.5 2.1
    start_stop 10000 124 14.0 4.2
    start_stop_coarse 10000 118 14.8 6.3
    lap 10000 120 11.6 2.2
    prepared 1000 96 9.7 2.2
    call 10000 270 36 4.8
    count_log 10000 74 7.4 5.3
    render 4 149 15.7 0.7'
  ;;
*)
  echo "no limits are known for $compiler"
  exit 77
  ;;
esac

valgrind --tool=callgrind --callgrind-out-file="$scratch/callgrind" "$paths" nothing 1 >"$scratch/out" 2>&1 ||
  { echo "valgrind cannot run a program here: $(tail -n 1 "$scratch/out")"; exit 77; }

failed=
while read -r path count instructions branches calls; do
  [ -n "$path" ] || continue
  # To start each takes longer than to count.
  [ -z "${PROMCB_QUICK-}" ] || [[ $path = record_at* || $path = record_many ]] || continue
  rm -f "/dev/shm$PROMCB_SEGMENT" "$scratch"/callgrind*
  valgrind --tool=callgrind --callgrind-out-file="$scratch/callgrind" --branch-sim=yes \
    --dump-before=paths_walk --dump-after=paths_walk \
    "$paths" "$path" "$count" >"$scratch/out" 2>"$scratch/err" || fail "$path: $(tail -n 3 "$scratch/err")"
  python3 - "$scratch" "$path" "$instructions" "$branches" "$calls" <<'PYTHON' || failed=yes
import sys

scratch, path, *limits = sys.argv[1:]
done = next(int(line.split()[1]) for line in open(scratch + "/out") if line.startswith("done "))
events, totals, calls = [], [], 0
# The second part is what went on between the two dumps.
for line in open(scratch + "/callgrind.2"):
    if line.startswith("events:"):
        events = line.split()[1:]
    elif line.startswith(("totals:", "summary:")):
        totals = [int(word) for word in line.split()[1:]]
    elif line.startswith("calls="):
        calls += int(line[6:].split()[0])
cost = dict(zip(events, totals))
counts = (cost["Ir"] / done, (cost["Bc"] + cost["Bi"]) / done, calls / done)
names = ("instructions", "branches", "calls")
over = [name for name, count, limit in zip(names, counts, limits) if count > float(limit)]
print(f"{path}: {counts[0]:.2f} instructions (limit {limits[0]}), {counts[1]:.2f} branches ({limits[1]}), "
      f"{counts[2]:.2f} calls ({limits[2]}){': TOO MANY ' + ', '.join(over) if over else ''}")
sys.exit(bool(over))
PYTHON
done <<<"$limits"
[ -z "$failed" ] || fail "a fast path has grown. If that cannot be helped, say why in the commit that raises its limit"
