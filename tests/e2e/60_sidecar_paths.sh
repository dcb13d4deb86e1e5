#!/bin/bash
# SPDX-License-Identifier: MIT
# Every path, method and format of the sidecar, and a segment that is missing, made, recreated, truncated and spoiled.
. "${0%/*}/tools_prelude.sh"
. "${0%/*}/sidecar_http.sh"
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
command -v jq >/dev/null || { echo "jq is not installed"; exit 77; }

# -- Without a segment -------------------------------------------------------------------------------------------------
start --web.share-ms=0
answers 200 /metrics
[ "$(header Content-Type)" = 'text/plain; version=0.0.4; charset=utf-8' ] || fail "$(header Content-Type)"
body_has 'promcb_up 0'
body_has 'process_resident_memory_bytes '
answers 503 /-/ready
answers 200 /-/healthy
answers 200 /
body_has 'Cannot be read'
answers 503 /health/metrics
[ "$(header Content-Type)" = application/json ] || fail "health is $(header Content-Type)"
jq -e '.healthy == false and .components == {} and .timestamp > 1700000000 and .unreadable_segments == 1' \
  <"$scratch/body" >/dev/null || fail "health without a segment: $(cat "$scratch/body")"

# -- With one ----------------------------------------------------------------------------------------------------------
"$tools/promcb-record" --latency=0.25 --success 'a<b>&"c"' || fail record
"$tools/promcb-record" --latency=0.5 --failure pay || fail record
"$tools/promcb-record" --latency=0.5 --failure pay || fail record
"$tools/promcb-record" --state=open pay || fail state
answers 200 /-/ready
answers 200 /metrics
body_has 'promcb_up 1'
body_has 'circuit_breaker_failures_total{component="pay"} 2'
[ "$(header Vary)" = 'Accept, Accept-Encoding' ] || fail "Vary: $(header Vary)"
[ "$(header Content-Length)" = "$(stat -c %s "$scratch/body")" ] || fail "Content-Length"
# What the tool prints is what is served, but for what is measured anew, and what is about the process.
ours='^(promcb_scrape_duration|promcb_http|process_|# (HELP|TYPE) (promcb_http|process_))'
diff <("$tools/promcb-export" | grep -v -E "$ours") <(grep -v -E "$ours" "$scratch/body") || fail "export and scrape"

answers 200 /metrics -H 'Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5'
[ "$(header Content-Type)" = 'application/openmetrics-text; version=1.0.0; charset=utf-8' ] || fail OpenMetrics
[ "$(tail -n 1 "$scratch/body")" = '# EOF' ] || fail "no EOF"
protobuf='application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited'
answers 200 /metrics -H "Accept: $protobuf" -H 'Accept: text/plain;q=0.1'
[ "$(header Content-Type)" = "${protobuf//;/; }" ] || fail "protobuf: $(header Content-Type)"
answers 200 /metrics -H 'Accept-Encoding: gzip'
[ "$(header Content-Encoding)" = gzip ] || fail "not compressed"
gzip -dc <"$scratch/body" | grep -q -x 'promcb_up 1' || fail "gzip"
answers 200 /metrics -H 'Accept-Encoding: gzip;q=0'
[ -z "$(header Content-Encoding)" ] || fail "compressed, which was refused"

answers 200 /health/metrics
[ "$(header Content-Type)" = application/json ] || fail "health is $(header Content-Type)"
jq -e '.healthy == false and .components.pay.failure_rate == 100 and .components.pay.avg_latency_ms == 500' \
  <"$scratch/body" >/dev/null || fail "health: $(cat "$scratch/body")"
answers 200 '/prometheus/query?q=a%3Cb'
jq -e 'keys == ["a<b>&\"c\""]' <"$scratch/body" >/dev/null || fail "query: $(cat "$scratch/body")"
answers 200 '/prometheus/query?q=p*y'
jq -e 'keys == ["pay"]' <"$scratch/body" >/dev/null || fail "query with a star: $(cat "$scratch/body")"
answers 200 /prometheus/query
jq -e 'length == 2 and .pay.current_state == "open" and .pay.latency_percentiles.p99 == 0.5' <"$scratch/body" \
  >/dev/null || fail "query of all"
answers 200 '/prometheus/query?q='
jq -e 'length == 2' <"$scratch/body" >/dev/null || fail "query of an empty text"
# Whatever is asked for, the answer is an object.
for q in %00 %ff %zz %25 '%' a%00b 'pay&x=y' "$(head -c 8192 /dev/zero | tr '\0' a)"; do
  answers 200 "/prometheus/query?q=$q"
  jq -e 'type == "object"' <"$scratch/body" >/dev/null || fail "query of $q: $(cat "$scratch/body")"
