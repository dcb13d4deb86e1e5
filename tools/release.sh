#!/bin/bash
# SPDX-License-Identifier: MIT
#
# release.sh: makes what is published of a version, from the commit that is checked out.
#
#   tools/release.sh [DIRECTORY]      build/release by default; it must not be there yet
#
# Refuses unless nothing is changed in the work tree, CHANGELOG.md has a section "## VERSION - YYYY-MM-DD" of
# meson.build's version with something in it and an empty "Unreleased" above it, no other commit has the tag vVERSION,
# and the library has the ABI that is stored. Then DIRECTORY has
#   promcb-VERSION.tar.xz     that commit's files, without their history; built and tried from there
#   promcb-VERSION.abi        the library's ABI, for abidiff(1)
#   promcb-VERSION-manual/    the man pages as HTML
#   promcb-VERSION.md         the changelog's section
#   SHA256SUMS                of all of these
# Publishes nothing: what is left to do is printed.
set -eu
cd "$(dirname "$0")/.."
case ${1-} in
-*)
  sed -n '3,/^set/s/^# \{0,1\}//p' "$0"
  [ "$1" = --help ] && exit 0
  exit 2
  ;;
esac
directory=${1:-build/release}

refuse() {
  echo "release.sh: $*" >&2
  exit 1
}
for program in git meson ninja mandoc abidw xz sha256sum; do
  command -v $program >/dev/null || refuse "$program is not installed (tools/packages.sh build test matrix)"
done
[ ! -e "$directory" ] || refuse "$directory is there already: remove it, or name another directory"
version=$(sed -n "s/^ *version: '\([0-9.]*\)',$/\1/p" meson.build)
[ -n "$version" ] || refuse "meson.build has no version"
[ -z "$(git status --porcelain)" ] || refuse "there are changes that are not committed: git status"
tagged=$(git rev-parse -q --verify "refs/tags/v$version^{commit}" || true)
[ -z "$tagged" ] || [ "$tagged" = "$(git rev-parse HEAD)" ] || refuse "v$version is another commit: raise the version"

# section TITLE: the changelog's lines below "## TITLE".
section() {
  awk -v title="## $1" '/^## / { inside = index($0, title) == 1; next } inside' CHANGELOG.md | sed '/./,$!d'
}
title=$(sed -n "s/^## \($version .*\)/\1/p" CHANGELOG.md | head -n 1)
[ -n "$title" ] || refuse "CHANGELOG.md has no section \"## $version - $(date +%Y-%m-%d)\""
[[ $title =~ ^[0-9.]+\ -\ [0-9]{4}-[0-9]{2}-[0-9]{2}$ ]] ||
  refuse "CHANGELOG.md: \"$title\": expected \"$version - DATE\""
[ -n "$(section "$title")" ] || refuse "CHANGELOG.md says nothing of $version"
[ -z "$(section Unreleased)" ] || refuse "CHANGELOG.md has changes that are unreleased: move them below \"## $title\""

mkdir -p "$directory"
directory=$(cd "$directory" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
name=promcb-$version
run() {
  echo "release.sh: $*"
  "$@" >"$scratch/log" 2>&1 || { cat "$scratch/log"; refuse "$*: failed"; }
}

# The same files as by "meson dist", but all of the commit's time: whoever has it can make the same bytes again.
git rev-parse --short=12 HEAD >"$scratch/REVISION"
run git archive --format=tar --prefix="$name/tools/" --add-file="$scratch/REVISION" --prefix="$name/" \
  -o "$scratch/$name.tar" HEAD
xz <"$scratch/$name.tar" >"$directory/$name.tar.xz"
run tar -x -f "$directory/$name.tar.xz" -C "$scratch"
run meson setup "$scratch/build" "$scratch/$name" -Dpython=disabled
run ninja -C "$scratch/build" tools/promcb-record tools/promcb-export tests/libpromcb-abi.so
run env PROMCB_BUILD="$scratch/build" PROMCB_SOURCE="$scratch/$name" "$scratch/$name/tests/style/abi.sh"
run env PROMCB_SEGMENT="/promcb-release-$$" "$scratch/build/tools/promcb-record" release -- true
calls=$(PROMCB_SEGMENT=/promcb-release-$$ "$scratch/build/tools/promcb-export" |
  grep -F 'circuit_breaker_calls_total{component="release"}')
rm -f /dev/shm/promcb-release-$$
[ "${calls##* }" = 1 ] || refuse "the tarball's programs count otherwise: $calls"

cp "$scratch/$name/tests/golden/libpromcb.abi" "$directory/$name.abi"
section "$title" >"$directory/$name.md"
mkdir "$directory/$name-manual"
find "$scratch/$name/lib" "$scratch/$name/tools" -name '*.[1-8]' | while read -r page; do
  mandoc -Thtml -Otoc "$page" >"$directory/$name-manual/${page##*/}.html"
done
(cd "$directory" && find . -type f ! -name SHA256SUMS -printf '%P\n' | sort | xargs sha256sum >SHA256SUMS)

cat <<END
$directory:
$(cd "$directory" && ls)

To publish it, once tools/test.sh has passed on this commit:
  git tag -s v$version -m "promcb $version" && git push origin v$version
  (cd $directory && gpg --detach-sign --armor SHA256SUMS)
and offer these files for download, with $name.md as what is said of them.
END
