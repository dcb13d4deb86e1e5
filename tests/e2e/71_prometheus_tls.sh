#!/bin/bash
# SPDX-License-Identifier: MIT
# A real Prometheus scrapes the sidecar over TLS, with a client's certificate and a password, and has the numbers that
# were recorded; it goes on while the server's certificate, its authority and the client's are replaced. Without one of
# them it is told why not.
. "${0%/*}/tools_prelude.sh"
. "${0%/*}/sidecar_prelude.sh"
PATH=$PATH:/usr/sbin
for program in prometheus promtool htpasswd; do
  command -v $program >/dev/null || { echo "$program is not installed"; exit 77; }
done

record() { # component, calls, seconds, outcome
  yes "$1"$'\t'"$3"$'\t'"$4" | head -n "$2" | "$tools/promcb-record" --stdin || fail "promcb-record of $1"
}
record payment_api 75 0.05 success
record payment_api 25 0.2 failure
record 'shaky "one"' 2 0.001 502
"$tools/promcb-record" payment_api --state=open || fail "state"

authority ours
authority theirs
names='subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n'
leaf first ours "$names"
leaf second theirs "$names"
leaf scraper ours 'subjectAltName=DNS:scraper.example\nextendedKeyUsage=clientAuth\n'
leaf renewed theirs 'subjectAltName=DNS:scraper.example\nextendedKeyUsage=clientAuth\n'

# replace FILE SOURCE...: as a whole.
replace() {
  local file=$scratch/$1
  shift
  cat "${@/#/$scratch/}" >"$file.new" && mv "$file.new" "$file" || fail "replace $file"
}
replace server.pem first.pem
replace server.key first.key
replace clients.pem ours.pem
replace trusted.pem ours.pem theirs.pem
replace client.pem scraper.pem
replace client.key scraper.key
printf 'open sesame' >"$scratch/password"
cat >"$scratch/web.yml" <<CONF
tls_server_config:
  cert_file: server.pem
  key_file: server.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: clients.pem
  client_allowed_sans: [scraper.example]
basic_auth_users:
  prometheus: $(htpasswd -nbBC 10 x 'open sesame' | sed -n 's/^x://p')
CONF
promtool check web-config "$scratch/web.yml" >"$scratch/out" 2>&1 || grep -q client_allowed_sans "$scratch/out" ||
  fail "promtool: $(cat "$scratch/out")"
"$sidecar" --web.listen-address=127.0.0.1:0 --web.config.file="$scratch/web.yml" --log.level=debug 2>"$scratch/log" &
background=$!
listening() {
  kill -0 "$background" 2>/dev/null || fail "it does not start: $(cat "$scratch/log")"
  grep -q 'msg=listening' "$scratch/log"
}
await listening
port=$(sed -n 's/.*msg=listening address=127\.0\.0\.1:\([0-9]*\) tls=true.*/\1/p' "$scratch/log")

job() { # NAME PASSWORD-FILE [LINES OF tls_config...]
  cat <<CONF
  - job_name: $1
    scheme: https
    basic_auth: { username: prometheus, password_file: $scratch/$2 }
    static_configs: [{ targets: ['127.0.0.1:$port'] }]
    tls_config:
      ca_file: $scratch/trusted.pem
CONF
  shift 2
  [ $# -eq 0 ] || printf '      %s\n' "$@"
}
{
  printf 'global: { scrape_interval: 1s, scrape_timeout: 1s }\nscrape_configs:\n'
  certificate=("cert_file: $scratch/client.pem" "key_file: $scratch/client.key")
  job mcp_server password "${certificate[@]}"
  printf wrong >"$scratch/wrong"
  job wrong_password wrong "${certificate[@]}"
  job no_certificate password
} >"$scratch/prometheus.yml"
promtool check config "$scratch/prometheus.yml" >"$scratch/out" 2>&1 || fail "$(cat "$scratch/out")"

# It goes with the program that asks it.
cat >"$scratch/ask.py" <<'PYTHON'
import json, math, os, shutil, subprocess, sys, time, urllib.error, urllib.parse, urllib.request

scratch, recorder, port = sys.argv[1:]
address = "127.0.0.1:" + port
deadline = time.monotonic() + 120
prometheus = subprocess.Popen(
    ["prometheus", "--enable-feature=native-histograms", f"--config.file={scratch}/prometheus.yml",
     f"--storage.tsdb.path={scratch}/tsdb", f"--web.listen-address={address}", "--log.level=warn"],
    stdout=open(f"{scratch}/prometheus.log", "w"), stderr=subprocess.STDOUT)


def get(path, **arguments):
    try:
        url = f"http://{address}{path}?" + urllib.parse.urlencode(arguments)
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]
    except (urllib.error.URLError, ConnectionError):
        assert prometheus.poll() is None, "Prometheus does not run"
        return None