done
for q in nobody %00 pay%00; do
  answers 200 "/prometheus/query?q=$q"
  [ "$(jq -c . <"$scratch/body")" = '{}' ] || fail "query of $q"
done
answers 200 /api/v1/metrics
[ "$(header Content-Type)" = application/json ] || fail "metrics as JSON are $(header Content-Type)"
[ "$(jq -c . <"$scratch/body")" = '{"families":[],"unreadable_segments":0}' ] ||
  fail "metrics as JSON: $(cat "$scratch/body")"
answers 200 /
[ "$(header Content-Type)" = 'text/html; charset=utf-8' ] || fail "landing"
body_has 'a&lt;b&gt;&amp;&quot;c&quot;'
body_has 'href="/metrics"'
body_has "<title>promcb on $(hostname)</title>"
matches -q 'http-equiv="refresh"' "$scratch/body" && fail "the page refreshes without being asked"
# On a telephone the table scrolls, and names are not broken into letters.
body_has 'content="width=device-width, initial-scale=1"'
body_has '<div class="wide">'
css=$(sed -n 's/.*<link rel="stylesheet" href="\([^"]*\)".*/\1/p' "$scratch/body")
script=$(sed -n 's/.*<script defer src="\([^"]*\)".*/\1/p' "$scratch/body")
icon=$(sed -n 's/.*<link rel="icon" .*href="\([^"]*\)".*/\1/p' "$scratch/body")
cp "$scratch/body" "$scratch/page"
for file in "$css" "$script" "$icon"; do
  answers 200 "/$file" -H 'Accept-Encoding: gzip'
  [[ $(header Content-Encoding) = gzip && $(header Cache-Control) = *immutable* ]] ||
    fail "$file: $(cat "$scratch/head")"
  gzip -dc <"$scratch/body" >"$scratch/file" || fail "$file: gzip"
  answers 200 "/$file"
  cmp "$scratch/file" "$scratch/body" || fail "$file differs"
done
answers 200 "/$css"
body_has 'min-width: 8em'
matches -q 'overflow-wrap: anywhere' "$scratch/body" && fail "a column may be one letter wide"
cp "$scratch/page" "$scratch/body"
body_has '3 calls, 2 failed; 2 of at most 1024 components'
body_has '0 producers in 0 threads'
# What fails comes first, then names as people sort them.
for name in item/10 item/2; do
  "$tools/promcb-record" --latency=0.001 --success $name || fail record
done
answers 200 '/?refresh=7'
body_has '<meta http-equiv="refresh" content="7">'
order=$(grep -o '^<tr><td>[^<]*' "$scratch/body" | sed 's/.*>//' | tr '\n' ' ')
[ "$order" = 'pay a&lt;b&gt;&amp;&quot;c&quot; item/2 item/10 ' ] || fail "order of the page: $order"
"$tools/promcb-admin" reset item/10 && "$tools/promcb-admin" reset item/2 || fail reset
for refresh in -1 x 3601 1x '' %00; do
  answers 200 "/?refresh=$refresh"
  matches -q 'http-equiv="refresh"' "$scratch/body" && fail "refresh=$refresh refreshes"
done
python3 - "$scratch/body" <<'PYTHON' || fail "the page is not well-formed"
import html.parser, sys
void, stack = {"meta", "link", "br", "input"}, []
class Parser(html.parser.HTMLParser):
    def handle_starttag(self, tag, attributes):
        if tag not in void: stack.append(tag)
    def handle_endtag(self, tag):
        assert stack.pop() == tag, tag
Parser().feed(open(sys.argv[1]).read())
assert not stack
PYTHON

# -- Methods -----------------------------------------------------------------------------------------------------------
for path in /metrics / /api/v1/metrics /health/metrics /prometheus/query /-/healthy /-/ready; do
  get $path
  length=$(header Content-Length) wanted=$code
  code=$(curl -s -I -o "$scratch/head" -w '%{http_code}' "$url$path")
  [ "$code" = "$wanted" ] || fail "HEAD $path: $code"
  # These three tell of times and counts.
  case $path in
  /metrics | / | /health/metrics) ;;
  *) [ "$(header Content-Length)" = "$length" ] || fail "HEAD $path: length" ;;
  esac
  for method in POST PUT DELETE OPTIONS PATCH TRACE PROPFIND; do
    in_share || continue
    answers 405 $path -X $method -d 'x=1'
    [ "$(header Allow)" = 'GET, HEAD' ] || fail "$method $path: Allow: $(header Allow)"
  done
  answers 501 $path -X INVENTED
