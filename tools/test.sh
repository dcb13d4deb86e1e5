#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test.sh: builds promcb in every way that it is supported and runs every test: unit, stress, style, model, fuzz, e2e.
#
#   tools/test.sh [--quick] [--no-install]
#
# --quick        gcc alone, and a tenth of the stress: ten minutes on two idle processors; all of it: an hour
# --no-install   install nothing: what needs a package that is not there is skipped or fails
#
# With gcc, processes live and die at random for two minutes; PROMCB_STRESS_SECONDS changes that, in every build.
#
# Prints a line per test, the log of each that fails, and at the end "N passed, N failed" and how many could not be
# tried (skipped), if any. The exit status is 0 only if nothing failed. Builds lie in build/gcc, clang, asan and tsan.
set -u
cd "$(dirname "$0")/.." || exit 1
exec </dev/null
unset PROMCB_SEGMENT MESON_TESTTHREADS

# -- What is run ----------------------------------------------------------------------------------------------------

# Build directory, compilers, meson options | suites. Criterion does not start under ThreadSanitizer, so unit tests have
# the other sanitizers, and the stress programs have both. Fuzz targets look for new inputs where clang builds them; the
# others run the inputs that are kept. aarch64 has the atomic instructions of Armv8.0, exclusive loads and stores, and
# once more those of Armv8.1.
matrix=(
  "gcc|gcc|g++||unit stress style model machine fuzz e2e"
  "clang|clang|clang++||unit stress machine fuzz e2e"
  "asan|gcc|g++|-Dbuildtype=debugoptimized -Db_sanitize=address,undefined|unit stress fuzz e2e"
  "tsan|gcc|g++|-Dbuildtype=debugoptimized -Db_sanitize=thread|stress"
  "aarch64|||-Dbuildtype=release|unit stress machine"
  "aarch64-lse|||-Dc_args=-march=armv8.1-a+lse|stress machine"
)
install=yes
quick=
groups='build test matrix'
for argument; do
  case $argument in
  --quick)
    quick=yes
    groups='build test'
    matrix=("${matrix[0]}")
    export PROMCB_STRESS_SCALE=${PROMCB_STRESS_SCALE:-0.1}
    ;;
  --no-install) install= ;;
  *)
    echo "Usage: tools/test.sh [--quick] [--no-install]" >&2
    [ "$argument" = --help ] && exit 0
    exit 2
    ;;
  esac
done

if [ -n "$install" ]; then
  # shellcheck disable=SC2086
  tools/packages.sh $groups || exit 1
else
  missing=$(tools/packages.sh --missing $groups)
  [ -z "$missing" ] || echo "not installed, so that tests will be skipped or fail:" $missing
fi

# -- Running it -----------------------------------------------------------------------------------------------------

passed=0
failed=0
skipped=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'exit 130' INT TERM
started=$SECONDS

# configuration, suite, test, seconds, result
say() {
  printf '%-5s %-11s %-7s %-30s %8s\n' "$5" "$1" "$2" "$3" "$4"
}

# Sets directory up, builds all of it. A failure counts as a failed test, what cannot be had as a skipped one.
build() { # configuration, C compiler, C++ compiler, options
  local directory=build/$1 begun=$SECONDS
  {
    if [[ $1 = aarch64* ]]; then
      # shellcheck disable=SC2086
      tests/cross/run.sh --setup "$directory" -Dwerror=true $4 && ninja -C "$directory"
    elif [ ! -e "$directory/build.ninja" ]; then
      rm -rf "$directory"
      # shellcheck disable=SC2086
      CC=$2 CXX=$3 meson setup -Dwerror=true $4 "$directory" && ninja -C "$directory"
    else
      ninja -C "$directory"
    fi
  } >"$log" 2>&1
  local status=$?
  if [ $status -eq 77 ]; then
    say "$1" build compile "$((SECONDS - begun)) s" skip
    tail -n 1 "$log" | sed 's/^/    /' >&2
    skipped=$((skipped + 1))
    return 1
  fi
  if [ $status -ne 0 ]; then
    say "$1" build compile "$((SECONDS - begun)) s" FAIL
    sed 's/^/    /' "$log" | tail -n 200
    failed=$((failed + 1))
    return 1
  fi
  say "$1" build compile "$((SECONDS - begun)) s" ok
  passed=$((passed + 1))
}

