#!/bin/bash
# SPDX-License-Identifier: MIT
# A file of code has at most 500 lines, and the body of a C function at most 60. Data may be longer: golden files, the
# ABI, man pages.
set -u
cd "${PROMCB_SOURCE:-$(dirname "$0")/../..}" || exit 1
. tests/style/files.sh
project_files | grep -E '\.(c|h|cc|py|sh)$' | tr '\n' '\0' | xargs -0 awk '
  function judge_file() {
    if (lines > 500) {
      print file " has " lines " lines, 500 are the most"
      failed = 1
    }
  }
  FNR == 1 { judge_file(); file = FILENAME; begun = 0; is_c = file ~ /\.(c|h|cc)$/ }
  { lines = FNR }
  is_c && /^\{$/ { begun = FNR }
  is_c && /^\}/ && begun {
    if (FNR - begun - 1 > 60) {
      print file ":" begun " is a function of " FNR - begun - 1 " lines, 60 are the most"
      failed = 1
    }
    begun = 0
  }
  END { judge_file(); exit failed }'
