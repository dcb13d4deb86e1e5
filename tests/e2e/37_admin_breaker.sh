#!/bin/bash
# SPDX-License-Identifier: MIT
# An operator sees circuit breakers as they are, changes one for all processes, and makes none by a name that is wrong.
. "${0%/*}/tools_prelude.sh"
command -v jq >/dev/null || { echo "jq is not installed"; exit 77; }
admin=$tools/promcb-admin

refused() { # STATUS WHAT ARGUMENT...
  local status wanted=$1 said=$2
  shift 2
  "$admin" breaker "$@" >"$scratch/out" 2>"$scratch/err"
  status=$?
  [ $status = "$wanted" ] || fail "breaker $*: exit $status, not $wanted: $(cat "$scratch/err")"
  filled "$scratch/out" && fail "breaker $*: wrote to standard output"
  matches -q -F -e "$said" "$scratch/err" || fail "breaker $*: does not say $said: $(cat "$scratch/err")"
  [ "$wanted" = 2 ] || one_line "breaker $*"
}
does() {
  "$admin" breaker "$@" >"$scratch/out" 2>"$scratch/err" || fail "breaker $*: exit $?: $(cat "$scratch/err")"
  filled "$scratch/err" && fail "breaker $*: $(cat "$scratch/err")"
  filled "$scratch/out" && fail "breaker $*: printed $(cat "$scratch/out")"
  return 0
}
# is FILTER: of the JSON of pay's breaker.
is() {
  "$admin" breaker show pay --format=json >"$scratch/json" || fail "show"
  jq -e ".[0] | $1" <"$scratch/json" >"$scratch/jq" 2>&1 || fail "not $1: $(cat "$scratch/json")"
}
says() { # TEXT: the lines for a person
  "$admin" breaker show pay >"$scratch/text" || fail "show"
  grep -q -x -F -e "$1" "$scratch/text" || fail "no line $1: $(cat "$scratch/text")"
}

# -- Bad words: no segment is made by them -----------------------------------------------------------------------------
refused 2 'unknown word "open"' open pay
refused 2 'no component given' trip
refused 2 'no component given' set
refused 2 'nothing to set' set pay
refused 2 'no mode given' force pay
refused 2 'unknown mode "half_open"' force pay half_open
refused 2 'unexpected argument "closed"' force pay open closed
refused 2 'unexpected argument "x"' reset pay x
refused 2 'unexpected argument "x"' show pay x
refused 2 'goes with show' reset pay --format=json
refused 2 'unknown format "xml"' --format=xml
for time in 0 -1 1x 61m 2h 1.2345 nan '' 1e3; do
  refused 2 "$time" trip pay -- "$time"
done
for pair in failure_rate failure_rate= failure_rate=30 failure_rate=0% failure_rate=0.55% failure_rate=-1% \
  slow_rate=on slow=0 slow=fast window=0.5ms window=1y min_calls=1.5 min_calls=0 min_calls=off probes=99999999999 \
  mode=half version=-1 jitter=off% colour=red =1 , open=1s, open=1s,,probes=1; do
  refused 2 "" set pay "$pair"
  [ -s "$scratch/err" ] || fail "set $pair: without a word"
done
refused 2 'unknown key "colour"' set pay colour=red
[ ! -e "/dev/shm$PROMCB_SEGMENT" ] || fail "a segment was made"
refused 1 "promcb-admin create" show
refused 1 "promcb-admin create" trip pay

# -- What is not there -------------------------------------------------------------------------------------------------
"$tools/promcb-record" pay --success || fail record
refused 1 'no component "pya"' trip pya
refused 1 'no component "pya"' set pya open=1s
refused 1 'no component "pya"' show pya
refused 1 'has no circuit breaker' show pay
for words in 'force pay open' 'trip pay' 'reset pay'; do
  refused 1 'has no circuit breaker' $words
done
does show
[ "$("$admin" breaker --format=json | jq -c .)" = '[]' ] || fail "breakers of nobody"
hasnt 'circuit_breaker_mode'
hasnt 'pya'

# -- A policy ----------------------------------------------------------------------------------------------------------
# What the library refuses, it says, and nothing comes of it.
refused 1 "window_ms is 10: 100 to 3600000 are possible" set pay window=10ms
refused 1 "open_max_ms is less" set pay open=5m open_max=1m
refused 1 "no slow_ns" set pay slow_rate=50%
does set pay failure_rate=12.5% window=1m,open=2m jitter=off slow=250ms slow_rate=80% lease=1.5s
is '.policy == {version: 0, failure_ratio: 0.125, slow_ratio: 0.8, slow_seconds: 0.25, consecutive: null,
  min_calls: 20, window_seconds: 60, open_seconds: 120, open_max_seconds: 120, jitter_ratio: null,
  probes: 3, successes: 3, failures: 1,
  lease_seconds: 1.5, mode: "automatic", operators: true}'
is '.component == "pay" and .state == "closed" and .mode == "automatic" and (.forced | not) and .open_until == null and
  .last_reason == null and .permitted == 0 and .window_calls == 0'
