#!/bin/bash
# SPDX-License-Identifier: MIT
# Passwords and headers as the web configuration file says them; and what promtool takes for a good file is one here.
. "$(dirname "$0")/tools_prelude.sh"
. "$(dirname "$0")/sidecar_prelude.sh"
command -v htpasswd >/dev/null || {
  echo "htpasswd is not installed"
  exit 77
}

# status ARGUMENTS...: what curl is told, its headers in $scratch/head.
status() {
  curl -s -o /dev/null -D "$scratch/head" -w '%{http_code}' --unix-socket "$socket" "$@" http://localhost/metrics
}
# ask STATUS ARGUMENTS...: asks again where there is no time for new passwords, as for a moment after a wrong one.
ask() {
  local wanted=$1 got
  shift
  for _ in $(seq 400); do
    got=$(status "$@")
    [ "$got" = 503 ] || break
    grep -q -i '^Retry-After: 1' "$scratch/head" || fail "503 without Retry-After"
    sleep 0.02
  done
  [ "$got" = "$wanted" ] || fail "$got instead of $wanted: curl $*: $(tail -3 "$scratch/log")"
}
hash() { # PASSWORD COST
  htpasswd -nbBC "$2" x "$1" | sed -n 's/^x://p'
}
# configure LINES...
configure() {
  printf '%s\n' "$@" >"$scratch/web.yml.new"
  mv "$scratch/web.yml.new" "$scratch/web.yml"
}

# -- Passwords
alice=$(hash 'open sesame' 5)
bob=$(hash 'pässwörd:with:colons' 8)
configure 'basic_auth_users:' "  alice: $alice" "  bob: '$bob'"
begin http
ask 401
grep -q -i '^WWW-Authenticate: Basic' "$scratch/head" || fail "nothing says what is wanted: $(cat "$scratch/head")"
ask 200 -u 'alice:open sesame'
ask 200 -u 'bob:pässwörd:with:colons'
# So many wrong ones, and none of them is told to come again.
for word in 'open sesam' 1 2 3 4 5 6; do
  [ "$(status -u "alice:$word")" = 401 ] || fail "a few wrong passwords"
done
ask 401 -u 'alice:open sesame '
ask 401 -u 'alice:'
ask 401 -u 'bob:open sesame'
ask 401 -u 'Alice:open sesame'
ask 401 -u 'mallory:open sesame'
ask 401 -u ':'
ask 401 -H 'Authorization: Basic'
ask 401 -H 'Authorization: Basic !!!!'
ask 401 -H 'Authorization: Bearer YWxpY2U6b3BlbiBzZXNhbWU='
ask 401 -H "Authorization: Basic $(printf 'alice:open sesame\0' | base64)"
ask 401 -H "Authorization: Basic $(printf 'alice:%5000s' x | base64 -w 0)"
ask 200 -H "Authorization: bAsIc $(printf 'alice:open sesame' | base64)"
# All of it, not only the metrics.
for path in / /metrics /health/metrics /prometheus/query /nothing; do
  got=$(curl -s -o "$scratch/body" -w '%{http_code}' --unix-socket "$socket" "http://localhost$path")
  [ "$got" = 401 ] || fail "$path: $got without a password"
  matches -q circuit_breaker "$scratch/body" && fail "$path: metrics without a password"
done

# -- The file changes
configure 'basic_auth_users:' "  alice: $(hash changed 4)"
ask 401 -u 'alice:open sesame'
ask 401 -u 'bob:pässwörd:with:colons'
ask 200 -u alice:changed
configure 'basic_auth_users:' '  alice: changed'
for _ in 1 2 3; do ask 200 -u alice:changed; done
logged 1 'web.yml: line 2: the password of \"alice\" is not a bcrypt hash'
ask 401 -u 'alice:open sesame'
rm "$scratch/web.yml"
for _ in 1 2 3; do ask 200 -u alice:changed; done
ask 401
logged 1 'web.yml: No such file or directory'
matches -q -F -e "$alice" -e 'open sesame' -e changed "$scratch/log" && fail "secrets in the log"

