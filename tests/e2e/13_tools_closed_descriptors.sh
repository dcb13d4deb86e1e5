#!/bin/bash
# SPDX-License-Identifier: MIT
# Started with standard descriptors closed, no tool writes its complaints into a segment, or takes silence for success.
. "$(dirname "$0")/tools_prelude.sh"

check() {
  "$tools/promcb-export" --check >/dev/null || fail "$1 hurt the segment"
}

"$tools/promcb-record" component --latency=1 --success || fail "recording"
"$tools/promcb-record" component --latency=1 --success <&- >&- 2>&- || fail "recording without descriptors"
check "recording"
succeeds "$tools/promcb-record" $'bad\001name' --latency=1 --success <&- >&- 2>&- && fail "a bad name was recorded"
check "a complaint"
succeeds "$tools/promcb-export" >&- 2>"$scratch/err" && fail "an export to a closed descriptor succeeded"
grep -q "standard output" "$scratch/err" || fail "it says $(cat "$scratch/err")"
succeeds "$tools/promcb-export" <&- >&- 2>&- && fail "an export to closed descriptors succeeded"
succeeds "$tools/promcb-admin" info >&- 2>/dev/null && fail "info to a closed descriptor succeeded"
succeeds "$tools/promcb-record" --stdin <&- 2>/dev/null && fail "lines came from a closed descriptor"
check "an export"
# The command finds closed what was closed.
"$tools/promcb-record" component -- sh -c 'test ! -e /proc/self/fd/0 && test ! -e /proc/self/fd/2' <&- 2>&- ||
  fail "the command found descriptors that its caller had closed"
sh -c 'ls /proc/self/fd' >"$scratch/without" </dev/null
"$tools/promcb-record" component -- sh -c 'ls /proc/self/fd' >"$scratch/with" </dev/null
cmp -s "$scratch/without" "$scratch/with" || fail "the command inherited descriptors: $(cat "$scratch/with")"
exit 0
