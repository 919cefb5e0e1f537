"""Listening on an address, or saying in one line why that cannot be and where to choose another."""

from __future__ import annotations

import socket

from flyball.errors import CommandError


def listen(host: str, port: int, key: str) -> socket.socket:
    """Bind the address; raises CommandError when that cannot be, with the `key` that sets another port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        reason = str(error.strerror).partition(" (while")[0]  # Python adds the address, which we have said
        raise CommandError(refusal(host, port, reason, key)) from error


def hold_port() -> socket.socket:
    """Keep a port of the loopback for a process of ours that will listen on it, now or after a restart.

    A port only chosen may be taken by anybody before that process starts. While this socket is open, bound and never
    listening, the kernel gives the port to nobody who asks for any port or connects, and a server that sets
    SO_REUSEADDR, as Rust's and Python's do, may listen on it (socket(7)).
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    return held


def refusal(host: str, port: int, reason: str, key: str) -> str:
    """Say that an address cannot be had."""
    return f"cannot listen on {host}:{port}: {reason}; another port is set by {key} in flyball.yaml"
