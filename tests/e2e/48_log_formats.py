#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""48_log_formats.py TOOLS SEED LINES: see 48_log_formats.sh.

A line is made together with what it means, so nothing here reads a line: the count is independent of any parser.
"""
import collections
import json
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import time
from decimal import Decimal

TOOLS, SEED, LINES = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
MAP = r"""# routes
^(GET|POST|HEAD) /api/orders/\d+$   $1_/api/orders/:id
^GET /static/                       static$$
^(?:\S+/\S+ )?GET /$	home
^GET /with blanks                   blanks
^(a+)+$                             never
"""
PATHS = ["/api/orders/7", "/api/orders/123456", "/static/a.css", "/", "/with blanks/x", "/nothing", "/api/orders/x", "/\u00e9"]
METHODS = ["GET", "GET", "POST", "HEAD", "PUT", "EVIL", "get"]
COMMON = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]


def route(method, path):
    if re.fullmatch(r"/api/orders/\d+", path) and method in ("GET", "POST", "HEAD"):
        return f"{method}_/api/orders/:id"
    if method == "GET":
        if path.startswith("/static/"):
            return "static$"
        if path == "/":
            return "home"
        if path.startswith("/with blanks"):
            return "blanks"
    return "other"


class Maker:
    def __init__(self, rng, has_map):
        self.rng, self.has_map = rng, has_map

    def request(self):
        """As it is sent, and the method and the path."""
        rng = self.rng
        if rng.randrange(30) == 0:
            sent = rng.choice(["-", "\\x16\\x03\\x01", "\\x00", "GET", "x" * 300])
            return sent, "GET" if sent == "GET" else None, ""
        method, path = rng.choice(METHODS), rng.choice(PATHS)
        query = rng.choice(["", "", "?a=b", "?x=/api/orders/7 y", "#z"])
        return f"{method} {path}{query} HTTP/{rng.choice(['1.0', '1.1', '2.0'])}", method, path

    def status(self):
        status = self.rng.choice([200, 200, 204, 301, 404, 499, 500, 502, 503, 101, 0, 400])
        return f"{status:03}", not (status < 100 or status >= 500), status != 101

    def name(self, method, path):
        if self.has_map:
            return route(method, path) if method else "other"
        return method if method in COMMON else "other"

    def seconds(self, places):
        """Nanoseconds, and the number with so many places; or nothing."""
        rng = self.rng
        if rng.randrange(12) == 0:
            return "-", None
        ns = rng.randrange(10 ** rng.randrange(1, 12))
        if rng.randrange(4) == 0:
            more = rng.randrange(10**9)
            text = f"{Decimal(ns).scaleb(-places):f}", f"{Decimal(more).scaleb(-places):f}"
            return text[0] + rng.choice([", ", " : "]) + text[1], ns + more
        return f"{Decimal(ns).scaleb(-places):f}", ns


class Combined(Maker):
    places = 9

    def line(self):
        rng = self.rng
        request, method, path = self.request()
        status, success, timed = self.status()
        latency, ns = self.seconds(self.places)
        user = rng.choice(["-", "-", "bob", "a b", "c[d]"])
        tail = rng.choice(["", ' "-" "curl/7"', ' "http://x/\\"a\\"" "Mozilla (x; \\\\)"', ' "-" "-" "192.0.2.7"'])
        line = f"192.0.2.1 - {user} [28/Nov/2026:10:00:00 +0000] \"{request}\" {status} {rng.choice(['0', '512', '-'])}{tail}"
        if rng.randrange(10) == 0:
            ns = None
        else:
            line += f" {latency}" + rng.choice(["", "", ' "extra"', " 0.5"])
        if rng.randrange(50) == 0:
            return rng.choice(["nothing", line.replace("] \"", "] "), line.replace(f'" {status} ', '" 2OO '),
                               line[: line.index('"') + 1]]), None
        return line, (self.name(method, path), ns if timed else None, success, 1)


class Apache(Combined):
    places = 3


class Haproxy(Maker):
    def line(self):
        rng = self.rng
        request, method, path = self.request()
        status, success, timed = self.status()
        status = "-1" if status == "000" else status
        server = rng.choice(["shop/s1", "shop/<NOSRV>", "api/10.0.0.1:80"])
        ns = None if rng.randrange(10) == 0 else rng.randrange(10**5) * 10**6
        third = "-1" if ns is None else str(ns // 10**6)
        line = (f"{rng.choice(['', 'Nov 28 10:00:00 lb haproxy[7]: '])}192.0.2.1:5 [28/Nov/2026:10:00:00.123] web~ {server} "
                f"{rng.randrange(9)}/0/-1/{third}/{rng.choice(['', '+'])}{rng.randrange(10**5)} {status} 512 - - ---- "
                f"1/1/0/0/0 0/0 {rng.choice(['', '{a|b} '])}\"{request}\"")
        if rng.randrange(50) == 0:
            return rng.choice(["192.0.2.1:5 [28/Nov/2026:10:00:00.1] web shop/s1 0/0/25 100 -- 1/1/0/0/0 0/0",
                               "Connect from 192.0.2.1:5 to 192.0.2.2:80 (web/HTTP)", line.replace(f" {status} ", " x "),
                               "backend shop has no server available!"]), None
        name = server
        if self.has_map:
            # The patterns are of whole lines but for one.
            name = "home" if method == "GET" and path == "/" else "other"
        return line, (name, ns if timed else None, success, 1)


class Json(Maker):
    def line(self):
        rng = self.rng
        method, path = rng.choice(METHODS), rng.choice(PATHS)
        status, success, timed = self.status()
        latency, ns = self.seconds(9)
        request = {"method": method, "uri": path + rng.choice(["", "?q=\"\\"]), "headers": {"a": ["\t", {"status": 7}]}}
        record = {"status": rng.choice([status, int(status)]) if int(status) >= 100 else status,
                  "request": request, "level": "info", "x": [1.5e3, True, None, "\ud83d\ude80"]}
        if rng.randrange(10):
            record["duration"] = None if latency == "-" else latency
        else:
            ns = None
        keys = list(record)
        rng.shuffle(keys)
        record = {key: record[key] for key in keys}
        line = json.dumps(record, ensure_ascii=rng.randrange(2) == 0, separators=rng.choice([(",", ":"), (", ", ": ")]))
        if rng.randrange(50) == 0:
            return rng.choice([line[:-1], line + "}", "[]", "{}", line.replace('"request"', '"requ\\est"'),
                               line.replace('"status"', '"Status"', 2)]), None
        return line, (route(method, path), ns if timed else None, success, 1)


class Ltsv(Maker):
    def line(self):
        rng = self.rng
        method, path = rng.choice(METHODS), rng.choice(PATHS)
        status, success, timed = self.status()
        latency, ns = self.seconds(9)
        fields = [f"method:{method}", f"uri:{path}{rng.choice(['', '?a:b'])}", f"status:{status}", f"reqtime:{latency}",
                  "time:28/Nov/2026:10:00:00", "ua:a b:c"]
        rng.shuffle(fields)
        if rng.randrange(50) == 0:
            return rng.choice(["no field", "\t".join(f for f in fields if not f.startswith("status")),
                               "\t".join(fields).replace(f"status:{status}", "status:")]), None
        return "\t".join(fields), (route(method, path), ns if timed else None, success, 1)


class Named(Maker):
    """JSON whose calls are named by one field, whatever it holds."""

    def line(self):
        rng = self.rng
        name, is_name = rng.choice([("shop", True), ("a b", True), ("\u00e9" * 63, True), ("\u00e9" * 64, False),
                                    ("x" * 127, True), ("x" * 128, False), ("a\nb", False), (7, True), ("", None), (None, None)])
        status, success, timed = self.status()
        latency, ns = self.seconds(6)
        line = json.dumps({"service": name, "ms": latency, "code": status}, ensure_ascii=rng.randrange(2) == 0)
        # No name at all is no fault of the line's.
        name = str(name) if is_name else "_overflow" if is_name is False else "other"
        return line, (name, ns if timed else None, success, 1)


class Statsd(Maker):
    def line(self):
        rng = self.rng
        name = rng.choice(["api.get", "web", "a-b_c", "job:x"[:3], "x" * 128])
        ns = rng.randrange(10 ** rng.randrange(1, 12))
        value = f"{Decimal(ns).scaleb(-6):f}"
        kind = rng.randrange(20)
        if kind == 0:
            return rng.choice([f"{name}:1|c", f"{name}:+5|g", f"{name}:7|s", f"{name}:1|m|@0.1", f"{name}:9|h",
                               f"{name}:9|d|#a:b"]), ()
        if kind == 1:
            return rng.choice([f"{name}", f"{name}:1", f"{name}:x|ms", f"{name}:1|q", f"{name}:1|ms|@0", f"{name}:1|ms|@2"]), None
        share, times = rng.choice([("", 1), ("", 1), ("|@1", 1), ("|@0.1", 10), ("|@0.5", 2), ("|@0.333", 3)])
        name_is = "_overflow" if len(name) > 127 else name
        return f"{name}:{value}|ms{share}{rng.choice(['', '|#a:b,c'])}", (name_is, ns, True, times)


def read_export(segment):
    text = subprocess.run([f"{TOOLS}/promcb-export", "--segment", segment], check=True, capture_output=True).stdout.decode()
    added = re.search(r'^e2e_lines_total\{of="lines"\} (\d+)$', text, re.M)
    found = collections.defaultdict(dict)
    for line in text.split("\n"):
        match = re.fullmatch(r'circuit_breaker_(\w+)\{component="((?:[^"\\]|\\.)*)"\} (\S+)', line)
        if match and match[3] != "NaN":
            found[match[2]][match[1]] = Decimal(match[3])
    return found, int(re.search(r"^promcb_bad_lines_total (\d+)$", text, re.M)[1]), int(added[1])


def send(path, kind, lines, rng):
    """The lines to a socket, with what syslog puts before each."""
    heads = ["<190>Nov 28 10:00:00 host nginx: ", "<134>Nov  8 10:00:00 haproxy[7]: ", "",
             "<14>1 2026-11-28T10:00:00Z host app 7 - [a b=\"c \\\"]\"] \ufeff", "<14>1 - - - - - - "]
    with socket.socket(socket.AF_UNIX, kind) as out:
        for _ in range(400):
            try:
                out.connect(path)
                break
            except OSError:
                time.sleep(0.05)
        pending = b""
        for line in lines:
            message = rng.choice(heads).encode() + line
            if kind == socket.SOCK_DGRAM:
                out.send(message)
            elif message.startswith(b"<") and rng.randrange(2):
                pending += str(len(message)).encode() + b" " + message
            else:
                pending += message + b"\n"
            if len(pending) > 5000:
                out.sendall(pending)
                pending = b""
        out.sendall(pending) if pending else None


def run(name, maker_class, options, has_map=False, kind=None):
    rng = random.Random(f"{SEED} {name}")
    maker = maker_class(rng, has_map)
    lines, bad, truth, added = [b'--add e2e_lines_total{of="lines"} 1'], 0, {}, 1
    for _ in range(LINES if kind is None else LINES // 10):
        # Changes of series, in every format; and such as are none.
        if rng.randrange(100) == 0:
            amount = rng.randrange(1000)
            lines.append(f'--add e2e_lines_total{{of="lines"}} {amount}'.encode())
            added += amount
        if rng.randrange(1000) == 0:
            lines.append(rng.choice([b"--add e2e_lines_total{of=", b"--add e2e_lines_total 1 1", b"--set e2e_lines_total x"]))
            bad += 1
        line, call = maker.line()
        lines.append(line.encode("utf-8", "surrogatepass"))
        if call is None:
            bad += 1
        elif call:
            entry = truth.setdefault(call[0], [0, 0, 0, 0])
            entry[0 if call[2] else 1] += call[3]
            if call[1] is not None:
                entry[2] += call[3]
                entry[3] += min(call[1], 1 << 40) * call[3]
    segment = f"{os.environ['PROMCB_SEGMENT']}_{name}"
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/map"
        with open(path, "w") as file:
            file.write(MAP)
        options = [*options, *(["--map", path] if has_map else [])]
        command = [f"{TOOLS}/promcb-record", "--segment", segment, *options]
        try:
            if kind is None:
                done = subprocess.run([*command, "--stdin"], input=b"\n".join(lines), stderr=subprocess.PIPE, check=False)
                complaints, status = done.stderr.decode(), done.returncode
            else:
                where = ("stream:" if kind == socket.SOCK_STREAM else "") + f"{directory}/socket"
                recorder = subprocess.Popen([*command, f"--socket={where}"], stderr=subprocess.PIPE)
                send(f"{directory}/socket", kind, lines, rng)
                recorder.terminate()
                complaints = recorder.stderr.read().decode()
                status = 1 if recorder.wait() == -15 else recorder.returncode
                assert not os.path.exists(f"{directory}/socket"), "the socket stays"
            found, bad_found, added_found = read_export(segment)
        finally:
            subprocess.run([f"{TOOLS}/promcb-admin", "remove", "--force", "--segment", segment], check=False,
                           capture_output=True)
    wrong = []
    if added_found != added:
        wrong.append(f"{added_found} was added, not {added}")
    if status != 1 or bad_found != bad or f"{bad} of {len(lines)} lines could not be read" not in complaints:
        wrong.append(f"{bad_found} bad lines, not {bad}, of {len(lines)}; status {status}: {complaints}")
    for component in sorted(set(truth) | set(found)):
        good, failed, measured, ns = truth.get(component, [0, 0, 0, 0])
        for key, value in {"successes_total": good, "failures_total": failed, "latency_seconds_count": measured,
                           "latency_seconds_sum": Decimal(ns).scaleb(-9)}.items():
            if found[component].get(key, 0) != value:
                wrong.append(f"{component}: {key} is {found[component].get(key)}, not {value}")
    for sentence in wrong[:10]:
        print(f"{name}: {sentence}", file=sys.stderr)
    print(f"{name}: {len(lines)} lines, {sum(t[0] + t[1] for t in truth.values())} calls of {len(truth)} components, {bad} bad")
    return not wrong


NAMES = "--fields=request.method+request.uri,duration,status"
good = run("nginx", Combined, ["--format=nginx"])
good &= run("nginx_map", Combined, ["--format=nginx"], True)
good &= run("apache", Apache, ["--format=apache"])
good &= run("haproxy", Haproxy, ["--format=haproxy"])
good &= run("haproxy_map", Haproxy, ["--format=haproxy"], True)
good &= run("json", Json, ["--format=json", NAMES], True)
good &= run("json_names", Named, ["--format=json", "--fields=service,ms,code", "--unit=ms"])
good &= run("ltsv", Ltsv, ["--format=ltsv", "--fields=method+uri,reqtime,status"], True)
good &= run("statsd", Statsd, ["--format=statsd"])
good &= run("datagrams", Combined, ["--format=nginx"], True, socket.SOCK_DGRAM)
good &= run("stream", Json, ["--format=json", NAMES], True, socket.SOCK_STREAM)
good &= run("statsd_socket", Statsd, ["--format=statsd"], False, socket.SOCK_DGRAM)
sys.exit(not good)
