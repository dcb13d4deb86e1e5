#!/bin/bash
# SPDX-License-Identifier: MIT
# The sidecar's history: what it tells of a segment in any window is what was recorded, to the last call, over resets
# and recreations; and what it makes of requests that are none.
. "${0%/*}/tools_prelude.sh"
. "${0%/*}/sidecar_http.sh"
for program in python3 jq; do
  command -v $program >/dev/null || { echo "$program is not installed"; exit 77; }
done
api=/api/v1
openapi=${PROMCB_SOURCE:?}/tools/sidecar/openapi.json
# asks FILTER PATH: whether the answer has it.
asks() {
  get "$2"
  [ "$code" = 200 ] && jq -e "$1" <"$scratch/body" >/dev/null
}
# Of all that was looked at.
all='&from=-15m&columns=1000'

# -- Nothing there yet -------------------------------------------------------------------------------------------------
start
await asks '.segments | length == 1' $api/live
jq -e '.components == [] and .segments[0].up == false and (.segments[0].message | length > 0)' <"$scratch/body" \
  >/dev/null || fail "without a segment: $(cat "$scratch/body")"
answers 404 "$api/history?component=payment_api"
[ "$(header Content-Type)" = 'text/plain; charset=utf-8' ] || fail "a refusal as $(header Content-Type)"

# -- What is recorded is what is told ----------------------------------------------------------------------------------
odd=$(printf 'a/b?c#d&e=f%%41 "<script>alert(1)</script>\\ \xe2\x80\xae\xf0\x9f\x94\xa5 x y z')
odd=$odd$(printf '%*s' $((127 - $(printf %s "$odd" | wc -c))) '' | tr ' ' w)
{ seq 97 | sed 's/.*/payment_api 0.001 success/'; seq 3 | sed 's/.*/payment_api 8 failure/'; } |
  "$tools/promcb-record" --stdin || fail record
