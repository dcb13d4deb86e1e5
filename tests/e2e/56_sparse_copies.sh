#!/bin/bash
# SPDX-License-Identifier: MIT
# A copy of a segment reads as the segment does, with holes where its zeros were or without, on tmpfs and on disk; and
# a producer that opens a copy with holes fills what it needs.
. "$(dirname "$0")/tools_prelude.sh"
. "$(dirname "$0")/steady_prelude.sh"

start one "$steady" "$PROMCB_SEGMENT" copied 3
tell one "calls 1000"
tell one "components 40"
# What says how old it is, or who lives, differs.
look() {
  "$tools/promcb-export" --segment "$1" >"$scratch/metrics" 2>"$scratch/err" || fail "$1: $(cat "$scratch/err")"
  grep -v -e '^#' -e promcb_scrape -e promcb_lanes -e promcb_producers -e 'segment_bytes{kind="used"}' \
    "$scratch/metrics"
}
original=/dev/shm$PROMCB_SEGMENT
copies=/dev/shm${PROMCB_SEGMENT}_copies
trap 'at_end; rm -rf "$scratch" "$original" "$copies"' EXIT
mkdir "$copies" || fail "mkdir"
look "$PROMCB_SEGMENT" >"$scratch/expected"
[ "$(grep -c '^circuit_breaker_calls_total' "$scratch/expected")" = 41 ] || fail "components are missing"
for place in "$copies" "$scratch"; do
  for sparse in always never auto; do
    copy=$place/$sparse
    cp --sparse=$sparse "$original" "$copy" || fail "cp --sparse=$sparse"
    look "$copy" >"$scratch/is"
    diff "$scratch/expected" "$scratch/is" >"$scratch/diff" || fail "$copy differs: $(head -5 "$scratch/diff")"
    "$tools/promcb-export" --check --segment "$copy" >/dev/null 2>"$scratch/err" ||
      fail "$copy: $(cat "$scratch/err")"
  done
  copy=$place/dug
  cp "$original" "$copy"
  if fallocate --dig-holes "$copy" 2>"$scratch/err"; then
    before=$(stat -c %b "$copy")
    look "$copy" >"$scratch/is"
    diff "$scratch/expected" "$scratch/is" >"$scratch/diff" || fail "$copy differs: $(head -5 "$scratch/diff")"
    [ "$(stat -c %b "$copy")" = "$before" ] || fail "reading $copy gave memory to its holes"
  else
    echo "no holes can be dug in $place: left out"
  fi
done

# The living one is none the worse for having holes dug into it, which takes nothing but zeros.
if fallocate --dig-holes "$original" 2>/dev/null; then
  tell one "calls 1000"
  calls copied 6000 || fail "calls after holes were dug: $("$tools/promcb-export" | grep calls_total | head -1)"
fi
finish one

# Producers in a copy with holes.
PROMCB_SEGMENT=$copies/always
start two "$steady" "$PROMCB_SEGMENT" copied 5
tell two "calls 100"
tell two "components 60"
calls copied 3500 || fail "calls in a copy: $("$tools/promcb-export" | grep calls_total | head -1)"
calls copied-39 140 || fail "a component of a copy"
calls copied-59 70 || fail "a new component in a copy"
finish two
exit 0
