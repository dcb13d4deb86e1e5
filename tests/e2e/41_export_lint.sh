#!/bin/bash
# SPDX-License-Identifier: MIT
# Whatever a component is called, promtool accepts the export without a word, and the name reads back as it was.
. "${0%/*}/tools_prelude.sh"
for program in promtool python3; do
  command -v $program >/dev/null || { echo "$program is not installed"; exit 77; }
done
repeat() { # text, times
  local out=
  for _ in $(seq "$2"); do
    out+=$1
  done
  printf '%s' "$out"
}

names=(
  'plain'
  'with spaces  and two'
  'say "hello"'
  '"'
  'back\slash' 'ends with a backslash\' '\n is no newline' '\\' '\"'
  '{}' '{component="other"}' '} 1' '# HELP not a comment' '#' '=' ','
  'GET_/search?q=1&name="x"' 'a,b=c;d|e' "it's" '$HOME `id` %s %n' '--' '<b>&amp;</b>'
  'naïve café' 'größe' '組件' '🚀' 'e'$'\u0301' $'x\u200by' $'x\u2028y' $'x\ufeffy' $'\U10ffff'
  "$(repeat a 127)" "$(repeat '"' 127)" "$(repeat '\' 127)"
  "$(repeat é 63)x" "$(repeat 組 42)x" "$(repeat 🚀 31)abc"
)
number=0
for name in "${names[@]}"; do
  number=$((number + 1))
  "$tools/promcb-record" --latency=0.025 --success -- "$name" || fail "cannot record \"$name\""
  "$tools/promcb-record" --latency=1.$number --failure -- "$name" || fail "cannot record \"$name\""
  "$tools/promcb-record" --log=error -- "$name" || fail "cannot count a log line of \"$name\""
done
"$tools/promcb-record" --state=open -- "${names[2]}" || fail "cannot set a state"

# Refused: too long, cut inside of a character, control bytes, no UTF-8.
for name in "$(repeat a 128)" "$(repeat é 64)" $'\xc3' $'a\tb' $'a\nb' $'\x7f' $'\xed\xa0\x80' $'\xc0\x80' \
  $'\xff' ''; do
  succeeds "$tools/promcb-record" --latency=1 --success -- "$name" 2>"$scratch/err" && fail "\"$name\" was recorded"
  [ -s "$scratch/err" ] || fail "\"$name\" was refused without a word"
done

for compat in python none; do
  "$tools/promcb-export" --compat=$compat >"$scratch/$compat" || fail "promcb-export --compat=$compat"
  promtool check metrics <"$scratch/$compat" >"$scratch/lint" 2>&1 || fail "promtool: $(cat "$scratch/lint")"
  filled "$scratch/lint" && fail "promtool is not silent: $(cat "$scratch/lint")"
done

# Classic buckets from where to where is asked for, widened to powers of two of a second.
for range in '1us:100ms 9.5367431640625e-07 0.125 18' '1ns:1024s 9.313225746154785e-10 1024.0 41' \
  '0.5:2s 0.5 2.0 3' '3ms:3.9ms 0.001953125 0.00390625 2'; do
  read -r asked first last count <<<"$range"
  for schema in 0 3; do
    "$tools/promcb-export" --classic-range="$asked" --classic-schema=$schema >"$scratch/ranged" || fail "$asked"
    promtool check metrics <"$scratch/ranged" >"$scratch/lint" 2>&1 || fail "promtool, $asked: $(cat "$scratch/lint")"
    filled "$scratch/lint" && fail "promtool is not silent, $asked: $(cat "$scratch/lint")"
    sed -n 's/.*_bucket{component="plain",le="\([^+]*\)"} .*/\1/p' "$scratch/ranged" >"$scratch/bounds"
    [ "$(sed -n '1p;$p' "$scratch/bounds" | xargs)" = "$first $last" ] || fail "$asked: $(xargs <"$scratch/bounds")"
    [ "$(wc -l <"$scratch/bounds")" = $((schema ? (count - 1) * 8 + 1 : count)) ] ||
      fail "$asked: $(wc -l <"$scratch/bounds") bounds"
  done
done
for range in 1us 1us:1us 1s:1ms 0:1 1:2000 a:b 1us:1msx -1:2 nan:1 1us:inf; do
  succeeds "$tools/promcb-export" --classic-range="$range" >"$scratch/out" 2>"$scratch/err" &&
    fail "$range was accepted"
  grep -q -F -e 'LOW:HIGH' "$scratch/err" || fail "$range: $(cat "$scratch/err")"
done

# Read back by the rules of the text format, the names are the same, and each has its calls.
printf '%s\0' "${names[@]}" >"$scratch/names"
python3 - "$scratch/python" "$scratch/names" <<'PYTHON' || fail "the export does not say what was recorded"
import re
import sys

text = open(sys.argv[1], "rb").read().decode("utf-8")
assert text.endswith("\n") and "\r" not in text
wanted = open(sys.argv[2], "rb").read().decode("utf-8").split("\0")[:-1]
found = {}
for line in text.split("\n"):
    match = re.fullmatch(r'circuit_breaker_(calls|failures)_total\{component="((?:[^"\\]|\\["\\n])*)"\} (\d+)', line)
    if match:
        name = re.sub(r'\\(["\\n])', lambda m: {"n": "\n"}.get(m[1], m[1]), match[2])
        found.setdefault(name, {})[match[1]] = int(match[3])
found.pop("_overflow", None)
missing, strange = set(wanted) - set(found), set(found) - set(wanted)
assert not missing and not strange, (missing, strange)
assert all(value == {"calls": 2, "failures": 1} for value in found.values()), found
PYTHON
echo "${#names[@]} names"
