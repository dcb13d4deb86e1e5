# SPDX-License-Identifier: MIT
# What the tests of the tools share, sourced by each: a segment and a directory of their own that go with them, and
# words to say what is expected. A process in $background is killed at the end.
set -u
# nohup and background jobs ignore signals, and so would whatever is started here.
if [ -z "${PROMCB_SIGNALS_ARE_DEFAULT-}" ]; then
  PROMCB_SIGNALS_ARE_DEFAULT=yes exec env --default-signal "$0" "$@"
fi
tools=${PROMCB_BUILD:?}/tools
export PROMCB_SEGMENT=/promcb_e2e_$$
export PYTHONDONTWRITEBYTECODE=yes # beside the sources
scratch=$(mktemp -d)
background=
trap '[ -z "$background" ] || kill -KILL "$background" 2>/dev/null
  rm -rf "$scratch" "/dev/shm$PROMCB_SEGMENT" "/dev/shm${PROMCB_SEGMENT}_bad"' EXIT

fail() {
  echo "FAIL: $*" >&2
  exit 1
}

# has LINE: an export has this line.
has() {
  "$tools/promcb-export" >"$scratch/metrics" || fail "export"
  grep -q -x -F -e "$1" "$scratch/metrics" ||
    fail "no line $1; of that family: $(grep -F -e "${1%%[{ ]*}" "$scratch/metrics")"
}

# hasnt TEXT: an export has none such.
hasnt() {
  "$tools/promcb-export" >"$scratch/metrics" || fail "export"
  matches -q -F -e "$1" "$scratch/metrics" && fail "still there: $1"
  return 0
}

# record ARGUMENT...: by promcb-record, without a word.
record() {
  "$tools/promcb-record" "$@" >"$scratch/out" 2>"$scratch/err" || fail "record $*: $(cat "$scratch/err")"
  filled "$scratch/out" && fail "record $* printed $(cat "$scratch/out")"
  filled "$scratch/err" && fail "record $* complained: $(cat "$scratch/err")"
  return 0
}

# await COMMAND...: until it succeeds, for at most 20 seconds.
await() {
  for _ in $(seq 400); do
    "$@" && return 0
    sleep 0.05
  done
  fail "in vain: $*"
}

# calls COMPONENT NUMBER: whether it has so many. Both are basic regular expressions.
calls() {
  "$tools/promcb-export" 2>/dev/null | grep -q -x -e "circuit_breaker_calls_total{component=\"$1\"} $2"
}

# For "... && fail", where a test that could not look, or a program that did not run, must not pass: only what is
# clearly a no is one.
# succeeds COMMAND...: a refusal is a status of the program's own; killed, not found or too slow is none.
succeeds() {
  "$@"
  local status=$?
  [ $status -lt 124 ] || echo "$*: status $status is no refusal" >&2
  [ $status = 0 ] || [ $status -ge 124 ]
}
# matches GREP-ARGUMENTS: what is looked into must be there.
matches() {
  grep "$@"
  [ $? != 1 ]
}
# filled FILE
filled() {
  [ ! -e "$1" ] || [ -s "$1" ]
}

# scaled NUMBER: so many rounds; PROMCB_STRESS_SCALE multiplies them, as it does the stress programs' work.
scaled() {
  awk -v number="$1" -v scale="${PROMCB_STRESS_SCALE:-1}" 'BEGIN { n = int(number * scale); print n < 1 ? 1 : n }'
}
# in_share: whether the next one of many cases (dozens, not five) is looked at: all of them, or with a scale below 1 a
# share, another in each run.
in_share_next=$$
in_share() {
  in_share_next=$((in_share_next + 1))
  [ "$(scaled $in_share_next)" != "$(scaled $((in_share_next - 1)))" ]
}

# one_line WHAT: the complaint in $scratch/err is one.
one_line() {
  [ "$(wc -l <"$scratch/err")" = 1 ] || fail "$1: not one line: $(cat "$scratch/err")"
}
