#!/bin/bash
# SPDX-License-Identifier: MIT
# tools/format.sh has nothing to change.
set -u
cd "${PROMCB_SOURCE:-$(dirname "$0")/../..}" || exit 1
command -v clang-format >/dev/null || { echo "clang-format is not installed"; exit 77; }
exec tools/format.sh --check
