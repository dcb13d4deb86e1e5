#!/bin/bash
# SPDX-License-Identifier: MIT
# A test that cannot look must not pass. "grep X file && fail" does where there is no file, "[ -s file ] && fail" too,
# and "program && fail" where the program dies: matches, filled and succeeds of tests/e2e/tools_prelude.sh stand there
# instead.
set -u
cd "${PROMCB_SOURCE:-$(dirname "$0")/../..}" || exit 1
# Of files, of variables, and the tests' own functions that look at what a program said.
allowed='succeeds|matches|filled|\[ !? ?-[en] |\[ "\$|\[\[|exported|calls|tools/quickstart.sh|-u '\''prometheus'
lines=$(grep -nE '&& fail(ed)?( |$)' tests/e2e/*.sh)
[ "$(wc -l <<<"$lines")" -gt 80 ] || { echo "only these were found: $lines"; exit 1; }
if grep -vE "^[^:]*:[0-9]+: *([A-Z_]+=[^ ]* )?($allowed)" <<<"$lines"; then
  echo "the lines above pass where what is asked cannot be asked: see tests/e2e/tools_prelude.sh"
  exit 1
fi
