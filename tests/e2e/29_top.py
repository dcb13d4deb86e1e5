#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""29_top.py PROGRAM COMPONENT DIRECTORY: promcb-top in a terminal: keys, sizes, signals, recordings, and a terminal that goes."""
import fcntl
import glob
import os
import pty
import re
import select
import signal
import struct
import sys
import termios

PROGRAM, COMPONENT, DIRECTORY = sys.argv[1:]
LEFT = b"\x1b[?1049l"


class Screen:
    """What stands on a VT52, which curses is told that this is: few orders, each of a fixed length."""

    def __init__(self, rows, columns):
        self.lines = [[" "] * columns for _ in range(rows)]
        self.row = self.column = 0
        self.left = b""

    def feed(self, got):
        text = (self.left + got).decode("latin-1")
        at, rows = 0, len(self.lines)
        while at < len(text):
            order = text[at:at + 2]
            length = 4 if order == "\x1bY" else 2 if text[at] == "\x1b" else 1
            if len(text) < at + length:
                break
            if self.row >= rows and order in ("\x1bJ", "\x1bK"):
                pass  # of the screen as it was before its size changed
            elif order == "\x1bY":
                self.row, self.column = ord(text[at + 2]) - 32, ord(text[at + 3]) - 32
            elif order == "\x1bH":
                self.row = self.column = 0
            elif order == "\x1bJ":
                self.lines[self.row][self.column:] = [" "] * (len(self.lines[0]) - self.column)
                self.lines[self.row + 1:] = [[" "] * len(self.lines[0]) for _ in range(rows - self.row - 1)]
            elif order == "\x1bK":
                self.lines[self.row][self.column:] = [" "] * (len(self.lines[0]) - self.column)
            elif order in ("\x1bA", "\x1bB", "\x1bC", "\x1bD"):
                self.row += {"A": -1, "B": 1}.get(order[1], 0)
                self.column += {"C": 1, "D": -1}.get(order[1], 0)
            elif text[at] == "\b":
                self.column -= 1
            elif text[at] == "\r":
                self.column = 0
            elif text[at] == "\n":
                self.row += 1
            elif text[at] == "\t":
                self.column = (self.column | 7) + 1
            elif text[at] >= " ":
                if self.row < rows and self.column < len(self.lines[0]):
                    self.lines[self.row][self.column] = text[at]
                self.column += 1
            at += length
        self.left = text[at:].encode("latin-1")

    def has(self, text):
        return any(text in "".join(line) for line in self.lines)


class Terminal:
    def __init__(self, *arguments, rows=24, columns=80, **environment):
        self.seen = b""
        self.screen = Screen(rows, columns)
        self.child, self.terminal = pty.fork()
        if self.child == 0:
            os.environ.update({"TERM": "vt52", "LC_ALL": "C", **environment})
            size = struct.pack("HHHH", rows, columns, 0, 0)
            fcntl.ioctl(0, termios.TIOCSWINSZ, size)
            os.chdir(DIRECTORY)
            os.execv(PROGRAM, [PROGRAM, *arguments])

    def read(self):
        """More of what it writes; False: there is no more."""
        if not select.select([self.terminal], [], [], 60)[0]:
            sys.exit(f"nothing more after {self.seen[-3000:]}")
        try:
            got = os.read(self.terminal, 65536)
        except OSError:
            got = b""
        self.seen += got
        self.screen.feed(got)
        return bool(got)

    def until(self, text):
        """Waits for a text to stand on the screen."""
        for _ in range(500):
            if self.screen.has(text):
                return
            if not self.read():
                sys.exit(f"ended before {text!r}: {self.seen[-3000:]}")
        shown = "\n".join("".join(line) for line in self.screen.lines)
        sys.exit(f"no {text!r} on the screen:\n{shown}")

    def press(self, keys, text):
        os.write(self.terminal, keys.encode())
        self.until(text)

    def resize(self, rows, columns, text):
        self.screen = Screen(rows, columns)
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.until(text)

    def end(self):
        """The status, once all is read; negative: the signal."""
        while self.read():
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.child, 0)[1])


def check(condition, what):
    if not condition:
        sys.exit(what)


terminal = Terminal()
terminal.until(COMPONENT)
terminal.press("?", "Keys of this page")
terminal.press("\x1b", "failed %")
terminal.press("\r", "[heat map]")
terminal.press("\t", "[percentiles]")
terminal.press("\t", "[timeline]")
terminal.press("\t", "[newest calls]")
terminal.press("\t", "[heat map]")
terminal.press("\x1b", "failed %")
terminal.press("v", "counters, gauges")
terminal.press("\x1b", "failed %")
# There is something to pause once it has looked twice.
terminal.until("live")
terminal.press(" ", "PAUSED")
terminal.press(" ", "live")
terminal.press("/zzz", "filter: zzz")
terminal.press("\r", ' like "zzz"')
terminal.press("\x1b", COMPONENT)
terminal.press("r", "recording to promcb-top-")
terminal.press("j", "REC")
terminal.press("r", "recorded to promcb-top-")
terminal.resize(10, 36, "p99")
terminal.resize(3, 20, "columns")
terminal.resize(60, 200, COMPONENT)
os.write(terminal.terminal, b"q")
check(terminal.end() == 0, "q does not end it")

# What was recorded is shown as it was looked at.
recordings = glob.glob(os.path.join(DIRECTORY, "promcb-top-*.promcb"))
check(len(recordings) == 1, f"recordings: {recordings}")
terminal = Terminal(os.path.basename(recordings[0]))
terminal.until("recorded 2")
terminal.until(COMPONENT)
terminal.press("r", "only what is live")
terminal.press(" ", "PAUSED")
terminal.press("\r", "[heat map]")
os.write(terminal.terminal, b"q")
check(terminal.end() == 0, "q does not end a recording")


def begin(**environment):
    """In a terminal that has another screen to go back from."""
    begun = Terminal(**{"TERM": "xterm", **environment})
    while COMPONENT.encode() not in begun.seen:
        check(begun.read(), f"ended: {begun.seen}")
    return begun


terminal = begin()
os.write(terminal.terminal, b"q")
check(terminal.end() == 0 and LEFT in terminal.seen, "q leaves the terminal as it is")
terminal = begin()
os.write(terminal.terminal, b"\x03")
check(terminal.end() == 0, "^C does not end it")
for number in (signal.SIGTERM, signal.SIGHUP):
    terminal = begin()
    os.kill(terminal.child, number)
    status = terminal.end()
    check(status == -number, f"{number}: status {status}")
    check(LEFT in terminal.seen, f"{number} leaves the terminal as it is")

# The terminal goes: so does the program, and it does not go round in circles.
terminal = begin()
os.close(terminal.terminal)
os.waitpid(terminal.child, 0)

# Where nothing can be put at a place, there is a table; so there is where the terminal is not known.
for name in ("dumb", "nonsense", ""):
    terminal = Terminal(TERM=name)
    check(terminal.end() == 0, f"TERM={name}")
    check(COMPONENT.encode() in terminal.seen and b"\x1b" not in terminal.seen, f"TERM={name}: {terminal.seen}")

# No colour where none is wanted, and no character that the locale does not have.
terminal = begin(NO_COLOR="1", LC_ALL="C", TERM="xterm-256color")
os.write(terminal.terminal, b"q")
check(terminal.end() == 0, "NO_COLOR")
check(not re.search(rb"\x1b\[[0-9;]*3[0-7]m", terminal.seen), "NO_COLOR has colours")
check(all(byte < 0x80 for byte in terminal.seen), "LC_ALL=C has other characters than ASCII")
