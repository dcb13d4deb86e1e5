#!/bin/bash
# SPDX-License-Identifier: MIT
# The manual pages format without a warning, and tell of every option.
. "$(dirname "$0")/tools_prelude.sh"

pages=$(cd "$(dirname "$0")/../../tools" && pwd)
command -v groff >/dev/null || { echo "groff is not installed"; exit 77; }

check_options() {
  local page=$1
  shift
  "$@" --help | grep -o -e '--[a-z][a-z.-]*' | sort -u >"$scratch/options"
  filled "$scratch/options" || fail "$*: no option in its --help"
  while read -r option; do
    sed 's/\\-/-/g' "$page" | grep -q -e "$option\b" || fail "$page does not tell of $option"
  done <"$scratch/options"
}

for page in "$pages"/promcb-export.1 "$pages"/promcb-record.1 "$pages"/promcb-admin.1; do
  groff -man -ww -Tutf8 -z "$page" 2>"$scratch/warnings" || fail "$page does not format"
  filled "$scratch/warnings" && fail "$page: $(cat "$scratch/warnings")"
  tool=$(basename "$page" .1)
  check_options "$page" "$tools/$tool"
done
groff -man -ww -Tutf8 -z "$pages/sidecar/promcb-sidecar.1" 2>"$scratch/warnings" || fail "promcb-sidecar.1"
filled "$scratch/warnings" && fail "promcb-sidecar.1: $(cat "$scratch/warnings")"
check_options "$pages/sidecar/promcb-sidecar.1" "$tools/sidecar/promcb-sidecar"
groff -man -ww -Tutf8 -z "$pages/top/promcb-top.1" 2>"$scratch/warnings" || fail "promcb-top.1"
filled "$scratch/warnings" && fail "promcb-top.1: $(cat "$scratch/warnings")"
check_options "$pages/top/promcb-top.1" "$tools/top/promcb-top"
for command in breaker create forget info list remove reset; do
  check_options "$pages/promcb-admin.1" "$tools/promcb-admin" $command
done
# nginx's directives and variables: those that there are, and no others.
groff -man -ww -Tutf8 -z "$pages/nginx/promcb-nginx.7" 2>"$scratch/warnings" || fail "promcb-nginx.7"
filled "$scratch/warnings" && fail "promcb-nginx.7: $(cat "$scratch/warnings")"
grep -o 'ngx_string("promcb[a-z_]*")' "$pages/nginx/module.c" | cut -d'"' -f2 | LC_ALL=C sort >"$scratch/directives"
[ "$(wc -l <"$scratch/directives")" -ge 9 ] || fail "only these directives were found: $(cat "$scratch/directives")"
{
  sed -n '/^\.SH DIRECTIVES/,/^\.SH VAR/s/^\\fB\(promcb[a-z_]*\)\\fP .*/\1/p' "$pages/nginx/promcb-nginx.7"
  sed -n '/^\.SH VARIABLES/,/^\.SH ERR/s/^\.B \$\(promcb[a-z_]*\)$/\1/p' "$pages/nginx/promcb-nginx.7" | head -n 1
} | LC_ALL=C sort >"$scratch/told"
diff "$scratch/directives" "$scratch/told" >"$scratch/diff" ||
  fail "promcb-nginx.7: directives there are (<), told (>): $(cat "$scratch/diff")"
if command -v man >/dev/null; then
  for page in "$pages"/promcb-*.1; do
    LC_ALL=C MANROFFSEQ= man --warnings -l "$page" 2>"$scratch/warnings" >/dev/null || continue
    filled "$scratch/warnings" && fail "$page: $(cat "$scratch/warnings")"
  done
fi
exit 0
