#!/bin/bash
# SPDX-License-Identifier: MIT
#
# enter.sh ROOT ARCHIVES COMMAND...: runs the command as root in ROOT, with processes, /proc, /dev and shared memory of
# its own, and ARCHIVES for packages. By pivot_root: in a chroot, no namespace of users can be made. Whatever runs there
# ends with it.
set -eu
exec unshare --mount --pid --fork --kill-child bash -c '
  set -e
  mount --make-rprivate /
  mount --bind "$1" "$1"
  cd "$1"
  mount -t proc proc proc
  mount --rbind /sys sys
  mount -t tmpfs -o mode=755 tmpfs dev
  for node in null zero full random urandom tty; do
    : >dev/$node
    mount --bind /dev/$node dev/$node
  done
  ln -s /proc/self/fd dev/fd
  ln -s fd/0 dev/stdin
  ln -s fd/1 dev/stdout
  ln -s fd/2 dev/stderr
  mkdir dev/shm dev/pts old
  mount -t tmpfs -o mode=1777 tmpfs dev/shm
  mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
  ln -s pts/ptmx dev/ptmx
  mount --bind "$2" var/cache/apt/archives
  pivot_root . old
  umount -l /old
  rmdir /old
  shift 2
  exec "$@"' enter "$@"
