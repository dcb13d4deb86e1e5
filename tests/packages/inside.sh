#!/bin/bash
# SPDX-License-Identifier: MIT
# inside.sh: in the chroot of run.sh, as root. /packages has the packages. Nothing of what they say is edited.
set -u
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
fail() {
  echo "FAILED: $*" >&2
  exit 1
}
quiet() {
  "$@" >/tmp/log 2>&1 </dev/null || fail "$*: $(tail -n 30 /tmp/log)"
}
# As it is where a system has booted.
mount -t tmpfs -o mode=755 tmpfs /run || fail "no tmpfs"
quiet apt-get -q update
quiet apt-get -q -y --no-install-recommends install curl /packages/*.deb
echo "installed"
[ "$(stat -c '%a %U %G' /run/promcb)" = '3770 root promcb' ] || fail "$(stat /run/promcb)"

quiet useradd --groups promcb app
quiet useradd stranger
record() { # user
  setpriv --reuid="$1" --regid="$1" --init-groups -- \
    env PROMCB_SEGMENT=/run/promcb/app promcb-record app --latency=0.001 --success
}
quiet record app
record stranger >/tmp/log 2>&1 && fail "a stranger can record"
echo "a user of the group records, and a stranger does not"

# What the unit starts, as the user that it names, with the options of /etc/default.
unit=/lib/systemd/system/promcb-sidecar.service
field() {
  sed -n "s/^$1=//p" $unit
}
. "$(field EnvironmentFile | sed 's/^-//')"
start=$(field ExecStart)
serve() {
  # shellcheck disable=SC2086,SC2016
  setpriv --reuid="$(field User)" --regid="$(field Group)" --init-groups --no-new-privs -- \
    bash -c 'set -f; OPTIONS=$1; exec ${2%% *} $OPTIONS --web.listen-address=unix:/tmp/sidecar/socket' serve \
    "$OPTIONS" "$start" >/tmp/serve.log 2>&1 &
  sidecar=$!
  for _ in $(seq 400); do
    curl -s --unix-socket /tmp/sidecar/socket http://localhost/metrics >/tmp/body && return
    sleep 0.05
  done
  fail "it does not answer: $(cat /tmp/serve.log)"
}
install -d -o "$(field User)" /tmp/sidecar
serve
grep -q '^circuit_breaker_calls_total{.*component="app".*} 1$' /tmp/body || fail "$(cat /tmp/body /tmp/serve.log)"
kill $sidecar
wait $sidecar
echo "the service's user serves it"

quiet python3 -c 'import promcb
promcb.component("python").record(0.001)'
promcb-export | grep -q 'component="python"' || fail "Python records nothing"

# Once more, as an upgrade is: what was edited and what was recorded stay.
echo '# mine' >>/etc/default/promcb-sidecar
quiet apt-get -q -y --no-install-recommends --reinstall install /packages/*.deb
grep -q '^# mine' /etc/default/promcb-sidecar || fail "a configuration is overwritten"
quiet record app
serve
grep -q '^circuit_breaker_calls_total{.*component="app".*} 2$' /tmp/body || fail "$(cat /tmp/body /tmp/serve.log)"
kill $sidecar
wait $sidecar
echo "upgraded"

files=$(dpkg -L libpromcb0 libpromcb-dev promcb-tools promcb-sidecar python3-promcb | grep -i promcb | sort -u)
quiet apt-get -q -y purge libpromcb0 libpromcb-dev promcb-tools promcb-sidecar python3-promcb
left=$(for file in $files; do [ ! -e "$file" ] || echo "$file"; done)
[ -z "$left" ] || fail "left behind: $left"
echo "purged"
