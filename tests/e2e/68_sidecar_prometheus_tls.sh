#!/bin/bash
# SPDX-License-Identifier: MIT
# A real Prometheus scrapes the sidecar over TLS, with a certificate of its own and a password, and has what was
# recorded; it goes on while the sidecar's certificate is replaced, and says so when its password is not right any more.
PATH=$PATH:/usr/sbin
. "${PROMCB_SOURCE:?}/tests/e2e/tools_prelude.sh"
. "$PROMCB_SOURCE/tests/e2e/sidecar_prelude.sh"
for program in prometheus promtool htpasswd jq; do
  command -v $program >/dev/null || {
    echo "no $program"
    exit 77
  }
done

authority ours
leaf first ours 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n'
leaf second ours 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n'
leaf scraper ours 'extendedKeyUsage=clientAuth\n'
install() { # NAME: the sidecar's certificate
  for kind in key pem; do
    cp "$scratch/$1.$kind" "$scratch/new" && mv "$scratch/new" "$scratch/server.$kind" || fail "install $1"
  done
}
allow() { # PASSWORD: of the user scraper
  cat >"$scratch/new" <<YAML
tls_server_config:
  cert_file: server.pem
  key_file: server.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ours.pem
basic_auth_users:
  scraper: $(htpasswd -nbBC 5 scraper "$1" | cut -d: -f2)
YAML
  mv "$scratch/new" "$scratch/web.yml"
}
install first
allow secret
"$sidecar" --web.listen-address=127.0.0.1:0 --web.config.file="$scratch/web.yml" 2>"$scratch/log" &
background=$!
listening() {
  port=$(sed -n 's/.*msg=listening address=127\.0\.0\.1:\([0-9]*\).*/\1/p' "$scratch/log" | head -n 1)
  [ -n "$port" ] && return 0
  kill -0 "$background" 2>/dev/null || fail "it does not start: $(cat "$scratch/log")"
  return 1
}
await listening
curl -s -o /dev/null --cacert "$scratch/ours.pem" -u scraper:secret "https://127.0.0.1:$port/metrics" &&
  fail "an answer without a certificate"
code=$(curl -s -o /dev/null -w '%{http_code}' --cacert "$scratch/ours.pem" --cert "$scratch/scraper.pem" \
  --key "$scratch/scraper.key" "https://127.0.0.1:$port/metrics")
[ "$code" = 401 ] || fail "$code without a password"

# -- Prometheus
cat >"$scratch/prometheus.yml" <<YAML
global: { scrape_interval: 1s, scrape_timeout: 1s }
scrape_configs:
  - job_name: promcb
    scheme: https
    tls_config: { ca_file: ours.pem, cert_file: scraper.pem, key_file: scraper.key }
    basic_auth: { username: scraper, password: secret }
    static_configs: [{ targets: ['127.0.0.1:$port'] }]
YAML
promtool check config "$scratch/prometheus.yml" >"$scratch/out" 2>&1 || fail "$(cat "$scratch/out")"
queried=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
prometheus --config.file="$scratch/prometheus.yml" --storage.tsdb.path="$scratch/data" \
  --enable-feature=native-histograms --web.listen-address="127.0.0.1:$queried" >"$scratch/prometheus.log" 2>&1 &
prometheus=$!
trap 'kill $prometheus $background 2>/dev/null; wait; rm -rf "$scratch" "/dev/shm$PROMCB_SEGMENT"' EXIT

# answers QUERY VALUE: the one value that it has. says QUERY VALUE: before long.
answers() {
  local value
  value=$(curl -s --data-urlencode "query=$1" "http://127.0.0.1:$queried/api/v1/query" |
    jq -r '.data.result | if length == 1 then .[0].value[1] else "\(length) results" end' 2>/dev/null)
  [ "$value" = "$2" ]
}
says() {
  await answers "$1" "$2"
}
record_calls() { # component, number
  yes "$1 0.05 success" | head -n "$2" | "$tools/promcb-record" --stdin || fail "promcb-record"
}
record_calls payment_api 70
says 'up{job="promcb"}' 1
says 'circuit_breaker_calls_total{component="payment_api"}' 70
says 'histogram_count(circuit_breaker_call_duration_seconds{component="payment_api"})' 70

# -- Another certificate
install second
served() {
  openssl s_client -connect "127.0.0.1:$port" -cert "$scratch/scraper.pem" -key "$scratch/scraper.key" </dev/null \
    2>/dev/null | openssl x509 -noout -subject | grep -q -x "subject=CN = second"
}
await served
record_calls payment_api 30
says 'circuit_breaker_calls_total{component="payment_api"}' 100
says 'min_over_time(up{job="promcb"}[1m])' 1

# -- Another password
allow other
says 'up{job="promcb"}' 0
curl -s "http://127.0.0.1:$queried/api/v1/targets" | jq -r '.data.activeTargets[0].lastError' | grep -q 401 ||
  fail "Prometheus was not told that its password is wrong"
allow secret
says 'up{job="promcb"}' 1
kill -TERM "$background"
wait "$background" || fail "status $? at the end: $(tail -n 5 "$scratch/log")"
