# SPDX-License-Identifier: MIT
# For tests with producers that do as they are told (steady.c), after tools_prelude.sh. A producer is known by a name
# without blanks; what it said last is in $answer. All are gone when the test is.
steady=$PROMCB_BUILD/tests/e2e_steady
mounts=()
names=()
declare -A pid_of input_of output_of

# start NAME COMMAND...: a producer, or a command that becomes one.
start() {
  local name=$1 in out
  shift
  mkfifo "$scratch/$name.in" "$scratch/$name.out" || fail "mkfifo"
  "$@" <"$scratch/$name.in" >"$scratch/$name.out" 2>"$scratch/$name.err" &
  pid_of[$name]=$!
  names+=("$name")
  exec {in}>"$scratch/$name.in" {out}<"$scratch/$name.out"
  input_of[$name]=$in output_of[$name]=$out
}

# tell NAME COMMAND: has it done, and $answer.
tell() {
  answer=
  echo "$2" >&"${input_of[$1]}" || fail "$1 is gone: $(cat "$scratch/$1.err")"
  read -r -t 60 answer <&"${output_of[$1]}" || fail "$1 says nothing to \"$2\": $(cat "$scratch/$1.err")"
  [[ $answer == recorded* ]] || fail "$1 to \"$2\": $answer"
}

# Those that come of a process, the last first: the producer is the child of what makes its namespaces.
descendants() {
  local child
  for child in $(pgrep -P "$1"); do
    descendants "$child"
    echo "$child"
  done
}

# kill_producer NAME: by SIGKILL.
kill_producer() {
  # shellcheck disable=SC2046
  kill -KILL $(descendants "${pid_of[$1]}") "${pid_of[$1]}" 2>/dev/null
  wait "${pid_of[$1]}" 2>/dev/null
  forget "$1"
}

# finish NAME: has it end. (Its input would not: later producers have inherited it.)
finish() {
  local status
  echo quit >&"${input_of[$1]}"
  wait "${pid_of[$1]}"
  status=$?
  forget "$1"
  [ $status = 0 ] || fail "$1 ended with $status: $(cat "$scratch/$1.err")"
}

forget() {
  unset "pid_of[$1]"
  rm -f "$scratch/$1.in" "$scratch/$1.out"
}

# number KEY: of promcb-admin info.
number() {
  "$tools/promcb-admin" info | sed -n "s/^$1  *\([0-9]*\).*/\1/p"
}

# used_bytes: the memory of the segment.
used_bytes() {
  "$tools/promcb-admin" info | sed -n 's/^memory used .*(\([0-9]*\) bytes)/\1/p'
}

# counted SERIES HISTOGRAMS: whether what producers were told to count of so many is all there, be it as "_overflow" or
# dropped, and nothing twice: 70 of each.
counted() {
  "$tools/promcb-export" >"$scratch/counted" || fail "export"
  awk -v adds=$(($1 * 70)) -v observations=$(($2 * 70)) '
    /^steady_total\{/ { added += $NF }
    /^steady_size_count\{/ { observed += $NF }
    /^promcb_dropped_values_total / { dropped += $NF }
    END {
      if (added + observed + dropped == adds + observations && added <= adds && observed <= observations)
        exit 0
      printf "%d of %d adds, %d of %d observations, %d dropped\n", added, adds, observed, observations, dropped
      exit 1
    }' "$scratch/counted"
}

# mounted OPTIONS... DIRECTORY: mounts, and unmounts at the end.
mounted() {
  mount "$@" 2>"$scratch/mount.err" || return 1
  mounts+=("${!#}")
}

at_end() {
  local name i
  for name in "${names[@]}"; do
    [ -z "${pid_of[$name]-}" ] || kill_producer "$name"
  done
  for ((i = ${#mounts[@]} - 1; i >= 0; i--)); do
    umount -l "${mounts[i]}"
  done
}
trap 'at_end
  rm -rf "$scratch" "/dev/shm$PROMCB_SEGMENT" "/dev/shm${PROMCB_SEGMENT}_bad"' EXIT

# need_root: skips the test without.
need_root() {
  [ "$(id -u)" = 0 ] && return
  echo "needs root, for namespaces and file systems of its own"
  exit 77
}
