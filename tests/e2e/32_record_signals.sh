#!/bin/bash
# SPDX-License-Identifier: MIT
# Signals sent to promcb-record reach the command, whose end decides; the call is recorded in any case.
. "$(dirname "$0")/tools_prelude.sh"

# A command that handles the signal ends as it likes. Background jobs of a script ignore SIGINT and SIGQUIT, so env
# resets them.
for signal in HUP INT QUIT TERM USR1 USR2; do
  rm -f "$scratch/ready"
  env --default-signal=INT,QUIT "$tools/promcb-record" handles -- \
    bash -c "trap 'kill \$!; exit 42' $signal; sleep 60 & : >'$scratch/ready'; wait" &
  background=$!
  await test -e "$scratch/ready"
  kill -$signal "$background"
  wait "$background"
  status=$?
  background=
  [ $status = 42 ] || fail "$signal, handled: exit $status"
done
has 'circuit_breaker_failures_total{component="handles"} 6'

# One that does not is killed by it.
for signal in HUP INT TERM; do
  rm -f "$scratch/ready"
  env --default-signal=INT,QUIT "$tools/promcb-record" dies -- sh -c ": >'$scratch/ready'; exec sleep 60" &
  background=$!
  await test -e "$scratch/ready"
  kill -$signal "$background"
  wait "$background"
  status=$?
  background=
  [ $status = $((128 + $(kill -l $signal))) ] || fail "$signal, unhandled: exit $status"
done
has 'circuit_breaker_failures_total{component="dies"} 3'

# A signal that the command sends to its parent does not come back to it.
"$tools/promcb-record" back -- bash -c 'trap "exit 1" TERM; kill -TERM $PPID; for i in 1 2; do sleep 0.1; done'
[ $? = 0 ] || fail "a signal came back to its sender"

# The shell's word for ignored holds: nohup.
rm -f "$scratch/ready"
(trap '' HUP; exec "$tools/promcb-record" deaf -- sh -c ": >'$scratch/ready'; sleep 0.5; exit 11") &
background=$!
await test -e "$scratch/ready"
kill -HUP "$background"
wait "$background"
status=$?
background=
[ $status = 11 ] || fail "an ignored SIGHUP: exit $status"
exit 0
