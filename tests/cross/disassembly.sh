#!/bin/bash
# SPDX-License-Identifier: MIT
#
# disassembly.sh CPU OBJDUMP LIBRARY
#
# What the compiler made of the orders that the source asks for. The record path has none: on x86-64 no locked
# instruction, no fence and no call, on aarch64 no exclusive, ordered or atomic access either, but for one load after a
# run of calls. The other sides of the pairs of lib/format/layout.h, and of those within a process, have on aarch64 the
# instructions that C11's orders need there: a release store is stlr, an acquire load ldar (or ldapr), a compare-and-
# swap stlxr, casal, or the helper that chooses between the two.
set -u
cpu=$1
objdump=$2
library=$3
failed=0

command -v "$objdump" >/dev/null || {
  echo "there is no $objdump"
  exit 77
}
listing=$(mktemp)
trap 'rm -f "$listing"' EXIT
# A line per instruction: function, instruction. What the compiler split off or copied counts as the function's own.
"$objdump" -d --no-show-raw-insn "$library" | awk '
/^[0-9a-f]+ <.*>:$/ { name = $2; gsub(/[<>:]|\.(part|isra|constprop|cold|lto_priv).*/, "", name); next }
/^ +[0-9a-f]+:/ { sub(/^ +[0-9a-f]+:[ \t]*/, ""); sub(/[ \t]*(#|\/\/).*/, ""); gsub(/[ \t]+/, " "); print name, $0 }
' >"$listing"

instructions_of() {
  sed -n "s/^\($1\) //p" "$listing"
}

has_none() { # functions, instructions, what they would be
  local found
  [ -n "$(instructions_of "$1")" ] || {
    echo "$library has no function $1"
    failed=1
    return
  }
  found=$(instructions_of "$1" | grep -E "$2")
  [ -z "$found" ] || {
    printf '%s has %s:\n%s\n' "$1" "$3" "$found"
    failed=1
  }
}

has() { # tag, functions, instructions
  instructions_of "$2" | grep -qE "$3" || {
    echo "[$1] $2 lacks an instruction that matches $3"
    failed=1
  }
}

case $cpu in
x86_64)
  # xchg %ax,%ax is a gap between functions' parts.
  unwanted='^lock|^[a-z]*fence|^xchg.*\(|^rep|^xacquire|^syscall'
  has_none promcb_record_at "$unwanted|^call" 'what makes it slow'
  has_none promcb_record_many "$unwanted" 'what makes it slow'
  has_none promcb_record_at '@plt' 'a jump by way of a table'
  # So that a missing function does not pass: the overflow path is locked.
  has RMW 'overflow_record\|record_call\|promcb_record_slow' '^lock'
  ;;
aarch64)
  unwanted='^(ld[a]?x[rp]|st[l]?x[rp]|ldar|ldapr|stlr|dmb|dsb|isb|ldadd|ldset|swp|cas|blr? |svc)'
  has_none promcb_record_at "$unwanted" 'what makes it slow'
  # Once for each run.
  has_none promcb_record_many "$(sed 's/|ldar|ldapr//; s/|blr? //' <<<"$unwanted")" 'what makes it slow'
  store32='^stlr w'
  store64='^stlr x'
  load32='^lda(p)?r w'
  load64='^lda(p)?r x'
  cas32='^(stlxr w|casal w)|__aarch64_cas4_acq_rel'
  cas64='^(stlxr w[0-9]+, x|casal x)|__aarch64_cas8_acq_rel'
  has MAGIC 'promcb_segment_create\|make\|fill' "$store64"
  has LANE 'promcb_lane_take\|promcb_lane_acquire_special\|take\|move_in' "$store64"
  has LANE 'promcb_catalog_make\|list_lanes' "$load64"
  has DIR 'promcb_lane_block' "$store32"
  has DIR 'promcb_catalog_make\|list_lanes\|list_blocks' "$load32"
  has RING 'promcb_lane_grow_ring' "$store64"
  has RING 'promcb_collect\|sweep\|add_block\|note_ring' "$load64"
  has PUB 'promcb_component_register\|register_in' "$cas64"
  has PUB 'promcb_component_find\|probe' "$load64"
  has PUB 'promcb_catalog_make\|list_components' "$load64"
  has RST 'promcb_reset\|reset_component' "$store64"
  has RST 'promcb_collect\|begin\|read_baseline' "$load64"
  has RST 'promcb_catalog_is_stable' "$load64"
  has STATE 'promcb_set_state\|change_state' "$cas64"
  has STATE 'promcb_set_state\|change_state' "$store64"
  has CHUNK 'promcb_segment_take_chunk' "$cas32"
  has CHUNK 'promcb_catalog_chunk_is' "$load32"
  has RECALL 'promcb_recorder_recall' "$store64"
  has RECALL 'promcb_record_many' "$load64"
  has RECALL 'promcb_entry_load' "$load64"
  has START 'promcb_process_start' "$store32"
  has START 'promcb_process_is_started\|before_fork' "$load32"
  has HANDLE 'promcb_handle_add' "$store64"
  has HANDLE 'with_entry\|promcb_record_slow' "$load64"
  has MUTEX 'promcb_process_enter\|lock_mutex' "$cas32"
  has MUTEX 'promcb_process_leave\|unlock_mutex' "$store32"
  has ANCHOR 'promcb_clock_elapsed_ns' "$load64"
  has GUARD 'promcb_sigbus_add' "$store64"
  has GUARD 'on_sigbus' "$load64"
  has RMW 'overflow_record\|record_call\|promcb_record_slow' '^ldxr|^ldadd|__aarch64_ldadd8_relax'
  ;;
*)
  echo "nobody has said what $cpu needs"
  exit 77
  ;;
esac
exit $failed
