# SPDX-License-Identifier: MIT
# What the tests of promcb for Python share: the interpreter that it is built for, and where the build has it.
. "$(dirname "$0")/tools_prelude.sh"
python=${PROMCB_PYTHON:-}
if [ -z "$python" ]; then
  echo "python3-dev is not installed, so that promcb for Python is not built"
  exit 77
fi
for module in ${python_needs:-}; do
  "$python" -c "import $module" 2>/dev/null || { echo "the Python module $module is not installed"; exit 77; }
done
export PYTHONPATH=$tools/python
export PYTHONFAULTHANDLER=1
export HYPOTHESIS_STORAGE_DIRECTORY=$scratch/hypothesis
# The interpreter is not built with the sanitizer: its runtime comes first by hand. What the interpreter keeps to its
# end is no leak of promcb's.
preload=
case ${PROMCB_SANITIZE:-} in
*address*)
  preload="$(${CC:-gcc} -print-file-name=libasan.so) $(${CC:-gcc} -print-file-name=libubsan.so)"
  export ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0:verify_asan_link_order=0
  export PYTHONMALLOC=malloc
  ;;
esac
