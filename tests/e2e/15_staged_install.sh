#!/bin/bash
# SPDX-License-Identifier: MIT
# What is installed is enough: every tool builds against the installed headers and library alone, and so does an example
# that follows a segment. The example's numbers are those of the producers, with the segment recreated in between. The
# pool and the cache, in C and in C++, have the numbers that they must have.
. "$(dirname "$0")/tools_prelude.sh"
for program in meson pkg-config python3; do
  command -v $program >/dev/null || { echo "$program is not installed"; exit 77; }
done
root=$scratch/root
DESTDIR=$root meson install -C "$PROMCB_BUILD" --no-rebuild --quiet >"$scratch/out" 2>&1 ||
  fail "meson install: $(cat "$scratch/out")"
pc=$(find "$root" -name promcb.pc)
[ -n "$pc" ] || fail "no promcb.pc is installed"
flags() {
  PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_LIBDIR=${pc%/*} pkg-config "$1" promcb || fail "pkg-config"
}
cflags=$(flags --cflags)
libs=$(flags --libs)
library=$(find "$root" -name libpromcb.so.0)
export LD_LIBRARY_PATH=${library%/*}
cc=${CC:-cc}

# -- The tools ---------------------------------------------------------------------------------------------------------
# Their sources as the build has them; of include paths, tools/ and what is generated, and nothing of lib/ or include/.
meson introspect --targets "$PROMCB_BUILD" >"$scratch/targets" 2>/dev/null || fail introspect
sources() {
  python3 - "$1" "$scratch/targets" <<'PYTHON'
import json, sys
for target in json.load(open(sys.argv[2])):
    if target["name"] == sys.argv[1]:
        for group in target["target_sources"]:
            files = group.get("sources", []) + group.get("generated_sources", [])
            print("\n".join(dict.fromkeys(s for s in files if s.endswith(".c"))))
PYTHON
}
others=$(pkg-config --cflags --libs libpcre2-8 liburcu-bp yaml-0.1 zlib gnutls ncursesw)
for program in promcb-export promcb-record promcb-admin promcb-sidecar promcb-top; do
  list=$(sources $program)
  [ "$(wc -l <<<"$list")" -ge 3 ] || fail "$program: only these sources were found: $list"
  # shellcheck disable=SC2086
  $cc -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -I "$PROMCB_SOURCE/tools" -I "$PROMCB_BUILD/tools" \
    -I "$PROMCB_SOURCE/tools/sidecar" $cflags -o \
    "$scratch/$program" $list $libs $others -lcrypt -lm -pthread >"$scratch/out" 2>&1 ||
    fail "$program does not build against what is installed: $(grep -m 5 -E 'error|undefined' "$scratch/out")"
  "$scratch/$program" --version >"$scratch/out" || fail "$program --version"
done

# -- The example -------------------------------------------------------------------------------------------------------
example=$PROMCB_SOURCE/tools/examples/follow.c
[ "$(wc -l <"$example")" -le 100 ] || fail "the example has more than 100 lines"
# shellcheck disable=SC2086
$cc -std=c11 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Werror -o "$scratch/follow" "$example" $cflags $libs ||
  fail "the example does not build"
# It waits for a segment; the first that it reads is empty.
"$scratch/follow" "$PROMCB_SEGMENT" 0.1 >"$scratch/lines" 2>"$scratch/err" &
background=$!
await grep -q "there is no segment" "$scratch/err"
"$tools/promcb-admin" create || fail create
await grep -q reading "$scratch/err"

# total COMPONENT COLUMN: the sum over all its lines.
total() {
  awk -F '\t' -v name="$1" -v column="$2" '$1 == name { sum += $column } END { printf "%d", sum }' "$scratch/lines"
}
has_all() { # COMPONENT CALLS
  [ "$(total "$1" 2)" -ge "$2" ]
}
calls=0
failures=0
for round in 1 2 3; do
  "$PROMCB_BUILD/tests/e2e_producers" "$PROMCB_SEGMENT" 3000 >"$scratch/truth" || fail "producers"
  read -r _ more failed _ < <(grep "^alpha [0-9]* [0-9]* [0-9]*$" "$scratch/truth")
  calls=$((calls + more))
  failures=$((failures + failed))
  # What was read is printed before the segment goes, so nothing is lost with it.
  await has_all alpha $calls
  for name in beta gamma; do
    await has_all $name $calls
  done
  [ "$(total alpha 2)" = $calls ] || fail "round $round: $(total alpha 2) calls, $calls were made"
  [ "$(total alpha 4)" = $failures ] || fail "round $round: $(total alpha 4) failures, $failures there were"
  [ $round = 3 ] || "$tools/promcb-admin" remove || fail remove
done
grep -q "^alpha.*(since the segment was recreated)$" "$scratch/lines" || fail "no line tells of the new segment"
grep -q "^alpha.*(new)$" "$scratch/lines" || fail "no line tells of a new component"

# A p99 of 100 calls is the 99th: one of two of a second beside 98 of a millisecond; of which one was seen whole.
whole=
for try in $(seq 20); do
  { seq 98 | sed "s/.*/burst$try 0.001 success/"; seq 2 | sed "s/.*/burst$try 1 500/"; } |
    "$tools/promcb-record" --stdin || fail "record"
  await has_all burst$try 100
  whole=$(grep -P "^burst$try\t100 calls\t" "$scratch/lines") && break
done
[ -n "$whole" ] || fail "no burst of calls was seen whole: $(grep burst "$scratch/lines")"
python3 - "$whole" <<'PYTHON' || fail "not the p99: $whole"
import re, sys
failed, low, high = re.search(r"\t(\d+) failed\tp99 ([\d.]+) to ([\d.]+) s", sys.argv[1]).groups()
sys.exit(not (failed == "2" and float(low) <= 1 <= float(high) and float(high) / float(low) < 1.0906))
PYTHON
# A reset is told apart.
"$tools/promcb-admin" reset burst1 || fail reset
echo "burst1 0.001 success" | "$tools/promcb-record" --stdin || fail record
await grep -q -P "^burst1\t1 calls\t.*\(since its reset\)$" "$scratch/lines"
kill "$background"
wait "$background" 2>/dev/null
background=

# -- Metrics of an application -----------------------------------------------------------------------------------------
cxx=${CXX:-c++}
for example in pool.c cache.c client.c pool.cpp cache.cpp client.cpp; do
  source=$PROMCB_SOURCE/tools/examples/$example
  [ "$(wc -l <"$source")" -le 75 ] || fail "$example has more than 75 lines"
  case $example in
  # shellcheck disable=SC2086
  *.c) $cc -std=c11 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Werror -o "$scratch/${example/./_}" "$source" $cflags \
    $libs -pthread || fail "$example does not build" ;;
  # shellcheck disable=SC2086
  *) $cxx -std=c++17 -Wall -Wextra -Wpedantic -Werror -o "$scratch/${example/./_}" "$source" $cflags $libs -pthread ||
    fail "$example does not build" ;;
  esac
