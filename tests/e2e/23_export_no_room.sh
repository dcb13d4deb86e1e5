#!/bin/bash
# SPDX-License-Identifier: MIT
# Output that cannot be written is an error with one line, never a success cut short.
. "$(dirname "$0")/tools_prelude.sh"

[ -c /dev/full ] || { echo "there is no /dev/full"; exit 77; }
"$tools/promcb-record" component --latency=1 --success || fail "record"
full() {
  succeeds "$@" >/dev/full 2>"$scratch/err" && fail "$*: succeeded on a full device"
  one_line "$*"
  grep -q "standard output" "$scratch/err" || fail "$*: $(cat "$scratch/err")"
}
for arguments in "" --format=json --format=health --check --list-segments --interval=100; do
  full timeout 120 "$tools/promcb-export" $arguments
done
full "$tools/promcb-admin" info
"$tools/promcb-export" 2>"$scratch/err" | true
status=${PIPESTATUS[0]}
# The pipe may have room for all of it before its reader has gone.
[ $status = 0 ] || grep -q "standard output" "$scratch/err" ||
  fail "a closed pipe: exit $status, $(cat "$scratch/err")"
(trap '' PIPE && exec 3> >(exec 0<&-; sleep 1) && sleep 0.2 && "$tools/promcb-export" >&3) 2>"$scratch/err" &&
  fail "a closed pipe went unnoticed"
grep -q "standard output" "$scratch/err" || fail "a closed pipe: $(cat "$scratch/err")"
exit 0
