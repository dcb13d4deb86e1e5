#!/bin/bash
# SPDX-License-Identifier: MIT
#
# format.sh: brings the C files into the one style of .clang-format.
#
#   tools/format.sh [FILE...]           rewrites what differs (default: all C files) and names it
#   tools/format.sh --check [FILE...]   shows what would change, and fails if anything would
#
# clang-format 14 has no way to leave trailing comments where they stand, so its wishes about the blanks before them are
# not granted: that is all that this script adds.
set -eu
cd "$(dirname "$0")/.."
exec python3 - "$@" <<'PYTHON'
import difflib
import glob
import pathlib
import subprocess
import sys
import xml.etree.ElementTree as ElementTree


def is_blank(text):
    return not text.strip() and b"\n" not in text


def formatted(source, replacements):
    out, done = bytearray(), 0
    for replacement in ElementTree.fromstring(replacements).iter("replacement"):
        start, length = int(replacement.get("offset")), int(replacement.get("length"))
        new, end = (replacement.text or "").encode(), start + length
        if is_blank(source[start:end]) and is_blank(new) and source[end:end + 2] in (b"/*", b"//"):
            continue
        out += source[done:start] + new
        done = end
    return bytes(out + source[done:])


check = sys.argv[1:2] == ["--check"]
tops = ("include", "lib", "tools", "bench", "tests")
paths = sys.argv[2 if check else 1:] or sorted(
    path for top in tops for path in glob.glob(top + "/**/*.[ch]", recursive=True))
status = 0
sources = {path: pathlib.Path(path).read_bytes() for path in paths}
# One process for all of them: to start one takes longer than to format a file. It answers in their order.
answer = subprocess.run(["clang-format", "--output-replacements-xml", *sources], capture_output=True, check=True).stdout
start = b"<?xml "
results = [start + document for document in answer.split(start)[1:]]
assert len(results) == len(sources), f"clang-format: {len(results)} answers for {len(sources)} files"
for (path, before), replacements in zip(sources.items(), results):
    after = formatted(before, replacements)
    if after == before:
        continue
    if check:
        status = 1
        lines = [text.decode(errors="replace").splitlines() for text in (before, after)]
        print("\n".join(difflib.unified_diff(*lines, path, path + " (formatted)", lineterm="", n=1)))
    else:
        pathlib.Path(path).write_bytes(after)
        print("formatted", path)
if check and status:
    print("the files above differ from the style: tools/format.sh mends them")
sys.exit(status)
PYTHON