done
# A 404 tells what there is, and does not repeat what was asked.
for path in /nothing /metrics/ /metrics/x /-/ /favicon.ico //metrics /metrics/../metrics /%2e%2e/etc/passwd \
  '/<script>' /Metrics /metrics%00 /prometheus; do
  answers 404 "$path" --path-as-is
  body_has /metrics
  body_has /prometheus/query
  [ "$(header Content-Type)" = 'text/plain; charset=utf-8' ] || fail "404 as $(header Content-Type)"
  matches -q '<script' "$scratch/body" && fail "404 repeats what was asked"
done
answers 404 /nothing -I
# The whole URL as the target, as a proxy is asked; and no host.
for target in http://any.where/-/healthy HTTPS://x:1/-/healthy http://any.where; do
  answers 200 / --request-target "$target"
done
answers 404 / --request-target http://any.where/nothing
answers 200 '/metrics?name=anything'
answers 200 /metrics -H 'X-Prometheus-Scrape-Timeout-Seconds: nonsense'
answers 200 /-/healthy -0
# Bodies are neither wanted nor waited for.
head -c 3000000 /dev/zero >"$scratch/big"
answers 405 /metrics --data-binary "@$scratch/big"
answers 405 /metrics --data-binary "@$scratch/big" -H 'Transfer-Encoding: chunked'
answers 405 /metrics --data-binary "@$scratch/big" -H 'Expect: 100-continue'
answers 200 /-/healthy -X GET --data-binary "@$scratch/big"
answers 200 /-/healthy
# One connection serves many requests.
[ "$(curl -s -o /dev/null -o /dev/null -o /dev/null -w '%{num_connects} ' "$url/metrics" "$url/" "$url/nothing")" = \
  '1 0 0 ' ] || fail "no keep-alive"

# -- The segment goes and comes ---------------------------------------------------------------------------------------
"$tools/promcb-admin" remove --force >/dev/null || fail remove
answers 200 /metrics
body_has 'promcb_up 0'
matches -q 'circuit_breaker_calls_total{' "$scratch/body" && fail "series of a removed segment"
"$tools/promcb-record" --latency=1 --success again || fail record
answers 200 /metrics
body_has 'circuit_breaker_calls_total{component="again"} 1'
answers 200 /health/metrics
jq -e '.healthy == true and .unreadable_segments == 0' <"$scratch/body" >/dev/null || fail "health of one call"
truncate -s 100 "/dev/shm$PROMCB_SEGMENT"
answers 200 /metrics
body_has 'promcb_up 0'
answers 503 /health/metrics
body_has '{"healthy": false, "components": {}, '
rm "/dev/shm$PROMCB_SEGMENT"
head -c 1000000 /dev/urandom >"/dev/shm$PROMCB_SEGMENT"
answers 200 /metrics
body_has 'promcb_up 0'
rm "/dev/shm$PROMCB_SEGMENT"
"$tools/promcb-record" --latency=1 --success third || fail record
answers 200 /metrics
body_has 'circuit_breaker_calls_total{component="third"} 1'
[ "$(grep -c 'msg="segment attached"' "$scratch/log")" = 3 ] || fail "the log does not tell of attaches"
stop
start --classic-range=1us:1ms
answers 200 /metrics
[ "$(grep -c '_bucket{' "$scratch/body")" = 13 ] || fail "$(grep -c '_bucket{' "$scratch/body") buckets in a range"
body_has 'le="9.5367431640625e-07"'
stop

# -- Several segments, other paths -------------------------------------------------------------------------------------
for name in one two; do
  "$tools/promcb-record" --segment="${PROMCB_SEGMENT}_$name" --latency=1 --success both || fail record
done
echo "no segment" >"/dev/shm${PROMCB_SEGMENT}_bad"
start --segment="${PROMCB_SEGMENT}_*" --web.telemetry-path=/m --web.disable-exporter-metrics --compat=none \
  --classic-schema=2 --web.share-ms=0
answers 404 /metrics
body_has 'Not found. Try: /m,'
answers 200 /m
for name in one two; do
  body_has "circuit_breaker_calls_total{segment=\"${PROMCB_SEGMENT}_$name\",component=\"both\"} 1"
  body_has "promcb_up{segment=\"${PROMCB_SEGMENT}_$name\"} 1"
