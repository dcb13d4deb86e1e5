#!/bin/bash
# SPDX-License-Identifier: MIT
# Lines of every kind: what reports a call is recorded exactly; what does not is counted in the segment, quoted with its
# number, and stops nothing.
. "$(dirname "$0")/tools_prelude.sh"

feed() {
  "$tools/promcb-record" --stdin "$@" >"$scratch/out" 2>"$scratch/err"
}
good() { # what, options
  feed "${@:2}" || fail "$1: exit $?: $(cat "$scratch/err")"
  filled "$scratch/err" && fail "$1: $(cat "$scratch/err")"
  filled "$scratch/out" && fail "$1 printed $(cat "$scratch/out")"
  return 0
}
bad_lines() {
  "$tools/promcb-export" | sed -n 's/^promcb_bad_lines_total //p'
}
# bad WHAT PATTERN: one line of standard input is bad, and quoted; a second line sums up.
bad() {
  local before
  before=$(bad_lines)
  succeeds feed && fail "$1: passed"
  [ "$(wc -l <"$scratch/err")" = 2 ] || fail "$1: not two lines: $(cat "$scratch/err")"
  grep -q -x "promcb-record: 1 of [0-9]* lines could not be read" "$scratch/err" || fail "$1: $(cat "$scratch/err")"
  [ "$(bad_lines)" = $((${before:-0} + 1)) ] || fail "$1: $(bad_lines) bad lines, $before before"
  grep -q "$2" "$scratch/err" || fail "$1: does not say $2: $(cat "$scratch/err")"
}

good "nothing" </dev/null
printf '\n\r\n  \t \n' | good "blank lines"
good "outcomes" <<'LINES'
o 1 success
o 1 failure
o 1 100
o 1 199
o 1 200
o 1 304
o 1 399
o 1 400
o 1 503
o 1 599
o 1 000
o 1 009
o 1 0
o 1 -
o 1 -1
o 1 999
LINES
has 'circuit_breaker_successes_total{component="o"} 7'
has 'circuit_breaker_failures_total{component="o"} 9'

good "latencies" <<'LINES'
l 0 200
l 0.000000001 200
l .5 200
l 5. 200
l 1e0 200
l 25e-3 200
l 2.5E-2 200
l 0.00000000025e8 200
l +0.1 200
l 00000000000000000000000000000.1 200
l 0.10000000000000000000000000000000000000000000 200
l -0.0 200
l 0.0000000004999999 200
l 0.0000000005 200
LINES
# 1 ns + 0.5 + 5 + 1 + 0.025 * 3 + 0.1 * 3 + 0 + 0 + 1 ns
has 'circuit_breaker_latency_seconds_sum{component="l"} 6.875000002'
has 'circuit_breaker_calls_total{component="l"} 14'
# In a locale with a comma, a point is a point.
for locale in C de_DE.utf8 fr_FR.utf8; do
  locale -a 2>/dev/null | grep -q -x "$locale" || continue
  printf 'locale 0.5 200\nlocale 5e-1 200\n' | (export LC_ALL=$locale; good "locale $locale") || exit 1
  has 'circuit_breaker_latency_seconds_sum{component="locale"} 1'
  "$tools/promcb-admin" reset locale || fail "reset"
done

printf 'name with  blanks\t0.5\t200\r\n\tname with  blanks \t 0.5\t200 \t \r\n  name with  blanks\t0.5 \t200' |
  good "tabs, CRLF, no last newline"
printf ' name with  blanks  0.5   200 \n' | good "blanks by option" --names-with-blanks
has 'circuit_breaker_calls_total{component="name with  blanks"} 4'
printf '200 200 200\n' | good "numbers for names"
has 'circuit_breaker_calls_total{component="200"} 1'
printf '\357\273\277first 1 200\n' | good "a byte order mark"
has 'circuit_breaker_calls_total{component="first"} 1'
printf '/caf\303\251 1 200\n' | good "UTF-8"
name=$(printf '%0127d' 0)
echo "$name 1 success" | good "the longest name"
has "circuit_breaker_calls_total{component=\"$name\"} 1"

# What has no latency is a call all the same.
for latency in - -1 -1e-300 null nan NaN -nan inf -inf +Infinity "-, -" ""; do
  printf 'none\t%s\t200\n' "$latency" | good "the latency $latency"
