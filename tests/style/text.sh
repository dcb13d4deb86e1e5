#!/bin/bash
# SPDX-License-Identifier: MIT
# No trailing blanks, no unfinished business, a newline at the end and a licence at the top of each file.
set -u
export LC_ALL=C.UTF-8
cd "${PROMCB_SOURCE:-$(dirname "$0")/../..}" || exit 1
. tests/style/files.sh
failed=0
# Golden files and fuzzers' inputs are what they are; others are text. What was deleted, git still lists.
mapfile -t files < <(project_files | grep -vE '^tests/(golden|fuzz/corpus)/' | tr '\n' '\0' | xargs -0 grep -slI .)
[ "${#files[@]}" -ge 200 ] || { echo "only ${#files[@]} files were found"; exit 1; }
complain() { # what, then lines
  if [ -n "$2" ]; then
    printf '%s\n%s:\n' "$2" "^ $1"
    failed=1
  fi
}
complain 'trailing blanks' "$(grep -nE '[[:blank:]]+$' "${files[@]}")"
complain 'carriage returns' "$(grep -nE $'\r' "${files[@]}")"
complain 'conflict markers' "$(grep -nE '^(<{7}|[|]{7}|={7}|>{7})( |$)' "${files[@]}")"
complain 'left to do' "$(grep -nwE 'TOD[O]|FIXM[E]|XX[X]|HAC[K]' "${files[@]}")"
complain 'paths of one machine' "$(grep -nE '(^|[^[:alnum:]_.])/(home|work|farm)/[a-z]' "${files[@]}")"
complain 'no newline at the end' "$(
  python3 - "${files[@]}" <<'PYTHON'
import sys
for path in sys.argv[1:]:
    with open(path, "rb") as file:
        if not file.read().endswith(b"\n"):
            print(path)
PYTHON
)"
complain 'no SPDX-License-Identifier in the first three lines' "$(
  awk 'FNR == 1 { if (NR > 1 && !found) print last; found = 0; last = FILENAME }
    FNR <= 3 && /SPDX-License-Identifier: MIT/ { found = 1 }
    END { if (!found) print last }' $(printf '%s\n' "${files[@]}" | grep -E '\.([ch]|py|sh|[1-9])$|meson\.build$')
)"
complain 'over 120 columns' "$(
  python3 - $(printf '%s\n' "${files[@]}" | grep -E '\.([ch]|sh)$|meson\.build$') <<'PYTHON'
import sys
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            columns = len(line.rstrip("\n").expandtabs(8))
            if columns > 120:
                print(f"{path}:{number}: {columns} columns")
PYTHON
)"
exit $failed
