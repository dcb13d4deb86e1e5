#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""embed.py OUTPUT NAME=FILE[+FILE...]...: the page's files as C: as they are, and gzipped, under names that have a hash.

The same files make the same bytes, wherever and whenever."""
import gzip
import hashlib
import sys

TYPES = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8", "svg": "image/svg+xml"}


def array(name, data):
    lines = [", ".join(str(byte) for byte in data[at : at + 24]) for at in range(0, len(data), 24)]
    return f"static const unsigned char {name}[] = {{\n\t" + ",\n\t".join(lines) + "\n};\n"


def main():
    arrays, entries = [], []
    for number, argument in enumerate(sys.argv[2:]):
        name, files = argument.split("=", 1)
        data = b"".join(open(path, "rb").read() for path in files.split("+"))
        stem, kind = name.rsplit(".", 1)
        path = f"{stem}-{hashlib.sha256(data).hexdigest()[:12]}.{kind}"
        arrays += [array(f"plain_{number}", data), array(f"gzipped_{number}", gzip.compress(data, 9, mtime=0))]
        entries.append(f'\t{{"{name}", "/assets/{path}", "{TYPES[kind]}", plain_{number}, sizeof(plain_{number}), '
                       f"gzipped_{number},\n\t sizeof(gzipped_{number})}},\n")
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        out.write("/* Made by embed.py. */\n" + '#include "assets.h"\n\n' + "\n".join(arrays))
        out.write("\nconst struct sidecar_asset sidecar_assets[] = {\n" + "".join(entries) + "};\n")
        out.write("const size_t sidecar_asset_count = sizeof(sidecar_assets) / sizeof(sidecar_assets[0]);\n")


main()