# -- Passwords without TLS: said of each address that is not this machine's alone, and of no other
end
warned() { # WORDS OPTION...: what it warns of, at addresses without their ports
  local wanted=$1
  shift
  : >"$scratch/log"
  "$sidecar" --segment="$PROMCB_SEGMENT" --web.config.file="$scratch/web.yml" "$@" 2>"$scratch/log" &
  background=$!
  await listening
  end
  [ "$(sed -n 's/.*msg="passwords are accepted without TLS.*" address=\(.*\):[0-9]*$/\1/p' "$scratch/log" |
    sort | tr '\n' ' ')" = "$wanted" ] || fail "$*: not warned of \"$wanted\" alone: $(cat "$scratch/log")"
}
listening() {
  grep -q 'msg=listening' "$scratch/log" && return 0
  kill -0 "$background" 2>/dev/null || fail "it does not start: $(cat "$scratch/log")"
  return 1
}
configure 'basic_auth_users:' "  alice: $(hash changed 4)"
warned '' --web.listen-address=127.0.0.1:0 --web.listen-address=127.0.0.2:0 --web.listen-address="unix:$socket"
warned '0.0.0.0 ' --web.listen-address=127.0.0.1:0 --web.listen-address=0.0.0.0:0
configure '# no passwords'
warned '' --web.listen-address=0.0.0.0:0
authority ca
leaf server ca 'subjectAltName=DNS:localhost'
configure 'tls_server_config: {cert_file: server.pem, key_file: server.key}' 'basic_auth_users:' \
  "  alice: $(hash changed 4)"
warned '' --web.listen-address=0.0.0.0:0
configure 'basic_auth_users:' "  alice: $(hash changed 4)"
begin http

# -- Headers
configure 'http_server_config:' '  headers:' '    X-Frame-Options: deny' '    X-XSS-Protection: ""' \
  "    Content-Security-Policy: \"default-src 'none'\"" 'basic_auth_users:' "  alice: $(hash changed 4)"
for user in alice:changed alice:wrong; do
  status -u $user >"$scratch/status"
  tr -d '\r' <"$scratch/head" | grep -q -x -i "Content-Security-Policy: default-src 'none'" || fail "no policy: $user"
  tr -d '\r' <"$scratch/head" | grep -q -x -i 'X-Frame-Options: deny' || fail "no frame options: $user"
  matches -q -i '^X-XSS-Protection' "$scratch/head" && fail "a blank header"
done
configure '# nothing'
ask 200
matches -q -i '^X-Frame-Options' "$scratch/head" && fail "a header from before"

# -- Strangers cost what the cheap users cost, and nobody waits for a user whose hash is dear
for cost in 14 16 18; do # dear enough not to be over too early, on a machine that has other things to do
  configure 'basic_auth_users:' "  alice: $(hash known 5)" "  bob: $(hash known 6)" \
    "  dear: \$2y\$$cost\$d6TEbJtja2Ph31amYg00cuApNlIe6OYZacQ3CvKHUYaLGEhdcs6qu"
  for name in 1 2 3 4 5 6; do
    [ "$(status -m 60 -u "$name:x")" = 401 ] || fail "a stranger pays the price of somebody dear"
  done
  curl -s -o /dev/null -w '%{http_code}' --unix-socket "$socket" -u dear:x http://localhost/ >"$scratch/dear" &
  dear=$!
  ask 200 -u alice:known
  ask 200 -u bob:known
  kill -0 $dear 2>/dev/null && was_first=yes || was_first=no
  wait $dear
  [ "$(cat "$scratch/dear")" = 401 ] || fail "$(cat "$scratch/dear") for a wrong password that is dear"
  [ $was_first = no ] || break
done
[ $was_first = yes ] || fail "all wait for somebody dear"

