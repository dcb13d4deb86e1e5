#!/bin/bash
# SPDX-License-Identifier: MIT
# Debian packages of what is checked out: lintian finds no fault, nothing is in two of them, the library's symbols are
# those that it exports, and what they hold works: programs, Python, a program that is built against them, and a segment
# that one user makes in /run/promcb, the service's reads, and others do not. tests/packages/run.sh installs them.
. "$(dirname "$0")/tools_prelude.sh"
for program in dh dh_python3 lintian dpkg-deb pkg-config python3; do
  command -v $program >/dev/null || { echo "$program is not installed"; exit 77; }
done
"$PROMCB_SOURCE/tools/packages/deb.sh" "$scratch/packages" >"$scratch/out" 2>&1 || fail "$(tail -n 40 "$scratch/out")"
cd "$scratch/packages" || exit 1
root=/dev/shm${PROMCB_SEGMENT}_bad # a tmpfs, as /run is
trap 'rm -rf "$scratch" "$root" "/dev/shm$PROMCB_SEGMENT"' EXIT
mkdir "$root" && chmod 755 "$root"

# But for words in binaries, which are pieces of what compilers make of constants ("ment").
lintian --allow-root --display-info --pedantic --suppress-tags spelling-error-in-binary ./*.changes \
  >"$scratch/said" 2>&1 ||
  fail "lintian: $(cat "$scratch/said")"
matches '^[EWIP]:' "$scratch/said" && fail "lintian: $(cat "$scratch/said")"
matches -q '^internal error\|cannot' "$scratch/said" && fail "lintian: $(cat "$scratch/said")"

for name in libpromcb0 libpromcb-dev promcb-tools promcb-sidecar python3-promcb; do
  set -- "$name"_*.deb
  [ $# = 1 ] && [ -f "$1" ] || fail "not one package $name: $*"
  dpkg-deb --contents "$1" | awk '!/^d/ { print $6 }' >>"$scratch/files"
  dpkg-deb --extract "$1" "$root" || fail "$1"
done
[ "$(wc -l <"$scratch/files")" -gt 150 ] || fail "there is little in them: $(cat "$scratch/files")"
twice=$(sort "$scratch/files" | uniq -d)
[ -z "$twice" ] || fail "in two packages: $twice"
dpkg-deb --info libpromcb0_*.deb symbols >"$scratch/symbols" || fail "no symbols"
# Each exported name, and the node.
[ "$(sed -n 's/^ \(promcb_[a-z_0-9]*\)@PROMCB_0 .*/\1/p' "$scratch/symbols" | LC_ALL=C sort)" = \
  "$(sed -n '/^global:/,/^local:/s/^[[:space:]]*\(promcb_[a-z_0-9]*\);.*/\1/p' "$PROMCB_SOURCE/lib/promcb.map" |
    LC_ALL=C sort)" ] || fail "symbols: $(cat "$scratch/symbols")"

# -- What they hold works ---------------------------------------------------------------------------------------------
libdir=$(dirname "$(find "$root" -name libpromcb.so.0)")
export LD_LIBRARY_PATH=$libdir PATH=$root/usr/bin:$PATH
promcb-record packaged --latency=0.001 --success && promcb-admin list >"$scratch/out" || fail "programs"
PYTHONPATH=$root/usr/lib/python3/dist-packages /usr/bin/python3 -c 'import promcb
promcb.component("packaged").record(0.001)' || fail "Python"
export PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_LIBDIR=$libdir/pkgconfig
# shellcheck disable=SC2046
${CC:-cc} -o "$scratch/cache" "$root/usr/share/doc/libpromcb-dev/examples/cache.c" \
  $(pkg-config --cflags --libs promcb) && "$scratch/cache" 100 || fail "an example"
promcb-export >"$scratch/metrics" || fail "export"
grep -q -x 'circuit_breaker_calls_total{component="packaged"} 2' "$scratch/metrics" &&
  grep -q '^cache_lookups_total' "$scratch/metrics" || fail "not recorded: $(cat "$scratch/metrics")"

