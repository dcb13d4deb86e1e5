#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""28_completions.py SHELL SHARE: completes lines of standard input as a user of that shell does, in a terminal.

SHARE is an installed share/. For each line, one line of JSON: what the shell offers at its end, as it inserts it.
"""
import json
import os
import pty
import re
import select
import subprocess
import sys

SHELL, SHARE = sys.argv[1:]
START = {
    # All completions are inserted, and the line is shown: M-* and a key of ours.
    "bash": (["bash", "--norc", "--noprofile", "-i"], f"""\
. /usr/share/bash-completion/bash_completion 2>/dev/null
for file in {SHARE}/bash-completion/completions/promcb-*; do . $file; done
bind 'set completion-query-items 0'; bind 'set enable-bracketed-paste off'
show() {{ printf '<%s>' "$READLINE_LINE"; READLINE_LINE=; READLINE_POINT=0; }}
bind -x '"\\C-xs": show'
"""),
    "zsh": (["zsh", "-f", "-i"], f"""\
fpath=({SHARE}/zsh/site-functions $fpath); autoload -Uz compinit; compinit -u -D; unset zle_bracketed_paste
zle -C every complete-word _generic; bindkey '^Xa' every
zstyle ':completion:every::::' completer _all_matches _complete; zstyle ':completion:every:*' insert true
show() {{ printf '<%s>' "$BUFFER"; BUFFER=; }}
zle -N show; bindkey '^Xs' show
"""),
}
KEYS = {"bash": b"\x1b*\x18s", "zsh": b"\x18a\x18s"}


def fish(line):
    script = f"set fish_complete_path {SHARE}/fish/vendor_completions.d $fish_complete_path; complete -C (cat)"
    out = subprocess.run(["fish", "--no-config", "-c", script], input=line, capture_output=True, text=True, check=True)
    found = [line.split("\t")[0] for line in out.stdout.splitlines()]
    # fish 4 also offers what has the same letters with others in between.
    typed = line.split(" ")[-1]
    return [word for word in found if word.startswith(typed)] or found


def words(text):
    """The words of a line, unquoted: those that end with "=" are followed by no blank."""
    found = re.findall(r"(?:\\.|'[^']*'|[^\s\\'])+", text)
    return [re.sub(r"\\(.)", r"\1", word.replace("'", "")) for word in found]


class Terminal:
    def __init__(self):
        command, setup = START[SHELL]
        child, self.terminal = pty.fork()
        if child == 0:
            os.environ.update(TERM="dumb", PS1="$ ", HOME="/nonexistent", COLUMNS="10000")
            os.execvp(command[0], command)
        self.left = b""
        subprocess.run(["stty", "-F", os.ttyname(self.terminal), "cols", "10000"], check=False)
        os.write(self.terminal, setup.replace("\n", "\r").encode() + b"echo r''eady\r")
        self.until(rb"ready\r")

    def until(self, pattern):
        while not (found := re.search(pattern, self.left, re.DOTALL)):
            if not select.select([self.terminal], [], [], 30)[0]:
                sys.exit(f"{SHELL}: no {pattern} in {self.left[-2000:]}")
            self.left += os.read(self.terminal, 65536)
        self.left = self.left[found.end():]
        return found

    def complete(self, line):
        os.write(self.terminal, line.encode() + KEYS[SHELL])
        shown = self.until(rb"<([^<>]*)>").group(1).decode()
        if not shown.startswith(line.rsplit(" ", 1)[0]):
            sys.exit(f"{SHELL}: {line!r} became {shown!r}")
        return words(shown)[len(words(line.rsplit(" ", 1)[0])):]


terminal = None if SHELL == "fish" else Terminal()
for asked in sys.stdin.read().splitlines():
    print(json.dumps(fish(asked) if SHELL == "fish" else terminal.complete(asked)), flush=True)
