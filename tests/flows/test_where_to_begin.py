"""Where a partition is begun that was never read: `log.start` counts once, what comes after it is never skipped."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from flows.begun import Begun
from flows.source import Begin, LogSource
from streams.embedded import EmbeddedLog

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EmbeddedLog]:
    """Give a log with a topic of one partition that holds one message."""
    log = EmbeddedLog(tmp_path)
    log.ensure("spans", 1)
    append(log, b"before")
    yield log
    log.close()


def append(log: EmbeddedLog, *values: bytes) -> None:
    """Append messages."""
    writer = log.writer()
    writer.append("spans", [(None, value) for value in values])
    writer.close()


def part_of(log: EmbeddedLog, start: str, snapshot: int | None = None, on_lost: str = "stop") -> Any:
    """Open the partition as a flow does, at a snapshot."""
    source = LogSource(lambda: log, ("spans",), Event(), begin=Begin(start, on_lost))
    return source.build_part("source", source.list_parts()[0], snapshot)


def values(part: Any) -> list[bytes]:
    """Read what there is; the first batch of all has nothing."""
    return [value for _ in range(2) for batch in part.next_batch() for value in batch.messages]


@pytest.mark.parametrize(("start", "found"), [("oldest", [b"before"]), ("newest", [])])
def test_a_partition_that_was_never_read(log: EmbeddedLog, start: str, found: list[bytes]) -> None:
    """It is begun at its oldest message, or after its newest."""
    part = part_of(log, start)
    assert values(part) == found
    append(log, b"after")
    assert values(part) == [b"after"]


@pytest.mark.parametrize("start", ["oldest", "newest"])
def test_one_in_which_nothing_came_goes_on_where_it_was(log: EmbeddedLog, start: str) -> None:
    """What comes while the flow is down is read, though this partition had nothing to say before."""
    part = part_of(log, start)
    values(part)
    snapshot = part.snapshot()
    part.close()
    append(log, b"meanwhile")
    assert values(part_of(log, start, snapshot)) == [b"meanwhile"]


@pytest.mark.parametrize(("on_lost", "found"), [("oldest", [b"before"]), ("newest", [])])
def test_one_whose_place_is_lost(log: EmbeddedLog, on_lost: str, found: list[bytes]) -> None:
    """It skips what is there once, or reads all that is left; what comes after that is read, also by the next start."""
    part = part_of(log, "oldest", 1_000, on_lost)
    snapshot = part.snapshot()
    assert values(part) == found
    part.close()
    append(log, b"meanwhile")
    assert values(part_of(log, "oldest", snapshot, on_lost)) == [*found, b"meanwhile"]


class Small:
    """A log as it was when its topic had one partition."""

    def __init__(self, log: EmbeddedLog) -> None:
        self._log = log

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    def partitions(self, _: str) -> int:
        """Count one."""
        return 1


def parts_of(log: Any, folder: Path) -> list[Any]:
    """Open all partitions as a flow does that has no snapshot and begins at the newest message."""
    source = LogSource(lambda: log, ("spans",), Event(), begin=Begin("newest"), begun=Begun(folder))
    return [source.build_part("source", part, None) for part in source.list_parts()]


def test_a_flow_that_is_killed_before_its_first_snapshot_skips_nothing(log: EmbeddedLog, tmp_path: Path) -> None:
    """The next one begins where that one did."""
    (part,) = parts_of(log, tmp_path / "begun")
    append(log, b"read")
    assert values(part) == [b"read"]
    part.close()
    append(log, b"meanwhile")
    (again,) = parts_of(log, tmp_path / "begun")
    assert values(again) == [b"read", b"meanwhile"]


def test_a_partition_that_its_topic_got_later_is_read_from_its_oldest(tmp_path: Path) -> None:
    """What lies in it came since the first start: it is none of what was to be skipped."""
    log = EmbeddedLog(tmp_path)
    log.ensure("spans", 2)
    writer = log.writer()
    writer.append("spans", [(str(key).encode(), b"before") for key in range(20)])
    writer.close()
    (first,) = parts_of(Small(log), tmp_path / "begun")
    assert values(first) == []
    first.close()
    again = parts_of(log, tmp_path / "begun")
    assert [set(values(part)) for part in again] == [set(), {b"before"}]
    assert [part.snapshot() for part in parts_of(log, tmp_path / "begun")] == [log.end("spans", 0), -1]
    log.close()


def test_processes_of_one_number_begin_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in containers, which see one folder: the other one notes its offset while this one is about to."""
    link = Path.hardlink_to

    def linked(path: Path, draft: Path) -> None:
        monkeypatch.setattr(Path, "hardlink_to", link)
        assert Begun(tmp_path).offset("spans", 0, lambda: 8) == 8
        link(path, draft)

    Begun(tmp_path).saw("spans", 1)
    monkeypatch.setattr(Path, "hardlink_to", linked)
    assert Begun(tmp_path).offset("spans", 0, lambda: 9) == 8
    assert sorted(path.name for path in tmp_path.iterdir()) == ["spans.0", "spans.partitions"]
