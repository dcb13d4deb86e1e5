#!/bin/bash
# SPDX-License-Identifier: MIT
# Completions of bash, zsh and fish, as installed and in a terminal: each option that --help has and no other, values
# that the programs take, segments and components that there are, and the command line after "--".
. "${0%/*}/tools_prelude.sh"
for program in meson python3 jq; do
  command -v $program >/dev/null || { echo "$program is not installed"; exit 77; }
done
DESTDIR=$scratch/root meson install -C "$PROMCB_BUILD" --no-rebuild --quiet >"$scratch/out" 2>&1 ||
  fail "meson install: $(cat "$scratch/out")"
share=$(find "$scratch/root" -type d -name bash-completion) share=${share%/*}
export PATH=${share%/*}/bin:$PATH
cd "$scratch" || exit 1
# A shell wakes the programs that it asks by SIGCONT. That undoes the SIGSTOP with which the leak check of
# AddressSanitizer holds a process at its end, which then waits for ever.
export ASAN_OPTIONS="${ASAN_OPTIONS-}:detect_leaks=0"

for component in GET_/api/:id GET_/home POST_/home 'two words'; do
  promcb-record "$component" --success || fail record
done

# What is asked, and what must be offered, one on each line with commas between.
declare -A wanted
for program in promcb-export promcb-record promcb-sidecar promcb-top 'promcb-admin breaker' 'promcb-admin create' \
  'promcb-admin info' 'promcb-admin forget' 'promcb-admin list' 'promcb-admin remove' 'promcb-admin reset'; do
  # A value goes without being asked for it, where it may be left out.
  wanted["$program --"]=$($program --help | grep -oE '^ {2,6}(-., )?--[a-z.-]+' | grep -oE -e '--[a-z.-]+' | sort |
    paste -s -d, -)
done
wanted['promcb-admin ']=breaker,create,forget,info,list,remove,reset
wanted['promcb-admin re']=remove,reset
wanted['promcb-admin breaker ']=force,reset,set,show,trip
wanted['promcb-admin breaker trip P']=POST_/home
wanted['promcb-admin breaker force POST_/home ']=automatic,closed,open,shadow
wanted['promcb-admin breaker set POST_/home open']=open=,open_max=
wanted['promcb-admin breaker --format=']=json,text
wanted["promcb-export --segment=$PROMCB_SEGMENT"]=$PROMCB_SEGMENT
wanted["promcb-sidecar --segment $PROMCB_SEGMENT"]=$PROMCB_SEGMENT
wanted['promcb-export --match=GET_']=GET_/api/:id,GET_/home
wanted['promcb-admin forget P']=POST_/home
wanted['promcb-admin reset ']='GET_/api/:id,GET_/home,POST_/home,two words'
wanted["promcb-admin reset --segment=$PROMCB_SEGMENT GET_/api/:"]=GET_/api/:id
wanted['promcb-record P']=POST_/home
wanted['promcb-record x -- promcb-exp']=promcb-export
wanted['promcb-record x -- promcb-export --format=j']=json
wanted['promcb-export --format ']=health,json,metrics,openmetrics,protobuf,text
wanted['promcb-admin info --format=']=json,text
wanted['promcb-record x --sta']=--state
printf '%s\n' "${!wanted[@]}" | sort >"$scratch/lines"

# The values of all options that have some, each of which the program takes.
values=('promcb-export --format=' 'promcb-export --compat=' 'promcb-export --classic-schema='
  'promcb-export --classic-range=' 'promcb-admin info --format=' 'promcb-record x --state=' 'promcb-record x --log='
  'promcb-record x --success --latency=1 --unit='
  'promcb-record --stdin --format=' 'promcb-record --stdin --failure=' 'promcb-admin create --schema='
  'promcb-admin create --window=' 'promcb-admin create --mode=' 'promcb-sidecar --log.level='
  'promcb-sidecar --web.telemetry-path=' 'promcb-top --format=' 'promcb-top --sort=' 'promcb-top --window='
  'promcb-top --color=')
printf '%s\n' "${values[@]}" >>"$scratch/lines"

tried=
for shell in bash zsh fish; do
  command -v $shell >/dev/null || { echo "$shell is not installed: left out"; continue; }
  tried=yes
  python3 "$PROMCB_SOURCE/tests/e2e/28_completions.py" $shell "$share" <"$scratch/lines" >"$scratch/offered" \
    2>"$scratch/err" || fail "$shell: $(cat "$scratch/err")"
  while IFS= read -r line && IFS= read -r offered <&3; do
    # As the word at the end is told, with or without what came before "=", and with "=" or without where one follows.
    mapfile -t got < <(jq -r '.[]' <<<"$offered" | sed -E 's/^(--[a-z.-]+)=$/\1/' | sort -u)
    want=${wanted[$line]-}
    if [ -n "$want" ]; then
      # Without the package bash-completion, bash knows no commands within commands.
      [ "$shell:$want" != bash:json ] || [ -e /usr/share/bash-completion/bash_completion ] || continue
      mapfile -t got < <(printf '%s\n' "${got[@]}" | sed -E 's/^--[a-z.-]+=//' | sort -u)
      [ "$(IFS=,; echo "${got[*]}")" = "$(tr , '\n' <<<"$want" | sort | paste -s -d, -)" ] ||
        fail "$shell: \"$line\": $(IFS=,; echo "${got[*]}"), not $want"
      continue
    fi
    [ -n "${got[0]-}" ] || fail "$shell: \"$line\": no value"
    for value in "${got[@]}"; do
      option=${line##* }
      read -r -a command <<<"${line% *} $option${value#"$option"}"
      # With an argument that none takes, they end before they do anything, with another message.
      "${command[@]}" --nonsense </dev/null >"$scratch/out" 2>&1
      grep -q -e 'unrecognized option.*--nonsense' "$scratch/out" && ! grep -q 'invalid\|unknown' "$scratch/out" ||
        fail "$shell: ${command[*]}: $(head -n 2 "$scratch/out")"
    done
  done <"$scratch/lines" 3<"$scratch/offered"
  [ "$(wc -l <"$scratch/offered")" = "$(wc -l <"$scratch/lines")" ] || fail "$shell: lines without an answer"
done
[ -n "$tried" ] || { echo "neither zsh nor fish is installed"; exit 77; }
exit 0
