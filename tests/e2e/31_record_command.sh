#!/bin/bash
# SPDX-License-Identifier: MIT
# A command runs as without promcb-record, and its status, time and outcome are told.
. "$(dirname "$0")/tools_prelude.sh"

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

run 0 ok -- true
silent
run 0 ok -- sh -c 'exit 0'
has 'circuit_breaker_successes_total{component="ok"} 2'
for status in 1 2 125 255; do
  run $status bad -- sh -c "exit $status"
  silent
done
has 'circuit_breaker_failures_total{component="bad"} 4'
for signal in TERM KILL HUP; do
  run $((128 + $(kill -l $signal))) killed -- sh -c "kill -$signal \$\$"
done
has 'circuit_breaker_failures_total{component="killed"} 3'

# What cannot be run: a failure, and the statuses of a shell.
# A directory in PATH that may not be searched would make it 126, as for execvp.
PATH=/usr/bin:/bin run 127 missing -- promcb_no_such_program
grep -q "promcb_no_such_program" "$scratch/err" || fail "of a missing program: $(cat "$scratch/err")"
run 127 missing -- "$scratch/no/such/program"
: >"$scratch/plain"
run 126 missing -- "$scratch/plain"
run 126 missing -- "$scratch"
has 'circuit_breaker_failures_total{component="missing"} 4'
# A script without a first line that names its shell is the shell's.
printf 'echo "$# $1" "$2"; exit 9\n' >"$scratch/script"
chmod +x "$scratch/script"
run 9 script -- "$scratch/script" 'a b' c
[ "$(cat "$scratch/out")" = "2 a b c" ] || fail "a script without #!: $(cat "$scratch/out")"
PATH="$scratch:$PATH" run 9 script -- script

# Arguments, input, output, environment and directory are the command's.
run 0 args -- printf '%s|' --latency=1 -- "" 'a b' --help
[ "$(cat "$scratch/out")" = "--latency=1|--||a b|--help|" ] || fail "arguments: $(cat "$scratch/out")"
[ "$(echo in | MARK=set "$tools/promcb-record" args -- sh -c 'cat; echo $MARK')" = $'in\nset' ] ||
  fail "input or environment"
run 0 args -- sh -c 'echo err >&2'
[ "$(cat "$scratch/err")" = err ] || fail "standard error: $(cat "$scratch/err")"
run 0 -- --odd -- true
has 'circuit_breaker_calls_total{component="--odd"} 1'

# The wall time, from below; there is no bound above.
run 0 slow -- sleep 0.2
sum=$("$tools/promcb-export" | sed -n 's/^circuit_breaker_latency_seconds_sum{component="slow"} 0\.\([0-9]\).*/\1/p')
[ "${sum:-9}" -ge 2 ] || fail "the time of a sleep of 0.2 s was 0.$sum"

# Whatever is wrong with the segment, the command runs and its status counts.
: >"$scratch/stranger"
run 5 --segment="$scratch/stranger" component -- sh -c 'echo ran; exit 5'
[ "$(cat "$scratch/out")" = ran ] || fail "the command did not run"
grep -q "not recorded" "$scratch/err" || fail "no warning: $(cat "$scratch/err")"
run 6 --segment=/no/such/directory component -- sh -c 'exit 6'
run 7 $'bad\001name' -- sh -c 'exit 7'
grep -q "control bytes" "$scratch/err" || fail "no warning: $(cat "$scratch/err")"
PATH=/usr/bin:/bin run 127 --segment=/no/such/directory component -- promcb_no_such_program

# A caller that ignores SIGCHLD or SIGHUP (nohup).
(trap '' CHLD; "$tools/promcb-record" heir -- sh -c 'exit 3'); [ $? = 3 ] || fail "with SIGCHLD ignored"
(trap '' HUP; "$tools/promcb-record" heir -- sh -c 'kill -HUP $$; exit 4'); [ $? = 4 ] || fail "with SIGHUP ignored"
has 'circuit_breaker_failures_total{component="heir"} 2'
# The command is not handed blocked signals.
# Above 31 are the C library's own, which its posix_spawn ignores in the child.
signals() {
  "$@" sed -n 's/^\(SigBlk\|SigIgn\):\t*[0-9a-f]*\([0-9a-f]\{8\}\)$/\1 \2/p' /proc/self/status |
    while read -r which mask; do
      echo "$which $((0x$mask & 0x7fffffff))"
    done
}
signals "$tools/promcb-record" mask -- >"$scratch/with"
signals >"$scratch/without"
[ "$(wc -l <"$scratch/with")" = 2 ] || fail "signals of the command: $(cat "$scratch/with")"
cmp -s "$scratch/with" "$scratch/without" || fail "signals of the command: $(cat "$scratch/with")"
exit 0
