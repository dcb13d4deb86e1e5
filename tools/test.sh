#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test.sh: builds promcb in every way that it is supported and runs every test: style, unit, fuzz, stress, e2e, model.
#
#   tools/test.sh [--quick] [--row=ROW]... [--no-install] [TEST...]
#
# --quick        gcc alone, a tenth of the work, models without their mutations, nothing that builds promcb once more
#                (tests/meson.build, "whole"): 90 s on two idle processors are what it is given, installed and built
# --row=ROW      only this build: gcc, clang, asan, tsan, aarch64 or aarch64-lse
# --no-install   install nothing: what needs a package that is not there is skipped or fails
# TEST           only the tests of these names (test_record 40_nginx), with gcc or where --row says
#
# With gcc, processes live and die at random for two minutes; PROMCB_STRESS_SECONDS changes that, in every build.
# What each row costs and proves, and the long versions: tests/README.md.
#
# Prints a line per test, the log of each that fails, and at the end the five that took longest, what was skipped and
# why, and "N passed, N failed". The exit status is 0 only if nothing failed. Builds lie in build/ROW.
set -u
cd "$(dirname "$0")/.." || exit 1
exec </dev/null
unset PROMCB_SEGMENT PROMCB_QUICK PROMCB_INSTALLED
# Many tests wait for most of their time, with --quick nearly all: there it is three times the number of processors.
# Those that cannot have others beside them run alone (tests/meson.build).
export MESON_TESTTHREADS=$(($(nproc) + 1))

# -- What is run ----------------------------------------------------------------------------------------------------

# Build directory, compilers, meson options | suites. Criterion does not start under ThreadSanitizer, so unit tests have
# the other sanitizers, and the stress programs have both. Fuzz targets look for new inputs where clang builds them; the
# others run the inputs that are kept. aarch64 has the atomic instructions of Armv8.0, exclusive loads and stores, and
# once more those of Armv8.1.
matrix=(
  "gcc|gcc|g++||style unit machine fuzz stress e2e model"
  "clang|clang|clang++||unit machine fuzz stress e2e"
  "asan|gcc|g++|-Dbuildtype=debugoptimized -Db_sanitize=address,undefined|unit fuzz stress e2e"
  "tsan|gcc|g++|-Dbuildtype=debugoptimized -Db_sanitize=thread|stress"
  "aarch64|||-Dbuildtype=release|unit machine stress"
  "aarch64-lse|||-Dc_args=-march=armv8.1-a+lse|machine stress"
)
budget_seconds=2400
install=yes
quick=
rows=()
names=()
usage='Usage: tools/test.sh [--quick] [--row=ROW]... [--no-install] [TEST...]'
for argument; do
  case $argument in
  --quick)
    quick=yes budget_seconds=90 MESON_TESTTHREADS=$((3 * $(nproc)))
    export PROMCB_QUICK=yes PROMCB_STRESS_SCALE=${PROMCB_STRESS_SCALE:-0.1}
    ;;
  --row=*)
    [[ " ${matrix[*]%%|*} " == *" ${argument#--row=} "* ]] || {
      echo "test.sh: no row \"${argument#--row=}\": expected one of ${matrix[*]%%|*}" >&2
      exit 2
    }
    rows+=("${argument#--row=}")
    ;;
  --no-install) install= ;;
  --help)
    echo "$usage"
    exit 0
    ;;
  -*)
    echo "$usage" >&2
    exit 2
    ;;
  *) names+=("$argument") ;;
  esac
