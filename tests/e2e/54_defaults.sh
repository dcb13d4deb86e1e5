#!/bin/bash
# SPDX-License-Identifier: MIT
# What a stranger cannot do, without anybody having set anything: the statements of promcb-segment(5), SECURITY.
. "${PROMCB_SOURCE:?}/tests/e2e/tools_prelude.sh"
segment=/dev/shm$PROMCB_SEGMENT
chmod 755 "$scratch"

# Mode 0640, whatever the umask.
for mask in 000 027 077; do
  rm -f "$segment"
  (umask $mask && "$tools/promcb-record" --success --latency=0.5 component) || fail "record with umask $mask"
  [ "$(stat -c %a "$segment")" = 640 ] || fail "umask $mask: mode $(stat -c %a "$segment")"
done

# Readers write nothing: not one byte, and no more memory.
before="$(sha256sum <"$segment") $(stat -c '%b %s %y' "$segment")"
for format in text openmetrics protobuf json health; do
  "$tools/promcb-export" --format $format >"$scratch/out" || fail "export as $format"
done
"$tools/promcb-export" --check >"$scratch/out" || fail "check"
"$tools/promcb-admin" info >"$scratch/out" || fail "info"
[ "$(sha256sum <"$segment") $(stat -c '%b %s %y' "$segment")" = "$before" ] || fail "a reader changed the segment"

# Symbolic links are not followed, dangling ones neither, and what is no file is not waited for.
ln -s "$segment" "$scratch/link"
ln -s "$scratch/nowhere" "$scratch/dangling"
mkfifo "$scratch/fifo"
for name in link dangling fifo; do
  for what in promcb-export "promcb-record --success --latency=1 component" "promcb-admin reset --all" \
    "promcb-admin remove --force" "promcb-admin create"; do
    # shellcheck disable=SC2086
    PROMCB_SEGMENT=$scratch/$name timeout 120 "$tools/"$what >"$scratch/out" 2>"$scratch/err"
    status=$?
    [ $status -ne 0 ] && [ $status -ne 124 ] || fail "$what takes a $name, status $status"
    one_line "$what on a $name"
  done
done
[ -h "$scratch/link" ] && [ -h "$scratch/dangling" ] && [ -p "$scratch/fifo" ] || fail "one of them was removed"
[ ! -e "$scratch/nowhere" ] || fail "a dangling link was followed"

# A name cannot make a line, nor a label.
succeeds "$tools/promcb-record" --success --latency=1 "$(printf 'a\nb')" 2>"$scratch/err" && fail "a name of two lines"
"$tools/promcb-record" --success --latency=1 'a"} 1' || fail "a name with quotes"
has 'circuit_breaker_calls_total{component="a\"} 1"} 1'

if [ "$(id -u)" -ne 0 ] || ! command -v setpriv >/dev/null; then
  echo "not root: other users were not tried"
  exit 0
fi
nobody() {
  setpriv --reuid=65534 --regid=65534 --clear-groups -- "$@"
}
# The build may lie where nobody else may look.
cp "$tools/promcb-export" "$tools/promcb-record" "$tools/promcb-admin" "$scratch/" || fail copy
chmod 755 "$scratch"/promcb-*
before=$(sha256sum <"$segment")
for what in promcb-export "promcb-record --success --latency=1 component" "promcb-admin reset --all" \
  "promcb-admin remove --force"; do
  # shellcheck disable=SC2086
  succeeds nobody "$scratch/"$what >"$scratch/out" 2>"$scratch/err" && fail "a stranger's $what"
  one_line "a stranger's $what"
done
[ "$(sha256sum <"$segment")" = "$before" ] || fail "a stranger changed the segment"
# Who may only read can read, and no more.
chmod 644 "$segment"
nobody "$scratch/promcb-export" >"$scratch/out" || fail "a stranger may read, and cannot"
succeeds nobody "$scratch/promcb-record" --success --latency=1 component 2>"$scratch/err" && fail "a reader records"
succeeds nobody "$scratch/promcb-admin" reset --all 2>"$scratch/err" && fail "a reader resets"
[ "$(sha256sum <"$segment")" = "$before" ] || fail "a reader changed the segment"

# A program that runs with more rights than its caller does not take the segment's name from its caller.
chown 65534 "$scratch/promcb-export" && chmod 4755 "$scratch/promcb-export" || fail setuid
PROMCB_SEGMENT=/promcb_e2e_elsewhere_$$ "$scratch/promcb-export" >"$scratch/out" 2>"$scratch/err"
if [ "$(findmnt -n -o OPTIONS -T "$scratch" | grep -c nosuid)" -eq 0 ] &&
  grep -q "promcb_e2e_elsewhere" "$scratch/err"; then
  fail "a setuid program believes the environment: $(cat "$scratch/err")"
fi
