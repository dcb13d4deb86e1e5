#!/bin/bash
# SPDX-License-Identifier: MIT
# Crowds, slow and garbled clients keep no scraper out, and take no memory.
. "${0%/*}/tools_prelude.sh"
. "${0%/*}/sidecar_http.sh"
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }

awk 'BEGIN { for (i = 0; i < 1000; i++) print "component_" i, "0.01", "success" }' | "$tools/promcb-record" --stdin ||
  fail record
start --web.max-connections=64 --log.level=info
python3 "${0%.sh}.py" "$port" "$background" "$(scaled 10000)" || fail "as told above; log: $(tail -n 5 "$scratch/log")"
[ "$(grep -c 'too many connections' "$scratch/log")" = 1 ] || fail "the log: $(tail -n 5 "$scratch/log")"
stop

# 14 MB, more than fits into a socket's buffers.
start --web.max-requests=2 --classic-schema=3 --log.level=info
python3 "${0%.sh}.py" "$port" || fail "as told above; log: $(tail -n 5 "$scratch/log")"
stop

start --web.max-requests=0 --web.max-connections=8 --classic-schema=3 --log.level=info
python3 "${0%.sh}.py" "$port" 0 "$(($(scaled 90) + 10))" || fail "as told above; log: $(tail -n 5 "$scratch/log")"
stop
