#!/bin/bash
# SPDX-License-Identifier: MIT
# TLS as the web configuration file says it: versions, clients' certificates, and files that change, go bad and come
# back while connections go on.
. "$(dirname "$0")/tools_prelude.sh"
. "$(dirname "$0")/sidecar_prelude.sh"

authority ours
authority theirs
names='subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n'
leaf first ours "$names"
leaf second ours "$names"
leaf client ours 'subjectAltName=DNS:scraper.example,IP:10.0.0.1,IP:2001:db8::1,email:a@example.org,URI:spiffe://x/y\n'
leaf nameless ours 'extendedKeyUsage=clientAuth\n'
leaf expired ours 'subjectAltName=DNS:scraper.example\n' expired
leaf wrong_use ours 'subjectAltName=DNS:scraper.example\nextendedKeyUsage=serverAuth\n'
leaf stranger theirs 'subjectAltName=DNS:scraper.example\n'

# install NAME: the server's files are these, each replaced as a whole.
install() {
  for kind in pem key; do
    cp "$scratch/$1.$kind" "$scratch/server.$kind.new" && mv "$scratch/server.$kind.new" "$scratch/server.$kind" ||
      fail "install"
  done
}

# configure LINES...: in tls_server_config.
configure() {
  {
    printf 'tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n'
    [ $# -eq 0 ] || printf '  %s\n' "$@"
  } >"$scratch/web.yml.new"
  mv "$scratch/web.yml.new" "$scratch/web.yml"
}

# ask STATUS ARGUMENTS...: what curl makes of it; 0 is a connection that comes to nothing.
ask() {
  local wanted=$1 got
  shift
  got=$(curl -s -o "$scratch/body" -w '%{http_code}' --unix-socket "$socket" --cacert "$scratch/ours.pem" "$@" \
    https://localhost/metrics)
  [ "$((10#$got))" = "$wanted" ] || fail "$got instead of $wanted: curl $*: $(tail -3 "$scratch/log")"
}
as() { # NAME ARGUMENTS...: for ask, a client's certificate.
  echo --cert "$scratch/$1.pem" --key "$scratch/$1.key"
}

# Which certificate is served.
serves() {
  openssl s_client -unix "$socket" -servername localhost </dev/null 2>/dev/null |
    openssl x509 -noout -subject -nameopt RFC2253 | grep -q -x "subject=CN=$1" || fail "not $1's certificate"
}

# -- Versions, suites and authorities
install first
configure
begin
ask 200
ask 200 --tls-max 1.2
ask 200 --tlsv1.3
grep -q '^promcb_build_info{' "$scratch/body" || fail "no metrics: $(head -3 "$scratch/body")"
ask 0 --tls-max 1.1 --ciphers DEFAULT@SECLEVEL=0
curl -s -o /dev/null --unix-socket "$socket" --cacert "$scratch/theirs.pem" https://localhost/metrics
[ $? -eq 60 ] || fail "a client that trusts others gets an answer"
got=$(curl -s -o "$scratch/body" -w '%{http_code}' --unix-socket "$socket" http://localhost/metrics) || fail "curl: $?"
[ "$got" = 400 ] && grep -q -x 'Client sent an HTTP request to an HTTPS server.' "$scratch/body" ||
  fail "$got without TLS: $(cat "$scratch/body")"
configure 'min_version: TLS13'
ask 0 --tls-max 1.2
ask 200
configure 'max_version: TLS12' 'cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]'
ask 0 --tlsv1.3
ask 200 --ciphers ECDHE-ECDSA-AES256-GCM-SHA384
ask 0 --ciphers ECDHE-ECDSA-AES128-GCM-SHA256
configure 'min_version: TLS13' 'curve_preferences: [CurveP384]'
ask 200 --curves P-384
ask 0 --curves X25519
configure 'cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA]'
ask 200
ask 0 --tlsv1.3
configure 'min_version: TLS10'
ask 200 --tls-max 1.0 --ciphers DEFAULT@SECLEVEL=0
ask 200
logged 5 'msg="web configuration reloaded"'
logged 0 level=error

# -- A certificate renewed, while a connection stays open
configure
python3 - "$socket" "$scratch" <<'PYTHON' || fail "connections and renewals"
import http.client, os, shutil, socket, ssl, sys

path, scratch = sys.argv[1:]


class Connection(http.client.HTTPConnection):
    def connect(self):
        context = ssl.create_default_context(cafile=scratch + "/ours.pem")
        plain = socket.socket(socket.AF_UNIX)
        plain.settimeout(20)
        plain.connect(path)
        self.sock = context.wrap_socket(plain, server_hostname="localhost")
        self.subject = self.sock.getpeercert()["subject"][0][0][1]

    def status(self):
        self.request("GET", "/metrics")
        answer = self.getresponse()
        answer.read()
        return answer.status


def install(name):
    for kind in ("pem", "key"):
        shutil.copy(f"{scratch}/{name}.{kind}", f"{scratch}/new")
        os.rename(f"{scratch}/new", f"{scratch}/server.{kind}")


old = Connection("localhost")
assert old.status() == 200 and old.subject == "first", old.subject
kept = old.sock
install("second")
new = Connection("localhost")
assert new.status() == 200 and new.subject == "second", new.subject
assert old.status() == 200 and old.sock is kept, "the old connection was closed"
for name in ("first", "second") * 10:
    install(name)
    each = Connection("localhost")
    assert each.status() == 200 and each.subject == name, (name, each.subject)
    each.close()
assert old.status() == 200 and old.sock is kept and new.status() == 200
PYTHON

# -- Files that go bad
serves second
: >"$scratch/log"
echo garbage >"$scratch/server.key"
for _ in 1 2 3 4 5; do ask 200; done
logged 1 'rejected, the previous one stays in force'
logged 1 "server.key: no PEM private key"
rm "$scratch/server.key"
for _ in 1 2 3; do ask 200; done
logged 1 "server.key: No such file or directory"
cp "$scratch/first.key" "$scratch/server.key"
for _ in 1 2 3; do ask 200; done
logged 1 "server.key: not the key of the first certificate in"
logged 3 level=error
cp "$scratch/first.pem" "$scratch/server.pem"
ask 200
logged 1 'msg="web configuration reloaded"'
serves first
echo 'basic_auth_users: {}' >"$scratch/web.yml"
ask 200
logged 1 'TLS cannot be turned off while this runs: restart it'
configure 'min_version: TLS99'
ask 200
logged 1 "web.yml: line 4: min_version must be TLS10, TLS11, TLS12 or TLS13"
# What it named before is still looked after.
install second
ask 200
serves second
configure
ask 200

# -- Clients' certificates, old connections included
clients() { # STATUS of: none, client, nameless, wrong_use, expired, stranger
  ask "$1"
  ask "$2" $(as client)
  ask "$2" $(as client) --tls-max 1.2
  ask "$3" $(as nameless)
  ask "$4" $(as wrong_use)
  ask "$5" $(as expired)
  ask "$6" $(as stranger)
  ask "$6" $(as stranger) --tls-max 1.2
}
clients 200 200 200 200 200 200
configure 'client_auth_type: RequestClientCert'
clients 200 200 200 200 200 200
configure 'client_auth_type: RequireAnyClientCert'
clients 0 200 200 200 200 200
configure 'client_auth_type: VerifyClientCertIfGiven' 'client_ca_file: ours.pem'
clients 200 200 200 0 0 0
configure 'client_auth_type: RequireAndVerifyClientCert' 'client_ca_file: ours.pem'
clients 0 200 200 0 0 0
for name in scraper.example 10.0.0.1 2001:db8::1 a@example.org spiffe://x/y; do
  configure 'client_auth_type: RequireAndVerifyClientCert' 'client_ca_file: ours.pem' "client_allowed_sans: ['$name']"
  clients 0 200 0 0 0 0
done
configure 'client_auth_type: RequireAndVerifyClientCert' 'client_ca_file: ours.pem' 'client_allowed_sans: [example]'
clients 0 0 0 0 0 0
configure 'client_auth_type: RequireAnyClientCert' 'client_allowed_sans: [scraper.example]'
clients 0 200 0 200 200 200

configure 'client_auth_type: RequireAndVerifyClientCert' 'client_ca_file: trusted.pem'
cp "$scratch/ours.pem" "$scratch/trusted.pem"
python3 - "$socket" "$scratch" <<'PYTHON' || fail "an authority taken away"
import http.client, os, shutil, socket, ssl, sys

path, scratch = sys.argv[1:]
context = ssl.create_default_context(cafile=scratch + "/ours.pem")
context.load_cert_chain(scratch + "/client.pem", scratch + "/client.key")
plain = socket.socket(socket.AF_UNIX)
plain.settimeout(20)
plain.connect(path)
connection = http.client.HTTPConnection("localhost")
connection.sock = context.wrap_socket(plain, server_hostname="localhost")


def status():
    connection.request("GET", "/metrics")
    answer = connection.getresponse()
    answer.read()
    return answer.status


assert status() == 200
shutil.copy(scratch + "/theirs.pem", scratch + "/new")
os.rename(scratch + "/new", scratch + "/trusted.pem")
assert status() == 403, "whom nobody trusts any more is answered"
PYTHON
ask 0 $(as client)
ask 200 $(as stranger)
end

# -- A crowd, while certificates change under it
configure
begin
clients=$(scaled 240)
seq "$clients" | xargs -P 6 -I {} curl -s -o /dev/null -w '%{http_code}\n' --unix-socket "$socket" \
  --cacert "$scratch/ours.pem" https://localhost/metrics >"$scratch/codes" &
crowd=$!
for _ in 1 2 3 4 5 6 7 8 9 10; do
  install first
  ask 200
  install second
  ask 200
done
wait $crowd || fail "curl"
[ "$(sort "$scratch/codes" | uniq -c | tr -s ' ')" = " $clients 200" ] ||
  fail "a crowd: $(sort "$scratch/codes" | uniq -c)"
end

# -- What cannot be read at the start
refused() { # SENTENCE
  timeout 120 "$sidecar" --segment="$PROMCB_SEGMENT" --web.listen-address="unix:$socket" \
    --web.config.file="$scratch/web.yml" 2>"$scratch/err"
  [ $? -eq 1 ] || fail "it starts, or dies otherwise, in spite of: $1"
  grep -q -F -e "$1" "$scratch/err" || fail "nothing of '$1': $(cat "$scratch/err")"
}
echo garbage >"$scratch/server.key"
refused "server.key: no PEM private key"
openssl ec -in "$scratch/first.key" -aes128 -passout pass:x -out "$scratch/server.key" 2>/dev/null || fail "openssl ec"
refused "server.key: "
openssl pkcs8 -topk8 -in "$scratch/first.key" -passout pass:x -out "$scratch/server.key" 2>/dev/null || fail "pkcs8"
refused "server.key: the key is encrypted: store it without a password"
cp "$scratch/first.key" "$scratch/server.key"
refused "server.key: not the key of the first certificate in"
rm "$scratch/server.key"
refused "server.key: No such file or directory"
mkdir "$scratch/server.key"
refused "server.key: not a regular file"
rmdir "$scratch/server.key"
install first
echo garbage >"$scratch/server.pem"
refused "server.pem: no PEM certificate"
install first
configure 'client_auth_type: RequireAndVerifyClientCert' 'client_ca_file: garbage.pem'
echo garbage >"$scratch/garbage.pem"
refused "garbage.pem: no PEM certificate"
configure 'cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA, TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA]'
refused "also make up TLS_"
rm "$scratch/web.yml"
refused "web.yml: No such file or directory"
exit 0
