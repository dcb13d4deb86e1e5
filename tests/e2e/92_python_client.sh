#!/bin/bash
# SPDX-License-Identifier: MIT
# prometheus_client's own tests of metrics and of its multiprocess mode, with promcb.prometheus.install(): in the
# version that Debian 12 has, and in a current one. They are in its source distributions, which the package index has.
python_needs="pytest"
. "$(dirname "$0")/python_prelude.sh"
there=$PROMCB_BUILD/python-packages
mkdir -p "$there" || exit 1
for version in 0.16.0 0.26.0; do
  name=prometheus_client-$version
  [ -e "$there/$name.tar.gz" ] ||
    timeout 400 "$python" -m pip download -q --disable-pip-version-check --no-deps --no-binary :all: \
      -d "$there" "prometheus_client==$version" >"$scratch/pip" 2>&1 ||
    {
      echo "the package index, which has prometheus_client's tests, is not to be had: $(tail -n 1 "$scratch/pip")"
      exit 77
    }
  tar -xzf "$there/$name.tar.gz" -C "$scratch" || fail "$name cannot be unpacked"
  timeout 300 "$python" "$PROMCB_SOURCE/tests/python/client_own.py" "$scratch/$name" "$version" \
    >"$scratch/out" 2>"$scratch/err" || fail "$(tail -n 60 "$scratch/out" "$scratch/err")"
  cat "$scratch/out"
done
exit 0
