#!/bin/bash
# SPDX-License-Identifier: MIT
# HTTP as it must not be misunderstood: requests that are odd, wrong, or meant to be read in two ways.
. "${0%/*}/tools_prelude.sh"
. "${0%/*}/sidecar_http.sh"
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }

echo 'db 0.01 success' | "$tools/promcb-record" --stdin || fail record
start
python3 "${0%.sh}.py" "$port" || fail "as told above; log: $(tail -n 5 "$scratch/log")"
stop
