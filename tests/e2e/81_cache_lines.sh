#!/bin/bash
# SPDX-License-Identifier: MIT
# One record of a warm component touches few cache lines: those of the segment, which a reader on another processor
# takes away, and those of the process. Lackey, a tool of valgrind, tells every access; those between two stores to a
# mark are the path's. Lines are 64 bytes; the stack and the line of the mark, where the caller's words lie, are left
# out.
. "$(dirname "$0")/tools_prelude.sh"
[ -n "${PROMCB_COUNTED-}" ] || { echo "only a plain release build for x86-64 is counted"; exit 77; }
command -v valgrind >/dev/null || { echo "valgrind is not installed"; exit 77; }
paths=${PROMCB_BUILD:?}/tests/e2e_paths
# Neither the dynamic linker nor what fills fresh memory shall be on the path.
export LD_BIND_NOW=1
unset MALLOC_PERTURB_

valgrind --tool=lackey --log-file="$scratch/err" "$paths" nothing 1 >"$scratch/out" 2>&1 ||
  { echo "valgrind cannot run a program here: $(tail -n 1 "$scratch/err")"; exit 77; }

failed=
# The segment's: the block's header, a bucket of the histogram, a slot of the ring. The process's: the thread's
# distance, its entry, a word of the bucket table, tables of the dynamic linker (one line more is allowed, since they
# shift), the kernel's page of clocks or what stands for it; and by name, the hash table and the name.
# Through a breaker the row's first line is written, and the state's read, too.
# path, then limits: lines of the segment written, lines of the segment read or written, lines of data of the process.
while read -r path written segment process; do
  rm -f "/dev/shm$PROMCB_SEGMENT"
  valgrind --tool=lackey --trace-mem=yes --log-file="$scratch/trace" "$paths" "$path" 1 10 >"$scratch/out" ||
    fail "$path: $(tail -n 3 "$scratch/trace")"
  python3 - "$scratch" "$path" "$written" "$segment" "$process" <<'PYTHON' || failed=yes
import sys

scratch, path, *limits = sys.argv[1:]
ranges, stack, mark = [], 0, 0
for line in open(scratch + "/out"):
    word, value = line.split()
    if word == "segment":
        ranges.append([int(bound, 16) for bound in value.split("-")])
    elif word == "stack":
        stack = int(value, 16)
    elif word == "mark":
        mark = int(value, 16)
if not ranges:
    sys.exit(f"{path}: the program has no segment mapped")

def is_segment(address):
    return any(start <= address < end for start, end in ranges)

marks, written, shared, process, code = 0, set(), set(), set(), set()
for line in open(scratch + "/trace"):
    kind = line[:3].strip()
    if kind not in ("I", "L", "S", "M") or "," not in line:
        continue
    address, size = line[3:].split(",")
    address, size = int(address, 16), int(size)
    if address == mark and kind in "SM":
        marks += 1
        continue
    if marks != 1:
        continue
    for number in range(address // 64, (address + size - 1) // 64 + 1):
        if kind == "I":
            code.add(number)
        elif is_segment(address):
            shared.add(number)
            if kind in "SM":
                written.add(number)
        elif abs(address - stack) > 65536 and number != mark // 64:
            process.add(number)
if marks != 2:
    sys.exit(f"{path}: {marks} stores to the mark, 2 are expected")
counts = (len(written), len(shared), len(process))
over = any(count > int(limit) for count, limit in zip(counts, limits))
print(f"{path}: {counts[0]} lines of the segment written (limit {limits[0]}), {counts[1]} touched ({limits[1]}), "
      f"{counts[2]} of the process's data ({limits[2]}), {len(code)} of code{': TOO MANY' if over else ''}")
sys.exit(over)
PYTHON
done <<'END'
record_at_inline 3 3 6
record_at 3 3 7
record 3 3 10
call 3 3 28
counter_add_inline 1 1 4
counter_add 1 1 5
gauge_set 1 1 7
histogram_observe 2 2 10
guarded_inline 4 5 8
guarded 4 5 10
END
[ -z "$failed" ] || fail "a fast path touches more memory than it did"
