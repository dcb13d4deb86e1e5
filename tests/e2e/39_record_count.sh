#!/bin/bash
# SPDX-License-Identifier: MIT
# 100,000 generated lines with every oddity of real logs, in three ways to read them: what the generator says that they
# mean is what the export says, to the last call, the last nanosecond of the sums, and every bucket. PROMCB_SEED=N makes
# other lines.
. "$(dirname "$0")/tools_prelude.sh"
command -v python3 >/dev/null || {
  echo "python3 is not installed"
  exit 77
}
python3 "$(dirname "$0")/39_record_count.py" "$tools" "${PROMCB_SEED:-1}" "$(scaled 100000)" ||
  fail "PROMCB_SEED=${PROMCB_SEED:-1}"
