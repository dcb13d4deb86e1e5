#!/bin/bash
# SPDX-License-Identifier: MIT
# The configurations, clients and verdicts that the exporter toolkit is tested with.
. "$(dirname "$0")/tools_prelude.sh"
. "$(dirname "$0")/sidecar_prelude.sh"
command -v htpasswd >/dev/null || {
  echo "htpasswd is not installed"
  exit 77
}

# make NAME SUBJECT EXTENSIONS KEY... [-- AUTHORITY]: an authority, or what one signs.
make() {
  local name=$1 subject=$2 extensions=$3 signed=()
  shift 3
  openssl req -new "$@" -nodes -subj "$subject" -keyout "$scratch/$name.key" -out "$scratch/$name.csr" \
    2>"$scratch/openssl.log" || fail "$(cat "$scratch/openssl.log")"
  if [ -n "${by:-}" ]; then
    signed=(-CA "$scratch/$by.pem" -CAkey "$scratch/$by.key" -CAcreateserial)
  else
    signed=(-signkey "$scratch/$name.key")
  fi
  openssl x509 -req -in "$scratch/$name.csr" "${signed[@]}" -days 2 -extfile <(printf '%b' "$extensions") \
    -out "$scratch/$name.pem" 2>"$scratch/openssl.log" || fail "$(cat "$scratch/openssl.log")"
}
ca='basicConstraints=critical,CA:TRUE\n'
make root '/O=Example/CN=Root' "${ca}keyUsage=critical,keyCertSign\n" -newkey rsa:2048
by=root make tls '/O=Example/CN=TLS' "${ca}keyUsage=critical,digitalSignature,keyEncipherment,keyCertSign\n" \
  -newkey rsa:2048
by=tls make server '/O=Example/CN=localhost' "keyUsage=critical,keyEncipherment\nbasicConstraints=critical,CA:FALSE
extendedKeyUsage=clientAuth,serverAuth\nsubjectAltName=DNS:localhost,IP:127.0.0.1,IP:127.0.0.0\n" -newkey rsa:2048
cat "$scratch/tls.pem" "$scratch/root.pem" >"$scratch/chain.pem"
p384='-newkey ec -pkeyopt ec_paramgen_curve:P-384'
make client '/CN=test' "${ca}extendedKeyUsage=clientAuth\n" $p384
make client2 '/CN=test3' "${ca}subjectAltName=DNS:test3\nextendedKeyUsage=clientAuth\n" $p384
hash() { # PASSWORD COST
  htpasswd -nbBC "$2" x "$1" | sed -n 's/^x://p'
}
{
  echo "alice: $(hash alice123 12)"
  echo 'bob: $2y$18$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG'
  echo "carol: $(hash carol123 10)"
  echo "dave: $(hash dave123 10)"
} >"$scratch/users"
python3 "${0%.sh}.py" "$sidecar" "$scratch"
