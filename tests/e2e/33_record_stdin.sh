#!/bin/bash
# SPDX-License-Identifier: MIT
# Lines of every kind: good ones are recorded exactly, bad ones are counted and reported by number and stop nothing.
. "$(dirname "$0")/tools_prelude.sh"

feed() {
  "$tools/promcb-record" --stdin >"$scratch/out" 2>"$scratch/err"
}
good() {
  feed || fail "$1: exit $?: $(cat "$scratch/err")"
  [ -s "$scratch/err" ] && fail "$1: $(cat "$scratch/err")"
  [ -s "$scratch/out" ] && fail "$1 printed $(cat "$scratch/out")"
  return 0
}
bad() {
  feed && fail "$1: passed"
  one_line "$1"
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
LINES
has 'circuit_breaker_successes_total{component="o"} 4'
has 'circuit_breaker_failures_total{component="o"} 6'

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

printf 'name with  blanks 0.5 200\r\n\tname with  blanks \t 0.5\t200 \t \r\n  name with  blanks 0.5 200' |
  good "blanks, CRLF, no last newline"
has 'circuit_breaker_calls_total{component="name with  blanks"} 3'
printf '200 200 200\n1 2 1 2 200\n' | good "numbers for names"
has 'circuit_breaker_calls_total{component="200"} 1'
has 'circuit_breaker_calls_total{component="1 2 1"} 1'
printf '/caf\303\251 1 200\n' | good "UTF-8"
name=$(printf '%0127d' 0)
echo "$name 1 success" | good "the longest name"
has "circuit_breaker_calls_total{component=\"$name\"} 1"

echo 'a' | bad "one field" "line 1: .*three fields"
echo 'a 200' | bad "two fields" "three fields"
echo ' 0.5 200' | bad "no component" "three fields"
for latency in - 1s 0x1p3 1,5 1.2.3 e5 1e 1e+ . + -- infinit 1_000; do
  echo "a $latency 200" | bad "the latency $latency" "no latency"
done
for latency in -1 -1e-300 nan NaN -nan inf -inf +Infinity; do
  echo "a $latency 200" | bad "the latency $latency" "negative, NaN or infinite"
done
for outcome in Success ok 99 600 2000 020 -200 20x 000 successs; do
  echo "a 1 $outcome" | bad "the outcome $outcome" "outcome"
done
echo "0$name 1 success" | bad "a name of 128 bytes" "127 bytes"
printf 'a\001b 1 200\n' | bad "a control byte" "control"
printf '\377 1 200\n' | bad "no UTF-8" "UTF-8"
printf 'a\tb 1 200\n' | bad "a tab inside" "control"
printf 'a\0 1 200\n' | bad "a zero byte" "zero byte"
printf 'a 1 200\0\n' | bad "a zero byte" "zero byte"
printf '\0\n' | bad "a zero byte" "zero byte"
printf 'a 1 200\r\r\n' | bad "two carriage returns" "outcome"
"$tools/promcb-export" --match=a --format=json | grep -q '"a"' && fail "bad lines were recorded"
[ "$("$tools/promcb-export" | sed -n 's/^promcb_rejected_calls_total //p')" = 8 ] ||
  fail "negative, NaN and infinite latencies were not counted"

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

# Bad lines among good ones: ten are reported, all are counted, all good ones are recorded.
for i in $(seq 1000); do echo "mixed 0.001 success"; [ $((i % 10)) = 0 ] && echo "mixed - 200"; done | feed &&
  fail "bad lines passed"
[ "$(wc -l <"$scratch/err")" = 11 ] || fail "reports: $(cat "$scratch/err")"
grep -q "line 11: " "$scratch/err" || fail "reports: $(cat "$scratch/err")"
grep -q "line 110: " "$scratch/err" || fail "reports: $(cat "$scratch/err")"
grep -q "100 of 1100 lines" "$scratch/err" || fail "reports: $(cat "$scratch/err")"
has 'circuit_breaker_calls_total{component="mixed"} 1000'
has 'circuit_breaker_latency_seconds_sum{component="mixed"} 1'

# Complaints that nobody reads stop nothing.
{ echo 'unread - 200'; sleep 0.2; echo 'unread - 200'; sleep 0.1; echo 'unread 1 200'; } |
  "$tools/promcb-record" --stdin 2>&1 | true
has 'circuit_breaker_calls_total{component="unread"} 1'

"$tools/promcb-record" --stdin <"$scratch" 2>"$scratch/err" && fail "a directory was read"
grep -q "cannot read standard input" "$scratch/err" || fail "a directory: $(cat "$scratch/err")"
exit 0
