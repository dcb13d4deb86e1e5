#!/bin/bash
# SPDX-License-Identifier: MIT
# A room has at most 500 lines, or says in its header comment why it has more ("500 lines").
set -u
cd "${PROMCB_SOURCE:-$(dirname "$0")/../..}" || exit 1
find include lib tools bench -name '*.[ch]' -print0 | xargs -0 awk '
  function judge() {
    if (lines <= 500 || said)
      return
    print file " has " lines " lines, and its header comment does not say why it has over 500 lines"
    failed = 1
  }
  FNR == 1 { judge(); file = FILENAME; said = 0; in_head = 1 }
  in_head && /500 lines/ { said = 1 }
  /^#/ { in_head = 0 }
  { lines = FNR }
  END { judge(); exit failed }'
