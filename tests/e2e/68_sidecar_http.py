#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Requests, byte by byte, and what RFC 9110 and 9112 have a server do with them.

Usage: 68_sidecar_http.py PORT

Each line of the tables is one connection: what is sent, the statuses of what comes back, in order, and whether the
connection is open then, which a further request proves. Every answer has one head, as many bytes of a body as it says,
and nothing behind. At the end, the connection that nobody else comes after is closed in time.
"""
import re
import socket
import sys
import time

port = int(sys.argv[1])
HOST = b"Host: localhost\r\n"
GET = b"GET /-/healthy HTTP/1.1\r\n"
OPEN, CLOSED = "open", "closed"
failed = 0
total = 0


def connect():
    client = socket.create_connection(("127.0.0.1", port), timeout=20)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


class Reader:
    def __init__(self, client):
        self.client, self.data, self.ended = client, b"", False

    def more(self):
        try:
            data = self.client.recv(65536)
        except ConnectionResetError:
            raise AssertionError("the connection was reset")
        self.ended = not data
        self.data += data
        return not self.ended

    def answer(self, is_head):
        """(status, headers), or None at the end."""
        while b"\r\n\r\n" not in self.data:
            if not self.more():
                assert not self.data, f"the end within an answer: {self.data!r}"
                return None
        head, _, self.data = self.data.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        version, status, _ = lines[0].split(b" ", 2)
        assert version == b"HTTP/1.1", lines[0]
        pairs = [(name.lower(), value.strip()) for name, _, value in (line.partition(b":") for line in lines[1:])]
        headers = dict(pairs)
        assert len(headers) == len(pairs), f"a header twice: {pairs}"
        status = int(status)
        if status == 100:
            return status, headers
        assert b"date" in headers, pairs
        length = 0 if is_head else int(headers[b"content-length"])
        while len(self.data) < length:
            assert self.more(), f"a body cut short: {self.data!r}"
        body, self.data = self.data[:length], self.data[length:]
        assert not re.search(rb"HTTP/1\.1 \d", body), f"a head in a body: {body!r}"
        return status, headers


def probe(name, request, statuses, end, is_head=False):
    """request: bytes, or a list of them, each sent once an answer to the one before has come."""
    global failed, total
    total += 1
    client = connect()
    try:
        parts = request if isinstance(request, list) else [request]
        reader, got, headers = Reader(client), [], {}
        client.sendall(parts[0])
        for number, status in enumerate(statuses):
            answer = reader.answer(is_head)
            assert answer, f"no answer after {got}, instead of {statuses}"
            got.append(answer[0])
            wanted = status if isinstance(status, tuple) else (status,)
            assert answer[0] in wanted, f"{got} instead of {statuses}"
            headers = answer[1]
            assert (answer[0] == 405) == (b"allow" in headers) or answer[0] == 200, "Allow"
            if number + 1 < len(parts):
                client.sendall(parts[number + 1])
        if end == OPEN:
            assert headers.get(b"connection", b"").lower() != b"close", headers
            client.sendall(GET + HOST + b"Connection: close\r\n\r\n")
            answer = reader.answer(False)
            assert answer and answer[0] == 200, f"{answer} at the end of an open connection"
        elif end == CLOSED:
            assert headers.get(b"connection", b"close").lower() == b"close", headers
        # What was not asked for must not be answered.
        client.shutdown(socket.SHUT_WR)
        answer = reader.answer(False)
        assert answer is None, f"one answer too many: {answer}, after {got}"
        assert not reader.data, reader.data
    except (AssertionError, OSError, ValueError, KeyError) as problem:
        failed += 1
        print(f"FAIL: {name}: {problem or type(problem)}")
    finally:
        client.close()


SMUGGLED = b"GET /-/ready HTTP/1.1\r\nHost: localhost\r\n\r\n"


def good(name, headers=b"", line=GET, body=b"", end=OPEN, statuses=(200,)):
    probe(name, line + HOST + headers + b"\r\n" + body, list(statuses), end)


def bad(name, request, status=400):
    """Refused, and whatever follows is not read as a request."""
    probe(name, request + SMUGGLED, [status], CLOSED)


# -- The request line
good("the plainest")
good("another minor version", line=b"GET /-/healthy HTTP/1.2\r\n")
good("a URL", line=b"GET http://localhost/-/healthy HTTP/1.1\r\n")
good("a URL with an address", line=b"GET http://[::1]:80/-/healthy HTTP/1.1\r\n")
good("a URL of https", line=b"GET https://localhost:1/-/healthy HTTP/1.1\r\n")
good("a URL without a path", line=b"GET http://localhost HTTP/1.1\r\n")
good("a URL with a query alone", line=b"GET http://localhost?q=1 HTTP/1.1\r\n")
good("a query", line=b"GET /-/healthy?a=b&c HTTP/1.1\r\n")
good("%-encoding", line=b"GET /%2d/h%65althy HTTP/1.1\r\n")
good("bytes over 127 in a query", line=b"GET /-/healthy?q=\xc3\xa4 HTTP/1.1\r\n")
good("nothing there", line=b"GET /nothing HTTP/1.1\r\n", statuses=(404,))
good("a NUL in %-encoding", line=b"GET /-/healthy%00x HTTP/1.1\r\n", statuses=(404,))
good("dots", line=b"GET /x/../-/healthy HTTP/1.1\r\n", statuses=(404,))
probe("a blank line before", b"\r\n" + GET + HOST + b"\r\n", [200], OPEN)
bad("no version", b"GET /-/healthy\r\n" + HOST + b"\r\n")
bad("HTTP/0.9", b"GET /-/healthy HTTP/0.9\r\n" + HOST + b"\r\n", 505)
bad("HTTP/2.0", b"GET /-/healthy HTTP/2.0\r\n" + HOST + b"\r\n", 505)
bad("HTTP/2's preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505)
bad("a version in small letters", b"GET /-/healthy http/1.1\r\n" + HOST + b"\r\n")
bad("a version of two digits", b"GET /-/healthy HTTP/1.10\r\n" + HOST + b"\r\n")
bad("a version without a dot", b"GET /-/healthy HTTP/11\r\n" + HOST + b"\r\n")
bad("another protocol", b"GET /-/healthy HTCPCP/1.0\r\n" + HOST + b"\r\n")
bad("two blanks", b"GET  /-/healthy HTTP/1.1\r\n" + HOST + b"\r\n")
bad("a blank in the target", b"GET /-/he althy HTTP/1.1\r\n" + HOST + b"\r\n")
bad("a blank at the end", b"GET /-/healthy HTTP/1.1 \r\n" + HOST + b"\r\n")
bad("a blank at the beginning", b" GET /-/healthy HTTP/1.1\r\n" + HOST + b"\r\n")
bad("tabs for blanks", b"GET\t/-/healthy\tHTTP/1.1\r\n" + HOST + b"\r\n")
bad("no target", b"GET HTTP/1.1\r\n" + HOST + b"\r\n")
bad("no slash", b"GET -/healthy HTTP/1.1\r\n" + HOST + b"\r\n")
bad("a fragment", b"GET /-/healthy#x HTTP/1.1\r\n" + HOST + b"\r\n")
bad("a NUL in the target", b"GET /-/healthy\0 HTTP/1.1\r\n" + HOST + b"\r\n")
bad("a control character in the target", b"GET /-/healthy\x7f HTTP/1.1\r\n" + HOST + b"\r\n")
bad("a URL without a host", b"GET http:///-/healthy HTTP/1.1\r\n" + HOST + b"\r\n")
bad("another scheme", b"GET ftp://localhost/-/healthy HTTP/1.1\r\n" + HOST + b"\r\n")
bad("GET *", b"GET * HTTP/1.1\r\n" + HOST + b"\r\n")
bad("a colon in the method", b"GE:T /-/healthy HTTP/1.1\r\n" + HOST + b"\r\n")
probe("TLS where there is none", b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", [400], CLOSED)
bad("TLS, and a request", b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n")

# -- Methods
probe("HEAD", b"HEAD /-/healthy HTTP/1.1\r\n" + HOST + b"\r\n", [200], "", True)
for method in (b"POST", b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"TRACE", b"PROPFIND"):
    good(method.decode(), line=method + b" /-/healthy HTTP/1.1\r\n", statuses=(405,))
good("OPTIONS *", line=b"OPTIONS * HTTP/1.1\r\n")
good("CONNECT", line=b"CONNECT localhost:80 HTTP/1.1\r\n", statuses=(405,))
bad("an unknown method", b"INVENTED /-/healthy HTTP/1.1\r\n" + HOST + b"\r\n", 501)
bad("a method in small letters", b"get /-/healthy HTTP/1.1\r\n" + HOST + b"\r\n", 501)
bad("a method and what was a body", b"helloGET /-/healthy HTTP/1.1\r\n" + HOST + b"\r\n", 501)
bad("a method with a body", b"POST /-/healthy HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\n\r\nbody", 405)

# -- Host
bad("no Host", GET + b"\r\n")
bad("two Hosts", GET + HOST + HOST + b"\r\n")
bad("two Hosts that differ", GET + HOST + b"Host: other\r\n\r\n")
bad("blanks in Host", GET + b"Host: a b\r\n\r\n")
bad("a path in Host", GET + b"Host: a/c\r\n\r\n")
bad("blanks and a path in Host", GET + b"Host: a b/c\r\n\r\n")
bad("a user in Host", GET + b"Host: u@localhost\r\n\r\n")
bad("two Hosts in one", GET + b"Host: a, b\r\n\r\n")
bad("a port that is none", GET + b"Host: localhost:http\r\n\r\n")
bad("two ports", GET + b"Host: localhost:1:2\r\n\r\n")
bad("an address without its end", GET + b"Host: [::1\r\n\r\n")
for host in (b"[abc]", b"[]", b"[1.2.3.4]", b"[::1]x", b"[fe80::1%25eth0]", b"[" + b"0" * 60 + b"::1]"):
    bad(f"no address: {host.decode()}", GET + b"Host: " + host + b"\r\n\r\n")
for url in (b"http://user:password@localhost/-/healthy", b"http://:80/-/healthy", b"http://[abc]/-/healthy",
            b"http://a\"b/-/healthy", b"https://localhost:http/-/healthy"):
    bad(f"a URL of no host: {url.decode()}", b"GET " + url + b" HTTP/1.1\r\n" + HOST + b"\r\n")
bad("a URL and no Host", b"GET http://localhost/-/healthy HTTP/1.1\r\n\r\n")
for host in (b"", b"localhost:80", b"localhost:", b"127.0.0.1:80", b"[::1]:80", b"[::ffff:1.2.3.4]", b"a_b.example.",
             b"%41", b"  localhost\t"):
    probe(f"Host: {host.decode()}", GET + b"Host:" + host + b"\r\n\r\n", [200], OPEN)
probe("HTTP/1.0 without Host", b"GET /-/healthy HTTP/1.0\r\n\r\n", [200], CLOSED)
bad("HTTP/1.0 with two Hosts", b"GET /-/healthy HTTP/1.0\r\n" + HOST + HOST + b"\r\n")

# -- Header lines
bad("a blank before the colon", GET + b"Host : localhost\r\n\r\n")
bad("a blank before another colon", GET + HOST + b"X : x\r\n\r\n")
bad("a tab before the colon", GET + HOST + b"X\t: x\r\n\r\n")
bad("no name", GET + HOST + b": y\r\n\r\n")
bad("no name, and what looks like a request", GET + HOST + b": y\r\nGET /-/ready HTTP/1.1\r\n" + HOST + b"\r\n")
bad("a name with a blank", GET + HOST + b"X Y: z\r\n\r\n")
bad("no colon", GET + HOST + b"X\r\n\r\n")
bad("a continued line", GET + HOST + b"X: y\r\n z\r\n\r\n")
bad("a continued first line", GET + b" x\r\n" + HOST + b"\r\n")
bad("a NUL in a value", GET + HOST + b"X: a\0b\r\n\r\n")
bad("a NUL in a name", GET + HOST + b"X\0: b\r\n\r\n")
bad("a CR in a value", GET + HOST + b"X: a\rb\r\n\r\n")
bad("a control character in a value", GET + HOST + b"X: a\x01b\r\n\r\n")
bad("a bare LF", GET + b"Host: localhost\nX: y\r\n\r\n")
bad("bare LFs alone", b"GET /-/healthy HTTP/1.1\nHost: localhost\n\n")
bad("a bare LF at the end", GET + b"Host: localhost\r\n\n")
bad("a name with a bracket", GET + HOST + b"X[0]: y\r\n\r\n")
bad("a name of UTF-8", GET + HOST + b"\xc3\xa4: y\r\n\r\n")
good("a value of UTF-8", b"X: \xc3\xa4\r\n")
good("no value", b"X:\r\n")
good("a value without a blank", b"X:y\r\n")
good("a tab in a value", b"X: a\tb\r\n")
good("a name of all its characters", b"!#$%&'*+-.^_`|~09azAZ: y\r\n")
good("a header twice", b"X: 1\r\nX: 2\r\n")
good("a hundred headers", b"".join(b"X%d: y\r\n" % i for i in range(100)))
bad("thousands of headers", GET + HOST + b"".join(b"X%d: y\r\n" % i for i in range(1000)) + b"\r\n", 431)
bad("a long header", GET + HOST + b"X: " + b"y" * 20000 + b"\r\n\r\n", 431)
bad("a long target", b"GET /" + b"y" * 20000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414)

# -- Content-Length
for length in (b"-1", b"+5", b"5a", b"0x5", b"1e1", b"", b"5, 5", b"5,0", b"5 5", b"5;", b"\"5\"", b"1.0"):
    bad(f"Content-Length: {length.decode()}", GET + HOST + b"Content-Length: " + length + b"\r\n\r\nhello")
for length in (b"18446744073709551616", b"18446744073709551621", b"99999999999999999999", b"9223372036854775808"):
    bad(f"Content-Length: {length.decode()}", GET + HOST + b"Content-Length: " + length + b"\r\n\r\nhello", (400, 413))
bad("two that differ", GET + HOST + b"Content-Length: 5\r\nContent-Length: 0\r\n\r\nhello")
bad("two that differ, the other way", GET + HOST + b"Content-Length: 0\r\nContent-Length: 5\r\n\r\nhello")
bad("two that are equal", GET + HOST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", (200, 400))
good("a body", b"Content-Length: 5\r\n", body=b"hello")
good("a body with zeroes before its length", b"Content-Length: 0005\r\n", body=b"hello")
good("a body of nothing", b"Content-Length: 0\r\n")
good("a body that looks like a request", b"Content-Length: %d\r\n" % len(SMUGGLED), body=SMUGGLED)

# -- Transfer-Encoding
CHUNKED = b"Transfer-Encoding: chunked\r\n"
LAST = b"0\r\n\r\n"
good("chunks", CHUNKED, body=b"5\r\nhello\r\nA\r\n0123456789\r\n" + LAST)
good("a chunk's extension", CHUNKED, body=b"5;a=b;c=\"d\"\r\nhello\r\n" + LAST)
good("a trailer", CHUNKED, body=b"1\r\nx\r\n0\r\nX: y\r\nZ: \r\n\r\n")
good("zeroes before a size", CHUNKED, body=b"0005\r\nhello\r\n000\r\n\r\n")
good("Chunked, otherwise written", b"transfer-encoding: CHUNKED\r\n", body=LAST)
bad("Content-Length and chunked", GET + HOST + b"Content-Length: 4\r\n" + CHUNKED + b"\r\n" + LAST)
bad("chunked and Content-Length", GET + HOST + CHUNKED + b"Content-Length: 4\r\n\r\n" + LAST)
bad("chunked and identity", GET + HOST + CHUNKED + b"Transfer-Encoding: identity\r\n\r\n" + LAST)
bad("identity and chunked", GET + HOST + b"Transfer-Encoding: identity\r\n" + CHUNKED + b"\r\n" + LAST, (400, 501))
bad("identity", GET + HOST + b"Transfer-Encoding: identity\r\n\r\n", (400, 501))
bad("gzip", GET + HOST + b"Transfer-Encoding: gzip\r\n\r\n", (400, 501))
bad("gzip, chunked", GET + HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + LAST, 501)
bad("chunked, gzip", GET + HOST + b"Transfer-Encoding: chunked, gzip\r\n\r\n" + LAST)
bad("chunked twice", GET + HOST + CHUNKED + CHUNKED + b"\r\n" + LAST)
bad("chunked, chunked", GET + HOST + b"Transfer-Encoding: chunked, chunked\r\n\r\n" + LAST)
bad("xchunked", GET + HOST + b"Transfer-Encoding: xchunked\r\n\r\n" + LAST, (400, 501))
bad("chunked;q=1", GET + HOST + b"Transfer-Encoding: chunked;q=1\r\n\r\n" + LAST, (400, 501))
bad("no coding", GET + HOST + b"Transfer-Encoding:\r\n\r\n" + LAST)
bad("chunked with a vertical tab", GET + HOST + b"Transfer-Encoding: \x0bchunked\r\n\r\n" + LAST)
bad("chunked in HTTP/1.0", b"GET /-/healthy HTTP/1.0\r\n" + HOST + CHUNKED + b"\r\n" + LAST)
for name, body in {
    "a size that is none": b"x\r\nhello\r\n",
    "a size with a sign": b"+5\r\nhello\r\n",
    "a size with 0x": b"0x5\r\nhello\r\n",
    "no size": b"\r\nhello\r\n",
    "a blank before a size": b" 5\r\nhello\r\n",
    "a chunk too long": b"5\r\nhello!\r\n",
    "a chunk too short": b"5\r\nhell\r\n\r\n",
    "a bare LF behind a size": b"5\nhello\r\n",
    "a bare LF behind a chunk": b"5\r\nhello\n",
    "a bare LF in an extension": b"5;a\nhello\r\n",
    "a CR in an extension": b"5;a\rb\r\nhello\r\n",
    "a NUL in a trailer": b"0\r\nX: \0\r\n\r\n",
}.items():
    bad(name, GET + HOST + CHUNKED + b"\r\n" + body + LAST)
bad("a size over 2^64", GET + HOST + CHUNKED + b"\r\n10000000000000005\r\nhello\r\n" + LAST, (400, 413))
bad("a size of a terabyte", GET + HOST + CHUNKED + b"\r\n10000000000\r\nhello\r\n" + LAST, 413)

# -- Connections
probe("close", GET + HOST + b"Connection: close\r\n\r\n" + SMUGGLED, [200], CLOSED)
probe("Close, among others", GET + HOST + b"Connection: x, Close\r\n\r\n" + SMUGGLED, [200], CLOSED)
good("keep-alive", b"Connection: keep-alive\r\n")
probe("HTTP/1.0", b"GET /-/healthy HTTP/1.0\r\n" + HOST + b"\r\n" + SMUGGLED, [200], CLOSED)
good("HTTP/1.0, kept alive", b"Connection: Keep-Alive\r\n", line=b"GET /-/healthy HTTP/1.0\r\n")
probe("one after the other", [GET + HOST + b"\r\n"] * 5, [200] * 5, OPEN)
probe("all at once", (GET + HOST + b"\r\n") * 50, [200] * 50, OPEN)
probe("all at once, and then garbage", (GET + HOST + b"\r\n") * 3 + b"garbage\r\n\r\n" + SMUGGLED, [200] * 3 + [400],
      CLOSED)
probe("half a request", b"GET /-/healthy HTTP/1.1\r\nHost:", [], "")
probe("half a body", GET + HOST + b"Content-Length: 5\r\n\r\nhell", [], "")
probe("nothing", b"", [], "")

# -- Expectations
probe("100-continue", [GET + HOST + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n", b"hello"], [100, 200], OPEN)
good("100-continue without a body", b"Expect: 100-continue\r\n")
bad("a POST that asks whether to go on",
    b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n", 405)
bad("another expectation", GET + HOST + b"Expect: wonders\r\n\r\n", 417)
good("ranges and conditions are not looked at", b"Range: bytes=0-1\r\nIf-None-Match: *\r\nIf-Modified-Since: x\r\n")
good("an upgrade that nobody takes", b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n")

print(f"{total - failed} of {total}")
if failed or total < 105:
    sys.exit(1)

# -- Nobody else comes: each has ten seconds for its first request, which others may not lengthen, nor shorten
lone = {name: connect() for name in ("silent", "half")}
lone["half"].sendall(GET + HOST)
begun = time.monotonic()
for name, client in lone.items():
    assert client.recv(1) == b"", name
    # By a clock that is not the server's, and after it has begun: never much too early.
    assert time.monotonic() - begun > 9, name
print("closed when nobody else came")
