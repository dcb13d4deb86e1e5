#!/bin/bash
# SPDX-License-Identifier: MIT
# One module names memory orders; everybody else calls it, and the order stands in the name of the call.
set -u
cd "${PROMCB_SOURCE:-$(dirname "$0")/../..}" || exit 1
words='\bvolatile\b|\b__volatile__\b|__ATOMIC_|__atomic_|__sync_|\b_Atomic\b|<stdatomic\.h>'
# The record path's other inline assembly is allowed to say that it must stay where it is; __asm__ volatile is not.
if grep -nE "$words" $(find include lib tools -name '*.[ch]' ! -path include/promcb/atomic.h); then
  echo "the lines above name memory orders or volatile outside include/promcb/atomic.h"
  exit 1
fi
