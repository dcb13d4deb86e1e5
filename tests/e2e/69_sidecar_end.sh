#!/bin/bash
# SPDX-License-Identifier: MIT
# At SIGTERM, whoever has come is answered, whole, and whoever comes then is refused; with hardly a descriptor left,
# silent clients keep no scraper out.
. "${0%/*}/tools_prelude.sh"
. "${0%/*}/sidecar_http.sh"
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }

awk 'BEGIN { for (i = 0; i < 800; i++) print "component_" i, "0.01", "success" }' | "$tools/promcb-record" --stdin ||
  fail record
cat >"$scratch/scrape.py" <<'PYTHON'
import os, re, signal, socket, sys, threading, time

port, pid = int(sys.argv[1]), int(sys.argv[2])
REQUEST = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
answers, refused, wrong = [], [], []


def read(client):
    data = b""
    while more := client.recv(65536):
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
    assert head.startswith(b"HTTP/1.1 200") and len(body) == length, (head, len(body))


def scrape():
    while True:
        try:
            client = socket.create_connection(("127.0.0.1", port), timeout=20)
        except ConnectionRefusedError:
            refused.append(1)
            return
        except OSError as error:
            wrong.append(error)
            return
        try:
            client.sendall(REQUEST)
            read(client)
            answers.append(1)
        except (OSError, AssertionError, TypeError) as error:
            wrong.append(error)
            return
        finally:
            client.close()


# One that reads slowly, and has not had half of its answer.
slow = socket.socket()
slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
slow.connect(("127.0.0.1", port))
slow.settimeout(20)
slow.sendall(REQUEST)
threads = [threading.Thread(target=scrape) for _ in range(8)]
for thread in threads:
    thread.start()
# In the middle of it, however long that takes.
deadline = time.monotonic() + 30
while len(answers) <= 12 and time.monotonic() < deadline:
    time.sleep(0.01)
os.kill(pid, signal.SIGTERM)
read(slow)
for thread in threads:
    thread.join()
print(f"{len(answers)} answers, then {len(refused)} refusals; wrong: {wrong}")
# A connection of the kernel's that comes between the last look and the end of the socket is nobody's.
assert len(wrong) <= 1 and all(isinstance(error, ConnectionResetError) for error in wrong)
assert len(answers) > 8 and len(refused) >= 7
PYTHON
for _ in $(seq "$(scaled 3)"); do
  start --web.share-ms=0 --web.max-requests=0 --log.level=info
  timeout 300 python3 "$scratch/scrape.py" "$port" "$background" || fail "as told above; log: $(cat "$scratch/log")"
  wait "$background" || fail "exit $? at the end: $(tail -n 30 "$scratch/log")"
  background=
done

for limit in 20 32 64; do
  [ -z "${PROMCB_QUICK-}" ] || [ $limit = 20 ] || continue
  : >"$scratch/log"
  (ulimit -n $limit && exec "$sidecar" --web.listen-address=127.0.0.1:0) 2>"$scratch/log" &
  background=$!
  await listening
  port=$(sed -n 's/.*msg=listening address=127\.0\.0\.1:\([0-9]*\).*/\1/p' "$scratch/log")
  timeout 300 python3 - "$port" <<'PYTHON' || fail "as told above; log: $(cat "$scratch/log")"
import socket, sys, time, urllib.request

port = int(sys.argv[1])
silent = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(100)]
start = time.monotonic()
for _ in range(3):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        assert b"\npromcb_up 1\n" in answer.read()
print(f"three scrapes beside 100 silent clients in {time.monotonic() - start:.2f} s")
PYTHON
  grep -q 'allows fewer connections' "$scratch/log" || fail "the log says nothing: $(cat "$scratch/log")"
  stop
done
