#!/bin/bash
# SPDX-License-Identifier: MIT
# The ways in which others build promcb, and build against it: a tarball, which tells the commit that it was made of;
# the library alone, as a subproject; a package's build, whose units lie where systemd looks and start what was
# installed; pkg-config and CMake, shared and static. The library needs libck and the C library.
. "$(dirname "$0")/tools_prelude.sh"
for program in meson git pkg-config cmake readelf; do
  command -v $program >/dev/null || { echo "$program is not installed"; exit 77; }
done
here=$scratch/here
# What is there now, as a commit of a repository of its own.
mkdir "$here" && cd "$here" || exit 1
(cd "$PROMCB_SOURCE" && . tests/style/files.sh && project_files | tar -c --ignore-failed-read -T - 2>/dev/null) | tar -x
git init -q . && git add -A && git -c user.name=t -c user.email=t@localhost commit -q -m t || fail "no repository"
commit=$(git rev-parse --short=12 HEAD)
quiet() {
  "$@" >"$scratch/out" 2>&1 </dev/null || fail "$*: $(tail -n 20 "$scratch/out")"
}

# -- A tarball, and in it the library alone, as another project's subproject ------------------------------------------
quiet meson setup "$scratch/origin" -Dtools=false -Dsidecar=false -Dtests=false
quiet meson dist -C "$scratch/origin" --no-tests --formats=gztar
mkdir -p "$scratch/user/subprojects" && cd "$scratch/user" || exit 1
tar -x -f "$scratch"/origin/meson-dist/promcb-*.tar.gz -C subprojects && mv subprojects/promcb-* subprojects/promcb
grep -qx "$commit" subprojects/promcb/tools/REVISION || fail "the tarball does not tell its commit"
cat >user.c <<'C'
#include <promcb/inline.h>
#include <promcb/promcb.h>

int main(void)
{
	struct promcb_component *component;

	if (promcb_component(promcb_default(), "user", &component) < 0)
		return 1;
	promcb_record(component, 1000, true);
	return 0;
}
C
cat >meson.build <<'MESON'
project('user', 'c')
executable('user', 'user.c', dependencies: dependency('promcb', fallback: 'promcb'))
MESON
# With threads' words found by descriptors, as other C libraries than glibc need them.
quiet meson setup build -Dpromcb:tls=descriptors --wrap-mode=nofallback --force-fallback-for=promcb
quiet ninja -C build
[ "$(find build -name '*.o' | grep -c -E 'tools|tests|bench')" = 0 ] || fail "a subproject is more than the library"
quiet build/user
has 'circuit_breaker_calls_total{component="user"} 1'
library=build/subprojects/promcb/lib/libpromcb.so.0
grep -q -a -F "$commit" $library || fail "the library of the tarball does not tell its commit"
needs=$(readelf -d $library | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort | tr '\n' ' ')
case $needs in
'libc.so.6 libck.so.0 ' | 'ld-linux-x86-64.so.2 libc.so.6 libck.so.0 ') ;;
*) fail "the library needs $needs" ;;
esac

echo 'int nothing;' >nothing.c
if [ "$(uname -m)" = x86_64 ] && ${CC:-cc} -mtls-dialect=gnu2 -Werror -fsyntax-only nothing.c 2>/dev/null; then
  readelf -r -W $library | grep -q TLSDESC || fail "-Dtls=descriptors is not obeyed"
fi
readelf -d $library >"$scratch/dynamic" || fail readelf
matches -q STATIC_TLS "$scratch/dynamic" && fail "a library with descriptors wants memory at a fixed distance"

# -- A package's build: its units -------------------------------------------------------------------------------------
# unit_of OPTION...: where the unit is installed, and what it starts.
unit_of() {
  rm -rf "$scratch/packaged" "$scratch/root"
  quiet meson setup "$scratch/packaged" "$here" -Dtests=false -Ddocs=false "$@"
  meson introspect --installed "$scratch/packaged" >"$scratch/installed"
  python3 - "$scratch" <<'PYTHON'
import json, sys
scratch = sys.argv[1]
installed = json.load(open(scratch + "/installed"))
for built, place in installed.items():
    if built.endswith("promcb-sidecar.service"):
        start = [line for line in open(built) if line.startswith("ExecStart=")][0].split("=")[1].split()[0]
        assert start in installed.values(), f"{start} is not installed"
        print(place, start)
assert not [place for place in installed.values() if "/man/" in place], "man pages in spite of -Ddocs=false"
PYTHON
}
# Words, since "meson setup" is what takes time here.
[ "$(unit_of --prefix=/usr)" = '/usr/lib/systemd/system/promcb-sidecar.service /usr/bin/promcb-sidecar' ] ||
  fail "--prefix=/usr: $(unit_of --prefix=/usr)"
[ "$(unit_of --prefix=/opt/p -Dsystemdunitdir=/lib/systemd/system)" = \
  '/lib/systemd/system/promcb-sidecar.service /opt/p/bin/promcb-sidecar' ] || fail "-Dsystemdunitdir is not obeyed"

# -- What is installed, by pkg-config and by CMake, wherever it lies --------------------------------------------------
root=$scratch/moved
DESTDIR=$root quiet meson install -C "$PROMCB_BUILD" --no-rebuild --quiet
pc=$(find "$root" -name promcb.pc)
libdir=$(dirname "$(dirname "$pc")")
export LD_LIBRARY_PATH=$libdir PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_LIBDIR=${pc%/*}
calls=1
records() { # HOW
  quiet ./program
  calls=$((calls + 1))
  has "circuit_breaker_calls_total{component=\"user\"} $calls"
  rm program
}
# shellcheck disable=SC2046
quiet ${CC:-cc} -Wall -Werror -o program user.c $(pkg-config --cflags --libs promcb)
records
# shellcheck disable=SC2046
quiet ${CC:-cc} -Wall -Werror -o program user.c $(pkg-config --cflags promcb) "$libdir/libpromcb.a" -lck -pthread
records
cat >CMakeLists.txt <<'CMAKE'
cmake_minimum_required(VERSION 3.16)
project(user C)
find_package(promcb 0.1 CONFIG REQUIRED)
add_executable(program user.c)
target_link_libraries(program ${promcb_kind})
CMAKE
for kind in promcb::promcb promcb::static; do
  rm -rf cmade
  quiet cmake -S . -B cmade -Dpromcb_DIR="$libdir/cmake/promcb" -Dpromcb_kind=$kind
  quiet cmake --build cmade
  mv cmade/program program
  linked=no
  readelf -d program | grep -q 'NEEDED.*libpromcb' && linked=yes
  [ $kind,$linked = promcb::promcb,yes ] || [ $kind,$linked = promcb::static,no ] || fail "$kind: shared: $linked"
  records
done
sed -i 's/promcb 0.1/promcb 7/' CMakeLists.txt
succeeds cmake -S . -B refused -Dpromcb_DIR="$libdir/cmake/promcb" >"$scratch/out" 2>&1 && fail "CMake takes version 7"
grep -q 'version: 0.1' "$scratch/out" || fail "not for its version: $(cat "$scratch/out")"
exit 0
