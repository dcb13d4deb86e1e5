#!/bin/bash
# SPDX-License-Identifier: MIT
# Without a segment, what reads says so in one line that names it and tells how to make one, and makes none.
. "$(dirname "$0")/tools_prelude.sh"

refused() {
  local status
  "$tools/$@" >"$scratch/out" 2>"$scratch/err"
  status=$?
  [ $status = 1 ] || fail "$*: exit $status"
  filled "$scratch/out" && fail "$*: wrote to standard output"
  one_line "$*"
  grep -q "^$1: " "$scratch/err" || fail "$*: does not say which tool it is: $(cat "$scratch/err")"
  [ -e "/dev/shm$PROMCB_SEGMENT" ] && fail "$*: made a segment"
  return 0
}
says() {
  grep -q -F -e "$1" "$scratch/err" || fail "does not say $1: $(cat "$scratch/err")"
}

for call in "promcb-export" "promcb-export --format=json" "promcb-export --check" \
  "promcb-export --output=$scratch/m.prom" \
  "promcb-admin info" "promcb-admin remove" "promcb-admin reset x" "promcb-admin reset --all" \
  "promcb-admin breaker" "promcb-admin breaker trip x"; do
  refused $call
  says "\"$PROMCB_SEGMENT\""
  says "PROMCB_SEGMENT"
  says "promcb-admin create"
done
[ -e "$scratch/m.prom" ] && fail "an export that failed made a file"

refused promcb-export --segment=/promcb_e2e_other_$$
says "/promcb_e2e_other_$$"
refused promcb-export --segment="$scratch/no/such/directory"
refused promcb-export --segment="$scratch"
refused promcb-export --segment=
refused promcb-record --segment="$scratch/no/such/directory" component --log=info
says "no such directory"
refused promcb-admin create --segment="$scratch/no/such/directory"
says "no such directory"

# An empty PROMCB_SEGMENT, as compose files make it, is none: the default, which is looked for under its name.
if [ ! -e /dev/shm/promcb ]; then
  for call in promcb-export "promcb-admin info" "promcb-admin remove"; do
    PROMCB_SEGMENT= succeeds "$tools/"$call >"$scratch/out" 2>"$scratch/err" &&
      fail "$call reads a segment that is not there"
    says '"/promcb" (the default)'
  done
fi

# What is no segment is refused, and left as it was.
head -c 100000 /dev/zero | tr '\0' x >"$scratch/stranger"
cp "$scratch/stranger" "$scratch/before"
refused promcb-export --segment="$scratch/stranger"
says "$scratch/stranger"
refused promcb-export --check --segment="$scratch/stranger"
refused promcb-record --segment="$scratch/stranger" component --log=info
refused promcb-admin reset --segment="$scratch/stranger" --all
refused promcb-admin breaker --segment="$scratch/stranger"
refused promcb-admin breaker --segment="$scratch/stranger" set x open=1s
refused promcb-admin create --segment="$scratch/stranger"
refused promcb-admin remove --segment="$scratch/stranger" --force
cmp -s "$scratch/stranger" "$scratch/before" || fail "a stranger's file was changed"
: >"$scratch/empty"
refused promcb-export --segment="$scratch/empty"
exit 0
