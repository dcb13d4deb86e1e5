#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""promcb(3) has the prototype of every function of the public headers, and of no other."""
import os
import re
import sys

source = os.environ.get("PROMCB_SOURCE") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")


def read(path):
    with open(os.path.join(source, path), encoding="utf-8") as file:
        return file.read()


def words(prototype):
    """White space is nothing to a prototype but between words."""
    return " ".join(re.findall(r"\w+|[^\w\s]", prototype))


declared = set()
for header in ("promcb.h", "inline.h", "reader.h", "admin.h", "metric.h", "metric_inline.h",
               "breaker.h", "breaker_inline.h", "breaker_reader.h"):
    text = re.sub(r"/\*.*?\*/", "", read("include/promcb/" + header), flags=re.DOTALL)
    # What C++ sees instead has the same prototype by another name.
    text = re.sub(r"^#ifndef __cplusplus\n(.*?)^#else\n.*?^#endif\n", r"\1", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"^#.*?(?<!\\)$", "", text, flags=re.MULTILINE)
    if header.endswith("inline.h"):
        found = re.findall(r"^static inline (\w[\w *]*\bpromcb_\w+_inline\([^{;]*\))\s*\{", text, re.MULTILINE)
        assert found, f"{header}: no function was found"
    else:
        found = re.findall(r"^((?!typedef)\w[\w *]*\bpromcb_\w+\([^{;]*\));", text, re.MULTILINE)
    # A second declaration of a symbol, as C++ has one, is no function of its own.
    declared |= {words(prototype) for prototype in found if "__asm__" not in prototype}

page = read("lib/man/promcb.3")
synopsis = page[page.index(".SH SYNOPSIS"):page.index(".SH DESCRIPTION")]
shown = set()
for paragraph in synopsis.split(".HP 4\n")[1:]:
    paragraph = paragraph.split("\n.PP")[0]
    text = " ".join(
        "".join(quoted or bare for quoted, bare in re.findall(r'"([^"]*)"|(\S+)', re.sub(r"^\.BI? ", "", line)))
        for line in paragraph.splitlines())
    shown.add(words(text.replace("\\-", "-").rstrip(";")))

for prototype in sorted(declared - shown):
    print("lib/man/promcb.3 lacks", prototype)
for prototype in sorted(shown - declared):
    print("lib/man/promcb.3 has what no header declares:", prototype)
sys.exit(declared != shown)
