#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What hostile clients can do to a sidecar: nothing that a scraper notices.

Usage: 62_sidecar_limits.py PORT PID CONNECTIONS
       62_sidecar_limits.py PORT 0
       62_sidecar_limits.py PORT 0 CONNECTIONS

The first sidecar was started with --web.max-connections=64, the second with --web.max-requests=2, the third with
--web.max-requests=0 and --web.max-connections=8; these two serve more than fits into the buffers of a socket. A
scraper goes on, over a connection of its own and over fresh ones, while others open CONNECTIONS connections and say
nothing, drip bytes, send garbage, heads without end and less of a body than they said, close half of a connection; of
the second, ask and do not read, and leave in the middle of an answer; of the third, so do CONNECTIONS.
"""
import os
import random
import resource
import socket
import sys
import time

port, pid, crowd = (int(argument) for argument in (sys.argv[1:] + ["0", "0"])[:3])
random.seed(1)
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
crowd = min(crowd, hard - 200)


def connect():
    client = socket.create_connection(("127.0.0.1", port), timeout=20)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def answer(client):
    """Reads one whole answer; returns its status and its body."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = client.recv(65536)
        if not more:
            return None, data
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    # Of bytes, each addition would be a copy of all: 14 MB, two hundred times.
    body = bytearray(body)
    length = int(next(line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")))
    while len(body) < length:
        more = client.recv(1 << 20)
        assert more, "an answer was cut short"
        body += more
    assert len(body) == length
    return int(head.split()[1]), body


def scrape(client=None):
    fresh = client is None
    client = client or connect()
    client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    status, body = answer(client)
    assert status == 200, status
    assert b"promcb_up 1\n" in body
    if fresh:
        client.close()


def resident():
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def descriptors():
    return len(os.listdir(f"/proc/{pid}/fd"))


def ask(request):
    client = connect()
    try:
        client.sendall(request)
        return answer(client)
    except OSError:
        return None, b""
    finally:
        client.close()


def ask_and_not_read():
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    client.connect(("127.0.0.1", port))
    client.settimeout(20)
    client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    # The answer has begun, and cannot end.
    assert client.recv(12) == b"HTTP/1.1 200"
    return client


def stuck_crowd():
    """Whoever asks and does not read is in nobody's way for long: the one that takes longest goes."""
    stuck = []
    for number in range(crowd):
        stuck.append(ask_and_not_read())
        if number % 8 == 0:
            scrape()
    scrape()
    print(f"{crowd} that do not read keep nobody out")


def stuck_scrapes():
    """Whoever asks and does not read holds one of two scrapes until it goes; a third is told so, whole."""
    request = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
    stuck = []
    for _ in range(2):
        stuck.append(ask_and_not_read())
    status, body = ask(request)
    assert status == 503, status
    assert body == b"Limit of concurrent requests reached (2), try again later.\n", body
    for client in stuck:
        client.close()
    # They are gone for the sidecar once it sees that they are.
    deadline = time.monotonic() + 20
    while ask(request)[0] != 200:
        assert time.monotonic() < deadline
    print("two that do not read are in the way of a third, until they go")


if pid == 0:
    stuck_crowd() if crowd else stuck_scrapes()
    sys.exit()

kept = connect()
scrape(kept)
before = resident()

# A crowd that says nothing: fresh scrapes get through, and the descriptors stay few.
silent = []
for number in range(crowd):
    client = socket.socket()
    client.setblocking(False)
    try:
        client.connect(("127.0.0.1", port))
    except BlockingIOError:
        pass
    silent.append(client)
    if number % 500 == 0:
        scrape()
        # The limit, those on their way out, and those that were accepted a moment ago.
        assert descriptors() < 600, descriptors()
scrape()
print(f"{crowd} silent connections: {descriptors()} descriptors")
for client in silent:
    client.close()

# Heads that come byte by byte. None of them is answered, so the scraper is more useful.
dripping = []
for _ in range(100):
    try:
        client = connect()
        client.sendall(b"G")
        dripping.append(client)
    except OSError:
        pass
for letter in b"ET /metrics HTTP/1.1":
    for client in dripping:
        try:
            client.send(bytes([letter]))
        except OSError:
            pass
    scrape()
for client in dripping:
    client.close()

# Bodies that do not come: nothing that waits for one keeps others out.
waiting = []
for number in range(300):
    client = connect()
    client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhell")
    waiting.append(client)
    if number % 50 == 0:
        scrape()
scrape()
for client in waiting:
    client.close()

# Garbage, and too much of everything. Whatever comes back, if anything, is no 200.
for _ in range(300):
    status, _ = ask(os.urandom(random.randrange(1, 2000)) + b"\r\n\r\n")
    assert status is None or status >= 400, status
for request in (
    b"GET /metrics HTTP/1.1\r\nHost: x\r\n" + b"X: " + b"y" * 100000 + b"\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\n" + b"".join(b"H%d: v\r\n" % i for i in range(10000)) + b"\r\n",
    b"GET /prometheus/query?q=" + b"a" * 100000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET " + b"/" * 100000 + b" HTTP/1.1\r\n\r\n",
    b"GET /metrics HTTP/9.9\r\n\r\n",
    b"\r\n" * 10000,
    b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(300),
):
    status, _ = ask(request)
    assert status is None or status >= 400, (status, request[:40])
scrape()
status, _ = ask(b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: " + b"text/plain;q=0.1," * 400 + b"*/*\r\n\r\n")
assert status == 200, status

# Requests in one packet are all answered, in order.
client = connect()
client.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
data = b""
while data.count(b"HTTP/1.1 200") < 20:
    more = client.recv(65536)
    assert more, "a pipelined request was dropped"
    data += more
client.close()

# A connection of which the client closed its half is still answered, or closed; never kept.
for _ in range(50):
    client = connect()
    client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    client.shutdown(socket.SHUT_WR)
    client.recv(100)
    client.close()
scrape()

# The first scraper was kept all the time: it was useful.
scrape(kept)
after = resident()
print(f"resident: {before} KiB before, {after} KiB after")
# A sanitizer keeps what was freed.
with open(f"/proc/{pid}/maps") as file:
    sanitized = "libasan" in file.read()
assert sanitized or after < before + 16384, "memory grew"