says 'opens at     12.5 % failures, or 80.0 % slower than 250 ms of 20 calls or more in 1 m'
says 'open for     2 m, twice as long each time, at most 2 m'
says 'half-open    3 probes at a time, for at most 1.5 s each; 3 successes close, 1 failures open'
# What is not named stays.
does set pay consecutive=4 slow_rate=off version=3
is '.policy | .failure_ratio == 0.125 and .consecutive == 4 and .slow_ratio == null and .slow_seconds == null and
  .version == 3 and .window_seconds == 60'
says 'opens at     12.5 % failures of 20 calls or more in 1 m, or 4 failures in a row'
# A program's of the same version does not take its place, and is not told so; one of a higher version does.
"$PROMCB_BUILD/tests/e2e_breaker" pay 3 || fail "a program with version 3: $?"
is '.policy | .version == 3 and .consecutive == 4 and .operators'
"$PROMCB_BUILD/tests/e2e_breaker" pay 4 || fail "a program with version 4: $?"
is '.policy | .version == 4 and .consecutive == 7 and (.operators | not)'
# Over that of a program, of a lower version as well.
does set pay version=1
is '.policy | .version == 1 and .consecutive == 7 and .operators'

# -- Modes, and the state ----------------------------------------------------------------------------------------------
comes_to() { # RESULT: what a call of another process comes to
  [ "$("$PROMCB_BUILD/tests/e2e_breaker" pay)" = "$1" ] || fail "a call was not $1"
}
comes_to allowed
does force pay open
comes_to refused
is '.mode == "open" and .forced and .state == "closed" and .refused_forced == 1 and .permitted == 1'
says 'mode         open, forced'
does trip pay
does force pay closed
comes_to allowed
does force pay shadow
comes_to allowed
is '.mode == "shadow" and .shadow_refusals == 1'
does force pay automatic
comes_to refused
is '.mode == "automatic" and (.forced | not) and .state == "open" and .last_reason == "tripped" and .refused_open == 1'
does reset pay
comes_to allowed
is '.state == "closed" and .open_until == null'
# For so long at least, and for as long as its policy says.
for time in 600 10m 0.25h; do
  does trip pay $time
  [ $time != 0.25h ] && least=590 || least=890
  is ".open_until - now | . > $least and . < $least + 11"
done
grep -q '"open_until": [0-9]\{10\}\.[0-9]\{3\},$' "$scratch/json" || fail "open_until: $(cat "$scratch/json")"
"$admin" breaker show pay | grep -q -x -E \
  -e 'state        open until [0-9: -]{19} [+-][0-9]{4}, in [0-9.]+ s; opened last by: tripped' ||
  fail "the state: $("$admin" breaker show pay)"
does trip pay 1
is '.open_until - now > 590'

# -- Several, with labels, and names that JSON has to quote ------------------------------------------------------------
quoted='q"u\o{op="re\"ad"}'
for name in 'db{op="read"}' "$quoted"; do
  "$tools/promcb-record" "$name" --failure || fail "record $name"
  does set "$name" consecutive=2
  does force "$name" closed
done
"$admin" breaker --format=json | jq -r '.[].component' >"$scratch/names" || fail "JSON of all"
printf '%s\n' 'db{op="read"}' pay "$quoted" | diff - "$scratch/names" || fail "other components"
[ "$("$admin" breaker | grep -c '^component ')" = 3 ] || fail "not three breakers"
[ "$("$admin" breaker show 'db{op="read"}' | grep -c '^component ')" = 1 ] || fail "not one breaker"

# -- A segment that nobody can trust: in bounded time, without a crash, and nothing else is touched --------------------
"$tools/promcb-export" --check >/dev/null || fail "check"
copy=/dev/shm${PROMCB_SEGMENT}_bad
trap 'rm -rf "$scratch" "/dev/shm$PROMCB_SEGMENT" "$copy"' EXIT
/usr/bin/python3 - "/dev/shm$PROMCB_SEGMENT" "$copy" "$(scaled 24)" <<'END' >"$scratch/damage" || fail "damage"
import random
import subprocess
import sys
import os

source, copy, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
whole = open(source, "rb").read()
place = whole.index(b"pay\0")
admin = os.environ["PROMCB_BUILD"] + "/tools/promcb-admin"
for seed in range(rounds):
    chance = random.Random(seed)
    damaged = bytearray(whole)
    # Its descriptor, but for its name, and words anywhere.
    for at in range(place + 128, place + 448, 8):
        if chance.random() < 0.5:
            damaged[at:at + 8] = chance.randbytes(8)
    for _ in range(chance.choice((0, 50))):
        at = chance.randrange(0, len(damaged) - 8, 8)
        damaged[at:at + 8] = chance.choice((b"\xff" * 8, chance.randbytes(8)))
    if chance.random() < 0.2:
        del damaged[chance.randrange(len(damaged)):]
    with open(copy, "wb") as file:
        file.write(damaged)
    for words in (["show"], ["--format=json"], ["set", "pay", "open=1s"], ["force", "pay", "shadow"], ["trip", "pay"],
                  ["reset", "pay"]):
        done = subprocess.run([admin, "breaker", "--segment=" + copy, *words], capture_output=True, timeout=60)
        if done.returncode not in (0, 1):
            sys.exit(f"round {seed}: {words}: {done.returncode} {done.stderr}")
        if done.returncode == 1 and not done.stderr:
            sys.exit(f"round {seed}: {words}: without a word")
END
exit 0
