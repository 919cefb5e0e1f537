"""What tools raise goes on as it is, whatever its own code does."""

from __future__ import annotations

import pytest
from flyball_sdk import Guard, running, tool


class WordlessError(Exception):
    """An error that cannot be written."""

    def __str__(self) -> str:
        msg = "no words"
        raise RuntimeError(msg)


def test_an_error_that_cannot_be_written_goes_on() -> None:
    """The caller gets the tool's own error, and the call has ended; it is an error like others of its class."""
    told: list[str] = []
    guard = Guard(on_event=lambda event: told.append(event.decision.reason_code))
    ran = []

    @tool(guard)
    def search(query: str) -> str:
        ran.append(query)
        raise WordlessError

    with running():
        for number in range(5):
            with pytest.raises(WordlessError):
                search(str(number))
    assert guard._pending == {}
    assert len(ran) == 5
