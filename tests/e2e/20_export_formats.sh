#!/bin/bash
# SPDX-License-Identifier: MIT
# The formats, --match and --compat show what was recorded, from the named segment.
. "$(dirname "$0")/tools_prelude.sh"

has() {
  grep -q -x -F -e "$1" "$scratch/out" || fail "no line $1 in: $(head -c 2000 "$scratch/out")"
}
export_to_out() {
  "$tools/promcb-export" "$@" >"$scratch/out" 2>"$scratch/err" || fail "export $*: $(cat "$scratch/err")"
  filled "$scratch/err" && fail "export $* complains: $(cat "$scratch/err")"
  return 0
}

"$tools/promcb-record" payment_api --latency=0.25 --success || fail "record"
"$tools/promcb-record" payment_api --latency=0.75 --failure || fail "record"
"$tools/promcb-record" 'odd "name\' --latency=1 --success --log=warning --state=half_open || fail "record"

export_to_out
has 'circuit_breaker_calls_total{component="payment_api"} 2'
has 'circuit_breaker_failures_total{component="payment_api"} 1'
has 'circuit_breaker_calls_failed{component="payment_api"} 1'
has 'circuit_breaker_failure_rate{component="payment_api"} 50'
has 'circuit_breaker_latency_seconds_sum{component="payment_api"} 1'
has 'circuit_breaker_calls_total{component="odd \"name\\"} 1'
has 'circuit_breaker_state{component="odd \"name\\",state="half_open"} 1'
cp "$scratch/out" "$scratch/all"
export_to_out --prefix=payments
has 'payments_calls_total{component="payment_api"} 2'
has 'payments_calls_failed{component="payment_api"} 1'
has 'log_entries_total{component="payment_api",level="error"} 0'
matches circuit_breaker <"$scratch/out" && fail "--prefix: $(grep circuit_breaker "$scratch/out")"

export_to_out --format=text --compat=python --segment="$PROMCB_SEGMENT"
diff -I '^promcb_scrape_duration_seconds' "$scratch/out" "$scratch/all" >/dev/null ||
  fail "the defaults are not text and python"
# Its old spelling.
export_to_out --compat=seed
diff -I '^promcb_scrape_duration_seconds' "$scratch/out" "$scratch/all" >/dev/null || fail "seed is not python"
grep -q '^promcb_scrape_duration_seconds [0-9]' "$scratch/out" || fail "no scrape duration"

export_to_out --compat=none
has 'circuit_breaker_failures_total{component="payment_api"} 1'
matches -q -e circuit_breaker_calls_failed -e log_entries_by_level "$scratch/out" && fail "--compat=none has an alias"
# The level of a log line is no alias's.
has 'log_entries_total{component="odd \"name\\",level="warning"} 1'

export_to_out --match=pay
grep -q payment_api "$scratch/out" || fail "--match lost a component"
matches -q odd "$scratch/out" && fail "--match let another through"
export_to_out --match='pay*_api'
grep -q payment_api "$scratch/out" || fail "--match with a star lost a component"
matches -q odd "$scratch/out" && fail "--match with a star let another through"
export_to_out --match='*ay'
matches -q payment_api "$scratch/out" && fail "--match with a star is of a part of the name"
export_to_out --match=nothing_of_the_kind
matches -q payment_api "$scratch/out" && fail "--match let another through"

