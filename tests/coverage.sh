#!/bin/bash
# SPDX-License-Identifier: MIT
#
# coverage.sh: which lines and branches of lib/ and tools/ the tests reach (gcc's counters, gcovr).
#
#   tests/coverage.sh [--details] [SUITE...]
#
# SUITEs are those of tools/test.sh; default: unit, stress and e2e. --details: also the lines of lib/ that no test
# reaches. Processes that end by _exit() or kill themselves leave their counters before (coverage_exit.h).
# coverage.md says of what is not reached why.
set -u
cd "$(dirname "$0")/.." || exit 1
details=
if [ "${1-}" = --details ]; then
  details=yes
  shift
fi
[ $# -gt 0 ] || set -- unit stress e2e
command -v gcovr >/dev/null || {
  echo "coverage.sh: there is no gcovr (tools/packages.sh matrix)" >&2
  exit 77
}
directory=build/coverage
if [ ! -e $directory/build.ninja ]; then
  meson setup -Db_coverage=true -Dbuildtype=debug -Dc_args="-include $PWD/tests/coverage_exit.h" \
    $directory >/dev/null || exit 1
fi
ninja -C $directory >/dev/null || exit 1
# What libgcov says of counters that two processes wrote at once is not what the tests listen for.
export GCOV_ERROR_FILE=/dev/null

# What calls an assert is no branch of ours.
report() {
  gcovr --root . --exclude-throw-branches --exclude-unreachable-branches --gcov-ignore-parse-errors "$@" 2>/dev/null
}
# A suite at a time: some tests leave counters that are cut off, and libgcov forgets what such a file had before. A file
# is compiled for the library, and again for tests of its own: gcovr adds the counters up.
parts=()
for suite; do
  find $directory -name '*.gcda' -delete
  PROMCB_STRESS_SCALE=${PROMCB_STRESS_SCALE:-0.05} meson test -C $directory --no-rebuild --suite "promcb:$suite" |
    grep -E '(FAIL|TIMEOUT|ERROR) |^(Ok|Fail|Skipped|Timeout):'
  report --object-directory $directory --json $directory/coverage-"$suite".json \
    --filter 'lib/' --filter 'tools/' --filter 'include/' $directory
  parts+=(--add-tracefile $directory/coverage-"$suite".json)
done
report "${parts[@]}" --json $directory/coverage.json
python3 - $directory/coverage.json "$details" <<'PYTHON'
import json
import sys

modules = {}
for file in json.load(open(sys.argv[1]))["files"]:
    lines = [line for line in file["lines"] if not line.get("gcovr/noncode")]
    branches = [branch for line in lines for branch in line["branches"]]
    missed = sorted({line["line_number"] for line in lines if not line["count"]} -
                    {line["line_number"] for line in lines if line["count"]})
    covered = len({line["line_number"] for line in lines if line["count"]})
    modules[file["file"]] = (covered, covered + len(missed), sum(1 for branch in branches if branch["count"]),
                           len(branches), missed)

def percent(part, whole):
    return 100 * part / whole if whole else 100

print(f"{'':34} {'lines':>14} {'branches':>16}")
for directory in ("include/", "lib/", "tools/"):
    total = [0] * 4
    for name in sorted(modules):
        if name.startswith(directory):
            numbers = modules[name]
            total = [a + b for a, b in zip(total, numbers)]
            print(f"{name:34} {numbers[0]:5}/{numbers[1]:<5} {percent(*numbers[:2]):4.0f}% "
                  f"{numbers[2]:5}/{numbers[3]:<5} {percent(*numbers[2:4]):4.0f}%")
    print(f"{'all of ' + directory:34} {total[0]:5}/{total[1]:<5} {percent(*total[:2]):4.1f}% "
          f"{total[2]:5}/{total[3]:<5} {percent(*total[2:]):4.1f}%\n")
if sys.argv[2]:
    for name in sorted(modules):
        source = open(name).read().split("\n")
        for number in modules[name][4] if name.startswith("lib/") else []:
            print(f"{name}:{number}: {source[number - 1].strip()}")
PYTHON
