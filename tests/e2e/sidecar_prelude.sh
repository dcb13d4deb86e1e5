# SPDX-License-Identifier: MIT
# What the tests of the sidecar's web configuration share, sourced after tools_prelude.sh: a sidecar on a socket of its
# own, whose configuration is $scratch/web.yml, and certificates.
sidecar=$tools/sidecar/promcb-sidecar
socket=$scratch/socket
for program in curl openssl python3; do
  command -v $program >/dev/null || {
    echo "$program is not installed"
    exit 77
  }
done

# begin SCHEME: a sidecar that answers.
begin() {
  "$sidecar" --segment="$PROMCB_SEGMENT" --web.listen-address="unix:$socket" --web.config.file="$scratch/web.yml" \
    --log.level=debug 2>"$scratch/log" &
  background=$!
  await listens
}

# A handshake that fails and a 401 are answers as well.
listens() {
  curl -s -k -o /dev/null --unix-socket "$socket" "${1:-https}://localhost/metrics"
  [ $? -ne 7 ] && return 0
  kill -0 "$background" 2>/dev/null || fail "it does not start: $(cat "$scratch/log")"
  return 1
}

end() {
  kill -TERM "$background"
  wait "$background" || fail "status $? at the end: $(tail -5 "$scratch/log")"
  background=
}

# logged NUMBER WORDS: so many lines have them.
logged() {
  local count
  count=$(grep -c -F -e "$2" "$scratch/log")
  [ "$count" = "$1" ] || fail "$count lines with '$2', not $1: $(tail -5 "$scratch/log")"
}

# authority NAME; leaf NAME AUTHORITY EXTENSIONS [expired]: $scratch/NAME.pem and .key.
authority() {
  # Strict clients want to read what its key is for.
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
    -addext 'keyUsage=critical,keyCertSign,cRLSign' -keyout "$scratch/$1.key" -out "$scratch/$1.pem" \
    2>"$scratch/openssl.log" ||
    fail "$(cat "$scratch/openssl.log")"
}
leaf() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$scratch/$1.key" \
    -out "$scratch/$1.csr" 2>"$scratch/openssl.log" &&
    if [ "${4-}" = expired ]; then
      # "openssl x509" makes none that ends before today, and has had no dates for long.
      printf '%s\n' '[ca]' 'default_ca = ca' "database = $scratch/index" "serial = $scratch/serial" 'policy = any' \
        'x509_extensions = extensions' '[any]' 'commonName = supplied' '[extensions]' \
        "$(printf '%b' "$3")" >"$scratch/ca.conf" &&
        : >"$scratch/index" &&
        openssl ca -batch -config "$scratch/ca.conf" -in "$scratch/$1.csr" -cert "$scratch/$2.pem" \
          -keyfile "$scratch/$2.key" -md sha256 -rand_serial -notext -outdir "$scratch" \
          -startdate 20200101000000Z -enddate 20200102000000Z -out "$scratch/$1.pem" 2>"$scratch/openssl.log"
    else
      openssl x509 -req -in "$scratch/$1.csr" -CA "$scratch/$2.pem" -CAkey "$scratch/$2.key" -CAcreateserial \
        -days 2 -extfile <(printf '%b' "$3") -out "$scratch/$1.pem" 2>"$scratch/openssl.log"
    fi || fail "$(cat "$scratch/openssl.log")"
}
