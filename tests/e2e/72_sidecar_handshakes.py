#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""First words of TLS, made by hand, and what a server of TLS 1.2 and 1.3 has to say to them (RFC 5246, 7301, 7507, 8446).

Usage: 72_sidecar_handshakes.py SOCKET default|rsa

Whoever cannot be served is told why by an alert, and then by the end of the connection; nobody is left with silence.
rsa: the server's cipher_suites have TLS_RSA_WITH_AES_128_GCM_SHA256, which otherwise it has not.
"""
import os
import socket
import struct
import sys

path, mode = sys.argv[1:]
failed = total = 0
SSL3, TLS10, TLS11, TLS12, TLS13 = 0x300, 0x301, 0x302, 0x303, 0x304
X25519, P256, P192, FFDHE2048 = 29, 23, 19, 256
ECDHE_GCM, ECDHE_CBC256 = 0xC02F, 0xC027


def vector(size, data):
    return len(data).to_bytes(size, "big") + data


def extension(number, data):
    return struct.pack(">H", number) + vector(2, data)


def numbers(values):
    return b"".join(struct.pack(">H", value) for value in values)


def hello(version=TLS12, suites=(ECDHE_GCM,), versions=None, groups=(X25519, P256), shares=(X25519,), protocols=None,
          signatures=(0x0804, 0x0401, 0x0403, 0x0201), compressions=b"\0", tail=b""):
    """A ClientHello in a record. versions: of TLS 1.3's extension."""
    extensions = b""
    if version >= TLS10:
        extensions += extension(10, vector(2, numbers(groups))) + extension(11, b"\1\0")
        extensions += extension(0, vector(2, b"\0" + vector(2, b"localhost")))
        if signatures:
            extensions += extension(13, vector(2, numbers(signatures)))
        if versions:
            extensions += extension(43, vector(1, numbers(versions)))
            keys = b"".join(struct.pack(">H", share) + vector(2, os.urandom(32)) for share in shares)
            extensions += extension(51, vector(2, keys))
        if protocols:
            extensions += extension(16, vector(2, b"".join(vector(1, protocol) for protocol in protocols)))
        extensions = vector(2, extensions + tail)
    body = struct.pack(">H", version) + os.urandom(32) + vector(1, os.urandom(32))
    body += vector(2, numbers(suites)) + vector(1, compressions) + extensions
    return record(22, b"\1" + vector(3, body), min(version, TLS10))


def record(kind, data, version=TLS10):
    return struct.pack(">BH", kind, version) + vector(2, data)


def take(client, length):
    data = b""
    while len(data) < length:
        more = client.recv(length - len(data))
        if not more:
            return None
        data += more
    return data


def hear(client):
    """What comes back: ("alert", number), ("hello", version, suite, protocol), ("plain", bytes) or ("end",)."""
    head = take(client, 5)
    if head is None:
        return ("end",)
    if head[:4] == b"HTTP":
        data = head
        while more := client.recv(4096):
            data += more
        return ("plain", data)
    data = take(client, int.from_bytes(head[3:], "big"))
    if head[0] == 21:
        assert data[0] == 2, f"an alert that is not fatal: {data}"
        rest = b""
        while more := client.recv(4096):
            rest += more
        assert not rest, f"words behind a fatal alert: {rest}"
        return ("alert", data[1])
    assert head[0] == 22 and data[0] == 2, (head, data[:4])
    version, at = int.from_bytes(data[4:6], "big"), 38 + 1 + data[38]
    suite = int.from_bytes(data[at:at + 2], "big")
    protocol, rest = None, data[at + 5:4 + int.from_bytes(data[1:4], "big")]
    while rest:
        number, length = struct.unpack(">HH", rest[:4])
        if number == 43:
            version = int.from_bytes(rest[4:6], "big")
        if number == 16:
            protocol = rest[7:4 + length]
        rest = rest[4 + length:]
    return ("hello", version, suite, protocol)


def probe(name, said, *wanted):
    """wanted: one of these comes back; None stands for anything."""
    global failed, total
    total += 1
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(20)
    client.connect(path)
    try:
        client.sendall(said)
        got = hear(client)
        if not any(len(got) == len(each) and all(w in (None, g) for g, w in zip(got, each)) for each in wanted):
            raise AssertionError(f"{got} instead of {wanted}")
    except (AssertionError, OSError, IndexError) as problem:
        failed += 1
        print(f"FAIL: {name}: {problem or type(problem)}")
    finally:
        client.close()


def alert(number):
    return ("alert", number)


REFUSED, VERSION, FALLBACK, PROTOCOL = alert(40), alert(70), alert(86), alert(120)

if mode == "rsa":
    probe("static RSA, asked for", hello(suites=[0x009C]), ("hello", TLS12, 0x009C, None))
    probe("what was not asked for", hello(suites=[0x002F, 0x0035, 0x009D]), REFUSED)
    print(f"{total - failed} of {total}")
    sys.exit(failed > 0)