done
printf '#include <promcb/promcb.hpp>\nint main() { promcb::Segment metrics; return metrics.error(); }\n' \
  >"$scratch/plain.cpp"
# shellcheck disable=SC2086
$cxx -std=c++17 -fno-exceptions -fno-rtti -Wall -Wextra -Werror -o "$scratch/plain" "$scratch/plain.cpp" $cflags \
  $libs && "$scratch/plain" || fail "promcb.hpp needs exceptions or run-time type information"
# value SERIES: of the last export.
value() {
  awk -v series="$1" 'index($0, series " ") == 1 { print substr($0, length(series) + 2); found = 1 }
    END { exit !found }' "$scratch/metrics" || fail "there is no $1"
}
for language in c cpp; do
  "$tools/promcb-admin" remove || fail remove
  "$scratch/cache_$language" 20000 || fail "cache.$language"
  "$scratch/pool_$language" 1 || fail "pool.$language"
  "$tools/promcb-export" --check >"$scratch/out" || fail "check: $(cat "$scratch/out")"
  "$tools/promcb-export" >"$scratch/metrics" || fail export
  misses=$(value 'cache_lookups_total{result="miss"}')
  [ $(($(value 'cache_lookups_total{result="hit"}') + misses)) = 20000 ] || fail "not 20000 look-ups"
  [ "$(value cache_entry_bytes_count)" = "$misses" ] || fail "not one entry for each miss"
  [ $((misses - $(value cache_evictions_total))) = 256 ] || fail "the cache is not full"
  borrowed=$(value 'pool_borrowed_total{pool="orders"}')
  [ "$borrowed" -ge 16 ] || fail "$borrowed connections were borrowed by 16 threads"
  [ "$(value 'pool_wait_seconds_count{pool="orders"}')" = "$borrowed" ] || fail "not one wait for each connection"
  "$tools/promcb-export" --format=metrics >"$scratch/json" || fail "export as JSON"
  python3 - "$scratch/json" "$misses" "$borrowed" <<'PYTHON' || fail "JSON: $(cat "$scratch/json")"
import json, sys
families = {f["name"]: f for f in json.load(open(sys.argv[1]))["families"]}
assert sorted(families) == ["cache_entry_bytes", "cache_evictions_total", "cache_lookups_total", "pool_borrowed_total",
                            "pool_wait_seconds"], families
sizes, lookups = families["cache_entry_bytes"]["series"][0], families["cache_lookups_total"]["series"]
assert sizes["count"] == int(sys.argv[2]) == sum(count for _, count in sizes["buckets"])
assert [s["labels"]["result"] for s in lookups] == ["hit", "miss"] and sum(s["value"] for s in lookups) == 20000
assert families["pool_borrowed_total"]["series"][0]["value"] == int(sys.argv[3])
PYTHON
  # Gauges of processes that ended.
  matches -q -E '^(pool_waiting|pool_connections_in_use|cache_bytes)[ {]' "$scratch/metrics" &&
    fail "a gauge has outlived its process: $(grep -E '^(pool|cache_bytes)' "$scratch/metrics")"
done
# Clients of a server that is not there: nobody listens at that port.
for language in c cpp; do
  "$tools/promcb-admin" remove || fail remove
  "$scratch/client_$language" 1 2 || fail "client.$language"
  "$tools/promcb-export" --check >"$scratch/out" || fail "check: $(cat "$scratch/out")"
  "$tools/promcb-export" >"$scratch/metrics" || fail export
  failed=$(value 'circuit_breaker_failures_by_class_total{component="server",class="connect"}')
  [ "$failed" = "$(value 'circuit_breaker_permitted_calls_total{component="server"}')" ] && [ "$failed" -ge 20 ] ||
    fail "client.$language: $failed failures"
  [ "$(value 'circuit_breaker_not_permitted_calls_total{component="server",reason="open"}')" -gt 0 ] ||
    fail "client.$language: nothing was refused"
done
exit 0
