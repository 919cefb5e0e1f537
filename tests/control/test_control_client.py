"""What a person is told when the control plane says nothing, or cannot write what it was ordered."""

from __future__ import annotations

import argparse
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from control import client
from control.client import Client, ControlError, UnansweredError
from flyball.commands import kill, resume

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def mute(*, hangs_up: bool) -> Iterator[str]:
    """Take one request, and say nothing; gives the address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = threading.Event()

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                if not hangs_up:
                    done.wait(10)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            done.set()
            thread.join(10)


@pytest.mark.parametrize("hangs_up", [True, False])
def test_an_order_that_is_not_answered_may_have_been_done(hangs_up: bool, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: FBT001
    """A slow disk is no reason to tell that nothing was changed: the kill may hold."""
    monkeypatch.setattr(client, "_WAIT_S", 0.3)
    with mute(hangs_up=hangs_up) as address, pytest.raises(ControlError, match="may have done it") as told:
        Client(address, "key").post("/v1/kill", {})
    assert "Nothing was changed" not in str(told.value)
    assert not isinstance(told.value, UnansweredError)


def test_what_nobody_took_was_not_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody is there nothing was changed, nor by a question."""
    monkeypatch.setattr(client, "_WAIT_S", 0.3)
    with pytest.raises(UnansweredError, match="Nothing was changed"):
        Client("http://127.0.0.1:9", "key").post("/v1/kill", {})
    with mute(hangs_up=True) as address, pytest.raises(UnansweredError, match="Nothing was changed"):
        Client(address, "key").get("/v1/status")


def test_a_resume_that_is_not_written_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The kill would be back after a restart."""
    answer = {"resumed": True, "places": [{}], "written": False, "degraded": "database or disk is full"}
    monkeypatch.setattr(resume, "control_of", lambda args: None)
    monkeypatch.setattr(resume, "order", lambda *_: answer)
    assert resume.run(argparse.Namespace(scope="workflow:air")) == 0
    assert "NOT WRITTEN YET: database or disk is full" in capsys.readouterr().out
    kill.tell_unwritten(answer | {"written": True})
    assert capsys.readouterr().out == ""