done
[ -z "$quick" ] && [ ${#names[@]} -eq 0 ] || [ ${#rows[@]} -gt 0 ] || rows=(gcc)
groups='build test matrix'
[ "${rows[*]}" != gcc ] || groups='build test'

if [ -n "$install" ]; then
  # shellcheck disable=SC2086
  tools/packages.sh $groups || exit 1
  [ "${rows[*]}" = gcc ] || export PROMCB_INSTALLED=yes
else
  missing=$(tools/packages.sh --missing $groups)
  [ -z "$missing" ] || echo "not installed, so that tests will be skipped or fail:" $missing
fi

# -- Running it -----------------------------------------------------------------------------------------------------

log=$(mktemp)
export PROMCB_RESULTS
PROMCB_RESULTS=$(mktemp)
trap 'rm -f "$log" "$PROMCB_RESULTS"' EXIT
trap 'exit 130' INT TERM
started=$SECONDS

# The build's own line: outcome, seconds, reason.
say() {
  printf '%-5s %-11s %-7s %-30s %8s\n' "$1" "$configuration" build compile "$2 s"
  printf '%s\tbuild\tcompile\t%s\t%s\t%s\n' "$configuration" "$2" "$1" "${3-}" >>"$PROMCB_RESULTS"
}

# Sets directory up, builds all of it. A failure counts as a failed test, what cannot be had as a skipped one.
build() { # C compiler, C++ compiler, options
  local directory=build/$configuration begun=$SECONDS status
  {
    if [[ $configuration = aarch64* ]]; then
      # shellcheck disable=SC2086
      tests/cross/run.sh --setup "$directory" -Dwerror=true $3 && ninja -C "$directory"
    elif [ ! -e "$directory/build.ninja" ]; then
      rm -rf "$directory"
      # shellcheck disable=SC2086
      CC=$1 CXX=$2 meson setup -Dwerror=true $3 "$directory" && ninja -C "$directory"
    else
      ninja -C "$directory"
    fi
  } >"$log" 2>&1
  status=$?
  if [ $status -eq 77 ]; then
    say skip $((SECONDS - begun)) "$(tail -n 1 "$log")"
    return 1
  fi
  if [ $status -ne 0 ]; then
    say FAIL $((SECONDS - begun)) "it does not build"
    sed 's/^/    /' "$log" | tail -n 200
    return 1
  fi
  say ok $((SECONDS - begun))
}

run() { # suites
  local -x PROMCB_WRAPPER=
  # ThreadSanitizer's memory map and a kernel that randomizes addresses widely do not go together.
  if [ "$configuration" = tsan ] && setarch -R true 2>/dev/null; then
    PROMCB_WRAPPER="setarch -R"
  fi
  # An emulator is slower by a factor of ten and more, AddressSanitizer by three.
  case $configuration in
  aarch64*) local -x PROMCB_STRESS_SCALE=0.1 ;;
  asan) [ -n "$quick" ] || local -x PROMCB_STRESS_SCALE=0.3 ;;
  gcc) [ -n "$quick" ] || local -x PROMCB_STRESS_SECONDS=${PROMCB_STRESS_SECONDS:-120} ;;
  esac
  tests/row.py "build/$configuration" "$configuration" "$1" "${names[@]}"
}

for row in "${matrix[@]}"; do
  IFS='|' read -r configuration cc cxx options suites <<<"$row"
  [ ${#rows[@]} -eq 0 ] || [[ " ${rows[*]} " == *" $configuration "* ]] || continue
  build "$cc" "$cxx" "$options" && run "$suites"
done

python3 - "$PROMCB_RESULTS" $((SECONDS - started)) $budget_seconds "${names[@]}" <<'PYTHON'
import collections
import sys

path, seconds, budget, *names = sys.argv[1:]
with open(path) as file:
    rows = [line.rstrip("\n").split("\t") for line in file]
counts = collections.Counter(row[4] for row in rows)
print()
slowest = sorted((row for row in rows if row[1] != "build"), key=lambda row: -float(row[3]))[:5]
if len(rows) > 7:
    print("slowest:", ", ".join(f"{row[2]} {float(row[3]):.0f} s ({row[0]})" for row in slowest))
skipped = collections.defaultdict(list)
for row in rows:
    if row[4] == "skip":
        skipped[row[2], row[5]].append(row[0])
for (name, reason), where in skipped.items():
    print(f"skipped: {name} ({', '.join(where)}): {reason}")
for row in rows:
    if row[4] == "FAIL":
        print(f"failed: {row[2]} ({row[0]}): {row[5]}")
missing = [name for name in names if name not in {row[2] for row in rows}]
for name in missing:
    print(f"failed: there is no test {name}")
failed = counts["FAIL"] + len(missing)
print(f"in {seconds} s" + ("" if names else f" of {budget}"))
print(f"{counts['ok']} passed, {failed} failed" + (f", {counts['skip']} skipped" if counts["skip"] else ""))
sys.exit(failed > 0 or counts["ok"] == 0)
PYTHON
