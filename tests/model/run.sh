#!/bin/bash
# SPDX-License-Identifier: MIT
# Checks each model of a protocol in full: the protocol as it is must hold, and with each of its mutations, a fence
# less or two steps swapped, the check must fail. One line each: model, mutation, states, verdict.
#
#     tests/model/run.sh [MODEL...]
#
# With PROMCB_QUICK, the protocols alone, and QUICK is defined. The search is complete and depends on nothing but these
# files and the programs that make it: what held once in a build (PROMCB_BUILD) is not searched again.
set -u
cd "$(dirname "$0")" || exit 1
for tool in spin gcc; do
  command -v $tool >/dev/null || { echo "$tool is not installed"; exit 77; }
done
models=$PWD
kept=
if [ $# -eq 0 ] && [ -n "${PROMCB_BUILD-}" ]; then
  sum=$( (cat ./*.pml weak.h run.sh; spin -V; gcc --version) | sha256sum)
  kept=$PROMCB_BUILD/model-results/${sum%% *}
  # The whole search is the quick one, too.
  for result in "$kept.whole" ${PROMCB_QUICK:+"$kept.quick"}; do
    if [ -e "$result" ]; then
      cat "$result"
      echo "as it was found before, for the same models"
      exit 0
    fi
  done
fi
temporary=$(mktemp -d) || exit 1
trap 'rm -rf "$temporary"' EXIT

# check MODEL [MUTATION]: a process of its own, two at a time.
check() {
  local model=$1 mutation=${2-} optimise=-O1 expected=holds verdict directory states
  directory=$temporary/$model.$mutation
  mkdir "$directory" && cd "$directory" || return 1
  # To compile takes longer than to find a fault.
  [ -z "$mutation" ] || { optimise=-O0; expected=fails; }
  if ! spin ${mutation:+-D$mutation} ${PROMCB_QUICK:+-DQUICK} -a "$models/$model.pml" >log 2>&1 ||
    ! gcc $optimise -w -DSAFETY -DNOFAIR -DCOLLAPSE -DMEMLIM=2000 -o pan pan.c >>log 2>&1; then
    verdict='does not compile'
  else
    ./pan -m100000 -w20 -n >log 2>&1
    if grep -q 'assertion violated' log; then
      verdict=fails
    elif grep -qE 'not completed|depth too small|reached -DMEMLIM|out of memory' log; then
      verdict='was not searched to the end'
    elif grep -q 'errors: 0$' log; then
      verdict=holds
    else
      verdict='ended in no way known'
    fi
  fi
  states=$(awk '/states, stored/ { printf "%d", $1 }' log)
  printf -v states '%-10s %-20s %9s states  %s' "$model" "${mutation:--}" "${states:-0}" "$verdict"
  if [ "$verdict" = "$expected" ]; then
    echo "$states"
  else
    echo "$states, and should be one that $expected"
    [ -n "$mutation" ] || grep -E 'rror|violated|invalid end' log | head -n 5
    touch "$temporary/failed"
  fi
  rm -rf "$directory"
}
export -f check
export models temporary

[ $# -gt 0 ] || set -- $(for file in *.pml; do echo "${file%.pml}"; done)
printf '%s\n' "$@" >"$temporary/work"
for model; do
  # What the header of a model lists is what its steps know.
  known=$(grep '^#' "$model.pml" | grep -oE '\<M_[A-Z_]+' | sort -u)
  listed=$(sed -n '2,/\*\/$/p' "$model.pml" | grep -oE '\<M_[A-Z_]+' | sort -u)
  if [ "$known" != "$listed" ] || [ -z "$listed" ]; then
    echo "$model: the mutations of its header and of its steps differ:" $listed / $known
    touch "$temporary/failed"
  fi
  [ -z "${PROMCB_QUICK-}" ] || continue
  for mutation in $listed; do
    echo "$model $mutation"
  done
done >>"$temporary/work"
# The complaints above stand among the work.
grep ': the mutations' "$temporary/work" && sed -i '/: the mutations/d' "$temporary/work"
xargs -P "$(nproc)" -L 1 bash -c 'check "$@"' check <"$temporary/work" | tee "$temporary/result"
[ ! -e "$temporary/failed" ] && [ -s "$temporary/result" ] || exit 1
[ -n "$kept" ] || exit 0
[ -n "${PROMCB_QUICK-}" ] && kept=$kept.quick || kept=$kept.whole
mkdir -p "${kept%/*}" && cp "$temporary/result" "$kept.new" && mv "$kept.new" "$kept"
