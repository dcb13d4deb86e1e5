#!/bin/bash
# SPDX-License-Identifier: MIT
# Nobody reads the sidecar's log, of whatever kind it is: every request is answered all the same, and what was lost is
# counted.
. "${0%/*}/tools_prelude.sh"
. "${0%/*}/sidecar_http.sh"
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }

timeout 800 python3 - "$sidecar" "$scratch/log.fifo" <<'PYTHON' || fail "as told above"
import atexit, fcntl, http.client, os, pty, re, select, socket, subprocess, sys, termios, time, tty

sidecar, fifo = sys.argv[1:]
REQUESTS = 600


def pipe():
    ours, theirs = os.pipe()
    fcntl.fcntl(ours, fcntl.F_SETPIPE_SZ, 4096)
    return ours, theirs


def named():
    os.mkfifo(fifo)
    ours = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(ours, fcntl.F_SETPIPE_SZ, 4096)
    return ours, os.open(fifo, os.O_WRONLY)


def unix():
    ours, theirs = socket.socketpair()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    return ours.detach(), theirs.detach()


def terminal():
    ours, theirs = pty.openpty()
    tty.setraw(theirs, termios.TCSANOW)
    return ours, theirs


def read_all(ours, until=None):
    """What there is, until it has the text, or for as long as more comes."""
    text, deadline = b"", time.monotonic() + 20
    while time.monotonic() < deadline:
        if select.select([ours], [], [], 0.1 if until is None else 1)[0]:
            text += os.read(ours, 65536)
        elif until is None:
            break
        if until is not None and re.search(until, text):
            break
    return text


def get(port, path="/nothing"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def start(standard_error):
    arguments = [sidecar, "--web.listen-address=127.0.0.1:0", "--log.level=debug"]
    process = subprocess.Popen(arguments, stderr=standard_error)
    atexit.register(process.kill)
    return process


for kind in (pipe, named, unix, terminal):
    ours, theirs = kind()
    process = start(theirs)
    text = read_all(ours, rb"msg=listening [^\n]*\n")
    assert b"msg=listening" in text, (kind.__name__, text)
    port = int(re.search(rb"address=127\.0\.0\.1:(\d+)", text)[1])
    begun = time.monotonic()
    for _ in range(REQUESTS):
        assert get(port) == 404
    assert get(port, "/metrics") == 200
    # One that fills what is left of a pipe that others write into as well.
    if kind is pipe:
        os.set_blocking(theirs, False)
        try:
            while True:
                os.write(theirs, b"x")
        except BlockingIOError:
            pass
        os.set_blocking(theirs, True)
        assert get(port, "/metrics") == 200
    took = time.monotonic() - begun
    text = read_all(ours)
    first = text.count(b"path=/nothing")
    assert 0 < first < REQUESTS, (kind.__name__, first, "the log was never full")
    # A terminal gives what it holds in pieces, and takes lines in between.
    for _ in range(20):
        assert get(port, "/" + "y" * 6000) == 404
        text += read_all(ours)
        if b"path=/y" in text:
            break
    told = text.count(b"path=/nothing")
    lost = sum(map(int, re.findall(rb"lines_lost=(\d+)\n", text)))
    # All requests but those told; there may have been something else to say, too.
    assert told + lost >= REQUESTS, (kind.__name__, told, lost)
    # The line is whole, as long as it was to be.
    assert re.search(rb"(?m)^ts=\S+ level=\w+ msg=\w+ [^\n]*path=/y+ lines_lost|lines_lost=\d+$", text), text
    assert get(port) == 404
    assert b"lines_lost" not in read_all(ours, rb"path=/nothing[^\n]*\n")
    process.terminate()
    assert process.wait(20) == 0
    os.close(theirs)
    # A reader that is gone is no different, and kills nobody.
    os.close(ours)
    print(f"{kind.__name__}: {REQUESTS} requests in {took:.2f} s; {told} lines read, {lost} lost")

ours, theirs = os.pipe()
process = start(theirs)
os.close(theirs)
port = int(re.search(rb"address=127\.0\.0\.1:(\d+)", read_all(ours, rb"msg=listening [^\n]*\n"))[1])
os.close(ours)
assert get(port) == 404
process.terminate()
assert process.wait(20) == 0
PYTHON
