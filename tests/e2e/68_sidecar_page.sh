#!/bin/bash
# SPDX-License-Identifier: MIT
# The sidecar's page in a browser, after an incident: what is wrong is first, one slow call among many is seen, all of
# it by keyboard, on a narrow screen and a dark one; nobody else is asked for anything, and no name is more than a text.
. "${0%/*}/tools_prelude.sh"
. "${0%/*}/sidecar_http.sh"
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
command -v chromium >/dev/null || { echo "chromium is not installed"; exit 77; }
odd='<img src=x onerror=alert(1)>"&'\''</script><script>alert(2)</script>'

start
await grep -q 'cannot be read' "$scratch/log"
{
  seq 20000 | sed 's/.*/payment_api 0.001 success/'
  echo 'payment_api 8 success'
  seq 20 | sed 's/.*/payment_api 0.03 failure/'
  seq 200 | sed 's/.*/search 0.02 success/'
  echo "rare 0.5 success"
} | "$tools/promcb-record" --stdin || fail record
"$tools/promcb-record" --latency=0.1 --success "$odd" || fail "an odd name"
# Three openings in less than a look takes.
for state in open half_open open half_open open; do
  "$tools/promcb-record" --state=$state payment_api || fail state
done
told() {
  get '/api/v1/history?component=payment_api&columns=1000'
  python3 - "$scratch/body" <<'PYTHON' 2>/dev/null
import json, sys
columns = json.load(open(sys.argv[1])).get("columns", [])
sys.exit(not (sum(c["calls"] for c in columns) == 20021 and sum(c["transitions"][1] for c in columns) == 3))
PYTHON
}
await told
python3 "${0%/*}/68_sidecar_page.py" "$url" "$odd" "$scratch" || fail "in a browser"
stop
exit 0
