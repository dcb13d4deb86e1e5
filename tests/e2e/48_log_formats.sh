#!/bin/bash
# SPDX-License-Identifier: MIT
# Logs as servers write them, 100,000 generated lines of each format with changes of series in between, some through
# sockets with what syslog puts before them: what the generator says that they mean is what the export says, to the last
# call and nanosecond. What is wrong with a map, a format or its fields is said, and where. PROMCB_SEED=N makes others.
. "$(dirname "$0")/tools_prelude.sh"
command -v python3 >/dev/null || {
  echo "python3 is not installed"
  exit 77
}
python3 "$(dirname "$0")/48_log_formats.py" "$tools" "${PROMCB_SEED:-1}" "$(scaled 100000)" ||
  fail "PROMCB_SEED=${PROMCB_SEED:-1}"

# refused WORDS OPTION...: status 2, and these words in one line on standard error.
refused() {
  local words=$1
  shift
  timeout 20 "$tools/promcb-record" "$@" </dev/null >"$scratch/out" 2>"$scratch/err"
  [ $? = 2 ] || fail "$*: not refused"
  grep -q -F -e "$words" "$scratch/err" || fail "$*: $(cat "$scratch/err")"
}
map() {
  printf '%b' "$1" >"$scratch/map"
  refused "$2" --stdin --map="$scratch/map"
}
map '# a\n^GET( x\n' "$scratch/map:2: \"^GET(\" is no pattern, at byte 6: missing closing parenthesis"
map '\n\nlonely\n' "$scratch/map:3: a pattern and a name are expected"
map '^(a) $2\n' "$scratch/map:1: \"\$2\" is no name: the pattern has no such group"
map '^(a) $x\n' 'a digit from 1 to 9'
map '# nothing\n' 'there is no pattern in it'
map "^a $(printf %0128d 0)\\n" 'is no name'
refused "$scratch/none: No such file" --stdin --map="$scratch/none"
refused 'unknown format "iis"' --stdin --format=iis
refused 'NAME,LATENCY,STATUS' --stdin --format=json
refused 'three fields' --stdin --format=json --fields=a,b
refused 'needs --map' --stdin --format=ltsv --fields=method+uri,reqtime,status
refused 'no other does' --stdin --format=nginx --fields=a,b,c
refused 'require --stdin or --socket' x --success --format=nginx
refused 'cannot be combined' --stdin --socket="$scratch/s"
refused 'leave them off' --socket="$scratch/s" component
refused 'is for --format=lines' --stdin --format=nginx --names-with-blanks
refused 'can be combined' --add x_total 1 --socket="$scratch/s"
[ ! -e "$scratch/s" ] || fail "what is refused makes a socket"

# Of 1,234 lines that are no JSON, the 1st, 10th, 100th and 1,000th are quoted, and all are summed up and counted.
{ seq -f 'line "%g"' 1234; echo '{"n":"good","s":200}'; } |
  "$tools/promcb-record" --stdin --format=json --fields=n,,s 2>"$scratch/err"
[ $? = 1 ] || fail "status $?"
quoted=$(sed -n 's/.*line \([0-9]*\): the line is not of the format.*: "line \\"\([0-9]*\)\\"".*/\1=\2/p' \
  "$scratch/err" | tr '\n' ' ')
[ "$quoted" = '1=1 10=10 100=100 1000=1000 ' ] || fail "quoted are $quoted: $(cat "$scratch/err")"
[ "$(grep -c . "$scratch/err")" = 5 ] && grep -q '1234 of 1235 lines could not be read' "$scratch/err" ||
  fail "$(cat "$scratch/err")"
has 'promcb_bad_lines_total 1234'
has 'circuit_breaker_calls_total{component="good"} 1'

# A pattern that would take forever is told of, and its call is in a metric.
printf '^(a+)+$ forever\n^a named\n' >"$scratch/map"
{ head -c 60 /dev/zero | tr '\0' a; echo '! 1 200'; } |
  timeout 60 "$tools/promcb-record" --stdin --map="$scratch/map" 2>"$scratch/err" ||
  fail "forever: $(cat "$scratch/err")"
has 'circuit_breaker_calls_total{component="named"} 1'

# A socket that is in use, or is none, is not taken; one that was left behind is.
touch "$scratch/file"
timeout 20 "$tools/promcb-record" --socket="$scratch/file" 2>"$scratch/err"
[ $? = 1 ] && grep -q 'is no socket' "$scratch/err" && [ -f "$scratch/file" ] || fail "a file: $(cat "$scratch/err")"
"$tools/promcb-record" --socket="$scratch/s" &
background=$!
await test -S "$scratch/s"
timeout 20 "$tools/promcb-record" --socket="$scratch/s" 2>"$scratch/err"
[ $? = 1 ] && grep -q 'somebody does already' "$scratch/err" || fail "in use: $(cat "$scratch/err")"
kill -KILL $background
wait $background 2>/dev/null
[ -S "$scratch/s" ] || fail "a killed recorder leaves its socket"
"$tools/promcb-record" --socket="$scratch/s" 2>"$scratch/err" &
background=$!
send() {
  python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(sys.argv[1])
s.send(b"<190>Nov 28 10:00:00 host nginx: again 1 200\nagain 2 500\n")' "$scratch/s" 2>/dev/null
}
await send
await calls again 2
kill -TERM $background
wait $background
[ $? = 143 ] && [ ! -e "$scratch/s" ] || fail "SIGTERM does not end it, or its socket stays"
background=
exit 0
