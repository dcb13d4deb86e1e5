#!/bin/bash
# SPDX-License-Identifier: MIT
# Every way to skip a test says why, and is listed here: what is not tested somewhere, and for want of what. A test that
# goes back with less done, and passes, is none of them.
set -u
cd "${PROMCB_SOURCE:-$(dirname "$0")/../..}" || exit 1
exec python3 - <<'PYTHON'
import glob
import re
import sys

skip = re.compile(r"\bexit 77\b|return 77;|(?<!_)exit\(CANNOT\)|return CANNOT;|cr_skip(_test)?\(|sys\.exit\(77\)")
reason = re.compile(r"\b(?:echo|printf|print|cr_skip_test|fprintf)\b[^\"']*[\"'](.{8,}?)[\"']\s*[,);}>|&]"
                    r"|\becho (.{8,}?)(?:[;}]|$)")
count, bad = 0, 0
paths = [path for kind in ("sh", "c", "h", "py") for path in glob.glob(f"tests/**/*.{kind}", recursive=True)]
for path in sorted(paths):
    if path.startswith(("tests/cross/criterion", "tests/style/skips")):
        continue
    lines = open(path, encoding="utf-8").read().splitlines()
    for number, line in enumerate(lines):
        if "cr_log_info(" in line and any("return;" in later for later in lines[number:number + 3]):
            print(f"{path}:{number + 1}: a test that goes back and passes: cr_skip_test()")
            bad += 1
        if not skip.search(line) or re.match(r"\s*(#|\*|/\*)", line):
            continue
        # On the line itself, or on one of those before it.
        for near in (line, *reversed(lines[max(0, number - 6):number])):
            found = reason.search(near)
            if found:
                print(f"{path}:{number + 1}: {found[1] or found[2]}")
                count += 1
                break
        else:
            print(f"{path}:{number + 1}: skips without a word: {line.strip()}")
            bad += 1
print(f"{count} ways to skip")
sys.exit(bad > 0 or count < 40)
PYTHON