"$tools/promcb-record" --latency=0.25 --success "$odd" || fail "an odd name"
"$tools/promcb-record" --state=open payment_api || fail state
# The segment was made after the first look, so that nothing of it is from before.
await asks '[.columns[].calls] | add == 100' "$api/history?component=payment_api$all"
jq -e '.component == "payment_api" and ([.columns[].failed] | add) == 3 and ([.columns[].bad[1] // 0] | add) == 3 and
  ([.columns[].ok[1] // 0] | add) == 97 and ([.columns[].transitions[1]] | add) == 1 and .state == "open" and
  any(.columns[]; .marks | index("created")) and .columns[-1].state == "open" and
  (.bounds_ns[0][0] <= 1000000 and .bounds_ns[0][1] >= 1000000) and .bounds_ns[-1][1] >= 8000000000' \
  <"$scratch/body" >/dev/null || fail "a history: $(cat "$scratch/body")"
await asks '.components[0].name == "payment_api" and .components[0].breaker.state == "open" and
  .segments[0].open == 1' "$api/live?window=60"
jq -e --arg odd "$odd" '.components | map(.name) | sort == (["payment_api", $odd] | sort)' <"$scratch/body" \
  >/dev/null || fail "names: $(cat "$scratch/body")"
answers 200 "$api/live?match=pay*i&limit=1&sort=name"
jq -e '.matching == 1 and (.components | length == 1)' <"$scratch/body" >/dev/null || fail "match="
answers 200 "$api/samples?component=payment_api"
jq -e '.recent_calls == 100 and (.calls | length == 100) and (.calls | map(select(.[2])) | length == 3) and
  .max == 8 and .p50 == 0.001' <"$scratch/body" >/dev/null || fail "samples: $(cat "$scratch/body")"

# -- Shared, compressed, and not sent again ----------------------------------------------------------------------------
tagged() {
  answers 200 $api/live
  tag=$(header ETag)
  : >"$scratch/body"
  get $api/live -H "If-None-Match: \"other\", $tag"
  [ "$code" = 304 ]
}
await tagged
filled "$scratch/body" && fail "a 304 with a body: $(cat "$scratch/body")"
[ -n "$tag" ] && [ -z "$(header Content-Length)" ] || fail "a 304: $(cat "$scratch/head")"
answers 200 $api/live -H 'If-None-Match: "other"'
[ "$(header Cache-Control)" = no-cache ] || fail "Cache-Control: $(header Cache-Control)"
answers 200 "$api/history?component=payment_api$all" -H 'Accept-Encoding: gzip'
[ "$(header Content-Encoding)" = gzip ] || fail "not compressed"
gzip -dc <"$scratch/body" | jq -e '.format == 1' >/dev/null || fail gzip
[ "$(header Vary)" = Accept-Encoding ] || fail "Vary: $(header Vary)"
for path in "$api/live" "$api/history?component=payment_api" "$api/recording"; do
  answers 200 "$path" -I
  answers 405 "$path" -X POST -d x=1
done
answers 200 /metrics
grep -q '^promcb_http_requests_total{code="304"} [1-9]' "$scratch/body" || fail "304 is not counted"

# -- Reset, removed, recreated: all of it adds up ----------------------------------------------------------------------
"$tools/promcb-admin" reset payment_api || fail reset
seq 7 | sed 's/.*/payment_api 0.002 success/' | "$tools/promcb-record" --stdin || fail record
await asks '([.columns[].calls] | add) == 107 and .total.calls == 7 and any(.columns[]; .marks | index("reset"))' \
  "$api/history?component=payment_api$all"
"$tools/promcb-admin" remove --force >/dev/null || fail remove
await asks '.segments[0].up == false' $api/live
seq 20 | sed 's/.*/payment_api 0.004 failure/' | "$tools/promcb-record" --stdin || fail record
await asks '([.columns[].calls] | add) == 127 and ([.columns[].failed] | add) == 23 and
  any(.columns[]; .gaps | index("missing"))' "$api/history?component=payment_api$all"
python3 "${0%/*}/67_sidecar_history.py" "$url" "$openapi" "$PROMCB_SEGMENT" "$odd" || fail "windows"

# -- A recording is what promcb-top shows ------------------------------------------------------------------------------
answers 200 "$api/recording?from=-1h"
[[ $(header Content-Disposition) = 'attachment; filename="promcb-'*.promcb\" ]] || fail "$(header Content-Disposition)"
cp "$scratch/body" "$scratch/tape"
if [ -x "$tools/top/promcb-top" ]; then
  "$tools/top/promcb-top" --format=json --window=all "$scratch/tape" >"$scratch/json" || fail "a recording"
  jq -e '.components[] | select(.name == "payment_api") |
    .window.calls == 127 and .window.failed == 23 and .calls == 20' "$scratch/json" >/dev/null ||
    fail "not what was recorded: $(cat "$scratch/json")"
fi

# -- What is no request ------------------------------------------------------------------------------------------------
for path in live?sort=size live?limit=0 live?limit=1001 live?limit=x live?limit= live?window=0 live?window=86401 \
  live?window=-1 strips?parts=0 strips?parts=301 'strips?window=10&parts=11' strips?limit=201 history \
  'history?component=' 'history?component=payment_api&from=yesterday' 'history?component=payment_api&from=now&to=-1h' \
  'history?component=payment_api&columns=9' 'history?component=payment_api&columns=1001' \
  'history?component=payment_api&from=-1w' 'history?component=payment_api&from=1e9' \
  'history?component=payment_api&from=99999999999999999999' 'history?component=payment_api&from=-' \
  'compare?component=payment_api' 'compare?component=payment_api&a=-20..-10' \
  'compare?component=payment_api&a=-20..-10&b=-10' 'compare?component=payment_api&a=-10..-20&b=-10..now' \
  'compare?component=payment_api&a=..&b=..' recording?from=x samples "live?match=$(printf '%0300d' 0)" \
  "history?component=$(printf '%0300d' 0)" "history?component=payment_api&segment=$(printf '%0600d' 0)"; do
  in_share || continue
  answers 400 "$api/$path"
  [ "$(wc -l <"$scratch/body")" = 1 ] && grep -q '^[a-z].*\.$' "$scratch/body" || fail "$path: $(cat "$scratch/body")"
done
for path in 'history?component=nobody' 'history?component=payment_api&segment=/nothing' 'samples?component=payment*' \
  'history?component=%00' 'samples?component=%ff' recording?segment=x; do
  answers 404 "$api/$path"
done
answers 404 $api/nothing
answers 200 "$api/live?anything=else&sort=p99"
stop

# -- Kept for the next process, however this one ends -----------------------------------------------------------------
mkdir "$scratch/keep" && chmod 700 "$scratch/keep"
kept=$scratch/keep/%2fpromcb_e2e_$$.promcb
"$tools/promcb-admin" remove --force >/dev/null
start --history.directory="$scratch/keep"
await asks '.segments[0].up == false' $api/live
seq 50 | sed 's/.*/payment_api 0.001 success/' | "$tools/promcb-record" --stdin || fail record
await asks '([.columns[].calls] | add) == 50' "$api/history?component=payment_api$all"
stop
seq 30 | sed 's/.*/payment_api 0.002 failure/' | "$tools/promcb-record" --stdin || fail record
export RUNTIME_DIRECTORY=$scratch/keep:/nowhere
start
await asks '([.columns[].calls] | add) == 80 and ([.columns[].failed] | add) == 30 and .total.calls == 80 and
  any(.columns[]; .gaps == ["stopped"])' "$api/history?component=payment_api$all"
seq 7 | sed 's/.*/payment_api 0.002 success/' | "$tools/promcb-record" --stdin || fail record
await asks '([.columns[].calls] | add) == 87' "$api/history?component=payment_api$all"
kill -KILL "$background"
wait "$background" 2>/dev/null
start
await asks '([.columns[].calls] | add) == 87 and .segments == null' "$api/history?component=payment_api$all"
if [ -x "$tools/top/promcb-top" ]; then
  "$tools/top/promcb-top" --format=json --window=all "$kept" >"$scratch/json" || fail "the file as a recording"
  jq -e '.components[] | select(.name == "payment_api") | .window.calls == 87 and .calls == 87' "$scratch/json" \
    >/dev/null || fail "not what was recorded: $(cat "$scratch/json")"
fi
[ "$(ls "$scratch/keep")" = "${kept##*/}" ] || fail "files beside it: $(ls "$scratch/keep")"
stop
# One that is cut is read as far as it goes, and what is missing came meanwhile; what is no recording is written over.
truncate -s -1 "$kept"
start
await asks '([.columns[].calls] | add) == 87' "$api/history?component=payment_api$all"
stop
echo nonsense >"$kept"
start
await asks '.total.calls == 87' "$api/history?component=payment_api$all"
grep -q 'msg="earlier history cannot be read, and begins anew"' "$scratch/log" ||
  fail "no word of it: $(cat "$scratch/log")"
cut_off() {
  [ "$(head -c 14 "$kept")" = "promcb history" ]
}
await cut_off
stop
# A place that cannot be written to costs the history nothing.
start --history.directory="$scratch/nowhere"
await grep -q 'msg="history cannot be written"' "$scratch/log"
await asks '.segments[0].history.columns >= 2' $api/live
[ "$(grep -c 'history cannot be written' "$scratch/log")" = 1 ] || fail "told more than once"
stop
unset RUNTIME_DIRECTORY

# -- Off, too little, with a password ----------------------------------------------------------------------------------
start --history=0
answers 404 $api/live
body_has -- '--history=0'
answers 200 /metrics
stop
for size in 1 64 1k x -1 '' 32MB 99999999999999999999 63K; do
  succeeds "$sidecar" --history="$size" >"$scratch/out" 2>&1 && fail "--history=$size"
  grep -q -e --history "$scratch/out" || fail "--history=$size: $(cat "$scratch/out")"
done
printf '%s\n' 'basic_auth_users:' \
  '  prometheus: $2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG' >"$scratch/web.yml"
start --web.config.file="$scratch/web.yml" --history=64K
for path in live history strips compare samples recording; do
  answers 401 "$api/$path"
done
stop
# Several: each has its own, and a component is of one of them.
"$tools/promcb-record" --segment="${PROMCB_SEGMENT}_bad" --latency=1 --success payment_api || fail record
start --segment="$PROMCB_SEGMENT" --segment="${PROMCB_SEGMENT}_bad"
await asks '[.segments[].up] == [true, true] and (.components | map(.name) | index("payment_api"))' $api/live
answers 400 "$api/history?component=payment_api"
answers 200 "$api/history?component=payment_api&segment=${PROMCB_SEGMENT}_bad"
jq -e '.total.calls == 1' <"$scratch/body" >/dev/null || fail "of which segment: $(cat "$scratch/body")"
stop
exit 0
