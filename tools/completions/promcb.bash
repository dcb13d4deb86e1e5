# SPDX-License-Identifier: MIT
# Completion of promcb's programs for bash: options as --help has them, and the segments and components that there are.

# _promcb_options PROGRAM [COMMAND]: one a line, those that want a value with "=" at the end.
_promcb_options() {
  "$@" --help 2>/dev/null | sed -n -e 's/^ \{2,6\}\(-., \)\{0,1\}\(--[a-z][a-z0-9.-]*=\).*/\2/p' -e t \
    -e 's/^ \{2,6\}\(-., \)\{0,1\}\(--[a-z][a-z0-9.-]*\).*/\2/p'
}

# _promcb_values PROGRAM COMMAND OPTION SEGMENT: what an option's value may be, one a line; files: a word that says so.
_promcb_values() {
  local admin=promcb-admin
  [[ $1 != */* ]] || admin=${1%/*}/promcb-admin
  case ${1##*/}/$2/$3 in
  */--segment | */-s) "$admin" list 2>/dev/null | sed -n 's/^usable\t//p' && echo /FILES/ ;;
  */--match | */-m | promcb-admin/forget/ | promcb-admin/reset/ | promcb-record//)
    "$admin" list --components ${4:+--segment="$4"} 2>/dev/null
    ;;
  promcb-admin/breaker/) printf '%s\n' show set force trip reset ;;
  promcb-admin/breaker:*/) "$admin" list --components ${4:+--segment="$4"} 2>/dev/null ;;
  promcb-admin/breaker-force/) printf '%s\n' automatic open closed shadow ;;
  promcb-admin/breaker-set/)
    printf '%s=\n' failure_rate slow_rate slow consecutive min_calls window open open_max jitter probes successes \
      failures lease mode version
    ;;
  promcb-admin/breaker/--format | promcb-admin/breaker/-f | promcb-admin/info/--format | promcb-admin/info/-f)
    printf '%s\n' text json
    ;;
  promcb-export/*/--format | promcb-export/*/-f) printf '%s\n' text openmetrics protobuf json metrics health ;;
  promcb-top/*/--format | promcb-top/*/-f) printf '%s\n' text json ;;
  promcb-top/*/--sort) printf '%s\n' trouble failed calls p99 name ;;
  promcb-top/*/--window) printf '%s\n' 1 10 60 600 all ;;
  promcb-top/*/--color) printf '%s\n' auto never always ;;
  promcb-top//) echo /FILES/ ;;
  */--compat) printf '%s\n' python none ;;
  */--classic-schema) printf '%s\n' 0 1 2 3 ;;
  */--classic-range) printf '%s\n' 1us:100ms 1ms:10s 1s:1024s ;;
  promcb-record/*/--failure) printf '%s\n' 5xx 5xx,499 000,5xx,429,499 ;;
  promcb-record/*/--state) printf '%s\n' closed open half_open ;;
  promcb-record/*/--log) printf '%s\n' debug info warning error ;;
  promcb-record/*/--error) printf '%s\n' timeout refused reset rejected invalid canceled exhausted other ;;
  promcb-record/*/--unit) printf '%s\n' s ms us ns ;;
  promcb-record/*/--format) printf '%s\n' lines nginx apache haproxy json ltsv statsd ;;
  promcb-sidecar/*/--log.level) printf '%s\n' debug info warn error ;;
  promcb-sidecar/*/--web.telemetry-path) echo /metrics ;;
  promcb-admin/create/--schema) printf '%s\n' 3 4 5 ;;
  promcb-admin/create/--window) printf '%s\n' any 60 600 3600 ;;
  promcb-admin/create/--mode) printf '%s\n' 0600 0640 0644 0660 0664 0666 ;;
  */--user | promcb-admin/create/--owner) compgen -u ;;
  promcb-admin/create/--group) compgen -g ;;
  */--output | */-o | */--web.config.file | */--map | */--socket | promcb-top/*/--record) echo /FILES/ ;;
  esac
}

_promcb() {
  local program=$1 current= before= option= command= segment= word line i said=()
  # "=" and ":" end words for readline, but not for the programs: what touches the cursor is put together again.
  for ((i = COMP_CWORD; i > 0; i--)); do
    word=${COMP_WORDS[i]}
    [[ $i = "$COMP_CWORD" || $word =~ ^[=:]+$ || ${COMP_WORDS[i + 1]} =~ ^[=:] ]] || break
    current=$word$current
  done
  before=${COMP_WORDS[i]}
  # What was said before: a command of promcb-admin, a segment, a program to run.
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    case $word in
    --)
      # A name may come after a "--" of its own; with a component before it, what follows is a command line.
      if [[ ${program##*/} = promcb-record && -n $command ]]; then
        _promcb_command_line $((i + 1))
        return
      fi
      ;;
    --segment | -s)
      [[ ${COMP_WORDS[i + 1]-} = = ]] && ((i++))
      segment=${COMP_WORDS[++i]-}
      ;;
    -* | [=:]*) ;;
    *)
      [[ ${COMP_WORDS[i - 1]} = [=:]* ]] || said+=("$word")
      command=${said[0]-}
      ;;
    esac
  done
  case $current in
  --*=*)
    option=${current%%=*}
    current=${current#*=}
    ;;
  -*)
    if [[ ${program##*/} = promcb-admin && -n $command ]]; then
      mapfile -t COMPREPLY < <(compgen -W "$(_promcb_options "$program" "$command")" -- "$current")
    else
      mapfile -t COMPREPLY < <(compgen -W "$(_promcb_options "$program")" -- "$current")
    fi
    [[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace
    return
    ;;
  *)
    case $before in
    -[fimos] | --format | --interval | --match | --output | --segment | --compat | --prefix | --classic-* | --unit | \
      --state | --log | --error | --sort | --color | --count | --record | --log.level | --web.* | --user | --schema | \
      --window | --mode | --owner | --group) option=$before ;;
    esac
    ;;
  esac
  if [[ -z $option && ${program##*/} = promcb-admin && -z $command ]]; then
    mapfile -t COMPREPLY < <(compgen -W 'breaker create forget info list remove reset' -- "$current")
    return
  fi
  [[ -n $option || ${program##*/} = promcb-admin || -z $command ]] || return 0
  if [[ ${program##*/} != promcb-admin ]]; then command=; fi
  # Of promcb-admin breaker: a word, a component, and what the word takes.
  if [[ -z $option && $command = breaker ]]; then
    case ${#said[@]} in
    1) ;;
    2) command=breaker:component ;;
    *) command=breaker-${said[1]} ;;
    esac
    [[ $command != breaker-set || $current = *=* ]] || compopt -o nospace
  fi
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line = /FILES/ ]]; then
      compopt -o filenames
      while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$current")
    elif [[ $line = "$current"* ]]; then
      printf -v word %q "$line"
      COMPREPLY+=("$word")
    fi
  done < <(_promcb_values "$program" "$command" "$option" "$segment")
  # readline replaces what comes after the last "=" or ":" alone.
  if [[ $current = *[:=]* && ${COMP_WORDBREAKS-} = *:* ]]; then
    word=${current%"${current##*[:=]}"}
    COMPREPLY=("${COMPREPLY[@]#"$word"}")
  fi
}

# _promcb_command_line OFFSET: as if the line began there.
_promcb_command_line() {
  if declare -F _command_offset >/dev/null; then
    _command_offset "$1"
  elif ((COMP_CWORD == $1)); then
    mapfile -t COMPREPLY < <(compgen -c -- "${COMP_WORDS[COMP_CWORD]}")
  else
    compopt -o default
    COMPREPLY=()
  fi
}

complete -F _promcb promcb-admin promcb-export promcb-record promcb-sidecar promcb-top