done
[ "$(grep -c '^promcb_up{' "$scratch/body")" = 2 ] || fail "what is no segment has a promcb_up"
[ "$(grep -c '_bucket{' "$scratch/body")" = 124 ] || fail "$(grep -c '_bucket{' "$scratch/body") buckets"
matches -q -e '^process_' -e 'calls_failed' "$scratch/body" && fail "families that were switched off"
"$tools/promcb-record" --segment="${PROMCB_SEGMENT}_three" --latency=1 --success third || fail record
answers 200 /m
body_has "promcb_up{segment=\"${PROMCB_SEGMENT}_three\"} 1"
answers 200 /prometheus/query
jq -e "has(\"${PROMCB_SEGMENT}_one both\") and has(\"${PROMCB_SEGMENT}_three third\")" <"$scratch/body" >/dev/null ||
  fail "two called both"
for name in one two three; do
  "$tools/promcb-admin" remove --force --segment="${PROMCB_SEGMENT}_$name" >/dev/null || fail remove
done
answers 503 /-/ready
answers 503 /health/metrics
body_has '{"healthy": false, '
stop

# One that is missing beside one that is there: the whole is not healthy.
"$tools/promcb-record" --latency=1 --success here || fail record
start --segment="$PROMCB_SEGMENT" --segment="${PROMCB_SEGMENT}_one" --web.share-ms=0
answers 200 /
[ "$(grep -o '^<h2>[^<]*' "$scratch/body" | head -n 1)" = "<h2>${PROMCB_SEGMENT}_one" ] ||
  fail "what is missing comes late"
body_has "promcb-admin create --segment=/dev/shm${PROMCB_SEGMENT}_one"
answers 503 /health/metrics
jq -e --arg key "$PROMCB_SEGMENT here" \
  '.healthy == false and (.components | has($key)) and .unreadable_segments == 1' <"$scratch/body" >/dev/null ||
  fail "health of one of two: $(cat "$scratch/body")"
answers 200 /api/v1/metrics
[ "$(jq .unreadable_segments <"$scratch/body")" = 1 ] || fail "metrics of one of two: $(cat "$scratch/body")"
answers 200 /prometheus/query
stop

# Some components alone, in all that is served.
for component in GET_/one GET_/two POST_/one; do
  "$tools/promcb-record" --latency=1 --failure $component || fail record
done
start --match='GET_*' --segment="$PROMCB_SEGMENT" --web.share-ms=0
for accept in text/plain 'application/openmetrics-text;version=1.0.0'; do
  answers 200 /metrics -H "Accept: $accept"
  [ "$(sed -n 's/^circuit_breaker_calls_total{component="\(.*\)"} .*/\1/p' "$scratch/body" | paste -s -d,)" = \
    GET_/one,GET_/two ] || fail "--match: $(grep calls_total "$scratch/body")"
done
answers 200 /health/metrics
[ "$(jq -c '.components | keys' <"$scratch/body")" = '["GET_/one","GET_/two"]' ] || fail "health of some"
answers 200 '/prometheus/query?q=one'
[ "$(jq -c keys <"$scratch/body")" = '["GET_/one"]' ] || fail "query of some"
answers 200 /
matches -q POST_/one "$scratch/body" && fail "the page shows others"
stop

# Calls a second, from an earlier page: none are known at the first; then those that came; and none any more.
rate_of() { # COMPONENT: of the page in $scratch/body
  sed -n "s|^<tr><td>$1</td><td[^>]*>[a-z_]*</td><td>[0-9]*</td><td>\\([^<]*\\)</td>.*|\\1|p" "$scratch/body"
}
goes_at() { # COMPONENT PATTERN
  get /
  [[ $(rate_of "$1") =~ ^$2$ ]]
}
for component in busy idle; do
  "$tools/promcb-record" $component --success || fail record
done
start --segment="$PROMCB_SEGMENT" --web.share-ms=0
answers 200 /
[ "$(rate_of busy)" = '&ndash;' ] || fail "a rate at the first page: $(rate_of busy)"
seq 1000 | sed 's/.*/busy 0.001 200/' | "$tools/promcb-record" --stdin || fail record
# At least a second after the first page, at most the test's time: 1,000 calls in that.
await goes_at busy '[1-9][0-9]*\.[0-9]'
[ "$(rate_of idle)" = 0.0 ] || fail "a rate of nothing: $(rate_of idle)"
awk -v rate="$(rate_of busy)" 'BEGIN { exit !(rate <= 1000) }' || fail "more calls than there were: $(rate_of busy)"
"$tools/promcb-admin" reset busy || fail reset
"$tools/promcb-record" busy --success || fail record
answers 200 /
[ "$(rate_of busy)" = '&ndash;' ] || fail "a rate over a reset: $(rate_of busy)"
await goes_at busy '0\.0'
stop
exit 0
