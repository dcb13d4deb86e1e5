#!/bin/bash
# SPDX-License-Identifier: MIT
# Two containers, by pid, ipc and time namespaces, with users of their own and one group, record into a segment that
# they share by its path on a tmpfs; a third user reads it through a read-only mount. The living are not robbed, though
# each is process 1 to itself and nothing to the other; the dead are adopted; every count is exact.
if [ -z "${PROMCB_E2E_OWN_MOUNTS:-}" ]; then
  [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null || { echo "needs root and setpriv" >&2; exit 77; }
  unshare --mount --pid --fork --ipc --mount-proc true 2>/dev/null || { echo "unshare is not allowed" >&2; exit 77; }
  PROMCB_E2E_OWN_MOUNTS=1 exec unshare --mount --propagation private bash "$0"
fi
. "$(dirname "$0")/tools_prelude.sh"

group=54321
time=
unshare --time true 2>/dev/null && time="--time --monotonic 86400"
mkdir "$scratch/volume" "$scratch/readonly" "$scratch/bin"
mount -t tmpfs -o size=16m,mode=1777 promcb-test "$scratch/volume" || { echo "mount is not allowed" >&2; exit 77; }
mount --bind "$scratch/volume" "$scratch/readonly" && mount -o remount,bind,ro "$scratch/readonly" ||
  { echo "read-only binds are not allowed" >&2; exit 77; }
trap 'for job in $(jobs -p); do kill -KILL $(cat "/proc/$job/task/$job/children") "$job" 2>/dev/null; done
  rm -rf "$scratch/bin"
  umount -l "$scratch/readonly" "$scratch/volume"
  rm -rf "$scratch"' EXIT

# Where the users find the programs.
chmod 755 "$scratch"
cp "$tools/promcb-record" "$tools/promcb-export" "$PROMCB_BUILD/tests/e2e_producers" "$scratch/bin" || fail "cp"
cp "$PROMCB_BUILD"/lib/libpromcb.so.0 "$scratch/bin" || fail "cp"
export LD_LIBRARY_PATH=$scratch/bin PROMCB_SEGMENT=$scratch/volume/segment
through=$scratch/readonly/segment

# as USER COMMAND...: with no group but the common one. contained USER COMMAND...: in a container. kill_contained PID:
# its first process, and so all; what unshare would pass on as --kill-child is lost when the user changes.
as() {
  local user=$1
  shift
  setpriv --reuid="$user" --regid="$group" --clear-groups "$@"
}
contained() {
  local user=$1
  shift
  exec unshare --pid --fork --mount-proc --ipc $time \
    setpriv --reuid="$user" --regid="$group" --clear-groups "$@" 2>>"$scratch/contained"
}

kill_contained() {
  kill -KILL $(cat "/proc/$1/task/$1/children") || fail "kill"
  wait "$1" 2>/dev/null
}

# stranger ARGUMENTS...: exports as a third user of another group, in a container, through the read-only mount.
stranger() {
  unshare --pid --fork --mount-proc --ipc setpriv --reuid=50003 --regid=54322 --clear-groups \
    "$scratch/bin/promcb-export" --segment "$through" "$@"
}
stranger_calls() {
  stranger 2>/dev/null | grep -q -x -e "circuit_breaker_calls_total{component=\"$1\"} $2"
}

# census NAME VALUE...: what the segment says about itself, as the stranger sees it.
census() {
  stranger >"$scratch/metrics" || fail "export"
  while [ $# -gt 0 ]; do
    grep -q -x -F -e "promcb_$1 $2" "$scratch/metrics" ||
      fail "no promcb_$1 $2: $(grep "^promcb_" "$scratch/metrics")"
    shift 2
  done
}

# Made by one of them, for the group; others may read.
as 50001 "$scratch/bin/promcb-record" made --latency=1 --success || fail "the first user cannot record"
succeeds as 50002 "$scratch/bin/promcb-record" made --latency=1 --success 2>"$scratch/err" &&
  fail "mode 0640 let a user write"
one_line "a user who may not write"
chmod 664 "$PROMCB_SEGMENT"

mkfifo "$scratch/pipe1" "$scratch/pipe2" "$scratch/pipe3"
contained 50001 "$scratch/bin/promcb-record" --stdin <"$scratch/pipe1" &
one=$!
exec 7>"$scratch/pipe1"
contained 50002 "$scratch/bin/promcb-record" --stdin <"$scratch/pipe2" &
two=$!
exec 8>"$scratch/pipe2"
lines() {
  seq "$2" | sed "s/.*/$1 0.001 200/"
}
lines common 700 >&7
lines common 300 >&8
await stranger_calls common 1000
census 'lanes{state="live"}' 2 'lanes{state="idle"}' 0 producers 2

# A third comes and goes while the two live: it takes a lane of nobody's.
lines common 50 | (contained 50002 "$scratch/bin/promcb-record" --stdin) ||
    fail "a third container: $(cat "$scratch/contained")"
lines common 20 >&7
lines common 30 >&8
await stranger_calls common 1100
census 'lanes{state="live"}' 2 'lanes{state="idle"}' 1 producers 2

# One container is killed: its counts stay, the next one takes its lane with what is in it, and the other goes on.
kill_contained "$one"
exec 7>&-
orphaned() {
  stranger 2>/dev/null | grep -q -x -F -e 'promcb_lanes{state="idle"} 2'
}
await orphaned
contained 50001 "$scratch/bin/promcb-record" --stdin <"$scratch/pipe3" 8>&- &
three=$!
exec 9>"$scratch/pipe3"
lines common 400 >&9
lines common 500 >&8
await stranger_calls common 2000
census 'lanes{state="live"}' 2 'lanes{state="idle"}' 1 producers 2 overflow_calls_total 0 dropped_calls_total 0
used=$(sed -n 's/^promcb_segment_bytes{kind="used"} //p' "$scratch/metrics")

# The newest samples are of both containers, whatever their clocks say: 1,000 of 2,000.
stranger --format=json --match=common | grep -q '"recent_calls": 1000' ||
  fail "recent samples: $(stranger --format=json --match=common)"

# Killed and followed again and again, as a restarted container is: no lane and no memory is added.
for round in $(seq 5); do
  kill_contained "$three"
  exec 9>&-
  contained $((50001 + round % 2)) "$scratch/bin/promcb-record" --stdin <"$scratch/pipe3" 8>&- &
  three=$!
  exec 9>"$scratch/pipe3"
  lines common 100 >&9
  await stranger_calls common $((2000 + round * 100))
done
census 'lanes{state="live"}' 2 'lanes{state="idle"}' 1 producers 2 "segment_bytes{kind=\"used\"}" "$used"

# Two containers of four processes of four threads, read all the while.
calls=1000000
for user in 50001 50002; do
  (contained $user "$scratch/bin/e2e_producers" "$PROMCB_SEGMENT" $calls 8>&- 9>&-) >"$scratch/expected.$user" &
  eval "crowd$user=\$!"
done
before=0
rounds=0
while kill -0 "$crowd50001" 2>/dev/null || kill -0 "$crowd50002" 2>/dev/null; do
  stranger >"$scratch/metrics" || fail "export while they record"
  now=$(awk '/^circuit_breaker_calls_total{component="(alpha|beta|gamma)"}/ { n += $NF } END { print n + 0 }' \
    "$scratch/metrics")
  [ "$now" -ge "$before" ] || fail "calls went down from $before to $now"
  before=$now
  rounds=$((rounds + 1))
done
wait "$crowd50001" || fail "producers of the first container: exit $?"
wait "$crowd50002" || fail "producers of the second container: exit $?"
cmp "$scratch/expected.50001" "$scratch/expected.50002" || fail "they recorded different series"
compared=0
while read -r name total failures sum_ns; do
  [ -n "$sum_ns" ] || continue
  compared=$((compared + 1))
  stranger >"$scratch/metrics"
  for line in "circuit_breaker_calls_total{component=\"$name\"} $((2 * total))" \
    "circuit_breaker_failures_total{component=\"$name\"} $((2 * failures))"; do
    grep -q -x -F -e "$line" "$scratch/metrics" || fail "no line $line: $(grep "_total{.*$name" "$scratch/metrics")"
  done
done <"$scratch/expected.50001"
[ $compared = 3 ] || fail "the totals of $compared components, not of three, were compared"
census overflow_calls_total 0 dropped_calls_total 0 'lanes{state="live"}' 2

# A user that is root in a namespace of users of its own, and nobody outside.
if as 50001 unshare --user --map-root-user true 2>/dev/null; then
  lines common 250 | as 50001 unshare --user --map-root-user --pid --fork --mount-proc \
    "$scratch/bin/promcb-record" --stdin || fail "a user namespace"
  stranger_calls common 2750 || fail "calls of a user namespace: $(stranger | grep common)"
fi

# The stranger can neither write nor make a segment where it may only read.
succeeds unshare --pid --fork --mount-proc setpriv --reuid=50003 --regid=54322 --clear-groups \
  "$scratch/bin/promcb-record" --segment "$through" common --latency=1 --success 2>"$scratch/err" &&
  fail "recorded through a read-only mount"
one_line "a read-only mount"
stranger --check >"$scratch/out" || fail "check: $(cat "$scratch/out")"
exec 8>&- 9>&-
wait "$two" || fail "the second container ended with $?"
echo "two containers: exact, read $rounds times meanwhile"
exit 0