if command -v jq >/dev/null; then
  export_to_out --format=json
  [ "$(jq -r '.payment_api.total_calls, .payment_api.max_latency' "$scratch/out" | tr '\n' ' ')" = "2 0.75 " ] ||
    fail "json: $(cat "$scratch/out")"
  [ "$(jq -r '."odd \"name\\".current_state' "$scratch/out")" = half_open ] || fail "json: $(cat "$scratch/out")"
  export_to_out --format=json --match=odd
  [ "$(jq -r 'keys | length' "$scratch/out")" = 1 ] || fail "json --match: $(cat "$scratch/out")"
  export_to_out --format=health
  [ "$(jq -r '.healthy, .components.payment_api.failure_rate' "$scratch/out" | tr '\n' ' ')" = "true 50.0 " ] ||
    [ "$(jq -r '.healthy, .components.payment_api.failure_rate' "$scratch/out" | tr '\n' ' ')" = "true 50 " ] ||
    fail "health: $(cat "$scratch/out")"
fi
export_to_out --format=json
grep -q '"payment_api"' "$scratch/out" || fail "json: $(cat "$scratch/out")"
export_to_out --format=health
grep -q '"healthy": *true' "$scratch/out" || fail "health: $(cat "$scratch/out")"

# Health fails closed: what fails or cannot be read is not healthy, by status and by document, also in a pipe.
verdict() { # STATUS UNREADABLE OPTION...
  local wanted=$1 unreadable=$2
  shift 2
  "$tools/promcb-export" --format=health "$@" >"$scratch/out" 2>"$scratch/err"
  status=$?
  [ $status = "$wanted" ] || fail "health $*: exit $status, not $wanted: $(cat "$scratch/out" "$scratch/err")"
  grep -q -F '{"healthy": '"$([ "$wanted" = 0 ] && echo true || echo false)," "$scratch/out" &&
    grep -q -F '"unreadable_segments": '"$unreadable}" "$scratch/out" || fail "health $*: $(cat "$scratch/out")"
}
verdict 0 0
verdict 1 1 --segment="${PROMCB_SEGMENT}_bad"
verdict 1 1 --segment="$PROMCB_SEGMENT" --segment="${PROMCB_SEGMENT}_bad"
verdict 1 1 --segment="${PROMCB_SEGMENT}_no*"
"$tools/promcb-record" failing --latency=1 --failure || fail "record"
verdict 3 0
verdict 0 0 --match=payment
# A file that said yes does not go on saying so.
"$tools/promcb-export" --format=health --match=payment --output="$scratch/health.json" || fail "health into a file"
"$tools/promcb-export" --format=health --segment="${PROMCB_SEGMENT}_bad" --output="$scratch/health.json" 2>/dev/null
grep -q '"healthy": false' "$scratch/health.json" || fail "the file still says: $(cat "$scratch/health.json")"

if command -v promtool >/dev/null; then
  promtool check metrics <"$scratch/all" >"$scratch/lint" 2>&1 || fail "promtool: $(cat "$scratch/lint")"
fi

# The build says which commit it is of, unless it is of none. It may be older than the clone is.
revision=$("$PROMCB_SOURCE/tools/revision.sh" "$PROMCB_SOURCE") || revision=unknown
export_to_out
grep -q -E '^promcb_build_info\{version="[0-9.]+",revision="([0-9a-f]{12,}|unknown)"\} 1$' "$scratch/out" ||
  fail "$(grep build_info "$scratch/out")"
[ $revision != unknown ] || grep -q 'revision="unknown"' "$scratch/out" || fail "a revision where there is no clone"
# The same without git as with it: of a branch, of one that is packed, of a commit, of a second work tree.
if command -v git >/dev/null; then
  mkdir "$scratch/bin" "$scratch/clone"
  for program in sh sed cat; do
    ln -s "$(command -v $program)" "$scratch/bin/$program"
  done
  commit() {
    git -C "$scratch/clone" -c user.name=a -c user.email=a@b commit -q --allow-empty -m "$1"
  }
  same() {
    with=$(git --git-dir="$1/.git" rev-parse --short=12 HEAD)
    without=$(PATH=$scratch/bin "$PROMCB_SOURCE/tools/revision.sh" "$1") && [ "$with" = "$without" ] ||
      fail "revision $without, $with is expected: $2"
  }
  git init -q "$scratch/clone" && commit one && commit two || fail "git"
  same "$scratch/clone" 'a branch'
  git -C "$scratch/clone" pack-refs --all
  same "$scratch/clone" 'a packed branch'
  git -C "$scratch/clone" worktree add -q "$scratch/second" HEAD^ && same "$scratch/second" 'a second work tree'
  git -C "$scratch/clone" checkout -q --detach HEAD^ && same "$scratch/clone" 'a commit'
fi
mkdir "$scratch/unpacked"
succeeds "$PROMCB_SOURCE/tools/revision.sh" "$scratch/unpacked" && fail "a revision of no clone"

# A name and its path are one segment; another is another.
export_to_out --segment="${PROMCB_SEGMENT#/}"
has 'circuit_breaker_calls_total{component="payment_api"} 2'
export_to_out --segment="/dev/shm$PROMCB_SEGMENT"
has 'circuit_breaker_calls_total{component="payment_api"} 2'
PROMCB_SEGMENT=/promcb_e2e_other_$$ "$tools/promcb-export" --segment="$PROMCB_SEGMENT" >/dev/null ||
  fail "--segment before PROMCB_SEGMENT"
exit 0
