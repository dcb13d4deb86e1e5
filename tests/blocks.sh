#!/bin/bash
# SPDX-License-Identifier: MIT
#
# blocks.sh: the examples of a document, as printed.
#
#   tests/blocks.sh FILE.md HEADING LANGUAGE [N]   the code blocks below a heading, or its Nth
#   tests/blocks.sh FILE.1                         what stands under EXAMPLES of a man page, without its escapes
#
# Exits with 1 if there is none.
set -u
case $1 in
*.md)
  awk -v heading="$2" -v fence="\`\`\`$3" -v wanted="${4-0}" '
    /^```/ && inside { inside = fenced = 0; next }
    /^#+ / && !fenced { below = $0 ~ "^#+ " heading "$" }
    /^```/ { fenced = !fenced }
    below && $0 == fence { count++; inside = !wanted || count == wanted; fenced = 1; next }
    inside { print; any = 1 }
    END { exit !any }' "$1"
  ;;
*)
  awk '/^\.SH / { below = $2 == "EXAMPLES" }
    /^\.EE/ { inside = 0 }
    below && inside {
      gsub(/\\-/, "-"); gsub(/\\\(aq/, "\047"); gsub(/\\\(dq/, "\""); gsub(/\\e/, "\\")
      print
      any = 1
    }
    /^\.EX/ { inside = 1 }
    END { exit !any }' "$1"
  ;;
esac
