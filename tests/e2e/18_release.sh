#!/bin/bash
# SPDX-License-Identifier: MIT
# tools/release.sh refuses a commit that is not ready, and says why; of one that is it makes a tarball (of the
# commit's time, so that it is the same each time), the ABI, the manual and their checksums.
. "$(dirname "$0")/tools_prelude.sh"
for program in meson ninja git mandoc abidw xz; do
  command -v $program >/dev/null || { echo "$program is not installed"; exit 77; }
done
abidw --version | grep -q " 2\.2" || { echo "the ABI was stored by libabigail 2.2"; exit 77; }
here=$scratch/here
mkdir "$here" && cd "$here" || exit 1
(cd "$PROMCB_SOURCE" && . tests/style/files.sh && project_files | tar -c --ignore-failed-read -T - 2>/dev/null) | tar -x
commit() {
  git add -A && git -c user.name=t -c user.email=t@localhost commit -q -m t || fail "no commit"
}
# refused WORDS: by these, and nothing is made.
refused() {
  succeeds tools/release.sh "$scratch/release" >"$scratch/out" 2>"$scratch/err" && fail "a release, though: $1"
  grep -q -F -e "$1" "$scratch/err" || fail "not refused for $1: $(cat "$scratch/err")"
  one_line "$1"
  [ ! -e "$scratch/release" ] || fail "something was made, though: $1"
}
git init -q .
commit
version=$(sed -n "s/^ *version: '\([0-9.]*\)',$/\1/p" meson.build)
sed -i '/^## /d' CHANGELOG.md
sed -i "4a ## Unreleased" CHANGELOG.md
refused 'not committed'
commit
refused "no section \"## $version - "
sed -i "s/^## Unreleased/&\n- A change.\n\n## $version/" CHANGELOG.md
commit
refused 'no section'
sed -i "s/^## $version/& - tomorrow/" CHANGELOG.md
commit
refused 'tomorrow'
sed -i "s/- tomorrow/- 2027-01-31/" CHANGELOG.md
commit
refused 'unreleased'
sed -i '/^- A change/d' CHANGELOG.md
commit
git -c user.name=t -c user.email=t@localhost tag "v$version" HEAD~1
refused 'another commit'
git tag -d "v$version" >/dev/null

tools/release.sh "$scratch/release" >"$scratch/out" 2>&1 || fail "$(tail -n 20 "$scratch/out")"
made=$(git log -1 --format=%ct) commit=$(git rev-parse --short=12 HEAD)
cd "$scratch/release" && sha256sum --quiet -c SHA256SUMS || fail "the checksums are of something else"
tar -t -v -f promcb-"$version".tar.xz --full-time --utc >"$scratch/list" || fail tar
[ "$(awk '{ print $4, $5 }' "$scratch/list" | sort -u)" = "$(date -u -d "@$made" '+%Y-%m-%d %H:%M:%S')" ] ||
  fail "made once more, it is something else: $(head -n 20 "$scratch/list")"
revision=$(tar -x -O -f promcb-"$version".tar.xz "promcb-$version/tools/REVISION")
[ "$revision" = "$commit" ] || fail "of another commit"
manual=promcb-$version-manual
for file in promcb-"$version".{tar.xz,abi,md} "$manual"/promcb{.3,-segment.5,-record.1,-sidecar.1}.html; do
  [ -s "$file" ] || fail "no $file"
  grep -q "  $file\$" SHA256SUMS || fail "no checksum of $file"
done
# What only macros in a table would hide.
grep -q 'struct promcb_header' "$manual"/promcb-segment.5.html ||
  fail "the tables of the manual are empty"
exit 0
