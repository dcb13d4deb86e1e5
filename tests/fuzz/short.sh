#!/bin/sh
# SPDX-License-Identifier: MIT
#
# short.sh: the short run of one fuzz target, as a test: each kept input once, then new ones for PROMCB_FUZZ_SECONDS
# (15), from the same seed each time. Fails on any finding, and prints the input that made it, in base 64.
#
#   short.sh PROGRAM CORPUS
set -eu
program=$1 corpus=$2
seconds=${PROMCB_FUZZ_SECONDS:-15}
temporary=$(mktemp -d)
pid=none
trap 'rm -rf "$temporary" /dev/shm/promcb-fuzz-$pid-*' EXIT
trap 'exit 130' INT TERM
mkdir "$temporary/new"
unset MALLOC_PERTURB_
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}quarantine_size_mb=16"
"$program" -seed=1 -len_control=0 -max_total_time="$seconds" -timeout=20 -rss_limit_mb=1024 -malloc_limit_mb=256 \
  -print_final_stats=1 -artifact_prefix="$temporary/" "$temporary/new" "$corpus" >"$temporary/log" 2>&1 &
pid=$!
if ! wait $pid; then
  tail -n 100 "$temporary/log"
  for input in "$temporary"/*-*; do
    [ -f "$input" ] || continue
    echo "${input##*/}:"
    base64 "$input"
  done
  exit 1
fi
grep -E 'stat::(number|average)|DONE' "$temporary/log"
