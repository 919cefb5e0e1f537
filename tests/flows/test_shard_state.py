"""The state of a shard goes on where its snapshot was, and every life of it has a number of its own."""

from __future__ import annotations

from shutil import copytree
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


def states(folder: Path | None, now_ns: int | None = None) -> ShardStates[Count]:
    """Open as a process does; `now_ns` is its clock."""
    return ShardStates(Count, folder, 0, ("a",), None if now_ns is None else lambda: now_ns)


def test_no_two_lives_are_alike(tmp_path: Path) -> None:
    """Also a life that ended before it took a snapshot has used up its number: what it told may be in the log."""
    shard = states(tmp_path).open("r00")
    shard.table.add()
    snapshot = shard.snapshot()
    lives = [shard.table.life] + [states(tmp_path).resume(snapshot).table.life for _ in range(3)]
    lives += [states(tmp_path).open("r01").table.life for _ in range(2)]
    assert lives == [0, 1, 2, 3, 0, 1]


def test_a_folder_that_was_lost_or_put_back_begins_above_what_was_told(tmp_path: Path) -> None:
    """Else whoever keeps the highest revision takes nothing that it tells; a clock that is wrong takes nothing back."""
    hour, now = 3600 * 10**9, 1_800_000_000 * 10**9
    shard = states(tmp_path / "lost", now).open("r00")
    snapshot = shard.snapshot()
    copytree(tmp_path / "lost", tmp_path / "copy")
    lives = [shard.table.life] + [states(tmp_path / "lost", now + hour).resume(snapshot).table.life for _ in range(2)]
    lives.append(states(tmp_path / "copy", now + 2 * hour).resume(snapshot).table.life)
    lives.append(states(tmp_path / "new", now + 3 * hour).open("r00").table.life)
    lives.append(states(tmp_path / "new", 0).open("r00").table.life)
    assert lives == sorted(set(lives))
    assert lives[-1] << 24 < 1 << 53  # revisions are numbers of JSON


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
