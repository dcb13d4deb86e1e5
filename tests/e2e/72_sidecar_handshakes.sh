#!/bin/bash
# SPDX-License-Identifier: MIT
# Handshakes: whoever is refused is told why; and certificates that say too little of what their keys are for.
. "$(dirname "$0")/tools_prelude.sh"
. "$(dirname "$0")/sidecar_prelude.sh"

authority ours
# rsa NAME EXTENSIONS: a certificate as `leaf` makes them, but of RSA.
rsa() {
  openssl req -newkey rsa:2048 -nodes -subj "/CN=$1" -keyout "$scratch/$1.key" -out "$scratch/$1.csr" \
    2>"$scratch/openssl.log" &&
    openssl x509 -req -in "$scratch/$1.csr" -CA "$scratch/ours.pem" -CAkey "$scratch/ours.key" -CAcreateserial -days 2 \
      -extfile <(printf '%b' "$2") -out "$scratch/$1.pem" 2>"$scratch/openssl.log" ||
      fail "$(cat "$scratch/openssl.log")"
}
names='subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n'
rsa server "${names}keyUsage=critical,digitalSignature,keyEncipherment\n"
rsa enciphers "${names}keyUsage=critical,keyEncipherment\n"
configure() { # NAME LINES...
  {
    printf 'tls_server_config:\n  cert_file: %s.pem\n  key_file: %s.key\n' "$1" "$1"
    shift
    [ $# -eq 0 ] || printf '  %s\n' "$@"
  } >"$scratch/web.yml.new"
  mv "$scratch/web.yml.new" "$scratch/web.yml"
}
ask() { # STATUS ARGUMENTS...
  local wanted=$1 got
  shift
  got=$(curl -s -o /dev/null -w '%{http_code}' --unix-socket "$socket" --cacert "$scratch/ours.pem" "$@" \
    https://localhost/)
  [ "$((10#$got))" = "$wanted" ] || fail "$got instead of $wanted: curl $*: $(tail -3 "$scratch/log")"
}

configure server
begin
python3 "${0%.sh}.py" "$socket" default || fail "as told above: $(tail -3 "$scratch/log")"
ask 200 --http1.1
ask 200 --http2
configure server 'cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_RSA_WITH_AES_128_GCM_SHA256]'
python3 "${0%.sh}.py" "$socket" rsa || fail "as told above: $(tail -3 "$scratch/log")"

# -- Without digitalSignature: a server's is served, and told of once; a client's is refused
logged 0 'keyUsage lacks digitalSignature'
configure enciphers
ask 200
ask 200 --tls-max 1.2
ask 200 --tlsv1.3
logged 1 "level=warn msg=\"the certificate's keyUsage lacks digitalSignature"
# told STATUS LINES...: for a client with that certificate, in both versions.
told() {
  local wanted=$1 version
  shift
  configure server "$@"
  for version in 1.2 1.3; do
    ask "$wanted" --tls-max "$version" --cert "$scratch/enciphers.pem" --key "$scratch/enciphers.key"
  done
}
told 0 'client_auth_type: RequireAnyClientCert'
told 0 'client_auth_type: RequireAndVerifyClientCert' 'client_ca_file: ours.pem'
logged 4 'reason="Key usage violation in certificate has been detected."'
# What it is told, by the number of an alert.
for version in tls1_2 tls1_3; do
  printf 'GET / HTTP/1.0\r\n\r\n' |
    openssl s_client -unix "$socket" -$version -ign_eof -cert "$scratch/enciphers.pem" -key "$scratch/enciphers.key" \
      >"$scratch/told" 2>&1
  grep -q 'SSL alert number 43' "$scratch/told" || fail "$version: no alert: $(tail -5 "$scratch/told")"
done
end
