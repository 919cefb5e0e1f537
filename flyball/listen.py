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


def refusal(host: str, port: int, reason: str, key: str) -> str:
    """Say that an address cannot be had."""
    return f"cannot listen on {host}:{port}: {reason}; another port is set by {key} in flyball.yaml"
