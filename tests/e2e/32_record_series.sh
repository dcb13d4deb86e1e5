#!/bin/bash
# SPDX-License-Identifier: MIT
# Counters, levels, gauges and histograms from the command line and from lines: all that was handed over is in a metric,
# or counted and quoted.
. "$(dirname "$0")/tools_prelude.sh"

says() { # status, pattern, arguments
  local status
  "$tools/promcb-record" "${@:3}" >"$scratch/out" 2>"$scratch/err"
  status=$?
  [ "$status" = "$1" ] || fail "${*:3}: exit $status: $(cat "$scratch/err")"
  grep -q -e "$2" "$scratch/err" || fail "${*:3} does not say $2: $(cat "$scratch/err")"
}

record --add 'jobs_total{queue="mail"}' 1 --help-text='Jobs that were done.'
record --add 'jobs_total{queue="mail"}' 41
record --add='jobs_total{queue="a \"b\"\n\\"}' 2 --add 'jobs_total{}' 3
has '# HELP jobs_total Jobs that were done.'
has '# TYPE jobs_total counter'
has 'jobs_total{queue="mail"} 42'
has 'jobs_total{queue="a \"b\"\n\\"} 2'
has 'jobs_total 3'
# Labels in any order are one series, and more labels another family of the name.
record --add 'sent_bytes_total{peer="x",via="y"}' 1e3 --add 'sent_bytes_total{ via="y", peer="x", }' 24
has 'sent_bytes_total{peer="x",via="y"} 1024'
"$tools/promcb-export" --format=openmetrics | grep -q -x '# UNIT sent_bytes bytes' || fail "no unit"
# A level falls, and is no counter; a gauge stays when this process has ended.
record --add queue_length 5 --add queue_length -7 --unit=length
has '# TYPE queue_length gauge'
has 'queue_length -2'
record --set 'disk_free_ratio{disk="/"}' .25 --set last_backup_time 1.5e9 --set below -273.15
record --add below 0.15
has 'disk_free_ratio{disk="/"} 0.25'
has 'last_backup_time 1500000000'
has 'below -273'
record --set below -- -2
has 'below -2'
# Seconds, and what begins with a fraction, have nine decimals; sums are exact.
for _ in $(seq 10); do record --add worked_seconds_total 0.1 --add paid_total 0.1; done
has 'worked_seconds_total 1'
has 'paid_total 1'
record --observe 'took_seconds{kind="a"}' 3 --observe 'took_seconds{kind="a"}' 0.000000001
has 'took_seconds_sum{kind="a"} 3.000000001'
has 'took_seconds_bucket{kind="a",le="2.0"} 1'
has 'took_seconds_bucket{kind="a",le="4.0"} 2'
record --observe sizes 1000 --observe shares 0.5
has 'sizes_sum 1000'
has 'shares_bucket{le="0.5"} 1'
has 'shares_bucket{le="0.25"} 0'

# What was declared elsewhere is taken as it is: whole numbers here.
says 0 'jobs_total has 0 decimals: the amount is rounded' --add jobs_total 1.5
has 'jobs_total 5'
says 1 'jobs_total is a counter, and --set is of gauges' --set jobs_total 1
says 1 'sizes is a histogram, and --add is of' --add sizes 1
says 1 'below is a gauge, and --observe is of histograms' --observe below 1
says 1 'counts it as rejected' --add jobs_total -1
says 1 'counts it as rejected' --add jobs_total NaN
says 1 'counts it as rejected' --observe sizes -1
has 'promcb_rejected_values_total 3'
says 1 'beyond what jobs_total can count' --add jobs_total 1e30
says 1 'begins with "circuit_breaker_"' --add circuit_breaker_x_total 1
says 1 'the label "le"' --add 'jobs_total{le="1"}' 1
says 0 'counts in the one whose labels are "_overflow"' --add $'jobs_total{queue="\377"}' 4
has 'jobs_total{queue="_overflow"} 4'
# Wrong on the command line: nothing is recorded.
says 2 "no amount comes after" --add jobs_total
says 2 "not a decimal number" --add jobs_total x
says 2 "invalid series" --add 'jobs_total{queue=mail}' 1
says 2 "no amount comes after" --add jobs_total --add jobs_total 1
says 2 "can be combined" --add jobs_total 1 --success
says 2 "can be combined" --add jobs_total 1 component
says 2 "requires --add" component --success --help-text=x
has 'jobs_total 5'

# Lines, with calls between them.
cat >"$scratch/lines" <<'LINES'
--add lines_total{queue="a b"} 1
api 0.1 200
  --add	lines_total{queue="a b"}   2
--set lines_now -5.5
--observe lines_size{x="1"} 7
--add lines_total{queue=a} 1
--add lines_total{queue="a b"}
--add lines_total{queue="a b"} 1 1
--set lines_total{queue="a b"} 1
--add lines_total{queue="a b"} 0.5
--add lines_total{queue="a b"} -1
--added lines_total 1
LINES
succeeds "$tools/promcb-record" --stdin <"$scratch/lines" >"$scratch/out" 2>"$scratch/err" && fail "bad lines passed"
has 'lines_total{queue="a b"} 4'
has 'lines_now -5.5'
has 'lines_size_sum{x="1"} 7'
has 'circuit_breaker_calls_total{component="api"} 1'
has 'promcb_bad_lines_total 5'
has 'promcb_rejected_values_total 4'
for line in 'line 6: a label.s value is not quoted: .*"--add lines_total{queue=a} 1"' \
  '5 of 12 lines could not be read' \
  '1 of 12 lines have a number that their series rejects' '1 of 12 lines have more decimals than their series'; do
  grep -q -e "$line" "$scratch/err" || fail "lines: does not say $line: $(cat "$scratch/err")"
done

# Many processes at once, and strangers beyond the cap: nothing is lost.
for i in $(seq 4); do
  for n in $(seq 500); do echo "--add crowd_total{who=\"$i-$n\"} 1"; done | "$tools/promcb-record" --stdin 2>/dev/null &
done
wait
"$tools/promcb-export" >"$scratch/metrics" || fail "export"
[ "$(grep -c '^crowd_total' "$scratch/metrics")" = 1001 ] || fail "$(grep -c ^crowd_total "$scratch/metrics") series"
[ "$(awk '/^crowd_total/ { n += $2 } END { print n }' "$scratch/metrics")" = 2000 ] || fail "adds were lost"
"$tools/promcb-export" --check >"$scratch/out" || fail "check: $(cat "$scratch/out")"
exit 0
