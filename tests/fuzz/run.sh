#!/bin/bash
# SPDX-License-Identifier: MIT
#
# run.sh: fuzzes each target for a while, keeps what reached something new, and tells what was reached.
#
#   tests/fuzz/run.sh SECONDS [TARGET...]     TARGET: fuzz_segment, say; all by default; one after the other
#   CC=clang-19 tests/fuzz/run.sh ...         by that version of clang, its runtime and its tools; clang by default
#
# Each version builds in a directory of its own (build/fuzz-19); all go on from the same grown corpora, in
# build/fuzz/corpus. At the end those are merged into tests/fuzz/corpus: of the inputs that are named by their hash,
# those stay that reach an edge of their own; those with a name stay. With 0 seconds, merges and measures alone.
# Findings lie in findings of the build's directory; then the exit status is 1.
#
# Prints a table: executions, executions per second, edges and features that the corpus reaches, files and bytes of it,
# and which share of the lines of lib/ (and tools/record/line.c) it runs.
set -u
cd "$(dirname "$0")/../.." || exit 1
seconds=${1-}
if ! [[ $seconds =~ ^[0-9]+$ ]]; then
  echo "Usage: tests/fuzz/run.sh SECONDS [TARGET...]" >&2
  exit 2
fi
shift
compiler=${CC:-clang}
version=${compiler#clang}
if ! [[ $compiler =~ ^clang(-[0-9]+)?$ ]]; then
  echo "run.sh: CC is \"$compiler\": expected clang, or clang-19, say" >&2
  exit 2
fi
for tool in clang clang++ llvm-profdata llvm-cov; do
  command -v $tool$version >/dev/null || { echo "run.sh: $tool$version is not installed" >&2; exit 77; }
done
export CC=clang$version CXX=clang++$version

corpora=build/fuzz/corpus
build=build/fuzz$version
measured=build/fuzz-coverage$version
[ -e $build/build.ninja ] || meson setup $build >/dev/null || exit 1
profile='-fprofile-instr-generate -fcoverage-mapping'
[ -e $measured/build.ninja ] ||
  LLVM_PROFILE_FILE=/dev/null meson setup -Dc_args="$profile" -Dc_link_args="$profile" $measured >/dev/null || exit 1
[ $# -gt 0 ] || set -- $(sed -n "s/^  '\(fuzz_[a-z_]*\)':.*/\1/p" tests/fuzz/meson.build)
programs=("${@/#/tests/fuzz/}")
ninja -C $build "${programs[@]}" >/dev/null && ninja -C $measured "${programs[@]}" >/dev/null || exit 1

export ASAN_OPTIONS=abort_on_error=1:detect_stack_use_after_return=1:strict_string_checks=1:quarantine_size_mb=16
export UBSAN_OPTIONS=halt_on_error=1:abort_on_error=1:print_stacktrace=1
limits=(-timeout=20 -rss_limit_mb=1024 -malloc_limit_mb=256)
mkdir -p $build/findings
status=0
objects=()

number() { # name of a final statistic, log
  sed -n "s/^stat::$1: *//p" "$2"
}
lines_of() { # program, profiles: run lines, lines, share; of the sources that are the target's to run
  local program=$1
  shift
  llvm-profdata$version merge -sparse "$@" -o $measured/fuzz.profdata 2>/dev/null &&
    llvm-cov$version report $program -instr-profile=$measured/fuzz.profdata lib tools/record/line.c 2>/dev/null |
    awk '$1 == "TOTAL" { printf "%d of %d (%s)\n", $8 - $9, $8, $10 }'
}

printf '%-18s %12s %8s %7s %9s %7s %8s  %s\n' target executions per_s edges features files bytes lines
for target; do
  what=${target#fuzz_}
  kept=tests/fuzz/corpus/$what grown=$corpora/$what log=$build/$target.log
  mkdir -p "$kept" "$grown"
  : >"$log"
  if [ "$seconds" -gt 0 ] &&
    ! $build/tests/fuzz/"$target" -max_total_time="$seconds" -len_control=0 "${limits[@]}" -print_final_stats=1 \
      -artifact_prefix=$build/findings/"$what"- "$grown" "$kept" >"$log" 2>&1; then
    echo "$target: a finding, see $log and $build/findings" >&2
    status=1
  fi
  merged=$(mktemp -d)
  find "$kept" -type f | grep -vE '/[0-9a-f]{40}$' | xargs -r cp -t "$merged"
  if $build/tests/fuzz/"$target" -merge=1 -use_counters=0 "${limits[@]}" \
    -artifact_prefix=$build/findings/"$what"- "$merged" "$kept" "$grown" >"$log.merge" 2>&1; then
    find "$kept" -type f | grep -E '/[0-9a-f]{40}$' | xargs -r rm
    find "$merged" -type f -exec cp -t "$kept" {} +
  else
    echo "$target: the merge failed, see $log.merge" >&2
    status=1
  fi
  rm -rf "$merged"
  LLVM_PROFILE_FILE=$measured/$target.profraw $measured/tests/fuzz/"$target" -runs=0 "$kept" "$grown" \
    >"$log.coverage" 2>&1
  objects+=(-object "$measured/tests/fuzz/$target")
  reached=$(grep -oE 'cov: [0-9]+ ft: [0-9]+' "$log.coverage" | tail -n 1)
  printf '%-18s %12s %8s %7s %9s %7s %8s  %s\n' "$target" "$(number number_of_executed_units "$log")" \
    "$(number average_exec_per_sec "$log")" $(awk '{ print $2, $4 }' <<<"$reached") \
    "$(find "$kept" -type f | wc -l)" "$(cat "$kept"/* | wc -c)" \
    "$(lines_of "$measured/tests/fuzz/$target" "$measured/$target.profraw")"
done
printf '%-18s %63s %s\n' together '' "$(lines_of "${objects[1]} ${objects[*]:2}" $measured/fuzz_*.profraw)"
exit $status
