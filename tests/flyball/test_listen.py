"""A held port stays ours: anybody else is refused it, and the process that it was held for may listen on it."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest

from flyball.errors import CommandError
from flyball.listen import hold_port, listen


def test_a_held_port_is_given_to_nobody_else() -> None:
    """The kernel refuses it while it is held."""
    with closing(hold_port()) as held, closing(socket.socket()) as other, pytest.raises(OSError, match="in use"):
        other.bind(held.getsockname())


def test_a_server_listens_on_a_held_port_again_and_again() -> None:
    """Old connections in TIME_WAIT do not matter."""
    with closing(hold_port()) as held:
        for _ in range(3):
            with (
                closing(socket.create_server(held.getsockname())) as server,
                closing(socket.create_connection(held.getsockname())),
            ):
                server.accept()[0].close()  # the next server comes while this connection is in TIME_WAIT


def test_a_port_that_is_taken_is_said_with_the_key_that_sets_another() -> None:
    """The error is one line: where, why, what to change."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CommandError, match=rf"cannot listen on 127\.0\.0\.1:{port}: .*in use.*set by otlp\.port"):
            listen("127.0.0.1", port, "otlp.port")
