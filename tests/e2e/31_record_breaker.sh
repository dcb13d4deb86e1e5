#!/bin/bash
# SPDX-License-Identifier: MIT
# Commands go through a circuit breaker that all processes share: each failure of any counts, none is started while it
# is open, as many as may try it again, and what they come to decides.
. "$(dirname "$0")/tools_prelude.sh"
command -v jq >/dev/null || { echo "jq is not installed"; exit 77; }

# run STATUS ARGUMENT...: of promcb-record.
run() {
  local expected=$1 status
  shift
  "$tools/promcb-record" "$@" >"$scratch/out" 2>"$scratch/err"
  status=$?
  [ $status = "$expected" ] || fail "$*: exit $status, not $expected: $(cat "$scratch/err")"
}
silent() {
  filled "$scratch/err" && fail "it complains: $(cat "$scratch/err")"
  return 0
}
says() {
  one_line "of $1"
  grep -q -E -e "$1" "$scratch/err" || fail "does not say $1: $(cat "$scratch/err")"
}
# is FILTER: of the JSON of the component's breaker.
is() {
  "$tools/promcb-admin" breaker show "$1" --format=json >"$scratch/json" || fail "show $1"
  jq -e ".[0] | $2" <"$scratch/json" >/dev/null 2>"$scratch/jq" ||
    fail "not $2: $(cat "$scratch/json" "$scratch/jq")"
}

# -- Wrong options: nothing is run, and no segment made ----------------------------------------------------------------
for words in '--breaker=colour=red job' '--breaker=open=never job' '--breaker= job' '--breaker=open job'; do
  run 125 $words -- touch "$scratch/ran"
  grep -q 'invalid --breaker' "$scratch/err" || fail "$words: $(cat "$scratch/err")"
done
run 125 --breaker --add x_total 1 job -- touch "$scratch/ran"
for words in '--breaker' '--breaker job' '--breaker job --success' '--breaker --stdin' '--breaker --add x_total 1'; do
  run 2 $words
  grep -q 'goes with a component' "$scratch/err" || fail "$words: $(cat "$scratch/err")"
done
[ ! -e "/dev/shm$PROMCB_SEGMENT" ] || fail "a segment was made"
# And those that the library refuses.
run 125 --breaker=window=1ms job -- touch "$scratch/ran"
says '"job" is not run: the policy.s window_ms is 1: '
run 125 --breaker=open=2m,open_max=1m job -- touch "$scratch/ran"
says 'open_max_ms is less'
[ ! -e "$scratch/ran" ] || fail "it was run"

# -- Closed: as without ------------------------------------------------------------------------------------------------
policy=consecutive=3,open=1h,open_max=2h,probes=1,lease=1h,successes=2
for status in 0 1 124 0; do
  run $status --breaker=$policy job -- sh -c "echo \"\$1\"; exit $status" sh 'a b'
  silent
  [ "$(cat "$scratch/out")" = 'a b' ] || fail "arguments or output"
done
PATH=/usr/bin:/bin run 127 --breaker job -- promcb_no_such_program
run $((128 + 9)) --breaker job -- sh -c 'kill -KILL $$'
has 'circuit_breaker_calls_total{component="job"} 6'
has 'circuit_breaker_failures_total{component="job"} 4'
has 'circuit_breaker_failures_by_class_total{component="job",class="timeout"} 1'
has 'circuit_breaker_failures_by_class_total{component="job",class="failure"} 3'
is job '.state == "closed" and .permitted == 6 and .policy.consecutive == 3 and .policy.lease_seconds == 3600'

# -- Open, by the third failure in a row of as many processes ----------------------------------------------------------
run 1 --breaker job -- false
is job '.state == "open" and .last_reason == "consecutive"'
run 75 --breaker job -- touch "$scratch/ran"
until='[0-9-]{10} [0-9:]{8} [+-][0-9]{4}'
says "^promcb-record: \"job\" is not run: its circuit breaker is open until $until, for [0-9.]+ s more\$"
# Of many at the same time none is run.
for _ in 1 2 3 4 5 6 7 8; do
  "$tools/promcb-record" --breaker job -- touch "$scratch/ran" 2>>"$scratch/refusals" &
  jobs_of="${jobs_of-} $!"
done
for job in $jobs_of; do
  wait "$job"
  [ $? = 75 ] || fail "one of eight: $?"
