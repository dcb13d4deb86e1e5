#!/bin/bash
# SPDX-License-Identifier: MIT
# No trailing blanks, no unfinished business, a newline at the end and a licence at the top of each file.
set -u
export LC_ALL=C.UTF-8
cd "${PROMCB_SOURCE:-$(dirname "$0")/../..}" || exit 1
. tests/style/files.sh
failed=0
mapfile -t files < <(
  project_files | while IFS= read -r file; do
    # Golden files and fuzzers' inputs are what they are; others are text.
    case $file in tests/golden/* | tests/fuzz/corpus/*) continue ;; esac
    [ -f "$file" ] && grep -qI . "$file" && printf '%s\n' "$file"
  done
)
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
complain 'no newline at the end' "$(for file in "${files[@]}"; do [ -z "$(tail -c 1 "$file")" ] || echo "$file"; done)"
complain 'no SPDX-License-Identifier in the first three lines' "$(
  for file in "${files[@]}"; do
    case $file in
    *.c | *.h | *.py | *.sh | *meson.build | *.[1-9])
      head -n 3 "$file" | grep -q 'SPDX-License-Identifier: MIT' || echo "$file"
      ;;
    esac
  done
)"
complain 'over 120 columns' "$(
  for file in "${files[@]}"; do
    case $file in
    *.c | *.h | *.sh | *meson.build)
      # In bytes, which is never less; a line of more bytes is counted again in characters.
      expand "$file" | awk -v file="$file" 'length($0) > 120 { print NR ":" $0 }' |
        while IFS= read -r line; do
          number=${line%%:*}
          line=${line#*:}
          [ ${#line} -le 120 ] || echo "$file:$number: ${#line} columns"
        done
      ;;
    esac
  done
)"
exit $failed