# -- More requests than are let through
configure 'rate_limit: {interval: 1h, burst: 3}' 'basic_auth_users:' "  alice: $(hash changed 4)"
ask 401
ask 200 -u alice:changed
ask 200 -u alice:changed
ask 429 -u alice:changed
ask 429
configure 'rate_limit: {interval: 1s, burst: 0}'
ask 429
configure 'rate_limit: {interval: 0, burst: 0}'
for _ in 1 2 3 4 5 6 7 8 9 10; do ask 200; done

# -- Wrong passwords by the hundred: nobody of them gets in, and who is known does not have to wait for them
configure 'basic_auth_users:' "  alice: $(hash known 10)"
ask 200 -u alice:known
strangers=$((60 + $(scaled 240)))
seq $strangers | xargs -P 8 -I {} curl -s -o /dev/null -w '%{http_code}\n' --unix-socket "$socket" -u "alice:{}" \
  http://localhost/metrics >"$scratch/flood" &
flood=$!
known=0
while kill -0 $flood 2>/dev/null; do
  got=$(status -u alice:known)
  [ "$got" = 200 ] || fail "$got for who is known, in a flood"
  known=$((known + 1))
done
wait $flood
[ "$(sort -u "$scratch/flood" | tr '\n' ' ')" = '401 503 ' ] || fail "a flood: $(sort "$scratch/flood" | uniq -c)"
[ "$(wc -l <"$scratch/flood")" = $strangers ] && [ $known -gt 0 ] || fail "no flood"
ask 200 -u alice:known
end

# -- What promtool says of the same files
command -v promtool >/dev/null || {
  echo "no promtool: the files are not compared"
  exit 0
}
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
  -keyout "$scratch/k.pem" -out "$scratch/c.pem" 2>/dev/null || fail "openssl"
# A file, that starts or that does not; "exit" is 1 where it does not.
takes() {
  "$sidecar" --segment="$PROMCB_SEGMENT" --web.listen-address="unix:$socket" --web.config.file="$scratch/web.yml" \
    2>"$scratch/log" &
  background=$!
  while kill -0 "$background" 2>/dev/null; do
    if curl -s -o /dev/null --unix-socket "$socket" http://localhost/ || [ $? -ne 7 ]; then
      end
      return 0
    fi
  done
  wait "$background"
  [ $? -eq 1 ] || fail "it died: $(cat "$scratch/log")"
  background=
  rm -f "$socket"
  return 1
}
compare() { # PROMTOOL'S US'S FILE
  local promtool=no us=no
  printf '%b' "$3" >"$scratch/web.yml"
  promtool check web-config "$scratch/web.yml" >"$scratch/promtool" 2>&1 && promtool=yes
  takes && us=yes
  [ "$promtool $us" = "$1 $2" ] ||
    fail "promtool: $promtool, here: $us, instead of $1 $2: $3: $(cat "$scratch/promtool" "$scratch/log")"
}
tls='tls_server_config: {cert_file: c.pem, key_file: k.pem'
while IFS='|' read -r promtool us file; do
  [ -z "$promtool" ] || ! in_share || compare "$promtool" "$us" "$file"