done
[ "$(grep -c 'is open until' "$scratch/refusals")" = 8 ] || fail "refusals: $(cat "$scratch/refusals")"
[ ! -e "$scratch/ran" ] || fail "it was run"
# Counted as refusals, and as no failures.
has 'circuit_breaker_not_permitted_calls_total{component="job",reason="open"} 9'
has 'circuit_breaker_calls_total{component="job"} 7'
has 'circuit_breaker_failures_total{component="job"} 5'
# Who does not ask is not refused.
run 0 job -- true
"$tools/promcb-admin" breaker force job open || fail force
"$tools/promcb-admin" breaker reset job || fail reset
run 75 --breaker job -- touch "$scratch/ran"
says 'open, and it is not known until when'
"$tools/promcb-admin" breaker force job automatic || fail force
run 0 --breaker job -- true

# -- Half-open: one at a time tries, and two of them close it ----------------------------------------------------------
"$tools/promcb-admin" breaker set job open=1ms jitter=off || fail set
for _ in 1 2 3; do run 1 --breaker job -- false; done
mkfifo "$scratch/go" || fail mkfifo
# begin: one that tries, and ends with what is written to go. Until its period is over it is refused.
begin() {
  (
    status=75
    while [ $status = 75 ]; do
      "$tools/promcb-record" --breaker job -- sh -c "echo started >$scratch/started; read -r status <$scratch/go
        exit \$status" 2>"$scratch/probe"
      status=$?
    done
  ) &
  background=$!
  await test -s "$scratch/started"
}
is job '.state != "closed"'
begin
is job '.state == "half_open" and .in_flight == 1'
run 75 --breaker job -- touch "$scratch/ran"
says 'half-open, and as many as may are trying'
echo 0 >"$scratch/go"
wait "$background"
is job '.state == "half_open" and .probes_good == 1 and .refused_half_open == 1'
run 0 --breaker job -- true
is job '.state == "closed" and .probes_good == 2 and .in_flight == 0'
[ ! -e "$scratch/ran" ] || fail "it was run"

# -- The job of promcb-record(1), as cron runs it: without what says when, and with a command that is there ------------
printf '#!/bin/sh\nexit 3\n' >"$scratch/pull" && chmod +x "$scratch/pull" || fail pull
awk '$0 == ".\\\" recipe cron" { on = 1; next } $0 == ".\\\" end" { on = 0 } on && !/^\./' \
  "$PROMCB_SOURCE/tools/promcb-record.1" | sed -e 's/\\-/-/g' -e 's/^\([^ ]* \)\{5\}//' \
  -e "s,/usr/local/bin/pull,$scratch/pull," >"$scratch/job"
[ "$(wc -l <"$scratch/job")" = 1 ] && grep -q '^promcb-record --breaker=' "$scratch/job" ||
  fail "the job: $(cat "$scratch/job")"
for status in 3 3 3 75; do
  PATH="$tools:$PATH" sh "$scratch/job" 2>"$scratch/err"
  [ $? = $status ] || fail "the job of cron: not $status: $(cat "$scratch/job" "$scratch/err")"
done
says '"mirror" is not run: its circuit breaker is open until'
is mirror '.policy.lease_seconds == 1800 and .policy.open_seconds == 600 and .policy.probes == 1'

# -- Two policies of one version, and an operator's --------------------------------------------------------------------
run 0 --breaker=consecutive=5 other -- true
silent
run 0 --breaker=consecutive=6 other -- true
says 'version 0 of the policy is in force'
run 0 --breaker=consecutive=6,version=1 other -- true
silent
is other '.policy.consecutive == 6'
"$tools/promcb-admin" breaker set other consecutive=9 || fail set
run 0 --breaker=consecutive=6,version=1 other -- true
silent
is other '.policy.consecutive == 9'

# -- Whatever is wrong with the segment, the command runs --------------------------------------------------------------
: >"$scratch/stranger"
run 5 --segment="$scratch/stranger" --breaker job -- sh -c 'echo ran; exit 5'
[ "$(cat "$scratch/out")" = ran ] || fail "the command did not run"
grep -q "not recorded" "$scratch/err" || fail "no warning: $(cat "$scratch/err")"
run 6 --breaker $'bad\001name' -- sh -c 'exit 6'
grep -q "control bytes" "$scratch/err" || fail "no warning: $(cat "$scratch/err")"
# The command has nothing of the segment, and the signals that it would have without.
"$tools/promcb-record" --breaker other -- sh -c 'ls -l /proc/self/fd; grep SigBlk /proc/self/status' \
  >"$scratch/out" || fail "files"
matches -q "$PROMCB_SEGMENT" "$scratch/out" && fail "the command has the segment: $(cat "$scratch/out")"
grep -q 'SigBlk:.0*$' "$scratch/out" || fail "blocked signals: $(cat "$scratch/out")"
"$tools/promcb-export" --check >"$scratch/check" || fail "check: $(cat "$scratch/check")"
exit 0
