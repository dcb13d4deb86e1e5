#!/bin/bash
# SPDX-License-Identifier: MIT
# The source distribution and the wheel that pip makes of it, without the package index; the wheel is installed in a
# virtual environment, where the tests of components pass, beside a library of the system's.
python_needs="pip venv ensurepip"
. "$(dirname "$0")/python_prelude.sh"
unset PYTHONPATH
cd "$scratch" || exit 1
quiet() {
  "$@" >"$scratch/log" 2>&1 || fail "$*: $(tail -n 40 "$scratch/log")"
}
quiet "$python" -c "
import sys
sys.path.insert(0, '$PROMCB_SOURCE/tools/python')
import backend
backend.build_sdist('.')"
tar -xzf promcb-*.tar.gz && rm promcb-*.tar.gz && mv promcb-* source || fail "no source distribution"
matches -q . <(ls source/tests 2>/dev/null) && fail "the source distribution has tests"
quiet "$python" -m pip wheel --disable-pip-version-check --no-deps --no-index -w . ./source
[ "$(ls ./*.whl)" = "$(ls ./promcb-*-cp310-abi3-linux_"$(uname -m)".whl)" ] || fail "another wheel: $(ls ./*.whl)"
quiet "$python" -m venv environment
quiet environment/bin/python -m pip install --disable-pip-version-check --no-index ./*.whl
module=$(echo environment/lib/python3*/site-packages/promcb/_promcb.abi3.so)
needs=$(readelf -d "$module" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | tr '\n' ' ')
case $needs in
'libc.so.6 ' | 'libc.so.6 ld-linux-'*) ;;
*) fail "the module needs $needs" ;;
esac
exported=$(nm -D --defined-only "$module" | grep -cv ' PyInit__promcb$')
[ "$exported" = 0 ] || fail "the module exports more than its beginning: $(nm -D --defined-only "$module" | head)"
cd "$PROMCB_SOURCE/tests/python" || exit 1
quiet "$scratch/environment/bin/python" -W ignore::ResourceWarning -m unittest test_components
# Both are in one process, and count in one segment.
library=$(echo "$PROMCB_BUILD"/lib/libpromcb.so.[0-9])
quiet "$scratch/environment/bin/python" -c "
import ctypes
import promcb
other = ctypes.CDLL('$library')
other.promcb_default.restype = ctypes.c_void_p
other.promcb_call.argtypes = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_double, ctypes.c_bool
for i in range(100):
    promcb.record('both', 0.001)
    other.promcb_call(other.promcb_default(), b'both', 0.001, True)
assert promcb.snapshot().summary('both')['total_calls'] == 200, promcb.snapshot().summary('both')
assert promcb.__version__ == __import__('importlib.metadata').metadata.version('promcb')"
quiet "$scratch/environment/bin/python" -m pip uninstall -y promcb
exit 0
