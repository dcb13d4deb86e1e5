#!/bin/bash
# SPDX-License-Identifier: MIT
# The units of the sidecar: they start what was installed, systemd finds no fault with them, and the service that the
# socket unit starts listens on that socket.
. "${0%/*}/tools_prelude.sh"
. "${0%/*}/sidecar_http.sh"

unit=$PROMCB_BUILD/tools/sidecar/promcb-sidecar.service
socket_unit=$PROMCB_SOURCE/tools/sidecar/promcb-sidecar.socket
[ -s "$unit" ] || fail "the build makes no promcb-sidecar.service"
matches -q -E '@[a-z]+@' "$unit" && fail "something was not filled in"
bindir=$(sed -n 's|^ExecStart=\(/.*\)/promcb-sidecar .*|\1|p' "$unit")
prefix=$(python3 - "$PROMCB_BUILD" <<'PYTHON'
import json, os, sys
known = json.load(open(sys.argv[1] + "/meson-info/intro-buildoptions.json"))
options = {option["name"]: option["value"] for option in known}
print(os.path.join(options["prefix"], options["bindir"]))
PYTHON
) || fail "what the build says of itself cannot be read"
[ "$bindir" = "$prefix" ] || fail "the unit starts what lies in $bindir; programs are installed in $prefix"

if command -v systemd-analyze >/dev/null; then
  mkdir "$scratch/units"
  sed "s|^ExecStart=[^ ]*|ExecStart=$sidecar|" "$unit" >"$scratch/units/promcb-sidecar.service"
  cp "$socket_unit" "$scratch/units"
  for kind in service socket; do
    systemd-analyze verify --man=no "$scratch/units/promcb-sidecar.$kind" >"$scratch/said" 2>&1 ||
      fail "systemd-analyze verify: $(cat "$scratch/said")"
    # Only of these units: others of this machine may have faults of their own.
    matches -F promcb "$scratch/said" && fail "systemd-analyze verify is not silent"
  done
fi

command -v systemd-socket-activate >/dev/null || {
  echo "systemd-socket-activate is not installed"
  exit 77
}
# What the unit starts, options included, with a socket from systemd: the answer is the sidecar's.
"$tools/promcb-record" activated --latency=1 --success || fail record
port=$("${0%/*}/free_ports.py" 1)
OPTIONS='--log.level=info'
command=$(sed -n "s|^ExecStart=[^ ]*|$sidecar|p" "$unit")
systemd-socket-activate -l "127.0.0.1:$port" -E PROMCB_SEGMENT ${command/\$OPTIONS/$OPTIONS} 2>"$scratch/log" &
background=$!
accepting() {
  grep -q 'Listening on' "$scratch/log" || { kill -0 "$background" || fail "$(cat "$scratch/log")"; false; }
}
await accepting
url=http://127.0.0.1:$port
answers 200 /metrics
body_has 'circuit_breaker_calls_total{component="activated"} 1'
grep -q "msg=listening address=127.0.0.1:$port " "$scratch/log" || fail "it listens elsewhere: $(cat "$scratch/log")"
stop
exit 0