# Runs the suites and counts. What was to run is what meson knows of, not what happens to have left a result.
run() { # configuration, suites
  local directory=build/$1 suite suites=() wrapper=() counts
  local line='s,^ *[0-9]+/[0-9]+ (promcb:([a-z0-9]+) / )?([^ ]+) +([A-Z]+) +([0-9.]+s).*,\4 \3 \5 \2,p'
  for suite in $2; do
    suites+=(--suite "promcb:$suite")
  done
  # ThreadSanitizer's memory map and a kernel that randomizes addresses widely do not go together.
  if [ "$1" = tsan ] && setarch -R true 2>/dev/null; then
    wrapper=(setarch -R)
  fi
  # An emulator is slower by a factor of ten and more, AddressSanitizer by three.
  case $1 in
  aarch64*) local -x PROMCB_STRESS_SCALE=0.1 ;;
  asan) local -x PROMCB_STRESS_SCALE=0.3 ;;
  esac
  if [ "$1" = gcc ] && [ -z "$quick" ]; then
    wrapper+=(env "PROMCB_STRESS_SECONDS=${PROMCB_STRESS_SECONDS:-120}")
  fi
  rm -f "$directory/meson-logs/testlog.json"
  "${wrapper[@]}" meson test -C "$directory" --no-rebuild --timeout-multiplier 2 "${suites[@]}" 2>&1 |
    tee "$log" | sed -u -nE "$line" |
    while read -r result name seconds suite; do
      case $result in
      OK) result=ok ;;
      SKIP) result=skip ;;
      *) result=FAIL ;;
      esac
      # Where there is one suite, meson leaves it out.
      say "$1" "${suite:-$2}" "$name" "$seconds" $result
    done
  counts=$(python3 - "$directory" "$1" "$2" "$log" <<'PYTHON'
import json
import subprocess
import sys

directory, configuration, suites, log = sys.argv[1:]
introspection = subprocess.run(["meson", "introspect", "--tests", directory], check=True, capture_output=True)
tests = json.loads(introspection.stdout)
expected = {test["name"] for test in tests if any("promcb:" + suite in test["suite"] for suite in suites.split())}
results = {}
try:
    with open(directory + "/meson-logs/testlog.json") as file:
        for line in file:
            result = json.loads(line)
            results[result["name"].split(" / ")[-1]] = result
except FileNotFoundError:
    print(open(log, errors="replace").read(), file=sys.stderr)
counts = {"OK": 0, "SKIP": 0}
failures = 0
for name in sorted(expected):
    result = results.get(name)
    outcome = result["result"] if result else "did not run"
    if outcome in counts:
        counts[outcome] += 1
    else:
        failures += 1
    if outcome == "OK":
        continue
    said = ((result or {}).get("stdout", "") + (result or {}).get("stderr", "")).rstrip().split("\n")
    if outcome == "SKIP":
        print(f"    {configuration} {name} was skipped: {said[-1]}", file=sys.stderr)
        continue
    print(f"---- {configuration} {name}: {outcome}", *said[-150:], f"---- end of {name}", sep="\n", file=sys.stderr)
for suite in suites.split():
    if not any("promcb:" + suite in test["suite"] for test in tests):
        failures += 1
        print(f"---- {configuration}: there is no test in the suite {suite}", file=sys.stderr)
print(counts["OK"], failures, counts["SKIP"])
PYTHON
  )
  if ! [[ $counts =~ ^([0-9]+)\ ([0-9]+)\ ([0-9]+)$ ]]; then
    say "$1" - "its results cannot be read" - FAIL
    failed=$((failed + 1))
    return
  fi
  passed=$((passed + BASH_REMATCH[1]))
  failed=$((failed + BASH_REMATCH[2]))
  skipped=$((skipped + BASH_REMATCH[3]))
}

for row in "${matrix[@]}"; do
  IFS='|' read -r name cc cxx options suites <<<"$row"
  build "$name" "$cc" "$cxx" "$options" && run "$name" "$suites"
done

echo
echo "in $((SECONDS - started)) s"
if [ $skipped -gt 0 ]; then
  echo "$passed passed, $failed failed, $skipped skipped"
else
  echo "$passed passed, $failed failed"
fi
[ $failed -eq 0 ] && [ $passed -gt 0 ]