def instant(query):
    return {series["metric"].get("component", ""): float(series["value"][1])
            for series in (get("/api/v1/query", query=query) or {"result": []})["result"]}


def until(what, ask, right):
    while not right(answer := ask()):
        assert time.monotonic() < deadline, (what, answer)
        time.sleep(0.1)
    return answer


def expect(query, payment, shaky):
    wanted = {"payment_api": payment, 'shaky "one"': shaky}
    until(query, lambda: instant(query), lambda answer: answer.keys() == wanted.keys() and all(
        math.isclose(answer[name], wanted[name], rel_tol=1e-9) for name in wanted))


def targets():
    found = (get("/api/v1/targets") or {"activeTargets": []})["activeTargets"]
    return {target["scrapePool"]: (target["health"], target["lastError"], target["lastScrape"]) for target in found}


def scrapes():
    return instant('count_over_time(up{job="mcp_server"}[10m])').get("", 0)


def replace(name, *sources):
    with open(f"{scratch}/{name}.new", "wb") as out:
        for source in sources:
            with open(f"{scratch}/{source}", "rb") as file:
                shutil.copyfileobj(file, out)
    os.rename(f"{scratch}/{name}.new", f"{scratch}/{name}")


def go_on(what):
    """Five more scrapes, all of them good, after whatever was done."""
    before = scrapes()
    until(what, scrapes, lambda count: count >= before + 5)
    assert instant('min_over_time(up{job="mcp_server"}[10m])') == {"": 1}, (what, targets())


try:
    job = '{job="mcp_server"}'
    expect("circuit_breaker_calls_total" + job, 100, 2)
    expect("circuit_breaker_failure_rate" + job, 25, 100)
    expect("circuit_breaker_latency_seconds_sum" + job, 8.75, 0.002)
    expect("circuit_breaker_latency_seconds" + '{job="mcp_server",quantile="0.95"}', 0.2, 0.001)
    # The native histogram came through protobuf.
    expect("histogram_count(circuit_breaker_call_duration_seconds%s)" % job, 100, 2)
    expect('circuit_breaker_state{job="mcp_server",state="open"} + 1', 2, 1)
    refused = ("wrong_password", "no_certificate")
    # A client that goes on writing may meet a closed connection before it reads why.
    until("others", targets, lambda found: found and all(found[name][0] == "down" for name in refused) and
          "401" in found["wrong_password"][1] and "certificate" in found["no_certificate"][1])
    # Another server's certificate, of another authority: for new connections; the one that is open stays.
    replace("server.key", "second.key")
    replace("server.pem", "second.pem")
    replace("clients.pem", "ours.pem", "theirs.pem")
    go_on("another certificate of the server")
    # The client's as well; a changed file of authorities makes Prometheus connect anew.
    replace("client.key", "renewed.key")
    replace("client.pem", "renewed.pem")
    replace("trusted.pem", "theirs.pem")
    go_on("another authority")
    # Clients of the authority that is no more are refused from now on; this one is not.
    replace("clients.pem", "theirs.pem")
    go_on("another authority of clients")
    subprocess.run([recorder, "payment_api", "--latency=0.2", "--failure"], check=True)
    expect("circuit_breaker_calls_total" + job, 101, 2)
    print("scrapes:", scrapes(), "others:", {name: target[1] for name, target in targets().items()})
finally:
    prometheus.terminate()
    prometheus.wait()
PYTHON
timeout -k 5 600 /usr/bin/python3 "$scratch/ask.py" "$scratch" "$tools/promcb-record" "$("${0%/*}/free_ports.py" 1)" ||
  fail "as told above; $(tail -n 3 "$scratch/prometheus.log" "$scratch/log")"
subject() { # NAME: of the client
  openssl s_client -connect "127.0.0.1:$port" -servername localhost -cert "$scratch/$1.pem" -key "$scratch/$1.key" \
    -CAfile "$scratch/theirs.pem" </dev/null >"$scratch/out" 2>&1
  grep -q 'Verify return code: 0' "$scratch/out" && openssl x509 -noout -subject -nameopt RFC2253 <"$scratch/out"
}
[ "$(subject renewed)" = 'subject=CN=second' ] || fail "not the second certificate: $(cat "$scratch/out")"
succeeds curl -s -o /dev/null --cacert "$scratch/theirs.pem" --cert "$scratch/scraper.pem" \
  --key "$scratch/scraper.key" \
  -u 'prometheus:open sesame' "https://127.0.0.1:$port/metrics" && fail "a client of an authority that is no more"
matches -q -F -e 'open sesame' "$scratch/log" && fail "secrets in the log"
end
