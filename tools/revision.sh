#!/bin/sh
# SPDX-License-Identifier: MIT
#
# revision.sh DIRECTORY: the commit that is checked out there, 12 digits of it; also where git is not installed, or will
# not look into somebody else's clone. A tarball tells the commit that it was made of in tools/REVISION. Exits with 1 if
# it is neither: no repository around it is taken for its own.
#
# revision.sh --dist: writes that file, for "meson dist".
set -eu
if [ "$1" = --dist ]; then
  "$0" "$MESON_SOURCE_ROOT" >"$MESON_DIST_ROOT/tools/REVISION"
  exit
fi
git=$1/.git
git --git-dir="$git" rev-parse --short=12 HEAD 2>/dev/null && exit

if [ ! -e "$git" ] && [ -s "$1/tools/REVISION" ]; then
  exec cat "$1/tools/REVISION"
fi
# A work tree of another clone has a file in its place.
[ ! -f "$git" ] || git=$(sed -n 's/^gitdir: //p' "$git")
common=$git
if [ -f "$git/commondir" ]; then
  common=$git/$(cat "$git/commondir")
fi
[ -f "$git/HEAD" ] || exit 1
commit=$(cat "$git/HEAD")
case $commit in
ref:*)
  name=${commit#ref: }
  if [ -f "$common/$name" ]; then
    commit=$(cat "$common/$name")
  else
    commit=$(sed -n "s|^\([0-9a-f]*\) $name\$|\1|p" "$common/packed-refs")
  fi
  ;;
esac
[ -n "$commit" ] || exit 1
printf '%.12s\n' "$commit"
