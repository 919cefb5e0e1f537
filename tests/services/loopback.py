"""Ports of 127.0.0.1 for services that tests and benchmarks start, which are told their port before they listen.

A port the system chooses (port 0) is free only until the system chooses it again, for any other socket of any process.
These lie below those it chooses (`net.ipv4.ip_local_port_range`), each process of pytest has its own, and none is
given twice before all were.
"""

from __future__ import annotations

import contextlib
import os
import socket

FIRST, EACH, PROCESSES = 10_000, 2_500, 8

_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % PROCESSES
_own = range(FIRST + _worker * EACH, FIRST + (_worker + 1) * EACH)
_next = os.getpid() % EACH  # another run of the tests, or a benchmark, most likely begins elsewhere


def free_ports(count: int) -> list[int]:
    """Give ports that nobody listens on now, one after the other; AssertionError if there are none."""
    global _next  # noqa: PLW0603 -- what this process was given is a fact of the process
    for _ in range(EACH):
        start = _next if _next + count <= EACH else 0
        _next = start + count
        ports = _own[start : start + count]
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in ports:
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
            return list(ports)
    raise AssertionError("no free ports")


def free_port() -> int:
    """Give one of them."""
    return free_ports(1)[0]
