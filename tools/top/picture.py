#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draws screens of promcb-top, as text, below each other as one SVG: picture.py SCREEN... >picture.svg

README's picture is that of two screens which the tests hold promcb-top to:
  tools/top/picture.py tests/golden/top/list-80x24.txt tests/golden/top/heat-80x24.txt >tools/top/picture.svg
"""
import html
import re
import sys

WIDTH, HEIGHT, MARGIN = 8.4, 17, 12
COLOURS = ((r"!OPEN|(?<=  )x+\b|#+|3?O{2,}", "#ff7b72"), (r"[█▓▒░▄]+", "#58a6ff"), (r"^promcb-top|^payment_api", "#ffffff"))


def rows(paths):
    """The lines of all screens: of the empty ones of a screen at most one."""
    for number, path in enumerate(paths):
        if number:
            yield ""
        before = ""
        with open(path, encoding="utf-8") as file:
            for line in file.read().rstrip().split("\n"):
                if line.strip() or before:
                    yield line.rstrip()
                before = line.strip()


def spans(line):
    """The line's pieces, each with its colour."""
    colours = [None] * len(line)
    for pattern, colour in COLOURS:
        for match in re.finditer(pattern, line):
            colours[match.start():match.end()] = [colour] * (match.end() - match.start())
    begin = 0
    for at in range(1, len(line) + 1):
        if at == len(line) or colours[at] != colours[begin]:
            fill = f' fill="{colours[begin]}"' if colours[begin] else ""
            # Viewers take blanks together.
            text = html.escape(line[begin:at], quote=False).replace(" ", "\u00a0")
            yield f'<tspan x="{MARGIN + begin * WIDTH:g}"{fill}>{text}</tspan>'
            begin = at


def main(paths):
    lines = list(rows(paths))
    width, height = 2 * MARGIN + 80 * WIDTH, 2 * MARGIN + len(lines) * HEIGHT
    print("<!-- SPDX-License-Identifier: MIT; made by picture.py -->")
    print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}">')
    print('<rect width="100%" height="100%" rx="6" fill="#0d1117"/>')
    print('<g font-family="ui-monospace, DejaVu Sans Mono, Menlo, monospace" font-size="14" fill="#c9d1d9">')
    for number, line in enumerate(lines):
        if line:
            print(f'<text y="{MARGIN + (number + 0.75) * HEIGHT:g}">{"".join(spans(line))}</text>')
    print("</g>\n</svg>")


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    main(sys.argv[1:])