probe("TLS 1.2", hello(), ("hello", TLS12, ECDHE_GCM, None))
probe("TLS 1.3", hello(suites=[0x1301], versions=[TLS13]), ("hello", TLS13, 0x1301, None))
probe("TLS 1.3 before 1.2", hello(suites=[ECDHE_GCM, 0x1301], versions=[TLS12, TLS13]), ("hello", TLS13, 0x1301, None))
probe("TLS 1.3 with another group", hello(suites=[0x1301], versions=[TLS13], groups=[P256], shares=[]),
      ("hello", TLS13, 0x1301, None))
probe("a version to come", hello(version=0x305), ("hello", TLS12, ECDHE_GCM, None))
probe("versions to come", hello(suites=[0x1301], versions=[0x7F7F, TLS13]), ("hello", TLS13, 0x1301, None))
probe("extensions to come", hello(tail=extension(0x7A7A, b"x")), ("hello", TLS12, ECDHE_GCM, None))
probe("SSL 3.0", hello(version=SSL3), VERSION)
probe("TLS 1.0", hello(version=TLS10, suites=[0xC013, 0x002F]), VERSION)
probe("TLS 1.1", hello(version=TLS11, suites=[0xC013, 0x002F]), VERSION)
probe("TLS 1.1 by the extension", hello(suites=[0xC013], versions=[TLS11]), VERSION)
for name, suite in {
    "3DES": 0xC012, "static 3DES": 0x000A, "RC4": 0x0005, "ECDHE with RC4": 0xC011, "NULL": 0x003B, "no suite": 0x0000,
    "EXPORT": 0x0003, "CBC with SHA-256": ECDHE_CBC256, "DHE": 0x009E, "ADH": 0x00A6, "AECDH": 0xC018, "PSK": 0x00A8,
    "ECDSA, of which there is no certificate": 0xC02B, "static RSA": 0x009C, "static RSA with CBC": 0x002F,
    "no such suite": 0x7A7A,
}.items():
    probe(name, hello(suites=[suite], groups=[X25519, P256, FFDHE2048]), REFUSED)
probe("no suite of TLS 1.3", hello(suites=[0x1305], versions=[TLS13]), REFUSED)
probe("no common group", hello(groups=[P192]), REFUSED)
probe("no common group of TLS 1.3", hello(suites=[0x1301], versions=[TLS13], groups=[P192], shares=[]), REFUSED)
probe("no common signature", hello(suites=[0x1301], versions=[TLS13], signatures=[0x0708]), REFUSED, alert(47))
probe("TLS 1.3 without signatures", hello(suites=[0x1301], versions=[TLS13], signatures=()), alert(109), REFUSED)
probe("a fallback", hello(suites=[ECDHE_GCM, 0x5600]), FALLBACK)
probe("a fallback to TLS 1.1", hello(version=TLS11, suites=[0xC013, 0x5600]), FALLBACK, VERSION)
probe("a fallback that is none", hello(suites=[0x1301, 0x5600], versions=[TLS13]), ("hello", TLS13, 0x1301, None))
probe("ALPN h2", hello(protocols=[b"h2"]), PROTOCOL)
probe("ALPN h2 of TLS 1.3", hello(suites=[0x1301], versions=[TLS13], protocols=[b"h2"]), PROTOCOL)
probe("ALPN that nobody knows", hello(protocols=[b"foo", b"http/1.0"]), PROTOCOL)
probe("ALPN http/1.1", hello(protocols=[b"http/1.1"]), ("hello", TLS12, ECDHE_GCM, b"http/1.1"))
probe("ALPN h2 and http/1.1", hello(protocols=[b"h2", b"http/1.1"]), ("hello", TLS12, ECDHE_GCM, b"http/1.1"))
probe("no null compression", hello(compressions=b"\1"), alert(47), alert(50), REFUSED)
probe("an extension longer than all", hello(tail=b"\0\x17\0\xff"), alert(50), alert(47), alert(10))
probe("application data first", record(23, b"GET / HTTP/1.1\r\n\r\n", TLS12), alert(10))
probe("Finished first", record(22, b"\x14" + vector(3, b"x" * 12)), alert(10))
probe("a record of no kind", record(99, b"x" * 20), alert(10), alert(50), alert(70))
probe("a record that is too long", struct.pack(">BHH", 22, TLS12, 0xFFFF) + b"x" * 0xFFFF, alert(22), alert(50))
probe("an alert of the client's", record(21, b"\2\x28"), ("end",), alert(10))
probe("HTTP", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", ("plain", None))
probe("HTTP/2 without TLS", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ("plain", None))
print(f"{total - failed} of {total}")
sys.exit(failed > 0 or total < 26)
