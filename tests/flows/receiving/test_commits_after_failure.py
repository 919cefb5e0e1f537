"""A log that fails and works again: health follows it, also where nobody sends any more."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from flows.receiving import commits
from flows.receiving.commits import GroupCommit


class Log:
    """A log that fails while `full`, and counts what it was asked for."""

    def __init__(self) -> None:
        self.full = True
        self.flushes = 0

    def writer(self) -> Any:
        """Give the writer: itself."""
        return self

    def append(self, topic: str, messages: Any) -> None:
        """Take messages."""

    def flush(self) -> None:
        """Fail while it is full."""
        self.flushes += 1
        if self.full:
            raise OSError(28, "No space left on device")

    def close(self) -> None:
        """Do nothing."""


def until(condition: Any, seconds: float = 10.0) -> None:
    """Wait until it holds."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    assert condition()


def test_health_recovers_where_nobody_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A balancer that sends nothing to what is ill would else leave it so for ever; while it is ill it is said."""
    monkeypatch.setattr(commits, "_TRY_S", 0.05, raising=False)
    log: Any = Log()
    commit = GroupCommit(log, lambda _: None)
    commit.start()
    with pytest.raises(OSError, match="No space left"):
        asyncio.run(commit.put("topic", [b"x"]))
    until(lambda: log.flushes > 3)
    assert commit.failure is not None
    log.full = False
    until(lambda: commit.failure is None)
    tried = log.flushes
    time.sleep(0.2)
    assert log.flushes == tried
    asyncio.run(commit.put("topic", [b"x"]))
    commit.stop()
    assert log.flushes == tried + 1


def test_a_full_disk_is_not_filled_with_words(caplog: pytest.LogCaptureFixture) -> None:
    """What fails again and again is said now and then, with how many it was; that it works again is said, too."""
    log: Any = Log()
    commit = GroupCommit(log, lambda _: None)
    commit.start()
    for _ in range(50):
        with pytest.raises(OSError, match="No space left"):
            asyncio.run(commit.put("topic", [b"x"]))
    log.full = False
    asyncio.run(commit.put("topic", [b"x"]))
    commit.stop()
    assert [record.getMessage() for record in caplog.records] == [
        "1 requests could not be written: [Errno 28] No space left on device",
        "the log takes what is sent again; 49 more requests could not be written",
    ]
