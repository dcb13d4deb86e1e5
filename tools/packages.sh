#!/bin/sh
# SPDX-License-Identifier: MIT
#
# packages.sh: the Debian packages that promcb needs, and the one place that names them.
#
#   tools/packages.sh GROUP...          installs what is missing of the groups, and says so; nothing to do takes no time
#   tools/packages.sh --missing GROUP...   prints what is missing
#   tools/packages.sh --list GROUP...      prints all of it
#
# Groups: run (to run an installed promcb), build (to build it), test (to test it with gcc, on top of build), matrix
# (for the other compilers and machines that tools/test.sh tests, on top of test), bench (the peers that it is measured
# beside, on top of build).
set -eu

packages_of() {
  case $1 in
  run) echo libc6 libck0 libpcre2-8-0 liburcu8 libyaml-0-2 zlib1g libgnutls30 libcrypt1 libncursesw6 ;;
  build)
    echo gcc g++ libc6-dev meson ninja-build pkg-config python3 # the compilers and the build
    echo libck-dev libpcre2-dev          # the library, and the tools
    echo libncurses-dev                  # promcb-top's
    echo liburcu-dev libyaml-dev zlib1g-dev libgnutls28-dev libcrypt-dev # and the sidecar's
    ;;
  test)
    echo clang-format                    # the formatter
    echo spin                            # the models' checker
    echo libcriterion-dev libjansson-dev # unit tests; a reader of JSON
    echo binutils abigail-tools groff-base # exported names, the ABI, man pages
    echo curl jq nginx-light apache2 haproxy prometheus prometheus-alertmanager wrk # real input, a real scrape
    echo nginx-dev libpcre2-dev libssl-dev                     # the module for nginx
    echo protobuf-compiler python3-protobuf python3-prometheus-client # parsers of the formats
    echo python3-dev gunicorn python3-uvicorn python3-fastapi python3-flask python3-django # promcb for Python,
    echo python3-aiohttp python3-celery uwsgi-plugin-python3 # its other servers,
    echo python3-hypothesis python3-pytest python3-pip python3-venv # states, tests of others, a wheel
    echo openssl apache2-utils # certificates and passwords
    echo cmake git                       # other ways to build
    echo xz-utils                                              # segments kept as files
    echo systemd                                               # judges the units
    echo bash-completion zsh fish                              # shells that complete
    echo mount procps e2fsprogs                                # file systems and processes to have faults with
    echo valgrind                                              # counts instructions and cache lines
    echo mmdebstrap debian-archive-keyring                     # a Debian without anything
    ;;
  matrix)
    echo clang libclang-rt-dev llvm      # the second compiler, its sanitizers and libFuzzer; stacks with names
    echo gcc-aarch64-linux-gnu g++-aarch64-linux-gnu qemu-user # another kind of machine, emulated
    echo gcc-i686-linux-gnu gcc-s390x-linux-gnu                # kinds that are refused
    echo musl-tools                      # another C library
    echo mandoc                          # the manual as HTML
    echo debhelper dh-python lintian     # Debian packages
    echo gcovr                           # coverage
    ;;
  bench)
    echo prometheus-cpp-dev libpcp-mmv1-dev libpcp3-dev python3-prometheus-client
    ;;
  *)
    echo "packages.sh: no group \"$1\": run, build, test, matrix or bench is expected" >&2
    return 1
    ;;
  esac
}

action=install
case ${1-} in
--missing | --list)
  action=${1#--}
  shift
  ;;
esac
[ $# -gt 0 ] || set -- build

wanted=
for group; do
  wanted="$wanted $(packages_of "$group")"
done
if [ "$action" = list ]; then
  printf '%s\n' $wanted
  exit 0
fi

if ! command -v dpkg-query >/dev/null; then
  echo "packages.sh: this is no Debian: see to the equivalents of these yourself:" $wanted >&2
  exit 0
fi
# By what else it provides, too: a later Debian may have it under another name (libck0t64 for libck0).
have=" $(dpkg-query -W -f='${db:Status-Abbrev}${Package} ${Provides}\n' |
  sed -n 's/^.i *//p' | sed 's/([^)]*)//g; s/,/ /g' | tr '\n' ' ') "
missing=
for package in $wanted; do
  case $have in
  *" $package "*) ;;
  *) missing="$missing $package" ;;
  esac
done
if [ "$action" = missing ]; then
  [ -z "$missing" ] || printf '%s\n' $missing
  exit 0
fi
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "packages.sh: not root and no sudo. Have somebody run: apt-get install$missing" >&2
    exit 1
  fi
  as_root=sudo
fi
echo "packages.sh: installing$missing"

# The tests start their own nginx and Prometheus, on ports of their own: the packages' services shall not start.
policy=/usr/sbin/policy-rc.d
made_policy=
if [ ! -e $policy ]; then
  printf '#!/bin/sh\nexit 101\n' | $as_root sh -c "cat > $policy && chmod 755 $policy"
  made_policy=yes
fi
log=$(mktemp)
finish() {
  status=$?
  [ -z "$made_policy" ] || $as_root rm -f $policy
  rm -f "$log"
  exit $status
}
trap finish EXIT
trap 'exit 130' INT TERM

apt() {
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 "$@" >"$log" 2>&1 </dev/null
}
# Before minutes without a word: how much it is.
tell_size() {
  $as_root env LC_ALL=C apt-get --assume-no --no-install-recommends install $missing 2>/dev/null </dev/null |
    sed -n 's/^Need to get \(.*\) of archives.*/packages.sh: to fetch: \1/p
      s/^After this operation, \(.* B\) of additional.*/packages.sh: to fill on the disk: \1/p'
  :
}
# Package lists that are not there, or too old to be of use, are fetched; good ones are left alone.
tell_size
apt install --no-install-recommends $missing && exit 0
echo "packages.sh: fetching the package lists first"
if ! apt update || ! tell_size || ! apt install --no-install-recommends $missing; then
  cat "$log" >&2
  echo "packages.sh: apt-get failed, as shown above" >&2
  exit 1
fi
