#!/bin/bash
# SPDX-License-Identifier: MIT
#
# run.sh: builds promcb for aarch64 and runs its unit, stress and machine tests with qemu-user.
#
#   tests/cross/run.sh [--setup] [DIRECTORY [MESON OPTION...]]
#
# DIRECTORY is where to build: build/aarch64. --setup: only the sysroot and the configuration. Nothing is installed on
# this machine: the libraries for arm64 come from Debian's mirror into build/aarch64-sysroot, with lists, cache and
# status of their own. Exits with 77 and a line that says what is missing if that cannot be had.
#
# An emulator of user programs on x86 shows what the compiler made for aarch64, and the ways that only such machines
# take (the busy flag of inline.h). It shows no memory weaker than x86's: for that there are the models.
set -u
cd "$(dirname "$0")/../.." || exit 1

skip() {
  echo "run.sh: $*" >&2
  exit 77
}

only_setup=
if [ "${1-}" = --setup ]; then
  only_setup=yes
  shift
fi
directory=${1:-build/aarch64}
[ $# -eq 0 ] || shift
sysroot=build/aarch64-sysroot

for program in aarch64-linux-gnu-gcc aarch64-linux-gnu-g++ qemu-aarch64 apt-get dpkg-deb; do
  command -v $program >/dev/null || skip "there is no $program, so nothing is built for aarch64"
done

# What the build links with on this machine, on that one. Unit tests have a header in place of Criterion.
wanted="libc6-dev libstdc++6 libjansson-dev"
wanted="$wanted $(tools/packages.sh --list build | grep -E '^(lib|zlib).*-dev$' | grep -v '^libc6-dev$')"
if [ "$(cat $sysroot/packages 2>/dev/null)" != "$wanted" ]; then
  rm -rf $sysroot $sysroot.new
  state=$PWD/$sysroot.new/apt
  mkdir -p "$state/lists/partial" "$state/archives/partial" || exit 1
  apt=(apt-get -q -y -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State::Lists="$state/lists"
    -o Dir::State::status=/dev/null -o Dir::Cache="$state" -o Dir::Cache::archives="$state/archives"
    -o Debug::NoLocking=1 -o APT::Sandbox::User="$(id -un)" -o APT::Update::Post-Invoke= -o DPkg::Post-Invoke=)
  echo "run.sh: fetching arm64 packages into $sysroot"
  # shellcheck disable=SC2086
  if ! "${apt[@]}" update >"$state/log" 2>&1 ||
    ! "${apt[@]}" --no-install-recommends --download-only install $wanted >>"$state/log" 2>&1; then
    tail -n 3 "$state/log" >&2
    skip "the arm64 packages cannot be had, so nothing is built for aarch64"
  fi
  for package in "$state"/archives/*.deb; do
    dpkg-deb -x "$package" $sysroot.new || exit 1
  done
  rm -rf "$state"
  printf "[constants]\nsysroot = '%s'\n" "$PWD/$sysroot" >$sysroot.new/constants.ini
  echo "$wanted" >$sysroot.new/packages
  mv $sysroot.new $sysroot || exit 1
fi

if [ ! -e "$directory/build.ninja" ]; then
  rm -rf "$directory"
  meson setup --cross-file $sysroot/constants.ini --cross-file tests/cross/aarch64.ini "$@" "$directory" || exit 1
fi
[ -z "$only_setup" ] || exit 0
ninja -C "$directory" || exit 1
export PROMCB_STRESS_SCALE=${PROMCB_STRESS_SCALE:-0.02}
exec meson test -C "$directory" --no-rebuild --timeout-multiplier 3 --suite promcb:unit --suite promcb:stress \
  --suite promcb:machine