done
printf 'none 200\nnone failure\nnone  503\n' | good "no latency"
has 'circuit_breaker_calls_total{component="none"} 15'
has 'circuit_breaker_failures_total{component="none"} 2'
has 'circuit_breaker_latency_seconds_count{component="none"} 0'
has 'promcb_rejected_calls_total 0'
"$tools/promcb-record" none --failure || fail "an outcome alone"
has 'circuit_breaker_failures_total{component="none"} 3'
has 'circuit_breaker_latency_seconds_count{component="none"} 0'

echo 'a' | bad "one field" "line 1: .*fewer than two fields.*: \"a\""
echo '200' | bad "one number" "fewer than two fields"
for latency in 1s 0x1p3 1,5 1.2.3 e5 1e 1e+ . + -- infinit 1_000 12ms '"1"'; do
  echo "a $latency 200" | bad "the latency $latency" "not a latency"
done
for outcome in Success ok 99 2000 -200 20x successs '"200"'; do
  echo "a 1 $outcome" | bad "the outcome $outcome" "not an outcome"
done
printf 'a 1 200\0\n' | bad "a zero byte" 'not an outcome.*: "a 1 200\\x00"'
printf '\0\n' | bad "a zero byte" "fields"
printf 'a 1 200\r\r\n' | bad "two carriage returns" "outcome"
printf 'a \033[31m\377"\\ 200\n' | bad "a quote without harm" 'latency.*: "a \\x1b\[31m\\xff\\"\\\\ 200"'
"$tools/promcb-export" --match=a --format=json >"$scratch/json" || fail "export"
matches -q '"a"' "$scratch/json" && fail "bad lines were recorded"

# Names that none can have: the call counts, as _overflow.
overflow=0
nameless() { # what, pattern
  feed || fail "$1: exit $?"
  grep -q "line 1: .*$2" "$scratch/err" || fail "$1: does not say $2: $(cat "$scratch/err")"
  grep -q -x 'promcb-record: 1 of 1 lines count as "_overflow": they have no valid component name' "$scratch/err" ||
    fail "$1: $(cat "$scratch/err")"
  overflow=$((overflow + 1))
  has "circuit_breaker_calls_total{component=\"_overflow\"} $overflow"
}
nameless "a name of 128 bytes" "127 bytes" <<<"0$name 1 success"
nameless "a control byte" control < <(printf 'a\001b 1 200\n')
nameless "a zero byte" control < <(printf 'a\0b 1 200\n')
nameless "no UTF-8" 'UTF-8.*"\\xff"' < <(printf '\377 1 200\n')
nameless "several words" "several words" <<<"GET /a b 1 200"
printf 'GET /a\t1\t200\nGET /a 1 200\n' | feed || fail "a name by tabs, then by blanks: exit $?"
has 'circuit_breaker_calls_total{component="GET /a"} 1'
overflow=$((overflow + 1))
nameless "no component" "empty" <<<" 0.5 200"
nameless "no component" "empty" < <(printf '\t0.5\t200\n')
has 'circuit_breaker_latency_seconds_count{component="_overflow"} 8'

# What fails, and units, are choices.
status() { # options
  "$tools/promcb-admin" reset chosen 2>/dev/null
  printf 'chosen 1 %s\n' 000 101 200 404 499 500 501 599 success failure | good "$*" "$@"
}
status
has 'circuit_breaker_failures_total{component="chosen"} 5'
status --failure=5xx,499
has 'circuit_breaker_failures_total{component="chosen"} 5'
status --failure=4xx,000,!404
has 'circuit_breaker_failures_total{component="chosen"} 3'
has 'circuit_breaker_latency_seconds_count{component="chosen"} 9'
for list in "" x 5x 500, 5xx\;4xx; do
  "$tools/promcb-record" --stdin --failure="$list" </dev/null 2>"$scratch/err"
  [ $? = 2 ] && grep -q -e '--failure' "$scratch/err" || fail "--failure=$list: $(cat "$scratch/err")"
done
for unit in s:2 ms:2000 us:2e6 ns:2000000000; do
  echo "unit ${unit#*:} 200" | good "$unit" --unit="${unit%:*}"
  "$tools/promcb-record" unit --latency="${unit#*:}" --unit "${unit%:*}" --success || fail "$unit"
done
has 'circuit_breaker_latency_seconds_sum{component="unit"} 16'

