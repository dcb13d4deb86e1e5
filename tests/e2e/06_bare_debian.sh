#!/bin/bash
# SPDX-License-Identifier: MIT
# On a Debian without anything, what is installed from the README is found by compiler, pkg-config and loader.
cd "${PROMCB_SOURCE:?}" || exit 1
exec timeout 1700 tests/chroot/run.sh --short bookworm
