#!/bin/bash
# SPDX-License-Identifier: MIT
# The images build where a build directory lies already: the commands of the Dockerfile's first two stages, but for the
# packages, on a copy of the project in which quickstart.sh seems to have run. The small one serves, as nobody and with
# nothing else to be seen, what a pod's sidecar is told to serve. (No container engine is needed.)
. "${0%/*}/tools_prelude.sh"
. "$PROMCB_SOURCE/tests/style/files.sh"
command -v meson >/dev/null || { echo "meson is not installed"; exit 77; }

dockerfile=$PROMCB_SOURCE/tools/monitoring/Dockerfile
grep -q -x '/build' "$PROMCB_SOURCE/.dockerignore" || fail ".dockerignore lets build/ through"
# commands_of STAGE: what it runs.
commands_of() {
  awk -v wanted="$1" '/^FROM/ { stage = $NF } stage == wanted && /^RUN/ { inside = 1; sub(/^RUN /, "") }
    stage == wanted && inside { print; if (!/\\$/) inside = 0 }' "$dockerfile"
}
grep -q 'meson setup' <<<"$(commands_of build)" || fail "no meson setup in the Dockerfile"
# Whatever the .dockerignore does, a directory with a name that was configured elsewhere is met.
mkdir -p "$scratch/src/build/meson-private" "$scratch/out"
(cd "$PROMCB_SOURCE" && project_files | tar -c -T - | tar -x -C "$scratch/src") || fail "copy"
touch "$scratch/src/build/build.ninja" "$scratch/src/build/meson-private/coredata.dat"
for stage in build bare; do
  commands_of $stage | sed -e 's|^tools/packages.sh build|true|' -e "s|/build\b|$scratch/build|g" \
    -e "s|/out\b|$scratch/out|g" -e "s|/bare\b|$scratch/bare|g" >"$scratch/commands"
  (cd "$scratch/src" && sh -e "$scratch/commands") >"$scratch/log" 2>&1 || fail "$stage: $(tail -n 20 "$scratch/log")"
done
for program in promcb-sidecar promcb-export promcb-top promcb-demo; do
  [ -x "$scratch/out/usr/local/bin/$program" ] || fail "no $program in the image"
done
# What the image starts.
command=$(sed -n 's/^CMD \["\([a-z-]*\)".*/\1/p' "$dockerfile")
"$scratch/out/usr/local/bin/$command" --version >/dev/null || fail "$command does not start"

# -- From scratch -----------------------------------------------------------------------------------------------------
kilobytes=$(du -sk "$scratch/bare" | cut -f 1)
echo "the small image: $kilobytes kB"
[ "$kilobytes" -lt 20000 ] || fail "the small image has $kilobytes kB"
entry=$(sed -n 's/^ENTRYPOINT \["\(.*\)"\]/\1/p' "$dockerfile")
if [ "$(id -u)" != 0 ] || ! unshare --mount true 2>/dev/null; then
  echo "not root: the small image was not started"
  exit 0
fi
# A volume of the group that the pod has, and an application of another user in it, as application and sidecar share it.
volume=/dev/shm${PROMCB_SEGMENT}_volume
trap '[ -z "$background" ] || kill -KILL "$background" 2>/dev/null; rm -rf "$scratch" "$volume"' EXIT
mkdir "$volume" && chgrp 65534 "$volume" && chmod 2777 "$volume"
chmod 755 "$scratch" "$scratch/out" && mkdir -p "$scratch/bare/run/promcb"
setpriv --reuid=1000 --regid=1000 --clear-groups env LD_LIBRARY_PATH="$scratch/out/usr/local/lib" \
  "$scratch/out/usr/local/bin/promcb-record" --segment="$volume/metrics" pod -- true || fail record
read -r port < <("${0%/*}/free_ports.py" 1)
pod=$PROMCB_SOURCE/tools/kubernetes
arguments=$(sed -n "s/^ *args: \[\(.*\)\]/\1/p" "$pod/component/sidecar.yaml" | tr -d "',")
[[ $arguments = *--segment=/run/promcb/metrics*:10042* ]] || fail "the pod's sidecar has other arguments: $arguments"
# shellcheck disable=SC2086
unshare --mount sh -c 'mount --bind "$1" "$2/run/promcb" && mount -o remount,bind,ro "$2/run/promcb" && dir=$2 &&
  shift 2 && exec chroot --userspec=65534:65534 "$dir" "$@"' sh "$volume" "$scratch/bare" "$entry" \
  ${arguments/:10042/127.0.0.1:$port} >"$scratch/log" 2>&1 &
background=$!
await curl -sf -o "$scratch/healthy" "http://127.0.0.1:$port/-/healthy"
curl -sf -o "$scratch/served" "http://127.0.0.1:$port/metrics" || fail "not served: $(cat "$scratch/log")"
grep -q -x 'circuit_breaker_calls_total{component="pod"} 1' "$scratch/served" || fail "$(head -n 30 "$scratch/served")"

# -- In a cluster -----------------------------------------------------------------------------------------------------
kubectl version --client 2>/dev/null | grep -q -i kustomize || { echo "there is no kubectl here"; exit 0; }
kubectl kustomize "$pod/example" >"$scratch/pods" || fail "kubectl kustomize"
for line in 'kind: Deployment' 'kind: PodMonitor' '- --segment=/run/promcb/metrics' 'path: /-/healthy' \
  'fsGroup: 65534' 'readOnlyRootFilesystem: true' 'medium: Memory' 'value: /run/promcb/metrics' \
  'promcb-sidecar: "true"'; do
  grep -q -F -e "$line" "$scratch/pods" || fail "no $line in $(cat "$scratch/pods")"
done
exit 0