# What is too long is told, once, and at the end.
for i in $(seq 12); do echo "slow $((1099 + i)) 200"; done | feed || fail "slow calls: exit $?"
grep -q 'line 1: .*1099.5 s.*"slow 1100 200"' "$scratch/err" && grep -q 'line 10: .*10 such' "$scratch/err" &&
  grep -q '12 of 12 lines have a latency above the maximum' "$scratch/err" || fail "slow calls: $(cat "$scratch/err")"
"$tools/promcb-record" slow --latency=7200 --success 2>"$scratch/err" || fail "a slow call"
grep -q -e '--latency=7200: .*1099.5 s' "$scratch/err" || fail "a slow call: $(cat "$scratch/err")"
has 'promcb_saturated_calls_total 13'

# Too long, in one read and in many, with good lines around.
long() {
  head -c "$1" /dev/zero | tr '\0' x
}
{ echo 'long 1 200'; long 70000; echo ' 1 200'; echo 'long 1 200'; } | bad "70,000 bytes" "line 2: .*longer"
{ echo 'long 1 200'; long 5000000; echo ' 1 200'; echo 'long 1 200'; } | bad "5,000,000 bytes" "line 2: .*longer"
long 5000000 | bad "5,000,000 bytes without a newline" "line 1: .*longer"
{ long 65536 | tr x ' '; echo 'long 1 200'; echo 'long 1 200'; } | bad "65,546 bytes, blanks first" "line 1: .*longer"
{ long 65526 | tr x ' '; echo 'long 1 200'; echo 'long 1 200'; } | good "65,536 bytes, blanks first"
{ printf 'long 0.'; long 60000 | tr x 1; echo ' 200'; } | good "60,000 digits"
has 'circuit_breaker_calls_total{component="long"} 8'

# Bad lines among good ones: those of a kind are told at 1, 10, 100, ...; all are counted; all good ones are recorded.
before=$(bad_lines)
for i in $(seq 1000); do echo "mixed 0.001 success"; [ $((i % 10)) = 0 ] && echo "mixed x 200"; done | feed &&
  fail "bad lines passed"
[ "$(wc -l <"$scratch/err")" = 4 ] || fail "reports: $(cat "$scratch/err")"
for line in 11 110 1100; do
  grep -q "line $line: " "$scratch/err" || fail "reports: $(cat "$scratch/err")"
done
grep -q "100 of 1100 lines" "$scratch/err" || fail "reports: $(cat "$scratch/err")"
[ "$(bad_lines)" = $((before + 100)) ] || fail "$(bad_lines) bad lines, $before before"
has 'circuit_breaker_calls_total{component="mixed"} 1000'
has 'circuit_breaker_latency_seconds_sum{component="mixed"} 1'

# Ended by a signal, it has recorded what is in the pipe, sums up, and dies of the signal.
mkfifo "$scratch/pipe"
for signal in TERM INT HUP; do
  env --default-signal="$signal" "$tools/promcb-record" --stdin <"$scratch/pipe" 2>"$scratch/err" &
  background=$!
  exec 9>"$scratch/pipe"
  for _ in $(seq 15); do echo "ended x 200"; done >&9
  echo "ended$signal 1 200" >&9
  await calls "ended$signal" 1
  kill -STOP "$background"
  for _ in $(seq 20); do echo "ended$signal 1 200"; done >&9
  kill -"$signal" "$background"
  kill -CONT "$background"
  wait "$background"
  [ $? = $((128 + $(kill -l "$signal"))) ] || fail "SIG$signal did not end it"
  background=
  exec 9>&-
  grep -q "15 of 36 lines could not be read" "$scratch/err" || fail "SIG$signal: $(cat "$scratch/err")"
  has "circuit_breaker_calls_total{component=\"ended$signal\"} 21"
done

# Complaints that nobody reads stop nothing.
{ echo 'unread x 200'; sleep 0.2; echo 'unread x 200'; sleep 0.1; echo 'unread 1 200'; } |
  "$tools/promcb-record" --stdin 2>&1 | true
has 'circuit_breaker_calls_total{component="unread"} 1'

succeeds "$tools/promcb-record" --stdin <"$scratch" 2>"$scratch/err" && fail "a directory was read"
grep -q "cannot read standard input" "$scratch/err" || fail "a directory: $(cat "$scratch/err")"
exit 0
