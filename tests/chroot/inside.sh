#!/bin/bash
# SPDX-License-Identifier: MIT
#
# inside.sh: what chroot/run.sh runs in its chroot, in /src, as root: short, root, whole or user. Ends at the first
# failure, but for that of the tests, after which it goes on.
set -eu
cd /src
step=$1

# What the README has below Install and Record. A build that is there already is taken, so that it is not made twice.
record_as_printed() {
  tests/blocks.sh README.md Record c >program.c
  { tests/blocks.sh README.md Install sh && tests/blocks.sh README.md Record sh; } >commands.sh
  grep -q promcb_open program.c && grep -q 'cc program.c' commands.sh && grep -q 'meson install' commands.sh || {
    echo 'README.md: no program, or no commands that install what it needs and compile it'
    return 1
  }
  echo '== As printed in the README'
  cat commands.sh
  rm -f /dev/shm/promcb
  bash -e commands.sh >output
  for line in 'circuit_breaker_calls_total{component="payment_api"} 1000' \
    'circuit_breaker_failures_total{component="payment_api"} 100'; do
    grep -qxF "$line" output || {
      echo "not recorded: $line"
      return 1
    }
  done
  rm -f program.c commands.sh output a.out /dev/shm/promcb
  # The headers of the libraries that it is made of are not needed to compile against it.
  mkdir only
  cp "$(pkg-config --variable=pcfiledir promcb)"/promcb.pc only/
  [ -n "$(PKG_CONFIG_LIBDIR=only pkg-config --libs promcb)" ]
  ! PKG_CONFIG_LIBDIR=only pkg-config --cflags promcb | grep -e -D
  rm -r only
}

case $step in
short)
  tools/packages.sh build
  meson setup build -Dtests=false >log || { cat log; exit 1; }
  ninja -C build >log || { cat log; exit 1; }
  ! grep -F warning: log
  rm log
  record_as_printed
  ;;
root | whole)
  tools/quickstart.sh --once
  record_as_printed
  if [ "$step" = root ]; then tools/test.sh --quick; else tools/test.sh; fi
  ;;
user)
  # Whoever is not root, and has no sudo, has somebody install what is missing.
  tools/packages.sh build test
  useradd --create-home plain
  chown -R plain: /src
  as_user() {
    runuser -u plain -- env HOME=~plain "$@"
  }
  as_user tools/quickstart.sh --once
  as_user tools/test.sh --quick
  ;;
esac
