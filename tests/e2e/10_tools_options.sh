#!/bin/bash
# SPDX-License-Identifier: MIT
# Every tool prints its usage and its version; a wrong option is one hint, exit 2 or 125, and no segment.
. "$(dirname "$0")/tools_prelude.sh"

for tool in promcb-export promcb-record promcb-admin; do
  "$tools/$tool" --help >"$scratch/help" 2>&1 || fail "$tool --help"
  grep -q "^Usage: $tool" "$scratch/help" || fail "$tool --help says no usage"
  grep -q -e "--segment" "$scratch/help" || fail "$tool --help says nothing of --segment"
  "$tools/$tool" -h | cmp -s - "$scratch/help" || fail "$tool -h is not --help"
  "$tools/$tool" --usage >"$scratch/help" 2>&1 || fail "$tool --usage"
  version=$("$tools/$tool" --version) || fail "$tool --version"
  [[ $version =~ ^$tool\ [0-9]+\.[0-9]+\.[0-9]+\ \(([0-9a-f]{12}|unknown)\)$ ]] || fail "$tool --version says $version"
done
for command in breaker create forget info list remove reset; do
  "$tools/promcb-admin" $command --help >"$scratch/help" 2>&1 || fail "$command --help"
  grep -q "^Usage: promcb-admin $command" "$scratch/help" || fail "$command --help says no usage"
  [ "$("$tools/promcb-admin" $command --version)" = "$("$tools/promcb-admin" --version)" ] ||
    fail "$command --version"
done

# The commit is the one that metrics name, too.
"$tools/promcb-record" x --log=info || fail record
commit=$("$tools/promcb-export" | sed -n 's/^promcb_build_info{.*revision="\([^"]*\)".*/\1/p')
[ "$("$tools/promcb-admin" -V)" = "promcb-admin $("$tools/promcb-export" |
  sed -n 's/^promcb_build_info{.*version="\([^"]*\)".*/\1/p') ($commit)" ] || fail "-V: not $commit"
"$tools/promcb-admin" remove || fail remove

"$tools/top/promcb-top" --help >"$scratch/help" && grep -q "^Usage: promcb-top" "$scratch/help" ||
  fail "promcb-top --help"
"$tools/top/promcb-top" -h | cmp -s - "$scratch/help" || fail "promcb-top -h is not --help"

wanted=2
refused() {
  local said=$1 status
  shift
  "$tools/$@" >"$scratch/out" 2>"$scratch/err" </dev/null
  status=$?
  [ $status = $wanted ] || fail "$*: exit $status, not $wanted"
  filled "$scratch/out" && fail "$*: wrote to standard output"
  grep -q -F -e "$said" "$scratch/err" || fail "$*: does not say $said: $(cat "$scratch/err")"
  grep -q -e "--help" "$scratch/err" || fail "$*: no hint to --help"
  [ -e "/dev/shm$PROMCB_SEGMENT" ] && fail "$*: made a segment"
  return 0
}

refused "unrecognized option" promcb-export --nonsense
refused 'unknown format "yaml"' promcb-export --format=yaml
refused "unexpected argument" promcb-export something
refused "all" promcb-export --compat=all
for prefix in "" a_ 0a __a promcb a-b; do
  refused "invalid --prefix" promcb-export "--prefix=$prefix"
done
for interval in 0 -1 nan inf 1s 1e99 0.0001 ""; do
  refused "invalid interval" promcb-export "--interval=$interval"
done
refused "cannot be combined" promcb-export --check --list-segments
refused "--check" promcb-export --check --interval=1
refused "--check" promcb-export --check --output="$scratch/x"

for option in --interval=0 --interval=1s --window=7 --sort=size --color=blue --format=yaml --count=0; do
  refused "${option#--*=}" top/promcb-top $option
done
refused "unexpected argument" top/promcb-top one two
refused "cannot be combined" top/promcb-top --segment=/x file

refused "no component" promcb-record
refused "nothing to record" promcb-record component
refused "nothing to record" promcb-record component --
wanted=125
refused "unrecognized option" promcb-record --nonsense component -- true
refused "a command cannot be combined" promcb-record component --log=error -- true
refused "--latency" promcb-record component --failure -- true
refused "unexpected argument" promcb-record -- component true
wanted=2
refused "unexpected argument" promcb-record component true
refused "--success or --failure" promcb-record component --latency=1
refused "require --stdin" promcb-record component --failure=5xx
refused "require --stdin" promcb-record component --names-with-blanks --success
refused "invalid unit" promcb-record component --latency=1 --unit=min --success
refused "--unit requires" promcb-record component --unit=ms --success
refused "invalid --failure" promcb-record --stdin --failure=5xx,teapot
refused "cannot be combined" promcb-record component --latency=1 --success --failure
for latency in -1 nan inf -inf 1,5 0x10 1s "" " 1" 1e e5 .; do
  refused "invalid latency" promcb-record component "--latency=$latency" --success
done
refused "unknown state" promcb-record component --state=ajar
refused "unknown log level" promcb-record component --log=fatal
refused "unknown type of error" promcb-record component --error=fatal
refused "--stdin" promcb-record --stdin component
refused "--stdin" promcb-record --stdin --log=error

refused "no command" promcb-admin
refused "unknown command" promcb-admin destroy
for age in "" 0s 30 1.5d; do
  refused "invalid --hide-idle" promcb-export "--hide-idle=$age"
done
refused "NAME or --idle" promcb-admin forget
refused "NAME or --idle" promcb-admin forget component --idle=1d
refused "one name at a time" promcb-admin forget one two
for age in "" 30 d -1d 1.5d 30x 1d1 101000w 99999999999999999999d; do
  refused "invalid --idle" promcb-admin forget "--idle=$age"
done
refused "COMPONENT or --all" promcb-admin reset
refused "COMPONENT or --all" promcb-admin reset component --all
refused "one component at a time" promcb-admin reset one two
refused "unexpected argument" promcb-admin info something
refused 'unknown format "yaml": expected text or json' promcb-admin info --format=yaml
refused "unexpected argument" promcb-admin list something
refused "go with --components" promcb-admin list --segment=/promcb
refused "go with --components" promcb-admin list --match=x
refused "unexpected argument" promcb-admin remove something
refused "unexpected argument" promcb-admin create something
for size in 0 -1 1T 1KB K "" 999999999999999999999 1.5M; do
  refused "invalid --max-bytes" promcb-admin create "--max-bytes=$size"
done
refused "1 to 65000" promcb-admin create --components=65001
refused "1 to 65000" promcb-admin create --components=0
refused "1 to 1024" promcb-admin create --lanes=1025
refused "32 to 65536" promcb-admin create --recent-samples=31
refused "3 to 5" promcb-admin create --schema=6
refused "--window" promcb-admin create --window=0
refused "--window" promcb-admin create --window=always
for mode in 0 8 0400 01777 rw 0640x; do
  refused "invalid --mode" promcb-admin create "--mode=$mode"
done
refused "unknown owner" promcb-admin create --owner=no_such_user_at_all
refused "unknown group" promcb-admin create --group=no_such_group_at_all
exit 0
