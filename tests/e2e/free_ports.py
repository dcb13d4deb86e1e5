#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Ports of 127.0.0.1 that nobody listens at.

Usage: free_ports.py COUNT

Tests run side by side: a port of the range that the kernel gives to connections would be gone before it is listened at,
and so could one that two tests have found. These are of another range, and each process begins at another place.
"""
import os
import socket
import sys


def free_ports(count, seed=None):
    """The seed is the number of a process that lives as long as the test."""
    seed = os.getpid() if seed is None else seed
    first, last = 12000, 32000
    with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
        last = min(last, int(file.read().split()[0]) - 1)
    if last - first < 1000:
        first, last = 12000, 32000
    found, port = [], first + seed * 10 % (last - first)
    while len(found) < count:
        with socket.socket() as one:
            try:
                one.bind(("127.0.0.1", port))
                found.append(port)
            except OSError:
                pass
        port = port + 1 if port < last else first
    return found


if __name__ == "__main__":
    print(*free_ports(int(sys.argv[1]), os.getppid()))
