#!/bin/bash
# SPDX-License-Identifier: MIT
#
# run.sh: the README's commands on a Debian that has nothing on it: a minbase chroot, without git, dpkg-dev or a name
# for localhost in /etc/hosts.
#
#   tests/chroot/run.sh [--short | --whole | --as=root|user] [RELEASE...]     bookworm and trixie by default
#
# --short   installs the packages that the build needs, builds without tests, and runs the README's program as printed:
#           a minute. Without it both commands of "Try it" are run, as root and as a plain user, and the program: half
#           an hour and 3 GB of disk for each release.
# --whole   as root alone, and every test of tools/test.sh: an hour
# --as      as one of the two alone
#
# Needs root, mmdebstrap, and a mirror of Debian (PROMCB_MIRROR, or that of mmdebstrap). The bare root is kept in
# build/chroot, as are the packages; what is made of it is removed. Prints what runs, then a line each:
#   RELEASE as USER: STEP ok|FAILED in N s
# Exits with 1 if one failed, 77 and the reason if a chroot cannot be had.
set -u
cd "${PROMCB_SOURCE:-$(dirname "$0")/../..}" || exit 1
. tests/style/files.sh
PATH=$PATH:/usr/sbin:/sbin

skip() {
  echo "chroot/run.sh: $*"
  exit 77
}

steps='root user'
releases=
for argument; do
  case $argument in
  --short) steps=short ;;
  --whole) steps=whole ;;
  --as=root | --as=user) steps=${argument#*=} ;;
  -*)
    sed -n '3,/^set/s/^# \{0,1\}//p' "$0" >&2
    [ "$argument" = --help ] && exit 0
    exit 2
    ;;
  *) releases="$releases $argument" ;;
  esac
done
mirror=${PROMCB_MIRROR:-}

[ "$(id -u)" -eq 0 ] || skip 'a chroot is made by root'
for program in mmdebstrap unshare pivot_root tar; do
  command -v $program >/dev/null || skip "there is no $program"
done
unshare --mount --pid --fork mount --make-rprivate / 2>/dev/null || skip 'namespaces cannot be made here'

kept=$PWD/build/chroot
mkdir -p "$kept" || exit 1
root=
inside=
finish() {
  status=$?
  trap - EXIT INT TERM
  if [ -n "$inside" ]; then
    kill -TERM "$inside"
    wait "$inside"
  fi
  [ -z "$root" ] || rm -rf --one-file-system "$root"
  exit $status
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Bare, and as it was when it was first made; apt brings it up to date with what it installs.
bare() { # release
  [ -e "$kept/$1.tar" ] && return
  mmdebstrap --quiet --format=tar --variant=minbase "$1" "$kept/$1.tar.new" ${mirror:+"$mirror"} >"$kept/log" 2>&1 &&
    mv "$kept/$1.tar.new" "$kept/$1.tar" && return
  rm -f "$kept/$1.tar.new"
  skip "no chroot of $1 can be had${mirror:+ from $mirror}: $(grep -m 1 '^[EW]:' "$kept/log" || tail -n 1 "$kept/log")"
}

# As a clone has them, and as they are now; without git the chroot must tell what belongs to the project by itself.
copy_source() {
  if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    git clone -q --bare . "$root/src/.git" && git --git-dir="$root/src/.git" config core.bare false || return 1
  fi
  project_files | tar -c --ignore-failed-read -T - 2>/dev/null | tar -x -C "$root/src"
}

failed=0
for release in ${releases:-bookworm trixie}; do
  bare "$release"
  archives=$kept/archives-$release
  mkdir -p "$archives/partial"
  for step in $steps; do
    root=$(mktemp -d "$kept/root-XXXXXX")
    chmod 755 "$root"
    begun=$SECONDS
    tar -x -C "$root" -f "$kept/$release.tar" && mkdir "$root/src" && copy_source || exit 1
    cp -L /etc/resolv.conf "$root/etc/resolv.conf"
    # What a cache has of an older list is fetched anew, and what it has is not deleted.
    echo 'Binary::apt::APT::Keep-Downloaded-Packages "true";' >"$root/etc/apt/apt.conf.d/50keep"
    # No service starts there, whoever installs it.
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod 755 "$root/usr/sbin/policy-rc.d"
    result=ok
    # shellcheck disable=SC2086
    tests/chroot/enter.sh "$root" "$archives" env -i HOME=/root LC_ALL=C.UTF-8 \
      PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin ${http_proxy:+http_proxy="$http_proxy"} \
      ${PROMCB_STRESS_SCALE:+PROMCB_STRESS_SCALE="$PROMCB_STRESS_SCALE"} \
      bash /src/tests/chroot/inside.sh "$step" </dev/null &
    inside=$!
    wait $inside || result=FAILED
    inside=
    [ $result = ok ] || failed=1
    summary="${summary-}$release: $step $result in $((SECONDS - begun)) s
"
    rm -rf --one-file-system "$root"
    root=
  done
done
printf '%s' "$summary"
exit $failed
