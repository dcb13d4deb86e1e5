#!/bin/bash
# SPDX-License-Identifier: MIT
# tools/format.sh has nothing to change.
set -u
cd "${PROMCB_SOURCE:-$(dirname "$0")/../..}" || exit 1
version=$(clang-format --version 2>/dev/null) || { echo "clang-format is not installed"; exit 77; }
# Each has a style of its own.
[[ $version = *'version 14.'* ]] || { echo "the style is that of clang-format 14, this is: $version"; exit 77; }
exec tools/format.sh --check
