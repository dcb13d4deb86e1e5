#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Segments of format 1.0 and 1.1, kept in tests/golden/segments, mean what they meant: to readers in every format, to a
# producer that attaches and goes on, and as segments of a newer minor version. Those of another major version or
# machine are refused by both, with both versions named.
#
#   tests/e2e/53_golden_segments.sh --make   makes what is not there: a segment by its recipe, what is read of it
#
# A change of the format leaves these files as they are and adds its own.
. "${PROMCB_SOURCE:?}/tests/e2e/tools_prelude.sh"
golden=$PROMCB_BUILD/tests/golden_segments
kept=$PROMCB_SOURCE/tests/golden/segments
copy=/dev/shm${PROMCB_SEGMENT}
command -v xz >/dev/null || {
  echo "xz is not installed"
  exit 77
}

# What differs from run to run or from version to version is no golden matter; nor is what a reader believes only if its
# own clock is later.
stable() {
  grep -v -e '^promcb_scrape_duration_seconds ' -e '^promcb_build_info' -e '^promcb_segment_bytes{kind="used"}' \
    -e '^circuit_breaker_last_success_timestamp_seconds{'
}
# What a producer of today adds bears today's date.
undated() {
  stable | grep -v -E '^circuit_breaker_[a-z_]+_timestamp_seconds[{ ]|^# EOF'
}

# Versions of jq print a number as it was written, or as they would write it: 25.0, or 25.
plain_json() {
  jq -S 'walk(if type == "number" then . + 0 else . end)'
}

read_as() {
  case $1 in
  prom) "$tools/promcb-export" | stable ;;
  openmetrics) "$tools/promcb-export" --format openmetrics --compat none | stable ;;
  # Seconds since then grow with the reader's clock: whatever says "now" is left out.
  json) "$tools/promcb-export" --format json | plain_json ;;
  samples) "$golden" samples "$copy" && "$tools/promcb-export" --format json | plain_json ;;
  more) "$golden" more "$copy" && "$tools/promcb-export" | undated ;;
  esac
}

fresh() { # name
  rm -f "$copy"
  # Without holes, which a reader takes for damage: it would need memory to read them.
  xz -dc "$kept/$1.segment.xz" | cat >"$copy" || fail "$1.segment.xz"
}

if [ "${1-}" = --make ]; then
  for name in 1.0-calls 1.0-lanes 1.0-resets 1.1-outcomes 1.1-series 1.1-labels 1.1-breakers; do
    if [ ! -e "$kept/$name.segment.xz" ]; then
      rm -f "$copy"
      "$golden" make ${name#*-} "$copy" || fail "recipe $name"
      xz -9e -c "$copy" >"$kept/$name.segment.xz"
    fi
    for as in prom openmetrics json samples more; do
      fresh $name
      [ -e "$kept/$name.$as" ] || read_as $as >"$kept/$name.$as"
    done
  done
fi

tried=0
for file in "$kept"/*.segment.xz; do
  name=$(basename "$file" .segment.xz)
  for version in same minor; do
    for as in prom openmetrics json samples more; do
      fresh "$name"
      [ $version = same ] || "$golden" $version "$copy" || fail "$name: $version"
      read_as $as >"$scratch/is" 2>"$scratch/err" || fail "$name as $as, $version version: $(cat "$scratch/err")"
      diff -u "$kept/$name.$as" "$scratch/is" >&2 || fail "$name as $as, $version version"
      "$tools/promcb-export" --check >"$scratch/check" 2>&1 || fail "$name, $version: $(cat "$scratch/check")"
      tried=$((tried + 1))
    done
  done
done
[ $tried -ge 70 ] || fail "only $tried were tried"

# refused WORDS...: by a reader, a producer, and an operator who would reset; each names both.
refused() {
  local word what
  for what in "$tools/promcb-export" "$golden more $copy" "$tools/promcb-record component --latency=0.001 --success" \
    "$tools/promcb-admin reset --all"; do
    # shellcheck disable=SC2086
    succeeds $what >"$scratch/out" 2>"$scratch/err" && fail "$what takes it"
    for word; do
      grep -qF -e "$word" "$scratch/err" || fail "$what does not say $word: $(cat "$scratch/err")"
    done
  done
}
fresh 1.0-calls
cp "$copy" "$scratch/before"
"$golden" major "$copy" || fail major
refused 'format 2.0' 'format 1.1'
fresh 1.0-calls
"$golden" abi "$copy" || fail abi
refused 0x1084021 0x1084041
echo "$tried readings as they were"
