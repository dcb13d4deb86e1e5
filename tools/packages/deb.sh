#!/bin/bash
# SPDX-License-Identifier: MIT
#
# deb.sh: makes Debian packages of what is checked out.
#
#   tools/packages/deb.sh [--source] [DIRECTORY]      build/packages by default
#
# debian/ of this directory is put beside the sources, in a copy of them: the top level of the project stays what it is.
# DIRECTORY has the packages, and what belongs to them, of this version; with --source also the source package. The same
# commit makes the same bytes, wherever it is built. Needs debhelper and dh-python (tools/packages.sh matrix), and what
# a build needs (tools/packages.sh build). Then, as root: apt-get install ./build/packages/*.deb
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
source=
while [ $# -gt 0 ]; do
  case $1 in
  --source) source=yes ;;
  -*)
    sed -n '3,/^set/s/^# \{0,1\}//p' "$here/deb.sh"
    [ "$1" = --help ] && exit 0
    exit 2
    ;;
  *) break ;;
  esac
  shift
done
directory=${1:-build/packages}
mkdir -p "$directory"
directory=$(cd "$directory" && pwd)

refuse() {
  echo "deb.sh: $*" >&2
  exit 1
}
for program in dpkg-buildpackage dh dh_python3; do
  command -v $program >/dev/null || refuse "$program is not installed: apt-get install dpkg-dev debhelper dh-python"
done
version=$(sed -n "s/^ *version: '\([0-9.]*\)',$/\1/p" meson.build)
packaged=$(sed -n '1s/.*(\(.*\)).*/\1/p' "$here/debian/changelog")
[ "$version" = "$packaged" ] || refuse "debian/changelog is of $packaged, and meson.build of $version"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
tree=$scratch/promcb-$version
mkdir "$tree"
. tests/style/files.sh
project_files | tar -c --ignore-failed-read -T - 2>/dev/null | tar -x -C "$tree"
tools/revision.sh . >"$tree/tools/REVISION" || rm "$tree/tools/REVISION"
cp -R "$here/debian" "$tree/debian"
# Every name that the library exports, and since which version: all since the first.
{
  printf 'libpromcb.so.0 libpromcb0 #MINVER#\n* Build-Depends-Package: libpromcb-dev\n'
  printf ' PROMCB_0@PROMCB_0 0.1.0\n'
  sed -n '/^global:/,/^local:/s/^[[:space:]]*\([A-Za-z0-9_]*\);.*/ \1@PROMCB_0 0.1.0/p' lib/promcb.map | LC_ALL=C sort
} >"$tree/debian/libpromcb0.symbols"
chmod -R u=rwX,go=rX "$tree"

# What is set for a build of one's own, or to try one, is nothing to that of a package.
unset CC CXX CPPFLAGS CFLAGS CXXFLAGS LDFLAGS LD_LIBRARY_PATH MALLOC_PERTURB_ PKG_CONFIG_LIBDIR PKG_CONFIG_SYSROOT_DIR
cd "$tree"
if ! dpkg-buildpackage -us -uc ${source:+-F} $([ -n "$source" ] || echo -b) >"$scratch/log" 2>&1 </dev/null; then
  tail -n 100 "$scratch/log" >&2
  refuse "dpkg-buildpackage failed, as shown above"
fi
cd "$scratch"
rm -rf "$tree"
cp -- promcb_"$version"* ./*.deb "$directory"
cp log "$directory/build.log"
ls -1 "$directory"/*.deb