done <<FILES
yes|yes|
yes|yes|# nothing\n
yes|yes|{}
yes|yes|tls_server_config: {}\n
yes|yes|tls_server_config:\nbasic_auth_users:\nhttp_server_config:\n
yes|yes|$tls}
yes|yes|tls_server_config: {cert_file: $scratch/c.pem, key_file: $scratch/k.pem}
yes|yes|$tls, client_auth_type: NoClientCert}
yes|yes|$tls, client_auth_type: ''}
yes|yes|$tls, client_auth_type: RequestClientCert}
yes|yes|$tls, client_auth_type: RequireClientCert}
yes|yes|$tls, client_auth_type: RequireAnyClientCert, client_ca_file: c.pem}
yes|yes|$tls, client_auth_type: VerifyClientCertIfGiven, client_ca_file: c.pem}
yes|yes|$tls, client_auth_type: RequireAndVerifyClientCert, client_ca_file: c.pem}
yes|yes|$tls, min_version: TLS10, max_version: TLS11}
yes|yes|$tls, min_version: TLS13, max_version: TLS13}
yes|yes|$tls, min_version: , max_version: null}
yes|yes|$tls, cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_AES_128_GCM_SHA256]}
yes|yes|$tls, cipher_suites: []}
yes|yes|$tls, curve_preferences: [X25519, CurveP256, CurveP384, CurveP521]}
yes|yes|$tls, prefer_server_cipher_suites: off}
yes|yes|$tls, prefer_server_cipher_suites: y}
yes|yes|http_server_config: {http2: false}
yes|yes|http_server_config: {headers: {X-Frame-Options: sameorigin, Strict-Transport-Security: ''}}
yes|yes|basic_auth_users: {alice: $alice, '': $bob, 7: $bob}
no|no|tls_server_config: {cert_file: c.pem}
no|no|tls_server_config: {key_file: k.pem}
no|no|tls_server_config: {client_auth_type: NoClientCert}
no|no|tls_server_config: {cert_file: k.pem, key_file: c.pem}
no|no|tls_server_config: {cert_file: missing.pem, key_file: k.pem}
no|no|tls_server_config: {cert_file: c.pem, key_file: missing.pem}
no|no|tls_server_config: {cert_file: c.pem, key_file: k.pem, cert_file: c.pem}
no|no|tls_server_config: []
no|no|tls_server_config: [
no|no|tls_server_configuration: {}
no|no|- a
no|no|\ta: b
no|no|$tls, keyfile: k.pem}
no|no|$tls, client_ca_file: c.pem}
no|no|$tls, client_auth_type: RequireAndVerifyClientCert, client_ca_file: missing.pem}
no|no|$tls, client_auth_type: requireAnyClientCert}
no|no|$tls, client_auth_type: [RequireAnyClientCert]}
no|no|$tls, min_version: TLS1.2}
no|no|$tls, max_version: SSL30}
no|no|$tls, cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]}
no|no|$tls, cipher_suites: [tls_aes_128_gcm_sha256]}
no|no|$tls, cipher_suites: {a: b}}
no|no|$tls, curve_preferences: [P-256]}
no|no|$tls, prefer_server_cipher_suites: 'true'}
no|no|$tls, prefer_server_cipher_suites: 1}
no|no|http_server_config: {http2: maybe}
no|no|http_server_config: {http3: true}
no|no|http_server_config: {headers: {Server: x}}
no|no|http_server_config: {headers: {x-frame-options: deny}}
no|no|http_server_config: {headers: {X-Frame-Options: DENY}}
no|no|http_server_config: {headers: {X-Content-Type-Options: ''}}
no|no|http_server_config: {headers: [deny]}
no|no|basic_auth_users: {alice: secret}
no|no|basic_auth_users: {alice: }
no|no|basic_auth_users: {alice: $alice, alice: $bob}
no|no|basic_auth_users: [alice]
no|no|basic_auth_users: {alice: \$2y\$32\$${alice#????7?}}
yes|no|$tls, min_version: TLS13, max_version: TLS12}
yes|yes|tls_server_config: {min_version: TLS13}
yes|no|$tls, client_auth_type: RequireAndVerifyClientCert, client_ca_file: web.yml}
yes|no|$tls, cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384]}
yes|no|basic_auth_users: {alice: \$2y\$10\$this-has-the-length-of-a-hash-but-is-none-of-them-at-all}
yes|no|basic_auth_users: {'a:b': $alice}
yes|yes|basic_auth_users: {alice: &hash $alice, bob: *hash}
yes|yes|basic_auth_users: {<<: {bob: $bob}, alice: $alice}
no|yes|basic_auth_users: {<<: {alice: $bob, bob: $bob}, alice: $alice}
no|no|basic_auth_users: {alice: &hash $alice, bob: *hash, alice: *hash}
yes|no|http_server_config: {headers: {Strict-Transport-Security: "a\\\\nb"}}
FILES
exit 0