# -- The service: its user, its directory, its unit -------------------------------------------------------------------
unit=$root/lib/systemd/system/promcb-sidecar.service
for line in User=promcb-sidecar Group=promcb EnvironmentFile=-/etc/default/promcb-sidecar \
  'ExecStart=/usr/bin/promcb-sidecar $OPTIONS'; do
  grep -q -x -F -e "$line" "$unit" || fail "no $line: $(cat "$unit")"
done
matches -q DynamicUser "$unit" && fail "a user that changes"
if command -v systemd-analyze >/dev/null; then
  sed "s|^ExecStart=|&$root|" "$unit" >"$scratch/promcb-sidecar.service"
  cp "$root/lib/systemd/system/promcb-sidecar.socket" "$scratch"
  systemd-analyze verify --man=no "$scratch/promcb-sidecar.service" >"$scratch/said" 2>&1 ||
    fail "systemd-analyze: $(cat "$scratch/said")"
  matches -F promcb "$scratch/said" && fail "systemd-analyze verify is not silent"
fi
if [ "$(id -u)" != 0 ] || ! command -v systemd-sysusers >/dev/null || ! command -v setpriv >/dev/null; then
  echo "not root, or no systemd-sysusers: who may read what is left out"
  exit 0
fi
# In the order in which the package's script has them.
dpkg-deb --info promcb-sidecar_*.deb postinst >"$scratch/postinst" || fail "no postinst"
order=$(grep -o 'systemd-sysusers \|systemd-tmpfiles ' "$scratch/postinst" | tr -d '\n')
[ "$order" = 'systemd-sysusers systemd-tmpfiles ' ] || fail "a directory before its group: $(cat "$scratch/postinst")"
systemd-sysusers --root="$root" promcb-sidecar.conf >"$scratch/said" 2>&1 || fail "sysusers: $(cat "$scratch/said")"
user=$(sed -n 's/^promcb-sidecar:x:\([0-9]*\):.*/\1/p' "$root/etc/passwd")
group=$(sed -n 's/^promcb:x:\([0-9]*\):.*/\1/p' "$root/etc/group")
grep -q '^promcb:x:[0-9]*:promcb-sidecar$' "$root/etc/group" || fail "not in its group: $(cat "$root/etc/group")"
mkdir -p "$root/run"
systemd-tmpfiles --root="$root" --create promcb-sidecar.conf >"$scratch/said" 2>&1 ||
  fail "tmpfiles: $(cat "$scratch/said")"
[ "$(stat -c '%a %u %g' "$root/run/promcb")" = "3770 0 $group" ] || fail "$(stat "$root/run/promcb")"
# as USER GROUP COMMAND...
as() {
  setpriv --reuid="$1" --regid="$2" --clear-groups --no-new-privs -- "${@:3}"
}
chmod 711 "$scratch"
segment=$root/run/promcb/app
setpriv --reuid=54321 --regid=54321 --groups="$group" -- promcb-record -s "$segment" app --success 2>"$scratch/said" ||
  fail "a member cannot record: $(cat "$scratch/said")"
[ "$(stat -c '%a %u %g' "$segment")" = "640 54321 $group" ] || fail "$(stat "$segment")"
as "$user" "$group" promcb-export -s "$segment" >"$scratch/metrics" 2>"$scratch/said" ||
  fail "the service's user cannot read: $(cat "$scratch/said")"
grep -q -x 'circuit_breaker_calls_total{component="app"} 1' "$scratch/metrics" || fail "$(cat "$scratch/metrics")"
succeeds as 54322 54322 promcb-export -s "$segment" >"$scratch/out" 2>&1 && fail "anybody can read"
succeeds as "$user" "$group" rm -f "$segment" 2>/dev/null && fail "the service's user can remove others' segments"
succeeds as "$user" "$group" promcb-record -s "$segment" app --success >"$scratch/out" 2>&1 &&
  fail "the service's user can write"
exit 0
