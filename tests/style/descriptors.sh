#!/bin/bash
# SPDX-License-Identifier: MIT
# The library opens descriptors in one place alone, which keeps them away from 0, 1 and 2. Of the tools each makes sure
# before its first that those are taken.
set -u
cd "${PROMCB_SOURCE:-$(dirname "$0")/../..}" || exit 1
failed=0

makers='open|openat|openat2|creat|fopen|freopen|fdopen|opendir|tmpfile|mkstemp|mkostemp|shm_open|memfd_create'
makers+='|dup|dup2|dup3|pipe|pipe2|socket|socketpair|accept|accept4|eventfd|signalfd|timerfd_create'
makers+='|epoll_create1?|inotify_init1?'
makers+='|pidfd_open|userfaultfd|popen|scandir|glob|ftw|nftw'
found=$(grep -nE "(^|[^A-Za-z0-9_])($makers)\(|F_DUPFD" lib/*/*.[ch] include/promcb/*.h |
  grep -vE '^lib/base/descriptor\.c:|:[0-9]+:\s*(/?\*|//)')
if [ -n "$found" ]; then
  echo "use promcb_descriptor_open() of lib/base/descriptor.h:"
  echo "$found"
  failed=1
fi
for file in $(grep -lE '^int main\(' tools/*.c tools/record/*.c tools/sidecar/*.c); do
  awk '/^int main\(/ { inside = 1 } inside && /promcb_tool_start\(/ { found = 1 } inside && /^}/ { exit !found }' \
    "$file" || { echo "$file: its main() does not begin with promcb_tool_start()"; failed=1; }
done
exit $failed
