#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What the exporter toolkit of Prometheus is tested with: the same configurations, clients and verdicts, told anew.

Usage: 73_toolkit_vectors.py SIDECAR DIRECTORY

DIRECTORY has server.pem and server.key, whose keyUsage is keyEncipherment alone, as the toolkit's; chain.pem, which
signed it; client.pem and client2.pem with their keys, each signed by itself, the second for the name test3; and users,
lines of basic_auth_users. The one vector of the toolkit's that needs HTTP/2, which is not spoken here, is named.
"""
import concurrent.futures
import re
import subprocess
import sys

sidecar, directory = sys.argv[1:]
count = {}
failed = 0
FILES = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"


def read(name):
    with open(f"{directory}/{name}") as file:
        return file.read()


def indent(text, by):
    return "".join(" " * by + line + "\n" for line in text.splitlines())


class Server:
    """A sidecar with a configuration; text None: without one. After it `log` is what it said, and `started` whether."""

    def __init__(self, text):
        self.arguments = [sidecar, "--web.listen-address=127.0.0.1:0", "--segment=/promcb_toolkit_none"]
        if text is not None:
            if not text.startswith("/"):
                with open(f"{directory}/web.yml", "w") as file:
                    file.write(text)
                text = f"{directory}/web.yml"
            self.arguments.append(f"--web.config.file={text}")

    def __enter__(self):
        self.process = subprocess.Popen(self.arguments, stderr=subprocess.PIPE, text=True)
        self.log, self.started, self.port = "", False, 0
        for line in self.process.stderr:
            self.log += line
            found = re.search(r"msg=listening address=127\.0\.0\.1:(\d+)", line)
            if found:
                self.started, self.port = True, int(found[1])
                break
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.log += self.process.communicate(timeout=60)[1]
        assert self.process.returncode == (0 if self.started else 1), self.process.returncode

    def ask(self, *options, tls=False):
        """(status, headers, body), or (0, "", curl's complaint)."""
        url = f"{'https' if tls else 'http'}://localhost:{self.port}/-/healthy"
        trust = ["--cacert", f"{directory}/chain.pem"] if tls else []
        done = subprocess.run(["curl", "-sS", "-i", *trust, *options, url], capture_output=True, text=True, timeout=120)
        if done.returncode:
            return 0, "", done.stderr
        head, _, body = done.stdout.partition("\n\n")
        return int(head.split()[1]), head, body


def vector(table, name, works, detail=""):
    global failed
    good, all_of = count.get(table, (0, 0))
    count[table] = (good + bool(works), all_of + 1)
    if not works:
        failed += 1
        print(f"FAIL: {table}: {name}: {detail}")


def refused(table, name, text, sentence):
    with Server(text) as server:
        pass
    vector(table, name, not server.started and re.search(sentence, server.log), server.log)


def answers(table, name, text, status, pattern="", *options, tls=False, repeat=1):
    """Asks so often, or until an answer is no 200: the last has the status and the pattern."""
    got = (0, "", "")
    with Server(text) as server:
        for _ in range(repeat if server.started else 0):
            got = server.ask(*options, tls=tls)
            if got[0] != 200:
                break
    vector(table, name, server.started and got[0] == status and re.search(pattern, got[1] + got[2]), f"{got} {server.log}")


# -- Files
no = "no such file|No such file"
verify = FILES + "  client_auth_type: VerifyClientCertIfGiven\n"
refused("files", "none", "/somefile", no)
answers("files", "empty", "", 200)
refused("files", "junk", "hWkNKCp3fvIx3jKnsaBI\nTuEjdwNS8A2vYdFbiKqr\n", "must be a mapping")
refused("files", "an unknown key", 'tls_server_config:\n  cert_filse: "server.pem"\n', 'unknown key \\\\"cert_filse')
for what, lines in {
    "cert_file": 'cert_file: ""\n  key_file: "server.key"\n',
    "cert": 'cert: ""\n  key_file: "server.key"\n',
}.items():
    refused("files", f"{what} empty", "tls_server_config:\n  " + lines, "cert_file, or cert, is missing")
for what, lines in {
    "key_file": 'cert_file: "server.pem"\n  key_file: ""\n',
    "key": 'cert_file: "server.pem"\n  key: ""\n',
}.items():
    refused("files", f"{what} empty", "tls_server_config:\n  " + lines, "key_file, or key, is missing")
refused("files", "both empty", 'tls_server_config:\n  cert_file: ""\n  key_file: ""\n  client_auth_type: "x"\n',
        "cert_file, or cert, is missing|client_auth_type must be")
refused("files", "no such cert_file", "tls_server_config:\n  cert_file: somefile\n  key_file: server.key\n", no)
refused("files", "no such key_file", "tls_server_config:\n  cert_file: server.pem\n  key_file: somefile\n", no)
refused("files", "neither", "tls_server_config:\n  cert_file: somefile\n  key_file: somefile\n", no)
refused("files", "authorities without a policy", FILES + "  client_ca_file: /dev/null\n", "without client_auth_type")
refused("files", "no such authorities", FILES + "  client_ca_file: somefile\n", no + "|without client_auth_type")
refused("files", "a password that is no hash", FILES + "basic_auth_users:\n  john: doe\n", "is not a bcrypt hash")
refused("files", "an invented suite", verify + "  cipher_suites:\n  - TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA2048\n",
        "is not known")
refused("files", "an invented curve", verify + "  curve_preferences:\n    - CurveP257\n", "is not known")
refused("files", "an invented version", verify + "  min_version: TLS111\n", "min_version must be")

# -- Clients
inline = "tls_server_config:\n  cert: |\n" + indent(read("server.pem"), 4) + "  key: |\n" + indent(read("server.key"), 4)
ALL = ("ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 ECDHE_RSA_WITH_AES_128_GCM_SHA256 "
       "ECDHE_RSA_WITH_AES_256_GCM_SHA384 ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 "
       "ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 AES_128_GCM_SHA256 AES_256_GCM_SHA384 CHACHA20_POLY1305_SHA256 "
       "ECDHE_ECDSA_WITH_AES_128_CBC_SHA ECDHE_ECDSA_WITH_AES_256_CBC_SHA ECDHE_RSA_WITH_AES_128_CBC_SHA "
       "ECDHE_RSA_WITH_AES_256_CBC_SHA")
ALL = "  cipher_suites:\n" + "".join(f"  - TLS_{suite}\n" for suite in ALL.split())
TLS12 = "  min_version: TLS12\n  max_version: TLS12\n"
AES128, AES256 = "  - TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256\n", "  - TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384\n"
SOME = verify + "  cipher_suites:\n" + AES128 + AES256 + TLS12
SOME_UNORDERED = verify + "  cipher_suites:\n" + AES256 + AES128 + "  prefer_server_cipher_suites: false\n" + TLS12
CURVES = verify + "  curve_preferences:\n"
BOTH = "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384"
ONE_CURVE = CURVES + "  - CurveP521\n  min_version: TLS13\n"
behaves = "behaviour"
answers(behaves, "no file", None, 200)
answers(behaves, "no file, a client of TLS", None, 0, "(?i)wrong version|record layer", tls=True)
answers(behaves, "TLS, a client without", verify, 400, "HTTP request to an HTTPS server")
answers(behaves, "TLS", verify, 200, tls=True)
answers(behaves, "inline", inline, 200, tls=True)
answers(behaves, "a client of TLS 1.1", verify, 0, "alert protocol version", "--tls-max", "1.1", "--ciphers",
        "DEFAULT@SECLEVEL=0", tls=True)
answers(behaves, "all suites", verify + ALL, 200, tls=True)
answers(behaves, "some suites", SOME, 200, "", "--ciphers", "ECDHE-RSA-AES128-GCM-SHA256", tls=True)
answers(behaves, "no common suite", SOME, 0, "alert handshake failure", "--ciphers", "ECDHE-RSA-AES256-SHA", tls=True)
for name, text in (("suites in the server's order", SOME), ("suites in the client's order", SOME_UNORDERED)):
    with Server(text) as server:
        status = server.ask("--ciphers", BOTH, tls=True)[0]
        said = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-cipher", BOTH, "-tls1_2"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60).stdout
    vector(behaves, name, status == 200 and "Cipher is ECDHE-RSA-AES128-GCM-SHA256" in said, f"{status} {said[-900:]}")
answers(behaves, "all curves", CURVES + "".join(f"    - {c}\n" for c in ("CurveP256", "CurveP384", "CurveP521", "X25519")),
        200, tls=True)
answers(behaves, "some curves", ONE_CURVE, 200, "", "--curves", "P-521", tls=True)
answers(behaves, "no common curve", ONE_CURVE, 0, "alert handshake failure", "--curves", "P-384", tls=True)
NOT_HTTP2 = verify + "  cipher_suites:\n  " + AES256 + "  max_version: TLS12\n"
answers(behaves, "without HTTP/2's suite, and without HTTP/2", NOT_HTTP2 + "http_server_config:\n  http2: false\n", 200,
        tls=True)
# The toolkit refuses this, since its HTTP/2 would have no suite; here it is HTTP/1.1 with a good one.
with Server(NOT_HTTP2) as server:
    spoken = server.ask("--http2", tls=True)
if spoken[0] != 200 or not spoken[1].startswith("HTTP/1.1"):
    vector(behaves, "without HTTP/2's suite", False, spoken)
headers = ("http_server_config:\n  headers:\n    X-Frame-Options: deny\n    X-Content-Type-Options: nosniff\n"
           "    Strict-Transport-Security: max-age=31536000; includeSubDomains\n    X-XSS-Protection: 1\n"
           "    Content-Security-Policy: \"default-src 'self' *.test.example.net\"\n")
answers(behaves, "headers", headers, 200)
for name, line, sentence in (("X-Content-Type-Options", "X-Content-Type-Options: sniff", "must be nosniff"),
                             ("X-Frame-Options", "X-Frame-Options: foo", "must be deny or sameorigin"),
                             ("another header", "Content-Type: foo", "cannot be set")):
    refused(behaves, name, f"http_server_config:\n  headers:\n    {line}\n", sentence)
first = ["--cert", f"{directory}/client.pem", "--key", f"{directory}/client.key"]
second = ["--cert", f"{directory}/client2.pem", "--key", f"{directory}/client2.key"]
SANS = FILES + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: client2.pem\n  client_allowed_sans:\n"
answers(behaves, "any certificate of a client", FILES + "  client_auth_type: RequireAnyClientCert\n", 200, "", *first,
        tls=True)
answers(behaves, "the same, and an inline key", "tls_server_config:\n  cert_file: server.pem\n  key: |\n" +
        indent(read("server.key"), 4) + "  client_auth_type: RequireAnyClientCert\n", 200, "", *first, tls=True)
answers(behaves, "a certificate that is verified",
        FILES + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: client.pem\n", 200, "", *first, tls=True)
answers(behaves, "a name that is allowed", SANS + "    - one\n    - test3\n    - two\n", 200, "", *second, tls=True)
answers(behaves, "a name that is not", SANS + "    - bad\n", 0, "alert bad certificate", *second, tls=True)
answers(behaves, "no limit", "rate_limit:\n  interval: 0\n  burst: 0\n", 200, repeat=11)
answers(behaves, "a limit", 'rate_limit:\n  interval: "1s"\n  burst: 0\n', 429, "Too Many Requests", repeat=11)

# -- A file that changes
with Server(FILES + "  client_auth_type: RequireAndVerifyClientCert\n") as server:
    before = server.ask(tls=True)[0]
    with open(f"{directory}/web.yml", "w") as file:
        file.write(verify)
    after = server.ask(tls=True)[0]
vector("reload", "what was refused is answered", (before, after) == (0, 200), (before, after))

# -- Users
users = "basic_auth_users:\n" + indent(read("users"), 2)
for name, tls, user, status in (
    ("nobody", False, None, 401), ("dave", False, "dave:dave123", 200), ("nobody, TLS", True, None, 401),
    ("dave, TLS", True, "dave:dave123", 200), ("carol, TLS", True, "carol:carol123", 200),
    ("a wrong password", True, "dave:bad", 401), ("a wrong name", True, "nonexistent:nonexistent", 401),
):
    answers("users", name, (FILES if tls else "") + users, status, "Unauthorized" if status == 401 else "",
            *(["-u", user] if user else []), tls=tls)

# -- What is remembered of them
HASH = re.search(r"alice: (\S+)", read("users"))[1]
FAKE = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"
with Server(users) as server:
    right, wrong = server.ask("-u", "alice:alice123")[0], server.ask("-u", "alice:alice1234")[0]
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        many = list(pool.map(lambda i: server.ask("-u", "alice:alice123" + "4" * (i % 2))[0], range(300)))
works = (right, wrong) == (200, 401) and many == [200, 401] * 150
vector("handler", "many at once", works, (right, wrong, sorted(set(many))))
with Server(users) as server:
    got = [server.ask("-u", "fakeuser:fakepassword")[0] for _ in range(2)]
vector("handler", "the password of nobody", got == [401, 401], got)
with Server(users) as server:
    got = [server.ask("-u", f"alice{HASH}:fakepassword")[0], server.ask("-u", f"alice:{FAKE}fakepassword")[0]]
vector("handler", "names and passwords that run together", got == [401, 401], got)
with Server(headers) as server:
    head = server.ask()[1]
wanted = ("Strict-Transport-Security: max-age=31536000; includeSubDomains", "X-Frame-Options: deny",
          "X-Content-Type-Options: nosniff", "X-XSS-Protection: 1")
vector("handler", "headers", all(line in head.replace("\r", "").split("\n") for line in wanted), head)

# -- Whether it is TLS at all
for name, text, enabled in (
    ("nothing", "", False),
    ("a version and a preference", "tls_server_config:\n  min_version: TLS12\n  prefer_server_cipher_suites: true\n", False),
    ("files", FILES, True),
    ("inline", inline, True),
):
    with Server(text) as server:
        status = server.ask(tls=enabled)[0]
    vector("enabled", name, status == 200 and f"tls={str(enabled).lower()}" in server.log, (status, server.log))
for name, line in (("authorities alone", "client_ca_file: client.pem"), ("a policy alone",
                                                                        "client_auth_type: RequireAndVerifyClientCert")):
    refused("enabled", name, f"tls_server_config:\n  {line}\n", "cert_file, or cert, is missing")

print(", ".join(f"{table} {good} of {all_of}" for table, (good, all_of) in count.items()))
print(f"{sum(good for good, _ in count.values())} of 63, and 1 that needs HTTP/2")
sys.exit(failed > 0 or sum(all_of for _, all_of in count.values()) != 62)
