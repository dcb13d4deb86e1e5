#!/bin/bash
# SPDX-License-Identifier: MIT
#
# run.sh: the Debian packages on a Debian that has nothing, and whether they are the same bytes wherever they are built.
#
#   tests/packages/run.sh [--once] [RELEASE]     bookworm by default, on which they are built
#
# --once   builds them once: without the comparison
#
# Builds them (tools/packages/deb.sh); again elsewhere, at another time of the world, with another umask and language,
# and by one process; and compares. Then, in a minbase chroot (inside.sh): installs them, records as a user of the
# group, serves as the service's user, scrapes, installs them once more, and purges them. Needs root, mmdebstrap, a
# mirror of Debian (PROMCB_MIRROR, or that of mmdebstrap), and what deb.sh needs. Five minutes. Prints a line for each
# step; exits with 1 if one failed, 77 and the reason if a chroot cannot be had.
set -u
cd "${PROMCB_SOURCE:-$(dirname "$0")/../..}" || exit 1
. tests/style/files.sh
PATH=$PATH:/usr/sbin:/sbin
once=
release=bookworm
for argument; do
  case $argument in
  --once) once=yes ;;
  -*)
    sed -n '3,/^set/s/^# \{0,1\}//p' "$0" >&2
    [ "$argument" = --help ] && exit 0
    exit 2
    ;;
  *) release=$argument ;;
  esac
done
skip() {
  echo "packages/run.sh: $*"
  exit 77
}
fail() {
  echo "packages/run.sh: FAILED: $*" >&2
  exit 1
}
[ "$(id -u)" -eq 0 ] || skip 'a chroot is made by root'
for program in mmdebstrap unshare pivot_root; do
  command -v $program >/dev/null || skip "there is no $program"
done
unshare --mount --pid --fork mount --make-rprivate / 2>/dev/null || skip 'namespaces cannot be made here'

scratch=$(mktemp -d)
trap 'rm -rf --one-file-system "$scratch"' EXIT
trap 'exit 130' INT TERM
tools/packages/deb.sh "$scratch/packages" >"$scratch/log" 2>&1 || fail "$(tail -n 40 "$scratch/log")"
echo "built: $(cd "$scratch/packages" && echo *.deb)"

if [ -z "$once" ]; then
  mkdir -p "$scratch/else/where"
  project_files | tar -c --ignore-failed-read -T - 2>/dev/null | tar -x -C "$scratch/else/where"
  tools/revision.sh . >"$scratch/else/where/tools/REVISION"
  (umask 027 && TMPDIR=$scratch/else TZ=Pacific/Chatham LC_ALL=C.UTF-8 DEB_BUILD_OPTIONS=parallel=1 \
    "$scratch/else/where/tools/packages/deb.sh" "$scratch/again") >"$scratch/log" 2>&1 ||
    fail "elsewhere: $(tail -n 40 "$scratch/log")"
  for package in "$scratch"/packages/*.deb; do
    cmp "$package" "$scratch/again/${package##*/}" || fail "${package##*/} is not the same, built elsewhere"
  done
  echo "the same, built elsewhere"
fi

kept=$PWD/build/chroot
mkdir -p "$kept/archives-$release"
if [ ! -e "$kept/$release.tar" ]; then
  mmdebstrap --quiet --format=tar --variant=minbase "$release" "$kept/$release.tar.new" ${PROMCB_MIRROR:-} \
    >"$scratch/log" 2>&1 && mv "$kept/$release.tar.new" "$kept/$release.tar" ||
    skip "no chroot of $release can be had: $(grep -m 1 '^[EW]:' "$scratch/log")"
fi
mkdir "$scratch/root" "$scratch/root/packages"
tar -x -f "$kept/$release.tar" -C "$scratch/root" || fail "$kept/$release.tar"
cp "$scratch"/packages/*.deb tests/packages/inside.sh "$scratch/root/packages"
rm -f "$scratch"/root/packages/*dbgsym*
cp /etc/resolv.conf "$scratch/root/etc" 2>/dev/null
tests/chroot/enter.sh "$scratch/root" "$kept/archives-$release" bash /packages/inside.sh || fail "$release"
