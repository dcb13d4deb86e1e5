#!/bin/bash
# SPDX-License-Identifier: MIT
# Every public header compiles alone, as C11 and C++11 and all since, strict and with what GNU adds, with gcc and clang;
# in C++ nothing hides a struct. The program in promcb.h compiles and runs, as C++, too.
set -u
cd "${PROMCB_SOURCE:-$(dirname "$0")/../..}" || exit 1
build=${PROMCB_BUILD:-build}
failed=0
warnings='-Wall -Wextra -Wpedantic -Wundef -Wcast-qual -Werror'

temporary=$(mktemp -d)
segment=/promcb-style-$$
trap 'rm -rf "$temporary" "/dev/shm$segment"' EXIT

# What a program may write, with each header: structs by their names alone in C++, too.
tags=$(sed -n 's/^\(struct\|enum\) \(promcb[a-z_]*\)\( {.*\|;.*\)\{0,1\}$/\1 \2/p' include/promcb/*.h | sort -u)
[ "$(wc -l <<<"$tags")" -ge 15 ] || { echo "only these structs and enums were found: $tags"; exit 1; }
use() { # LANGUAGE HEADER: a source
  local kind tag
  printf '#include <promcb/%s>\n#include <promcb/%s>\n' "$2" "$2"
  while read -r kind tag; do
    grep -qE "^$kind $tag\b" "include/promcb/$2" || continue
    if [ "$1" = c ]; then echo "extern $kind $tag *a_$tag;"; else echo "extern $tag *a_$tag;"; fi
  done <<<"$tags"
  case $2 in
  promcb.h | inline.h)
    echo 'int use(struct promcb_session *p); int use(struct promcb_session *p) {'
    [ "$1" = c ] && echo 'struct promcb_component *c;' || echo 'promcb_component *c;'
    echo 'return promcb_component(p, "name", &c); }'
    ;;
  esac
  [ "$1/$2" != c/breaker.h ] || {
    echo 'int use(struct promcb_breaker *b); int use(struct promcb_breaker *b) {'
    echo 'PROMCB_CALL(call, b); if (!call.allowed) return -1; call.outcome = PROMCB_SUCCESS; return 0; }'
  }
  [ "$2" != inline.h ] || {
    echo 'void inl(struct promcb_component *c);'
    echo 'void inl(struct promcb_component *c) { promcb_record_inline(c, 1, true);'
    echo 'promcb_record_at_inline(c, 1, true, 2); }'
  }
}

compiles() { # COMPILER LANGUAGE HEADER STANDARD...: with and without what GNU adds.
  local compiler=$1 language=$2 header=$3 standard gnu
  shift 3
  use "$language" "$header" >"$temporary/use.$language"
  for standard; do
    for gnu in "${features[@]}"; do
      # shellcheck disable=SC2086
      "$compiler" -std="$standard" $warnings $gnu -Iinclude -O2 -S -o "$temporary/use.s" -x "$language" \
        "$temporary/use.$language" || {
        echo "$header does not compile alone: $compiler -std=$standard $gnu"
        failed=1
        # Others would say the same.
        return
      }
    done
    # The symbol is C's, whatever C++ calls it.
    case $header in
    promcb.h | inline.h)
      grep -qw promcb_component "$temporary/use.s" && ! grep -q promcb_component_get "$temporary/use.s" || {
        echo "$header calls no promcb_component: $compiler -std=$standard"
        failed=1
      }
      ;;
    esac
  done
}
# known COMPILER LANGUAGE STANDARD...: those that it has heard of; none if it is not there.
known() {
  local compiler=$1 language=$2 standard
  shift 2
  for standard; do
    "$compiler" -std="$standard" -fsyntax-only -x "$language" /dev/null 2>/dev/null && printf '%s ' "$standard"
  done
}
features=("" -D_GNU_SOURCE -D_POSIX_C_SOURCE=200809L)
c_standards='c11 c17 c2x gnu11 gnu17'
cxx_standards='c++11 c++14 c++17 c++20 c++23 c++2b gnu++17'
compilers='gcc clang g++ clang++'
if [ -n "${PROMCB_QUICK-}" ]; then
  features=("")
  c_standards=c11
  cxx_standards=c++11
  compilers='gcc clang++'
fi
for compiler in $compilers; do
  [[ $compiler = *++ ]] && language=c++ standards=$cxx_standards || language=c standards=$c_standards
  # shellcheck disable=SC2086
  standards=$(known $compiler $language $standards)
  [ -n "$standards" ] || continue
  for header in include/promcb/*.h; do
    # shellcheck disable=SC2086
    compiles $compiler $language "${header##*/}" $standards
  done
  # Those that are C++ alone, of 2017 and later, need neither exceptions nor run-time type information.
  [ $language = c ] || for header in include/promcb/*.hpp; do
    echo "#include <promcb/${header##*/}>" | $compiler -x c++ -std=c++17 -fno-exceptions -fno-rtti -Wall -Wextra \
      -Wpedantic -Wshadow -Werror -Iinclude -fsyntax-only - || { echo "${header##*/}: $compiler"; failed=1; }
  done
done
[ $failed -eq 0 ] || exit 1

# The program is the first block of the header comment that is indented by five.
awk '/^ \*     #include <promcb/ { inside = 1 }
     inside && /^ \* [^ ]/ { exit }
     inside { sub(/^ \*( {5})?/, ""); lines = lines $0 "\n"; if ($0 != "") last = length(lines) }
     END { printf "%s", substr(lines, 1, last) }' include/promcb/promcb.h >"$temporary/program.c"
lines=$(wc -l <"$temporary/program.c")
if [ "$lines" -lt 10 ] || [ "$lines" -gt 20 ]; then
  echo "the program in promcb.h has $lines lines, 10 to 20 are expected"
  exit 1
fi
grep -q 'promcb_open(NULL, ' "$temporary/program.c" || { echo "the program in promcb.h names a segment"; exit 1; }
for compiler in "gcc -std=c11" "clang -std=c11" "g++ -std=c++11 -x c++" "clang++ -std=c++11 -x c++"; do
  [[ " $compilers " == *" ${compiler%% *} "* ]] && command -v ${compiler%% *} >/dev/null || continue
  rm -f "/dev/shm$segment"
  # In C++ a struct is known by its name alone.
  [[ $compiler != *++* ]] || sed -i 's/struct promcb_session/promcb_session/' "$temporary/program.c"
  $compiler $warnings -Iinclude -o "$temporary/program" "$temporary/program.c" -L"$build/lib" -lpromcb \
    -Wl,-rpath,"$build/lib" || { echo "the program in promcb.h does not compile with $compiler"; exit 1; }
  PROMCB_SEGMENT=$segment "$temporary/program" || { echo "the program in promcb.h failed: status $?"; exit 1; }
  calls=$("$build/tools/promcb-export" --segment="$segment" |
    awk '/^circuit_breaker_(calls|failures)_total[{]component="payment_api"[}]/ { printf "%s ", $2 }')
  if [ "$calls" != "1000 100 " ]; then
    echo "the program in promcb.h recorded \"$calls\": calls and failures, 1000 and 100, are expected"
    exit 1
  fi
done
