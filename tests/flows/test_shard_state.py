"""The state of a shard goes on where its snapshot was, and every life of it has a number of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows.shard_state import ShardStates

if TYPE_CHECKING:
    from pathlib import Path


class Count:
    """A state that counts."""

    def __init__(self, base: bytes | None, deltas: list[bytes], life: int) -> None:
        self.count = sum(len(part) for part in [base or b"", *deltas])
        self.told = self.count
        self.life = life

    def add(self) -> None:
        """Count one."""
        self.count += 1

    def take_delta(self) -> bytes:
        """Give one byte for each one counted."""
        delta, self.told = bytes(self.count - self.told), self.count
        return delta

    def dump(self) -> bytes:
        """Give one byte for each one ever counted."""
        return bytes(self.count)


def states(folder: Path | None) -> ShardStates[Count]:
    """Open as a process does."""
    return ShardStates(Count, folder, 0, ("a",), None)


def test_no_two_lives_are_alike(tmp_path: Path) -> None:
    """Also a life that ended before it took a snapshot has used up its number: what it told may be in the log."""
    shard = states(tmp_path).open("r00")
    shard.table.add()
    snapshot = shard.snapshot()
    lives = [shard.table.life] + [states(tmp_path).resume(snapshot).table.life for _ in range(3)]
    lives += [states(tmp_path).open("r01").table.life for _ in range(2)]
    assert lives == [0, 1, 2, 3, 0, 1]


def test_a_shard_goes_on_from_its_snapshot(tmp_path: Path) -> None:
    """State and watermark are those of the snapshot, whatever came after it."""
    for folder in (tmp_path, None):
        shard = states(folder).open("r00")
        for _ in range(3):
            shard.table.add()
        assert shard.hear((("a", 5),), None) == 5
        snapshot = shard.snapshot()
        shard.table.add()
        shard.hear((("a", 9),), None)
        shard.snapshot()
        again = states(folder).resume(snapshot)
        assert (again.key, again.table.count, again.watermark.current) == ("r00", 3, 5)


def test_a_state_that_nobody_resumes_is_not_written_down() -> None:
    """Where the engine keeps nothing, a snapshot is empty, however large the state."""
    shard = ShardStates(Count, None, 0, ("a",), None, kept=False).open("r00")
    shard.table.add()
    assert not shard.snapshot()
