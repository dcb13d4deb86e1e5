#!/bin/bash
# SPDX-License-Identifier: MIT
# promcb-admin list: the segments there are, as promcb-export lists them, and the components of one.
. "${0%/*}/tools_prelude.sh"

list() {
  "$tools/promcb-admin" list "$@" >"$scratch/out" 2>"$scratch/err" || fail "list $*: $(cat "$scratch/err")"
  [ ! -s "$scratch/err" ] || fail "list $*: $(cat "$scratch/err")"
}
succeeds "$tools/promcb-admin" list --components 2>"$scratch/err" && fail "components of no segment"
one_line "no segment"
for component in GET_/one GET_/two POST_/one 'two words'; do
  "$tools/promcb-record" "$component" --success || fail record
done
list
grep -q -x -F -e "usable	$PROMCB_SEGMENT" "$scratch/out" || fail "not listed: $(cat "$scratch/out")"
# Other tests' come and go.
"$tools/promcb-export" --list-segments | grep -x -F -f <(grep -F -e "$PROMCB_SEGMENT" "$scratch/out") >/dev/null ||
  fail "not as promcb-export lists it"
names() {
  [ "$(paste -s -d, "$scratch/out")" = "$1" ] || fail "not $1: $(cat "$scratch/out")"
}
list --components
names 'GET_/one,GET_/two,POST_/one,two words'
list --components --match=one
names 'GET_/one,POST_/one'
list --components --match='GET_*o*'
names 'GET_/one,GET_/two'
PROMCB_SEGMENT=/none list --segment="$PROMCB_SEGMENT" --components --match=nothing
names ''
# What is no segment of this version is listed with the reason.
{ head -c 4096 "/dev/shm$PROMCB_SEGMENT"; } >"/dev/shm${PROMCB_SEGMENT}_bad"
list
grep -q -x -e "unusable	${PROMCB_SEGMENT}_bad	..*" "$scratch/out" || fail "no reason: $(cat "$scratch/out")"
succeeds "$tools/promcb-admin" list >/dev/full 2>"$scratch/err" && fail "a full disk is no error"
one_line "a full disk"
exit 0
