#!/bin/bash
# SPDX-License-Identifier: MIT
# The archive links into static programs without a warning, and they record.
. "$(dirname "$0")/tools_prelude.sh"
[ -n "${PROMCB_COUNTED-}" ] || { echo "only a plain release build is tried"; exit 77; }
cat >"$scratch/program.c" <<'END'
#include <promcb/promcb.h>

int main(void)
{
	struct promcb_component *component;

	if (promcb_component(promcb_default(), "static", &component) < 0)
		return 1;
	promcb_record(component, 1000000, true);
	return 0;
}
END
echo 'int main(void) { return 0; }' >"$scratch/nothing.c"
calls=0
for how in -static -static-pie; do
  ${CC:-cc} $how -o "$scratch/nothing" "$scratch/nothing.c" -lck 2>/dev/null ||
    { echo "$how: no static libraries here"; continue; }
  ${CC:-cc} -Wall -Werror -Wl,--fatal-warnings $how -I"${PROMCB_SOURCE:?}/include" -o "$scratch/program" \
    "$scratch/program.c" "$PROMCB_BUILD/lib/libpromcb.a" -lck -pthread 2>"$scratch/err" ||
    fail "$how: $(cat "$scratch/err")"
  "$scratch/program" || fail "$how: exit $?"
  calls=$((calls + 1))
  has "circuit_breaker_calls_total{component=\"static\"} $calls"
done
[ $calls -gt 0 ] || { echo "no static libraries here"; exit 77; }
