#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""promcb(3) names every exported function and none that there is not; the library's pages format without a warning."""
import glob
import os
import re
import shutil
import subprocess
import sys

os.chdir(os.environ.get("PROMCB_SOURCE") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
failures = []


def check(condition, complaint):
    if not condition:
        failures.append(complaint)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


exported = re.findall(r"^\t(promcb_\w+);", read("lib/promcb.map"), re.M)
overview = read("lib/man/promcb.3").replace("\\-", "-")
for name in exported:
    check(re.search(r"\b%s\b" % name, overview), f"lib/man/promcb.3 does not tell of {name}()")
for name in sorted(set(re.findall(r"\b(promcb_\w+)\(\)", overview)) - set(exported)):
    check(any(re.search(r"\b%s\(" % name, read(header)) for header in glob.glob("include/promcb/*.h")),
          f"lib/man/promcb.3 tells of {name}(), which there is not")
if shutil.which("groff"):
    for path in ("lib/man/promcb-segment.5", "lib/man/promcb.3"):
        # With tbl where the first line asks for it, as man does.
        preprocess = ["-t"] if read(path).startswith("'\\\" t") else []
        done = subprocess.run(["groff", *preprocess, "-man", "-ww", "-Tutf8", "-z", path], capture_output=True, text=True)
        check(done.returncode == 0 and not done.stderr, f"{path}: {done.stderr}")
for failure in failures:
    print(failure)
sys.exit(1 if failures else 0)
